// Races our kernels against memory copies and ONNX Runtime's QuantizeLinear and DequantizeLinear (WebAssembly, one thread) on the same data, in the
// same run. Speeds are of bytes touched: read and written. Best of many turns. Run it with: npm ci --ignore-scripts && npm run bench
import { readFileSync } from "node:fs";
import * as ort from "onnxruntime-web";
import { inputs } from "../inputs.ts";
import { model } from "./proto.mjs";

ort.env.wasm.numThreads = 1;
ort.env.logLevel = "error";

const COLS = 1024;
const memory = new WebAssembly.Memory({ initial: 4096 });
const file = new URL("../../../build/quern.simd.wasm", import.meta.url);
const { exports: k } = new WebAssembly.Instance(new WebAssembly.Module(readFileSync(file)), { env: { memory } });
const bytes = new Uint8Array(memory.buffer);

// x [rows, COLS], scales [rows], zero points -> q -> y, int8.
async function session(op) {
  const list = [
    { name: "x", type: op === "QuantizeLinear" ? "float" : "int8", rank: 2 },
    { name: "s", type: "float", rank: 1 },
    { name: "z", type: "int8", rank: 1 },
  ];
  const out = { name: "y", type: op === "QuantizeLinear" ? "int8" : "float", rank: 2 };
  return ort.InferenceSession.create(model([{ op, inputs: ["x", "s", "z"], output: "y", attributes: { axis: 0 } }], list, [out]));
}

async function race(contenders, seconds) {
  const best = new Map(contenders.map(({ name }) => [name, Number.POSITIVE_INFINITY]));
  const end = performance.now() + 1000 * seconds;
  for (let turn = 0; turn < 5 || performance.now() < end; turn++) {
    for (const { name, run, times } of contenders) {
      const start = performance.now();
      for (let i = 0; i < times; i++) {
        const pending = run();
        if (pending instanceof Promise) await pending;
      }
      best.set(name, Math.min(best.get(name), (performance.now() - start) / times));
    }
  }
  return best;
}

async function table(n, seconds) {
  const rows = n / COLS;
  const f = 1 << 20;
  const [scales, codes] = [f + 4 * n + 6144, f + 8 * n + 12288];
  const back = codes + n + 6144;
  const values = new Float32Array(n);
  const some = inputs(65536, 0);
  for (let i = 0; i < n; i += some.length) values.set(some.subarray(0, Math.min(some.length, n - i)), i);
  new Float32Array(memory.buffer, f, n).set(values);
  const steps = new Float32Array(memory.buffer, scales, n / 32).fill(0.1 / 127);
  const feeds = (data, type) => ({
    x: new ort.Tensor(type, data, [rows, COLS]),
    s: new ort.Tensor("float32", steps.slice(0, rows), [rows]),
    z: new ort.Tensor("int8", new Int8Array(rows), [rows]),
  });
  k.quantize(f, rows, COLS, scales, 0, -128, 127, codes);
  const q = await session("QuantizeLinear");
  const dq = await session("DequantizeLinear");
  const forth = feeds(values, "float32");
  const ours = new Int8Array(memory.buffer, codes, n).slice();
  const theirs = (await q.run(forth)).y.data;
  if (!ours.every((code, i) => code === theirs[i])) throw new Error("codes differ");
  const backward = feeds(ours, "int8");
  const times = Math.max(1, Math.floor(131072 / n));
  const group = n / 32;
  const contenders = [
    ["memory copy", 8, () => bytes.copyWithin(back, f, f + 4 * n)],
    ["quantize, rows of 1024", 5, () => k.quantize(f, rows, COLS, scales, 0, -128, 127, codes)],
    ["ONNX Runtime QuantizeLinear", 5, () => q.run(forth)],
    ["dequantize, rows of 1024", 5, () => k.dequantize(codes, rows, COLS, scales, 0, back)],
    ["ONNX Runtime DequantizeLinear", 5, () => dq.run(backward)],
    ["quantize, groups of 32", 5, () => k.quantize(f, group, 32, scales, 0, -128, 127, codes)],
    ["q8_0", 5, () => k.quantizeQ80(f, n, back, codes)],
    ["q4_0", 5, () => k.quantizeQ40(f, n, back, codes)],
    ["q4_1", 5, () => k.quantizeQ41(f, n, back, back + n, codes)],
    ["nbits4, groups of 32", 5, () => k.quantizeAway(f, group, 32, scales, 0, codes)],
    ["nf4, groups of 64", 5, () => k.quantizeNormal(f, n / 64, 64, scales, codes)],
    ["nf4 back", 5, () => k.dequantizeNormal(codes, n / 64, 64, scales, back)],
    ["q4_1 back", 5, () => k.dequantizeMinimum(codes, group, 32, scales, scales, back)],
  ].map(([name, touched, run]) => ({ name, touched, run, times }));
  const best = await race(contenders, seconds);
  const speed = ({ name, touched }) => (touched * n) / best.get(name) / 1e6;
  const copy = speed(contenders[0]);
  console.log(`\n${n} elements, ${(4 * n) / 1e6} MB of f32`);
  for (const contender of contenders) {
    const gbps = speed(contender);
    console.log(`${contender.name.padEnd(30)} ${gbps.toFixed(2).padStart(7)} GB/s  ${((100 * gbps) / copy).toFixed(0).padStart(4)} % of the copy`);
  }
  const ratio = (a, b) => (best.get(b) / best.get(a)).toFixed(1);
  console.log(`quantize is ${ratio("quantize, rows of 1024", "ONNX Runtime QuantizeLinear")} times as fast as ONNX Runtime, dequantize ${ratio("dequantize, rows of 1024", "ONNX Runtime DequantizeLinear")} times`);
}

await table(65536, 4);
await table(16 * 1024 * 1024, 8);

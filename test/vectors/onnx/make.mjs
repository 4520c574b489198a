// Writes ../onnx.bin: what ONNX Runtime's own QuantizeLinear, DequantizeLinear and MatMulNBits make of the inputs of ../inputs.ts, as hashes
// (u32, little endian). Run it with: npm ci --ignore-scripts && npm run make
import { writeFileSync } from "node:fs";
import * as ort from "onnxruntime-web";
import { FNV_START, fnv, inputs, KINDS, NBITS_ROWS, ONNX_GRAINS, ONNX_KINDS, ONNX_TYPES, SIZES } from "../inputs.ts";
import { model } from "./proto.mjs";

ort.env.wasm.numThreads = 1;
ort.env.logLevel = "error";

const RANGES = {
  int8: [-127, 127],
  "int8 asymmetric": [-128, 127],
  uint8: [0, 255],
  int4: [-7, 7],
  "int4 asymmetric": [-8, 7],
};

// onnxruntime/python/tools/quantization/quant_utils.py, compute_scale_zp, with f64 ranges and an f32 scale.
function scaleAndZero(low, high, type) {
  const [qmin, qmax] = RANGES[type];
  const symmetric = !type.includes("asym") && type !== "uint8";
  const [rmin, rmax] = [Math.min(low, 0), Math.max(high, 0)];
  const most = Math.max(-rmin, rmax);
  const scale = symmetric ? (2 * most) / (qmax - qmin) : (rmax - rmin) / (qmax - qmin);
  if (Math.fround(scale) < 2 ** -126) return [1, 0];
  if (symmetric) return [Math.fround(scale), 0];
  const zero = Math.min(Math.max(roundEven(qmin - rmin / scale), qmin), qmax);
  return [Math.fround(scale), zero];
}

function roundEven(x) {
  const below = Math.floor(x);
  const rest = x - below;
  return rest > 0.5 || (rest === 0.5 && below % 2 !== 0) ? below + 1 : below;
}

// Which scale each element has, by its coordinates, and the shape of the scales as the operator wants them.
function scalesOf(shape, words) {
  const [, per, group, at] = /^(\w+)(?: (\d+))?(?: axis (-?\d+))?$/.exec(words);
  const axis = at === undefined ? 0 : Number(at) < 0 ? shape.length + Number(at) : Number(at);
  const block = per === "group" ? Number(group) : 0;
  const scaleShape = per === "tensor" ? [] : block ? shape.map((e, i) => (i === axis ? Math.ceil(e / block) : e)) : [shape[axis]];
  const index = (coordinates) => {
    if (per === "tensor") return 0;
    if (!block) return coordinates[axis];
    return scaleShape.reduce((sum, extent, i) => sum * extent + (i === axis ? Math.floor(coordinates[i] / block) : coordinates[i]), 0);
  };
  const count = shape.reduce((a, b) => a * b, 1);
  const indices = Array.from({ length: count }, (_, i) => {
    const coordinates = [];
    for (let rest = i, d = shape.length - 1; d >= 0; d--) {
      coordinates[d] = rest % shape[d];
      rest = Math.floor(rest / shape[d]);
    }
    return index(coordinates);
  });
  return { indices, scaleShape, axis, block };
}

// int4 has no tensors in JavaScript: graphs cast from and to int8 and float.
function quantizer(type, rank, scaleRank, axis, block) {
  const narrow = type.startsWith("int4");
  const element = type === "uint8" ? "uint8" : "int8";
  const attributes = { axis, ...(block && { block_size: block }) };
  const zero = narrow ? "z4" : "z";
  const nodes = [
    ...(narrow ? [{ op: "Cast", inputs: ["z"], output: "z4", attributes: { to: 22 } }] : []),
    { op: "QuantizeLinear", inputs: ["x", "s", zero], output: narrow ? "q4" : "q", attributes },
    { op: "DequantizeLinear", inputs: [narrow ? "q4" : "q", "s", zero], output: "y", attributes },
    ...(narrow ? [{ op: "Cast", inputs: ["q4"], output: "q", attributes: { to: 3 } }] : []),
  ];
  const scale = { name: "s", type: "float", rank: scaleRank };
  const inputValues = [{ name: "x", type: "float", rank }, scale, { ...scale, name: "z", type: element }];
  return ort.InferenceSession.create(model(nodes, inputValues, [{ name: "q", type: element, rank }, { name: "y", type: "float", rank }]));
}

const bytesOf = (view) => new Uint8Array(view.buffer, view.byteOffset, view.byteLength);

// Hash of scales, zero points, codes and values of all kinds of inputs.
async function quantizeHash(session, type, words, shape) {
  const { indices, scaleShape } = scalesOf(shape, words);
  const element = type === "uint8" ? "uint8" : "int8";
  let hash = FNV_START;
  for (const kind of ONNX_KINDS) {
    const x = inputs(indices.length, kind);
    const count = scaleShape.reduce((a, b) => a * b, 1);
    const [low, high] = [new Float64Array(count), new Float64Array(count)];
    indices.forEach((k, i) => {
      low[k] = Math.min(low[k], x[i]);
      high[k] = Math.max(high[k], x[i]);
    });
    const pairs = Array.from(low, (least, k) => scaleAndZero(least, high[k], type));
    const scales = Float32Array.from(pairs, ([scale]) => scale);
    const zeros = (element === "uint8" ? Uint8Array : Int8Array).from(pairs, ([, zero]) => zero);
    const { q, y } = await session.run({
      x: new ort.Tensor("float32", x, shape),
      s: new ort.Tensor("float32", scales, scaleShape),
      z: new ort.Tensor(element, zeros, scaleShape),
    });
    for (const part of [scales, zeros, q.data, y.data]) hash = fnv(hash, bytesOf(part));
  }
  return hash;
}

// Scales and codes of MatMulNBits as onnxruntime's mlas makes them (symmetric: the value of greatest magnitude becomes code 0).
function nbits(x, k, asymmetric) {
  const blocks = Math.ceil(k / 32);
  const f = Math.fround;
  const away = (value) => Math.sign(value) * Math.floor(Math.abs(value) + 0.5);
  const scales = new Float32Array(NBITS_ROWS * blocks);
  const zeros = new Uint8Array(NBITS_ROWS * blocks);
  const codes = new Uint8Array(NBITS_ROWS * blocks * 32);
  for (let row = 0; row < NBITS_ROWS; row++) {
    for (let b = 0; b < blocks; b++) {
      const part = x.subarray(row * k + 32 * b, row * k + Math.min(32 * b + 32, k));
      const low = part.reduce((least, v) => (v < least ? v : least), 0);
      const high = part.reduce((most, v) => (v > most ? v : most), 0);
      const at = row * blocks + b;
      scales[at] = asymmetric ? f(high - low) / 15 : (Math.abs(high) > Math.abs(low) ? high : low) / -8;
      const exact = scales[at] === 0 ? low : f(0 - f(low / scales[at]));
      zeros[at] = asymmetric ? Math.max(0, Math.min(15, away(exact))) : 8;
      const id = f(1 / scales[at]);
      part.forEach((v, i) => {
        const product = Number.isFinite(id) ? f(v * id) : 0;
        codes[32 * at + i] = Math.max(0, Math.min(15, away(f(product + zeros[at]))));
      });
    }
  }
  return { blocks, scales, zeros, codes };
}

// The weights back: the product with an identity matrix. Sums turn -0 into 0, so hashes are of x + 0.
async function nbitsHash(k, asymmetric) {
  const weights = ["B", "scales", ...(asymmetric ? ["zeros"] : [])];
  const node = {
    op: "MatMulNBits",
    domain: "com.microsoft",
    inputs: ["A", ...weights],
    output: "Y",
    attributes: { K: k, N: NBITS_ROWS, bits: 4, block_size: 32 },
  };
  const values = [
    { name: "A", type: "float", rank: 2 },
    { name: "B", type: "uint8", rank: 3 },
    { name: "scales", type: "float", rank: 1 },
    { name: "zeros", type: "uint8", rank: 1 },
  ].slice(0, asymmetric ? 4 : 3);
  const session = await ort.InferenceSession.create(model([node], values, [{ name: "Y", type: "float", rank: 2 }]));
  const identity = new Float32Array(k * k);
  for (let i = 0; i < k; i++) identity[i * k + i] = 1;
  let hash = FNV_START;
  for (let kind = 0; kind < KINDS; kind++) {
    const x = inputs(NBITS_ROWS * k, kind);
    const { blocks, scales, zeros, codes } = nbits(x, k, asymmetric);
    const pack = (from) => Uint8Array.from({ length: Math.ceil(from.length / 2) }, (_, i) => from[2 * i] | ((from[2 * i + 1] ?? 0) << 4));
    const rowZeros = Array.from({ length: NBITS_ROWS }, (_, r) => [...pack(zeros.subarray(r * blocks, (r + 1) * blocks))]).flat();
    const feeds = {
      A: new ort.Tensor("float32", identity, [k, k]),
      B: new ort.Tensor("uint8", pack(codes), [NBITS_ROWS, blocks, 16]),
      scales: new ort.Tensor("float32", scales, [scales.length]),
    };
    if (asymmetric) feeds.zeros = new ort.Tensor("uint8", Uint8Array.from(rowZeros), [rowZeros.length]);
    const { data } = (await session.run(feeds)).Y;
    const back = Float32Array.from({ length: NBITS_ROWS * k }, (_, i) => data[(i % k) * NBITS_ROWS + Math.floor(i / k)] + 0);
    for (const part of [scales, zeros, back]) hash = fnv(hash, bytesOf(part));
  }
  await session.release();
  return hash;
}

const hashes = [];
for (const type of ONNX_TYPES) {
  for (const { words, shape } of ONNX_GRAINS) {
    const rank = shape(1).length;
    const { scaleShape, axis, block } = scalesOf(shape(1), words);
    const session = await quantizer(type, rank, scaleShape.length, axis, block);
    for (const n of SIZES) hashes.push(await quantizeHash(session, type, words, shape(n)));
    await session.release();
    console.log(type, words);
  }
}
for (const asymmetric of [false, true]) {
  for (const n of SIZES) hashes.push(await nbitsHash(n, asymmetric));
  console.log("MatMulNBits", asymmetric ? "asymmetric" : "symmetric");
}
writeFileSync(new URL("../onnx.bin", import.meta.url), new Uint8Array(Uint32Array.from(hashes).buffer));
console.log(`${hashes.length} hashes by ONNX Runtime ${ort.env.versions.common ?? ""}`);

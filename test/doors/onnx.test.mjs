// npm run test:doors: what quern writes as ONNX, run by ONNX Runtime. Needs `npm run build`.
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, describe, test } from "node:test";
import { fileURLToPath } from "node:url";
import { BinaryWriter, WireType } from "@bufbuild/protobuf/wire";
import * as ort from "onnxruntime-web";
import { bytesSource, open } from "../../dist/index.js";

ort.env.wasm.numThreads = 1;
const CLI = fileURLToPath(new URL("../../dist/cli.js", import.meta.url));
const PITCH = fileURLToPath(new URL("../../../shared/data/models/basic-pitch-nmp.onnx", import.meta.url));
const folder = mkdtempSync(join(tmpdir(), "quern-doors-"));
after(() => rmSync(folder, { recursive: true }));
const at = (name) => join(folder, name);

function quern(...args) {
  return execFileSync(process.execPath, [CLI, ...args], { cwd: folder, encoding: "utf8" });
}

async function run(path, feeds) {
  const session = await ort.InferenceSession.create(new Uint8Array(readFileSync(path)));
  const results = await session.run(feeds(session));
  await session.release();
  return results;
}

// Pseudo-random values about zero, the same in every run.
function values(count) {
  let seed = 1;
  return Float32Array.from({ length: count }, () => {
    seed = Math.imul(seed, 48271) >>> 0;
    return (seed / 2 ** 32 - 0.5) * (1 + 3 * (seed % 7));
  });
}

function part(number, ...contents) {
  return new BinaryWriter().tag(number, WireType.LengthDelimited).bytes(Buffer.concat(contents)).finish();
}
const text = (number, value) => part(number, Buffer.from(value));
const number = (field, value) => new BinaryWriter().tag(field, WireType.Varint).int64(BigInt(value)).finish();

/** A model that only gives its one initializer, a matrix w, as its output y. */
function identity(opset, shape) {
  const data = values(shape.reduce((a, b) => a * b));
  const dims = shape.map((extent) => number(1, extent));
  const w = Buffer.concat([...dims, number(2, 1), text(8, "w"), part(9, new Uint8Array(data.buffer))]);
  const node = Buffer.concat([text(1, "w"), text(2, "y"), text(4, "Identity")]);
  const y = Buffer.concat([text(1, "y"), part(2, part(1, number(1, 1)))]);
  const graph = [part(1, node), text(2, "g"), part(5, w), part(12, y)];
  return Buffer.concat([number(1, 8), part(7, ...graph), part(8, text(1, ""), number(2, opset))]);
}

describe("DequantizeLinear makes the floats that quern makes", () => {
  const plans = [
    ["int8 tensor", 10, [16, 64], 0],
    ["int8 channel", 13, [16, 64], 0],
    ["int8 channel asymmetric", 13, [16, 4, 3, 3], 0],
    ["int8 tensor asymmetric", 13, [33, 31], 0],
    ["int8 group 16", 21, [16, 64], 0],
    ["int8 group 32 asymmetric", 21, [4, 4, 64], 0],
    ["int4 tensor", 21, [31, 33], 0],
    ["int4 channel", 21, [17, 61], 0],
    ["int4 channel asymmetric", 21, [17, 61], 0],
    ["int4 group 32", 21, [16, 64], 0],
    ["int4 group 32 asymmetric", 21, [8, 2, 96], 0],
    ["int4 group 64", 21, [1, 1000], 0],
    ["int8 snr 30dB", 13, [16, 64], 0],
    ["int8 rmse 1e-3", 21, [16, 64], 0],
    ["prune 0.5 > int4 group 32", 21, [16, 64], 0],
    ["uint8 tensor", 10, [16, 64], 0],
    ["uint8 channel", 13, [16, 4, 3, 3], 0],
    ["uint8 group 16", 21, [16, 64], 0],
    ["int8 channel axis 1", 13, [16, 64], 0],
    ["int8 channel axis 1 asymmetric", 13, [6, 10, 3, 3], 0],
    ["uint8 channel axis -1", 13, [16, 5, 12], 0],
    ["uint8 channel axis 2", 13, [4, 6, 5, 3], 0],
    ["int4 channel axis 1", 21, [9, 15], 0],
    ["int8 group 8 axis 0", 21, [16, 64], 0],
    ["int8 group 12 axis 0", 21, [40, 10], 0],
    ["int8 group 8 axis 1 asymmetric", 21, [6, 20, 3, 3], 0],
    ["uint8 group 16 axis -1", 21, [10, 50], 0],
    ["uint8 group 64 axis 1", 21, [16, 24, 2], 0],
    ["int4 group 16 axis -1 asymmetric", 21, [7, 50], 0],
    ["int4 group 8 axis 0", 21, [20, 7], 0],
    ["q8_0", 21, [16, 64], 0],
    ["q4_0", 21, [4, 4, 64], 0],
    ["q4_0", 21, [1, 75], 0],
    ["nbits4 group 32", 21, [16, 64], 0],
    ["nbits4 group 32 asymmetric", 21, [16, 80], 0],
    ["nbits4 group 64", 21, [16, 6, 5], 0],
    ["prune 2:4 > q4_0", 21, [16, 64], 0],
    ["int8 channel > prune 0.5", 13, [16, 64], 0],
    ["prune channels 0.25 > int8 channel", 13, [16, 64], 1],
    ["smooth 0.5 > int8 channel", 13, [16, 64], 1],
    ["q8_0", 21, [10, 100], 1],
    ["q4_1", 21, [16, 64], 1],
    ["nf4 group 64", 21, [16, 64], 1],
    ["nbits4 group 16", 21, [16, 6, 5], 1],
    ["int8 group 24", 21, [10, 100], 1],
  ];
  for (const [plan, opset, shape, floats] of plans) {
    test(`${plan} of ${shape.join(" x ")}, opset ${opset}`, async () => {
      writeFileSync(at("m.onnx"), identity(opset, shape));
      quern("pack", "m.onnx", "-o", "m.quern", "--plan", `small 0=lossless; ${plan} > auto`);
      const told = JSON.parse(
        quern("unpack", "m.quern", "-o", "q.onnx", "--as", "quantized", "--graph", "m.onnx", "--json"),
      );
      if (plan.includes("rmse")) assert.ok(readFileSync(at("q.onnx")).length > 2048, "codes of int16");
      assert.deepEqual([told.quantized.length, told.floats.length], [1 - floats, floats]);
      const file = await open(bytesSource(readFileSync(at("m.quern"))));
      const { data: expected } = await file.tensor("w");
      const { y } = await run(at("q.onnx"), () => ({}));
      assert.deepEqual(y.dims, shape);
      assert.deepEqual(y.data, expected);
      quern("unpack", "m.quern", "-o", "f.onnx", "--graph", "m.onnx");
      assert.deepEqual((await run(at("f.onnx"), () => ({}))).y.data, expected);
    });
  }

  test("an opset that is too old is refused, with what to do", () => {
    for (const [plan, has, message] of [
      ["int4 channel", 13, /"w" as int4 needs ONNX opset 21, and this model has 13: pack it with "int8 channel"/],
      ["uint8 group 32 axis 0", 13, /"w" as uint8 needs ONNX opset 21, and this model has 13: pack it with "int8 chan/],
      ["q8_0", 19, /"w" as int8 needs ONNX opset 21, and this model has 19: pack it with "int8 channel"/],
      ["int8 rmse 1e-3", 13, /"w" as int16 needs ONNX opset 21, and this model has 13: pack it with "int8 channel"/],
      ["uint8 channel axis 1", 10, /"w" as uint8 needs ONNX opset 13, and this model has 10: convert the model/],
    ]) {
      writeFileSync(at("m.onnx"), identity(has, [16, 64]));
      quern("pack", "m.onnx", "-o", "m.quern", "--plan", `small 0=lossless; ${plan} > auto`);
      assert.throws(
        () => quern("unpack", "m.quern", "-o", "old.onnx", "--as", "quantized", "--graph", "m.onnx"),
        message,
      );
      assert.equal(existsSync(at("old.onnx")), false);
    }
  });
});

/** 10 log10(signal / error) of two outputs. */
function snr(a, b) {
  let [signal, error] = [0, 0];
  for (let i = 0; i < a.length; i++) {
    signal += a[i] ** 2;
    error += (a[i] - b[i]) ** 2;
  }
  return 10 * Math.log10(signal / error);
}

describe("a real model", { skip: existsSync(PITCH) ? false : `no ${PITCH}` }, () => {
  const samples = Float32Array.from({ length: 43844 }, (_, i) => 0.5 * Math.sin(i / 8) + 0.2 * Math.sin(i / 32));
  const listen = (path) =>
    run(path, ({ inputNames }) => ({ [inputNames[0]]: new ort.Tensor("float32", samples, [1, samples.length, 1]) }));

  test("lossless comes back byte for byte, and so runs the same", () => {
    quern("pack", PITCH, "-o", "p.quern", "--plan", "lossless");
    quern("unpack", "p.quern", "-o", "p.onnx", "--graph", PITCH);
    assert.ok(readFileSync(at("p.onnx")).equals(readFileSync(PITCH)));
  });

  test("int8 runs as f32 and with DequantizeLinear, alike, and close to the original", async () => {
    quern("pack", PITCH, "-o", "p.quern");
    quern("unpack", "p.quern", "-o", "f.onnx", "--graph", PITCH);
    const told = JSON.parse(
      quern("unpack", "p.quern", "-o", "q.onnx", "--as", "quantized", "--graph", PITCH, "--json"),
    );
    assert.deepEqual([told.quantized.length, told.floats], [5, []]);
    assert.ok(readFileSync(at("q.onnx")).length < 0.6 * readFileSync(PITCH).length);
    const [original, floats, quantized] = await Promise.all([PITCH, at("f.onnx"), at("q.onnx")].map(listen));
    for (const [name, { data, dims }] of Object.entries(original)) {
      assert.deepEqual(quantized[name].dims, dims);
      assert.ok(
        data.some((value) => value > 0.4),
        "the model hears something",
      );
      const most = quantized[name].data.reduce(
        (max, value, i) => Math.max(max, Math.abs(value - floats[name].data[i])),
        0,
      );
      assert.ok(most < 1e-5, `${name}: DequantizeLinear and f32 differ by ${most}`);
      const decibels = snr(data, quantized[name].data);
      console.log(`${name}: ${decibels.toFixed(1)} dB against the original, ${most} between DequantizeLinear and f32`);
      assert.ok(decibels > 10, `${name}: ${decibels} dB`);
    }
  });
});

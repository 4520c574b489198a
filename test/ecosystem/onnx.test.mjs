// npm run test:ecosystem: .quern files in ONNX Runtime. Needs `npm run build`.
import assert from "node:assert/strict";
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import * as ort from "onnxruntime-web";
import { bytesSource, FormatError, modelGraph, open } from "../../dist/index.js";
import { createSession } from "../../dist/onnx.js";
import { dataFile, packed, serve, values } from "./files.mjs";
import { initializer, modelOf, node, raw, sizeOf, typed } from "./onnx.files.mjs";

ort.env.wasm.numThreads = 1;
const folder = mkdtempSync(join(tmpdir(), "quern-onnx-"));
after(() => rmSync(folder, { recursive: true }));

/** Outputs, as bytes or numbers by name; the session is not used again. */
async function run(session, feeds) {
  const results = await session.run(feeds(session));
  await session.release();
  return Object.fromEntries(Object.entries(results).map(([name, { dims, data }]) => [name, { dims, data }]));
}

async function served(bytes, options) {
  const { url, asked, close } = await serve({ m: bytes });
  try {
    const session = await createSession(ort, url("m"), options);
    assert.ok(asked.length > 0 && asked.every(([, , range]) => range), JSON.stringify(asked));
    return session;
  } finally {
    await close();
  }
}

/** Difference of two outputs: the largest, and 10 log10(signal / error). */
function difference(a, b) {
  let [signal, error, most] = [0, 0, 0];
  for (let i = 0; i < a.length; i++) {
    signal += a[i] ** 2;
    error += (a[i] - b[i]) ** 2;
    most = Math.max(most, Math.abs(a[i] - b[i]));
  }
  return { most, decibels: 10 * Math.log10(signal / error) };
}

const halves = (count) => Uint16Array.from({ length: count }, (_, i) => 0x2c00 + ((i * 7919) % 0x1000));
const indices = BigInt64Array.from({ length: 256 }, (_, i) => BigInt((i * 37) % 48));

/**
 * Initializers that the runtime takes apart while it loads (shapes, scales, axes, pads), and large ones of several types: floats raw and typed, halves, indices,
 * codes of int8 with their scale.
 */
const GENERATED = modelOf({
  inputs: [["x", [2, 64]]],
  outputs: ["y", "z"],
  initializers: [
    initializer("w", 1, [64, 48], raw(values(64 * 48, 1))),
    initializer("v", 1, [32, 48], typed(values(32 * 48, 2))),
    initializer("half", 10, [48, 32], raw(halves(48 * 32))),
    initializer("pick", 7, [256], raw(indices)),
    initializer("codes", 3, [48, 24], raw(Int8Array.from({ length: 48 * 24 }, (_, i) => ((i * 31) % 251) - 125))),
    initializer("scale", 1, [], raw(Float32Array.of(0.01))),
    initializer("zero", 3, [], raw(Int8Array.of(3))),
    initializer("shape", 7, [4], raw(BigInt64Array.of(2n, 1n, 16n, 16n))),
    initializer("scales", 1, [4], raw(Float32Array.of(1, 1, 2, 2))),
    initializer("pads", 7, [8], raw(BigInt64Array.of(0n, 0n, 1n, 1n, 0n, 0n, 0n, 0n))),
    initializer("axes", 7, [1], raw(BigInt64Array.of(1n))),
  ],
  nodes: [
    node("MatMul", ["x", "w"], ["xw"]),
    node("Gather", ["xw", "pick"], ["picked"], { axis: 1 }),
    node("Reshape", ["picked", "shape"], ["image"]),
    node("Resize", ["image", "", "scales"], ["large"]),
    node("Pad", ["large", "pads"], ["padded"]),
    node("ReduceSum", ["padded", "axes"], ["y"], { keepdims: 0 }),
    node("DequantizeLinear", ["codes", "scale", "zero"], ["d"]),
    node("Cast", ["half"], ["h"], { to: 1 }),
    node("MatMul", ["v", "h"], ["vh"]),
    node("MatMul", ["xw", "d"], ["xd"]),
    node("ReduceSum", ["vh"], ["sum"], { keepdims: 0 }),
    node("Mul", ["xd", "sum"], ["z"]),
  ],
});

describe("a generated model", () => {
  const path = join(folder, "m.onnx");
  const feeds = () => ({ x: new ort.Tensor("float32", values(2 * 64, 3), [2, 64]) });
  let outputs;
  before(async () => {
    writeFileSync(path, GENERATED);
    outputs = await run(await ort.InferenceSession.create(GENERATED), feeds);
    assert.deepEqual(outputs.y.dims, [2, 33, 33]);
    for (const { data } of Object.values(outputs)) assert.ok(new Set(data).size > 30, `${data}`);
  });

  test("gives the same outputs, losslessly, from a server by range", async () => {
    const file = await packed(path, "lossless");
    assert.deepEqual(await run(await served(file), feeds), outputs);
    const { graph } = await open(file);
    assert.ok(graph.length < 2500, `${graph.length}`);
  });

  test("external data in the order of the file, at multiples of 64, small tensors inside", async () => {
    const graph = await modelGraph(bytesSource(GENERATED));
    const text = Buffer.from(graph).toString("latin1");
    const offsets = [...text.matchAll(/offset..(\d+)/g)].map(([, offset]) => Number(offset));
    const sizes = [4 * 64 * 48, 4 * 32 * 48, 2 * 48 * 32, 8 * 256, 48 * 24];
    assert.deepEqual(
      offsets,
      sizes.map((_, i) => sizes.slice(0, i).reduce((sum, size) => sum + 64 * Math.ceil(size / 64), 0)),
    );
    assert.ok(text.includes("Resize") && GENERATED.length - graph.length > sizeOf(sizes) - 500);
  });

  test("takes quantized tensors in the types that the graph has", async () => {
    const file = await packed(path, "small 64=lossless; pick=lossless; codes=lossless; int8 channel > auto");
    const { y, z } = await run(await served(file), feeds);
    for (const [name, { data }] of Object.entries({ y, z })) {
      const { most, decibels } = difference(outputs[name].data, data);
      assert.ok(most > 0 && decibels > 30, `${name}: ${most}, ${decibels} dB`);
    }
  });

  test("with its graph beside it, and a session's own options", async () => {
    const file = await packed(path, "lossless", { graph: false });
    const graph = await modelGraph(bytesSource(GENERATED));
    const { url, close } = await serve({ "graph.onnx": graph });
    try {
      for (const given of [graph, graph.slice().buffer, url("graph.onnx"), new URL(url("graph.onnx"))]) {
        const session = { graphOptimizationLevel: "disabled", executionProviders: ["wasm"] };
        assert.deepEqual(await run(await createSession(ort, file, { graph: given, session }), feeds), outputs);
      }
    } finally {
      await close();
    }
  });

  test("without a graph says what to do; with another's, what is wrong", async () => {
    const bare = await packed(path, "lossless", { graph: false });
    await assert.rejects(createSession(ort, bare), /no graph: pack it with .* --with-graph.*option "graph"/);
    const json = new TextEncoder().encode("{}");
    await assert.rejects(createSession(ort, bare, { graph: json }), /a model.json of TensorFlow.js: quern\/tfjs/);
    for (const [changed, message] of [
      [initializer("q", 1, [64, 48], raw(values(64 * 48, 1))), /no tensor "q"/],
      [initializer("w", 1, [48, 64], raw(values(64 * 48, 1))), /"w" is 64 x 48, and 48 x 64 in the graph/],
      [initializer("w", 7, [64, 48], raw(new BigInt64Array(64 * 48))), /"w" is F32, and I64 in the graph/],
    ]) {
      const graph = await modelGraph(bytesSource(modelOf({ initializers: [changed] })));
      await assert.rejects(createSession(ort, bare, { graph }), message);
    }
    const cut = (await modelGraph(bytesSource(GENERATED))).subarray(0, 700);
    await assert.rejects(createSession(ort, bare, { graph: cut }), FormatError);
  });

  test("a place far outside is refused before anything is made", async () => {
    const graph = await modelGraph(bytesSource(GENERATED));
    const text = Buffer.from(graph).toString("latin1");
    const far = Buffer.from(text.replace(/(offset..)18432/, "$199999"), "latin1");
    assert.notDeepEqual(far, Buffer.from(graph));
    // Beyond its neighbours, but within a page of them.
    await run(await createSession(ort, await packed(path, "lossless"), { graph: far }), feeds);
    const place = { location: "w", offset: "9007199254740000", length: `${4 * 64 * 48}` };
    const hostile = modelOf({ initializers: [initializer("w", 1, [64, 48], place)] });
    const opening = createSession(ort, await packed(path, "lossless"), { graph: hostile });
    await assert.rejects(opening, { name: "FormatError", code: "onnx-external" });
  });

  test("a damaged file is refused, an aborted one stops", async () => {
    const file = await packed(path, "lossless");
    const damaged = file.slice();
    damaged[damaged.length - 2000] ^= 1;
    await assert.rejects(createSession(ort, damaged), FormatError);
    const stop = new AbortController();
    const reason = new Error("enough");
    let reads = 0;
    const slice = async (start, end) => {
      if (++reads === 4) stop.abort(reason);
      return file.subarray(start, end);
    };
    await assert.rejects(createSession(ort, { byteLength: file.length, slice }, { signal: stop.signal }), reason);
    assert.equal(reads, 4);
  });
});

const PITCH = dataFile("models/basic-pitch-nmp.onnx");

describe("basic-pitch", { skip: existsSync(PITCH) ? false : `no ${PITCH}` }, () => {
  const samples = Float32Array.from({ length: 43844 }, (_, i) => 0.5 * Math.sin(i / 8) + 0.2 * Math.sin(i / 32));
  const feeds = ({ inputNames }) => ({ [inputNames[0]]: new ort.Tensor("float32", samples, [1, samples.length, 1]) });
  let outputs;
  before(async () => {
    outputs = await run(await ort.InferenceSession.create(new Uint8Array(readFileSync(PITCH))), feeds);
    assert.ok(
      Object.values(outputs).every(({ data }) => data.some((value) => value > 0.4)),
      "it hears something",
    );
  });

  test("lossless gives the outputs of the original, bit for bit", async () => {
    assert.deepEqual(await run(await served(await packed(PITCH, "lossless")), feeds), outputs);
  });

  test("int8 hears about the same", async () => {
    const file = await packed(PITCH, "int8 channel > auto");
    const results = await run(await served(file), feeds);
    for (const [name, { data }] of Object.entries(outputs)) {
      const { most, decibels } = difference(data, results[name].data);
      console.log(
        `basic-pitch, int8, ${file.length} bytes, ${name}: ${decibels.toFixed(1)} dB, at most ${most.toFixed(4)}`,
      );
      assert.ok(decibels > 10, `${name}: ${decibels} dB`);
    }
  });
});

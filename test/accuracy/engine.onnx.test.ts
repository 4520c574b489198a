import { afterEach, describe, expect, test } from "vitest";
import type { ActivationCodes, Edits, Engine, Value, Values } from "../../src/engine/engine.ts";
import { type OnnxRuntime, onnxEngine } from "../../src/engine/onnx.ts";
import { bytesSource, DataError, FormatError, memorySink, readOnnx, writeOnnx } from "../../src/index.ts";
import { detachOnnx } from "../../src/model/onnx/detach.ts";
import { memoryFolder } from "../onnx.files.ts";
import { random } from "../random.ts";
import { FLOAT, graphBuilder } from "./build.ts";
import { convNet, embedded, perceptron, recurrent } from "./graphs.ts";
import { onnxRuntimes } from "./runtimes.ts";
import { storiesGraph } from "./stories.ts";
import { likeliest, sampled, storyTeller, textOf } from "./teller.ts";
import { safetensors, sharedFile } from "./weights.ts";

const engines: Engine[] = [];
afterEach(async () => {
  for (const engine of engines.splice(0)) await engine.close();
});

const WEB: OnnxRuntime = onnxRuntimes[0][1];

async function engineFor(model: Uint8Array, ort: OnnxRuntime = WEB): Promise<Engine> {
  return kept(await onnxEngine(model, { ort }));
}

function kept(engine: Engine): Engine {
  engines.push(engine);
  return engine;
}

/** Floats within -1..1 from a seed. */
function floats(shape: readonly number[], seed: number): Value {
  const next = random(seed);
  return { shape, data: Float32Array.from({ length: shape.reduce((a, b) => a * b, 1) }, () => 2 * next() - 1) };
}

function inputs(values: Record<string, Value>): Values {
  return new Map(Object.entries(values));
}

function dataOf(values: Values, name: string): Float32Array {
  const value = values.get(name);
  if (!(value?.data instanceof Float32Array)) throw new Error(`no floats "${name}"`);
  return value.data;
}

function expectClose(actual: Float32Array, expected: ArrayLike<number>, tolerance = 1e-5): void {
  expect(actual.length).toBe(expected.length);
  const most = Math.max(1e-9, ...Array.from(expected, Math.abs));
  const worst = actual.reduce((sum, value, i) => Math.max(sum, Math.abs(value - expected[i])), 0);
  expect(worst / most).toBeLessThanOrEqual(tolerance);
}

/** What codes make of a number, by the formula of the seam. */
function coded(x: number, { scale, zeroPoint, least, most }: ActivationCodes): number {
  const ratio = Math.fround(Math.fround(x) / Math.fround(scale));
  const floor = Math.floor(ratio);
  const even = ratio - floor === 0.5 ? floor + (floor & 1) : Math.round(ratio);
  return Math.fround((Math.min(Math.max(even + zeroPoint, least), most) - zeroPoint) * Math.fround(scale));
}

async function rewritten(model: Uint8Array, name: string, data: Float32Array): Promise<Uint8Array> {
  const source = bytesSource(model);
  const tensors = (await readOnnx(source)).tensors.filter((tensor) => tensor.name === name);
  const bytes = new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
  const sink = memorySink();
  const read = async (from: number, to: number) => bytes.slice(4 * from, 4 * to);
  await writeOnnx(source, { tensors: tensors.map((tensor) => ({ ...tensor, read })), metadata: null }, sink);
  return sink.bytes();
}

describe.each(onnxRuntimes)("%s", (name, ort: OnnxRuntime) => {
  test("describes a convolutional net", async () => {
    const engine = await engineFor(convNet(), ort);
    expect(engine.runtime).toBe(`${name} 1.30.0`);
    const { kind, inputs, outputs, units } = await engine.describe();
    expect(kind).toBe("depthwise-cnn");
    expect(inputs).toEqual([{ name: "x", integer: false, shape: [-1, 3, 8, 8] }]);
    expect(outputs.map(({ name }) => name)).toEqual(["logits", "y"]);
    expect(units.map(({ name, type, operators }) => [name, type, operators.join(" ")])).toEqual([
      ["conv", "conv", "Conv Relu"],
      ["deep", "depthwise", "Conv Clip"],
      ["pool", "pool", "MaxPool"],
      ["flat", "shape", "Flatten"],
      ["fc", "dense", "Gemm"],
      ["softmax", "activation", "Softmax"],
    ]);
    const [conv, deep, pool, , fc, softmax] = units;
    expect(conv).toMatchObject({ inputs: ["x"], inputShape: [1, 3, 8, 8], outputShape: [1, 6, 8, 8] });
    expect(conv).toMatchObject({ macs: 6 * 64 * 27, bytes: 4 * (162 + 6), parameters: ["conv.w", "conv.b"] });
    expect(conv.attributes).toEqual({ kernel: [3, 3], strides: [1, 1], groups: 1, activation: "relu" });
    expect(conv.weight).toMatchObject({ name: "conv.w", inputAxis: 1, outputAxis: 0, channelAxis: 1 });
    expect(deep.weight).toMatchObject({ name: "deep.w", inputAxis: 0, outputAxis: 0, channelAxis: 1 });
    expect(deep).toMatchObject({ macs: 6 * 16 * 9, attributes: { groups: 6, strides: [2, 2], activation: "clip" } });
    expect(pool).toMatchObject({ weight: null, attributes: { kernel: [2, 2], strides: [2, 2] }, macs: 0 });
    expect(fc.weight).toEqual({ name: "fc.w", shape: [5, 24], inputAxis: 1, outputAxis: 0, channelAxis: -1 });
    expect(fc).toMatchObject({ macs: 120, output: "logits", attributes: {} });
    expect(softmax).toMatchObject({ inputs: ["logits"], attributes: { activation: "softmax" } });
  });

  test("runs, and gives the values inside", async () => {
    const engine = await engineFor(perceptron(), ort);
    const x = floats([3, 16], 1);
    const got = await engine.run(inputs({ x }), ["h", "x"]);
    expect([...got.keys()].sort()).toEqual(["h", "x", "y"]);
    const weight = await onnxWeights(perceptron());
    const h = matmul(x.data, weight["a.w"], 16, 12).map((value, i) => Math.max(0, value + weight["a.b"][i % 12]));
    expectClose(dataOf(got, "h"), h);
    expectClose(dataOf(got, "y"), matmul(h, weight["b.w"], 12, 4));
    expect(got.get("y")?.shape).toEqual([3, 4]);
    expect(dataOf(got, "x")).toEqual(x.data);
  });

  test("describes and runs what is recurrent, and what takes and gives integers", async () => {
    const lstm = await engineFor(recurrent(), ort);
    const { kind, units } = await lstm.describe();
    expect(kind).toBe("rnn");
    expect(units.map(({ type }) => type)).toEqual(["rnn", "dense"]);
    expect(units[0].weight).toEqual({ name: "l.w", shape: [1, 12, 4], inputAxis: 2, outputAxis: 1, channelAxis: 2 });
    expect(units[0]).toMatchObject({ macs: 48 + 36, parameters: ["l.w", "l.r", "l.b"], outputShape: [1, 1, 1, 3] });
    const { data, shape } = (await lstm.run(inputs({ x: floats([5, 2, 4], 1) }))).get("y") as Value;
    expect([shape, data.every(Number.isFinite)]).toEqual([[5, 1, 2, 2], true]);
    const picking = await engineFor(embedded(), ort);
    const described = await picking.describe();
    expect(described.units.map(({ name, type }) => [name, type])).toContainEqual(["embedding", "embedding"]);
    expect(described.inputs).toEqual([{ name: "tokens", integer: true, shape: [-1] }]);
    const sample = new Map([["tokens", { shape: [5], data: Int32Array.of(0, 1, 0, 1, 0) }]]);
    const [first] = (await picking.describe(sample)).units;
    expect([described.units[0]?.inputShape, first?.inputShape]).toEqual([[1], [5]]);
    // What was seen with its own sample is seen again.
    expect(await picking.describe()).toEqual(described);
    const tokens = { shape: [3], data: Int32Array.of(6, 0, 2) };
    const got = await picking.run(inputs({ tokens }));
    const { e } = await onnxWeights(embedded());
    const rows = [6, 0, 2].map((i) => [...e.subarray(4 * i, 4 * i + 4)]);
    expect([...dataOf(got, "y")]).toEqual(rows.flat());
    expect(got.get("best")?.data).toEqual(Int32Array.from(rows, (row) => row.indexOf(Math.max(...row))));
  });

  test("runs with other weights as if the file had them", async () => {
    for (const [model, weight, x] of [
      [perceptron(), "a.w", floats([2, 16], 1)],
      [convNet(), "deep.w", floats([2, 3, 8, 8], 1)],
      [recurrent(), "l.r", floats([4, 1, 4], 1)],
    ] as const) {
      const engine = await engineFor(model, ort);
      const before = await engine.run(inputs({ x }));
      const data = (await onnxWeights(model))[weight].map((value) => Math.round(8 * value) / 8);
      const edited = kept(await engine.withWeights({ weights: new Map([[weight, data]]) }));
      const other = await engineFor(await rewritten(model, weight, data), ort);
      const got = dataOf(await edited.run(inputs({ x })), "y");
      expect(got).toEqual(dataOf(await other.run(inputs({ x })), "y"));
      expect(got).not.toEqual(dataOf(before, "y"));
      expect(dataOf(await engine.run(inputs({ x })), "y")).toEqual(dataOf(before, "y"));
      const again = kept(await edited.withWeights({}));
      expect(dataOf(await again.run(inputs({ x })), "y")).toEqual(dataOf(before, "y"));
    }
  });

  test.each<[string, ActivationCodes]>([
    ["int8", { scale: 0.01, zeroPoint: 3, least: -128, most: 127 }],
    ["int8 and symmetric", { scale: 1 / 127, zeroPoint: 0, least: -127, most: 127 }],
    ["uint8", { scale: 0.005, zeroPoint: 100, least: 0, most: 255 }],
    ["4 bits", { scale: 0.125, zeroPoint: -1, least: -8, most: 7 }],
    ["16 bits", { scale: 0.0001, zeroPoint: 0, least: -32768, most: 32767 }],
  ])("divides and rounds the input of a unit alone: %s", async (_, codes) => {
    const engine = await engineFor(perceptron(), ort);
    const x = floats([4, 16], 2);
    x.data.set([0.0625, 0.1875, -0.3125, 0.0150001, -2, 2]);
    const factors = Float32Array.from({ length: 16 }, (_, i) => (i % 3 === 0 ? 1 : 0.5 + i / 16));
    const edited = kept(await engine.withWeights({ inputs: new Map([["a", { factors, codes }]]) }));
    const rounded = x.data.map((value, i) => coded(Math.fround(value / factors[i % 16]), codes));
    const got = await edited.run(inputs({ x }), ["h", "x"]);
    expect(dataOf(got, "x")).toEqual(x.data);
    const expected = await engine.run(inputs({ x: { shape: x.shape, data: rounded } }));
    expectClose(dataOf(got, "y"), dataOf(expected, "y"), 1e-6);
  });

  test("a channel's factor is for all positions of a convolution, and cancels in its weight", async () => {
    const engine = await engineFor(convNet(), ort);
    const x = floats([2, 3, 8, 8], 3);
    const weight = await onnxWeights(convNet());
    const factors = Float32Array.of(2, 0.5, 4);
    const conv = weight["conv.w"].map((value, i) => value * factors[Math.floor(i / 9) % 3]);
    const deep = Float32Array.from({ length: 6 }, (_, i) => 2 ** (i - 2));
    const depthwise = weight["deep.w"].map((value, i) => value * deep[Math.floor(i / 9)]);
    const edits = {
      weights: new Map([
        ["conv.w", conv],
        ["deep.w", depthwise],
      ]),
      inputs: new Map([
        ["conv", { factors }],
        ["deep", { factors: deep }],
      ]),
    };
    const edited = kept(await engine.withWeights(edits));
    const [a, b] = [await engine.run(inputs({ x })), await edited.run(inputs({ x }))];
    // Powers of two change no digit.
    expectClose(dataOf(b, "logits"), dataOf(a, "logits"), 1e-6);
  });

  test("a unit alone gives what it gives inside, with weights of one moment after the other", async () => {
    for (const [model, x] of [
      [convNet(), floats([2, 3, 8, 8], 1)],
      [perceptron(), floats([3, 16], 1)],
      [recurrent(), floats([4, 2, 4], 1)],
    ] as const) {
      const engine = await engineFor(model, ort);
      for (const unit of (await engine.describe()).units) {
        const values = await engine.run(inputs({ x }), [...unit.inputs, unit.output]);
        const given = new Map(unit.inputs.map((value) => [value, values.get(value) as Value]));
        const alone = kept(await engine.only(unit.name));
        expectClose(dataOf(await alone.run(given), unit.output), dataOf(values, unit.output), 1e-6);
        const described = await alone.describe();
        expect(described.units).toEqual([unit]);
        if (!unit.weight) continue;
        for (const factor of [0.5, -2]) {
          const weight = (await onnxWeights(model))[unit.weight.name].map((value) => value * factor);
          const weights = new Map([[unit.weight.name, weight]]);
          const [inside, swapped] = [await engine.withWeights({ weights }), await alone.withWeights({ weights })];
          const expected = await kept(inside).run(inputs({ x }), [...unit.inputs, unit.output]);
          const got = await kept(swapped).run(new Map(unit.inputs.map((name) => [name, expected.get(name) as Value])));
          expectClose(dataOf(got, unit.output), dataOf(expected, unit.output), 1e-6);
        }
      }
    }
  });
});

describe("what cannot be", () => {
  test("a file that is no ONNX model", async () => {
    for (const bytes of [
      new Uint8Array(0),
      Uint8Array.from({ length: 400 }, (_, i) => i),
      perceptron().subarray(0, 500),
    ]) {
      await expect(onnxEngine(bytes, { ort: WEB })).rejects.toThrow(FormatError);
    }
    const build = graphBuilder();
    build.node("Relu", [build.input("x", FLOAT, [1])]);
    await expect(onnxEngine(build.bytes(), { ort: WEB })).rejects.toThrow(/expected outputs, got none/);
  });

  test("a model that the runtime refuses", async () => {
    const build = graphBuilder();
    build.node("NoSuchOperator", [build.input("x", FLOAT, [1])], {}, { outputs: ["y"] });
    build.output("y");
    const engine = await engineFor(build.bytes());
    const refusal = /ONNX Runtime refuses the model: .*NoSuchOperator/s;
    await expect(engine.run(inputs({ x: floats([1], 1) }))).rejects.toThrow(refusal);
    await expect(engine.describe()).rejects.toThrow(DataError);
  });

  test.each<[string, Record<string, Value>, string[], RegExp]>([
    ["a missing input", {}, [], /input "x" is missing/],
    ["a strange input", { x: floats([2, 16], 1), z: floats([1], 1) }, [], /no input "z": it has x/],
    ["another shape", { x: floats([2, 15], 1) }, [], /input "x" is 2 x 15, expected any x 16/],
    ["another rank", { x: floats([16], 1) }, [], /input "x" is 16, expected any x 16/],
    ["data of another length", { x: { ...floats([2, 16], 1), shape: [3, 16] } }, [], /"x" has 32 elements, .* 3 x 16/],
    ["an unknown tap", { x: floats([2, 16], 1) }, ["hh"], /the model has no value "hh"/],
    ["a parameter as a tap", { x: floats([2, 16], 1) }, ["a.w"], /the model has no value "a.w"/],
  ])("%s", async (_, given, tap, message) => {
    const engine = await engineFor(perceptron());
    const run = engine.run(inputs(given), tap);
    await expect(run).rejects.toThrow(DataError);
    await expect(run).rejects.toThrow(message);
  });

  test("floats for integers", async () => {
    const engine = await engineFor(embedded());
    const run = engine.run(inputs({ tokens: floats([3], 1) }));
    await expect(run).rejects.toThrow('input "tokens" is of integers, and got floats');
    const beyond = engine.run(inputs({ tokens: { shape: [1], data: Int32Array.of(7) } }));
    await expect(beyond).rejects.toThrow(/ONNX Runtime cannot run the model with these inputs/);
  });

  const codes = { scale: 1, zeroPoint: 0, least: -8, most: 7 };
  test.each<[string, Edits, RegExp]>([
    ["an unknown parameter", { weights: new Map([["c", new Float32Array(1)]]) }, /no parameter "c"/],
    [
      "a weight of another length",
      { weights: new Map([["a.w", new Float32Array(3)]]) },
      /192 elements \(16 x 12\).* 3$/,
    ],
    ["an unknown unit", { inputs: new Map([["c", { codes }]]) }, /no unit "c"/],
    ["too few factors", { inputs: new Map([["a", { factors: new Float32Array(3) }]]) }, /16 input channels.* 3$/],
    [
      "a factor of 0",
      { inputs: new Map([["a", { factors: new Float32Array(16) }]]) },
      /factor 0 .* expected a positive/,
    ],
    ["a scale of 0", { inputs: new Map([["a", { codes: { ...codes, scale: 0 } }]]) }, /codes .* not valid/],
    ["a zero point outside", { inputs: new Map([["a", { codes: { ...codes, zeroPoint: 9 } }]]) }, /codes .* not valid/],
  ])("edits: %s", async (_, edits, message) => {
    const engine = await engineFor(perceptron());
    await expect(engine.withWeights(edits)).rejects.toThrow(DataError);
    await expect(engine.withWeights(edits)).rejects.toThrow(message);
    const alone = kept(await engine.only("a"));
    await expect(alone.withWeights(edits)).rejects.toThrow(message);
  });

  test("codes of what is not multiplied", async () => {
    const engine = await engineFor(embedded());
    const edit = (unit: string) => engine.withWeights({ inputs: new Map([[unit, { codes }]]) });
    await expect(edit("embedding")).rejects.toThrow(/"embedding" \(embedding\) cannot be divided or rounded/);
    await expect(edit("reshape")).rejects.toThrow(/cannot be divided or rounded/);
    await expect(engine.only("nothing")).rejects.toThrow('no unit "nothing"');
  });

  test("anything behind close", async () => {
    const engine = await onnxEngine(perceptron(), { ort: WEB });
    const x = floats([1, 16], 1);
    const [alone, other] = [await engine.only("a"), await engine.withWeights({})];
    await engine.close();
    await engine.close();
    await expect(engine.run(inputs({ x }))).rejects.toThrow("closed");
    await expect(engine.withWeights({})).rejects.toThrow("closed");
    // Each is on its own.
    expect((await other.run(inputs({ x }))).get("y")?.shape).toEqual([1, 4]);
    const shared = await alone.withWeights({});
    await alone.close();
    expect((await shared.run(inputs({ x }))).get("h")?.shape).toEqual([1, 12]);
    await other.close();
    await shared.close();
    await expect(shared.run(inputs({ x }))).rejects.toThrow("closed");
  });
});

test("sessions are freed, and edits of a unit alone share one", async () => {
  let [made, open] = [0, 0];
  const InferenceSession = {
    async create(model: Uint8Array, options?: object) {
      const session = await WEB.InferenceSession.create(model, options);
      made++;
      open++;
      const release = async () => {
        open--;
        await session.release();
      };
      return { run: session.run.bind(session), release };
    },
  };
  const engine = await onnxEngine(perceptron(), {
    ort: { ...WEB, InferenceSession, Tensor: WEB.Tensor, env: WEB.env },
  });
  const x = floats([2, 16], 1);
  for (const tap of [["h"], ["a_0"], [], ["h", "x"], ["a_0", "h"], ["h"]]) await engine.run(inputs({ x }), tap);
  expect(open).toBe(3);
  const alone = await engine.only("a");
  made = 0;
  for (let i = 1; i <= 200; i++) {
    const factors = new Float32Array(16).fill(i);
    const codes = { scale: 1 / i, zeroPoint: 0, least: -127, most: 127 };
    const weights = new Map([["a.w", new Float32Array(192).fill(1 / i)]]);
    const edited = await alone.withWeights({ weights, inputs: new Map([["a", { factors, codes }]]) });
    await edited.run(inputs({ x }));
    await edited.close();
  }
  expect(made).toBe(1);
  await alone.close();
  await engine.close();
  expect(open).toBe(0);
});

test("takes external data from a folder", async () => {
  const build = graphBuilder();
  const data = floats([16, 32], 1).data as Float32Array;
  build.node("MatMul", [build.input("x", FLOAT, [1, 16]), build.weight("w", [16, 32], data)], {}, { outputs: ["y"] });
  build.output("y");
  const graph = await detachOnnx(bytesSource(build.bytes()));
  await expect(onnxEngine(graph, { ort: WEB })).rejects.toThrow(/give its folder too/);
  const folder = memoryFolder({ "weights.bin": new Uint8Array(data.buffer) });
  const engine = kept(await onnxEngine(bytesSource(graph), { ort: WEB, folder }));
  const x = floats([1, 16], 2);
  const whole = await engineFor(build.bytes());
  expect(await engine.run(inputs({ x }))).toEqual(await whole.run(inputs({ x })));
});

const stories = await safetensors("models/stories260k-llama.safetensors");
const tokenizer = sharedFile("models/stories260K-tok512.bin");

describe.skipIf(!stories || !tokenizer)("the story model", () => {
  test("is a transformer, and tells what its plain twin tells", async () => {
    if (!stories || !tokenizer) return;
    const make = await storyTeller(stories);
    expect(textOf(tokenizer, likeliest(make(), 26))).toBe(
      " Once upon a time, there was a little girl named Lily. She loved to play outside",
    );
    const tokens = sampled(make(), 128, 1);
    const tell = make();
    const expected = Array.from(tokens, (token) => [...tell(token)]).flat();
    const engine = await engineFor(await storiesGraph(stories));
    const got = await engine.run(inputs({ tokens: { shape: [1, 128], data: tokens } }));
    expect(got.get("logits")?.shape).toEqual([1, 128, 512]);
    expectClose(dataOf(got, "logits"), expected, 1e-4);
    const two = Int32Array.of(...tokens.subarray(0, 64), ...tokens.subarray(0, 64));
    const batch = dataOf(await engine.run(inputs({ tokens: { shape: [2, 64], data: two } })), "logits");
    expectClose(batch.subarray(64 * 512), expected.slice(0, 64 * 512), 1e-4);
    const { kind, units } = await engine.describe();
    expect(kind).toBe("transformer");
    expect(units.filter(({ type }) => type === "dense").map(({ name }) => name)).toEqual([
      ...[0, 1, 2, 3, 4].flatMap((layer) =>
        ["attention.wq", "attention.wk", "attention.wv", "attention.wo"]
          .concat(["feed_forward.w1", "feed_forward.w3", "feed_forward.w2"])
          .map((name) => `layers.${layer}.${name}`),
      ),
      "output",
    ]);
    expect(units.filter(({ type }) => type === "matmul")).toHaveLength(10);
  });

  test("a unit alone gives what it gives inside", async () => {
    if (!stories) return;
    const engine = await engineFor(await storiesGraph(stories));
    const tokens = { shape: [2, 3], data: Int32Array.of(1, 403, 407, 1, 5, 6) };
    const { units } = await engine.describe();
    const names = [
      "tok_embeddings",
      "layers.0.attention.wq",
      "layers.4.feed_forward.w2",
      "layers.1.ffn_norm",
      "output",
    ];
    for (const unit of units.filter(({ name }) => names.includes(name))) {
      const values = await engine.run(inputs({ tokens }), [...unit.inputs, unit.output]);
      const alone = kept(await engine.only(unit.name));
      const got = await alone.run(new Map(unit.inputs.map((name) => [name, values.get(name) as Value])));
      expectClose(dataOf(got, unit.output), dataOf(values, unit.output), 1e-6);
      names.splice(names.indexOf(unit.name), 1);
      const [parameter] = unit.parameters;
      for (const factor of [2, -0.5]) {
        const floats = (await onnxWeights(await storiesGraph(stories)))[parameter].map((value) => value * factor);
        const swapped = kept(await alone.withWeights({ weights: new Map([[parameter, floats]]) }));
        const scaled = await swapped.run(new Map(unit.inputs.map((name) => [name, values.get(name) as Value])));
        expectClose(
          dataOf(scaled, unit.output),
          dataOf(values, unit.output).map((value) => value * factor),
          1e-6,
        );
      }
    }
    expect(names).toEqual([]);
  });
});

const pitch = sharedFile("models/basic-pitch-nmp.onnx");

describe.skipIf(!pitch)("basic pitch, as its authors published it", () => {
  test("is described, and runs with its values inside", async () => {
    if (!pitch) return;
    const engine = await engineFor(pitch);
    const { kind, inputs: declared, outputs, units } = await engine.describe();
    expect(kind).toBe("cnn");
    expect(declared.map(({ shape }) => shape)).toEqual([[-1, 43844, 1]]);
    const convolutions = units.filter(({ type }) => type === "conv");
    expect(convolutions.slice(-6).map(({ weight }) => weight?.shape.join(" "))).toEqual([
      "32 8 5 5",
      "8 8 3 39",
      "1 8 5 5",
      "32 1 7 7",
      "1 32 7 3",
      "1 33 3 3",
    ]);
    expect(convolutions.at(-1)).toMatchObject({ macs: 172 * 88 * 33 * 9, attributes: { activation: "sigmoid" } });
    const x = floats([1, 43844, 1], 1);
    const last = convolutions.at(-1)?.output as string;
    const got = await engine.run(inputs({ [declared[0].name]: x }), [last]);
    expect([...got.keys()].sort()).toEqual([...outputs.map(({ name }) => name), last].sort());
    expect(dataOf(got, last).every((value) => value >= 0 && value <= 1)).toBe(true);
  });
});

async function onnxWeights(model: Uint8Array): Promise<Record<string, Float32Array>> {
  const { tensors } = await readOnnx(bytesSource(model));
  const read = tensors.map(async ({ name, shape, read }) => {
    const bytes = await read(
      0,
      shape.reduce((a, b) => a * b, 1),
    );
    return [name, new Float32Array(bytes.slice().buffer)] as const;
  });
  return Object.fromEntries(await Promise.all(read));
}

function matmul(x: ArrayLike<number>, w: Float32Array, inner: number, outer: number): Float32Array {
  const out = new Float32Array((x.length / inner) * outer);
  for (let i = 0; i < out.length; i++) {
    const [row, column] = [Math.floor(i / outer), i % outer];
    for (let k = 0; k < inner; k++) out[i] += x[row * inner + k] * w[k * outer + column];
  }
  return out;
}

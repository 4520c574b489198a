import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import * as native from "onnxruntime-node";
import { afterAll, describe, expect, test } from "vitest";
import type { InputEdit, Values } from "../../src/engine/engine.ts";
import { onnxEngine, writeQdq } from "../../src/engine/onnx.ts";
import { bytesSource, DataError, memorySink, readOnnx } from "../../src/index.ts";
import { readProgram } from "../../src/model/onnx/program.ts";
import { walkOver } from "../../src/model/onnx/wire.ts";
import { random } from "../random.ts";
import { activationCodes, int8Weights } from "./codes.ts";
import { convNet, perceptron } from "./graphs.ts";
import { counted } from "./graphs.written.ts";
import { onnxRuntimes } from "./runtimes.ts";
import { storiesGraph } from "./stories.ts";
import { sampled, storyTeller } from "./teller.ts";
import { readElementsOf, safetensors } from "./weights.ts";

const folder = mkdtempSync(join(tmpdir(), "quern-qdq-"));
afterAll(() => rmSync(folder, { recursive: true }));
const [WEB] = onnxRuntimes.map(([, ort]) => ort);

/**
 * The outputs of floats, of the simulation, and of the model that is written. x64 without VNNI saturates sums of two products of 8 bits, so weights have 7.
 */
async function compared(model: Uint8Array, inputs: Values, { unsigned = true } = {}) {
  const engine = await onnxEngine(model, { ort: WEB });
  const { units, outputs } = await engine.describe();
  const weighted = units.flatMap((unit) => (unit.weight ? [{ ...unit, weight: unit.weight }] : []));
  const seen = await engine.run(
    inputs,
    weighted.map((unit) => unit.inputs[0]),
  );
  const floats = await readElementsOf(await readOnnx(bytesSource(model)));
  const codes = new Map(
    weighted.map(({ weight: { name, shape, outputAxis } }) => {
      return [name, int8Weights(floats.get(name) as Float32Array, shape, outputAxis, 63)];
    }),
  );
  const edits = new Map<string, InputEdit>(
    weighted.map((unit) => [unit.name, { codes: activationCodes(seen.get(unit.inputs[0])?.data ?? [], unsigned) }]),
  );
  const simulated = await engine.withWeights({
    weights: new Map([...codes].map(([name, each]) => [name, each.floats])),
    inputs: edits,
  });
  const sink = memorySink();
  const quantized = (name: string) => codes.get(name)?.quantized ?? null;
  const report = await writeQdq(model, sink, { quantized, inputs: edits });
  expect(report.quantized.length).toBe(codes.size);
  const bytes = sink.bytes();
  const output = outputs[0].name;
  const [float, simulation] = [await engine.run(inputs), await simulated.run(inputs)].map(
    (all) => all.get(output)?.data,
  );
  await Promise.all([engine.close(), simulated.close()]);
  return { bytes, output, float: float as Float32Array, simulation: simulation as Float32Array, inputs };
}

type Level = "all" | "disabled";
type Compared = Awaited<ReturnType<typeof compared>>;

/** The output at full optimisation, and the operators that are left where the runtime can tell them. */
async function ran({ bytes, output, inputs }: Compared, ort: (typeof onnxRuntimes)[number][1], level: Level = "all") {
  const file = join(folder, "optimized.onnx");
  const told = ort === native ? { optimizedModelFilePath: file } : {};
  const options = { graphOptimizationLevel: level, intraOpNumThreads: 1, logSeverityLevel: 3, ...told } as const;
  const session = await ort.InferenceSession.create(bytes, options);
  const feeds = [...inputs].map(([name, { shape, data }]) => {
    if (data instanceof Float32Array) return [name, new ort.Tensor("float32", data, shape)] as const;
    return [name, new ort.Tensor("int64", BigInt64Array.from(data, BigInt), shape)] as const;
  });
  const data = (await session.run(Object.fromEntries(feeds)))[output].data as Float32Array;
  await session.release();
  if (ort !== native) return { data, operators: null };
  const { nodes } = await readProgram(walkOver(bytesSource(readFileSync(file))));
  return { data, operators: counted(nodes.map(({ operator }) => operator)) };
}

function decibels(a: Float32Array, b: Float32Array): number {
  let [signal, error] = [0, 0];
  for (const [i, value] of a.entries()) {
    signal += value ** 2;
    error += (value - b[i]) ** 2;
  }
  return 10 * Math.log10(signal / error);
}

/** A sum that differs in its last digit can become another code, so few may differ by a step. */
function expectTheSame(integers: Float32Array, floats: Float32Array): void {
  const most = Math.max(...floats.map(Math.abs));
  const differing = integers.filter((value, i) => Math.abs(value - floats[i]) > 1e-5 * most);
  expect(differing.length / integers.length).toBeLessThan(0.1);
  expect(decibels(floats, integers)).toBeGreaterThan(50);
}

function inputOf(shape: number[]): Values {
  const next = random(9);
  const count = shape.reduce((a, b) => a * b);
  return new Map([["x", { shape, data: Float32Array.from({ length: count }, () => 2 * next() - 1) }]]);
}

describe.each(onnxRuntimes)("%s runs in integers", (_, ort) => {
  test("convolutions, pools and Gemm", async () => {
    const both = await compared(convNet(), inputOf([16, 3, 8, 8]));
    const { data, operators } = await ran(both, ort);
    expect(decibels(both.float, both.simulation)).toBeGreaterThan(25);
    expectTheSame(data, (await ran(both, ort, "disabled")).data);
    // Biases have codes too, of 32 bits.
    expect(decibels(both.simulation, data)).toBeGreaterThan(decibels(both.float, both.simulation) + 10);
    if (!operators) return;
    expect(operators).toMatchObject({ QuantizeLinear: 1, QLinearConv: 2, QGemm: 1 });
    expect(Object.keys(operators)).not.toContain("Conv");
    expect(Object.keys(operators)).not.toContain("FusedConv");
  });

  test("MatMul, with codes of either sign", async () => {
    for (const unsigned of [true, false]) {
      const both = await compared(perceptron(), inputOf([16, 16]), { unsigned });
      const { data, operators } = await ran(both, ort);
      expect(decibels(both.float, both.simulation)).toBeGreaterThan(25);
      expectTheSame(data, (await ran(both, ort, "disabled")).data);
      expect(decibels(both.simulation, data)).toBeGreaterThan(decibels(both.float, both.simulation) + 10);
      if (operators) expect(operators.MatMulIntegerToFloat).toBe(1);
      if (operators && unsigned) expect(operators.QGemm).toBe(1);
    }
  });
});

test("the written model gives in floats what the simulation gives, with factors and codes of fewer bits too", async () => {
  const engine = await onnxEngine(perceptron(), { ort: WEB });
  const factors = Float32Array.from({ length: 16 }, (_, i) => 0.5 + i / 8);
  const codes = { scale: 0.25, zeroPoint: 1, least: -7, most: 7 };
  const inputs = new Map([
    ["a", { factors, codes }],
    ["b", { codes: { ...codes, scale: 1 / 64, zeroPoint: 3, least: 0, most: 200 } }],
  ]);
  const floats = await readElementsOf(await readOnnx(bytesSource(perceptron())));
  const weight = int8Weights(floats.get("a.w") as Float32Array, [16, 12], 1);
  const sink = memorySink();
  // The weight has codes too: between codes of activations the runtime makes up its own for a weight that has none.
  await writeQdq(perceptron(), sink, { quantized: (name) => (name === "a.w" ? weight.quantized : null), inputs });
  const written = await onnxEngine(sink.bytes(), { ort: WEB });
  const edited = await engine.withWeights({ inputs, weights: new Map([["a.w", weight.floats]]) });
  const x = inputOf([8, 16]);
  const [expected, got] = [await edited.run(x), await written.run(x)].map((values) => values.get("y")?.data);
  expect(decibels(expected as Float32Array, got as Float32Array)).toBeGreaterThan(60);
  const float = (await engine.run(x)).get("y")?.data;
  expect(decibels(float as Float32Array, expected as Float32Array)).toBeLessThan(30);
  for (const each of [engine, written, edited]) await each.close();
});

test("refuses codes that are not of 8 bits, and units that the model lacks", async () => {
  const write = (unit: string, least: number, most: number) => {
    const inputs = new Map([[unit, { codes: { scale: 1, zeroPoint: 0, least, most } }]]);
    return writeQdq(perceptron(), memorySink(), { quantized: () => null, inputs });
  };
  await expect(write("a", -200, 100)).rejects.toThrow(/codes -200\.\.100 of unit "a" are not of 8 bits/);
  await expect(write("a", 0, 256)).rejects.toThrow(DataError);
  await expect(write("c", 0, 255)).rejects.toThrow('the model has no unit "c"');
});

const stories = await safetensors("models/stories260k-llama.safetensors");

describe.skipIf(!stories)("the story model", () => {
  test.each(onnxRuntimes)("runs in integers in %s", async (_, ort) => {
    if (!stories) return;
    const tokens = sampled((await storyTeller(stories))(), 128, 1);
    const both = await compared(await storiesGraph(stories), new Map([["tokens", { shape: [1, 128], data: tokens }]]));
    const { data, operators } = await ran(both, ort);
    expect(both.bytes.length).toBeLessThan(0.4 * 1081912);
    expect(decibels(both.float, both.simulation)).toBeGreaterThan(20);
    // A sum that differs in its last digit can become another code, and all behind it then differ a little.
    expect(decibels(both.simulation, data)).toBeGreaterThan(decibels(both.float, both.simulation));
    if (operators) expect(operators).toMatchObject({ MatMulIntegerToFloat: 35, QGemm: 1 });
  });
});

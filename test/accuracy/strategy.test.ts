import { beforeAll, describe, expect, test } from "vitest";
import { planModel } from "../../src/activations/model.ts";
import { packingOf } from "../../src/activations/pack.ts";
import { writeIntegers } from "../../src/cli/integers.ts";
import { quantizedTensor } from "../../src/cli/quantized.ts";
import { type PackOptions, pack } from "../../src/container/writer.ts";
import type { Description, Engine, Values } from "../../src/engine/engine.ts";
import { onnxEngine } from "../../src/engine/onnx.ts";
import { bytesSource, loadKernels, memorySink, open, readOnnx, writeOnnx } from "../../src/index.ts";
import { detectEnvironment, type Environment } from "../../src/latency.ts";
import { type Plan, stepsFor } from "../../src/plan.ts";
import { type Candidate, printCandidate } from "../../src/strategy/candidate.ts";
import { candidatesOf } from "../../src/strategy/filter.ts";
import { fittedPlan } from "../../src/strategy/fitted.ts";
import { presetSpace } from "../../src/strategy/presets.ts";
import { quantizing } from "../../src/strategy/sharing.ts";
import type { TensorInfo } from "../../src/tensor.ts";
import { random } from "../random.ts";
import { onnxRuntimes } from "./runtimes.ts";
import { GENERATED, type Generated } from "./strategy.graphs.ts";
import type { Model } from "./weights.ts";

// That candidates which are kept can be written, and run where they are said to.

const BATCH = 8;
const kernels = await loadKernels();

interface Ready {
  readonly bytes: Uint8Array;
  readonly model: Model;
  readonly description: Description;
  readonly inputs: Values;
  readonly engine: Engine;
}

async function ready({ bytes, shape }: Generated, ort: (typeof onnxRuntimes)[number][1]): Promise<Ready> {
  const engine = await onnxEngine(bytes, { ort });
  const next = random(5);
  const data = Float32Array.from({ length: shape.reduce((a, b) => a * b, BATCH) }, () => 2 * next() - 1);
  const inputs: Values = new Map([["x", { shape: [BATCH, ...shape], data }]]);
  return { bytes, inputs, engine, model: await readOnnx(bytesSource(bytes)), description: await engine.describe() };
}

async function packed(model: Model, plan: Plan, options: PackOptions = {}) {
  const sink = memorySink();
  await pack(model, plan, sink, { kernels, ...options });
  return open(sink.bytes(), { kernels });
}

/** The model as it is deployed, and as it is simulated. */
async function deployed({ bytes, model, description, inputs, engine }: Ready, candidate: Candidate) {
  const { run, smooth } = candidate;
  const plan = fittedPlan(candidate.plan, model.tensors, description);
  const sink = memorySink();
  const stepsOf = ({ name }: { name: string }) =>
    stepsFor(plan, model.tensors.find((tensor) => tensor.name === name) as TensorInfo);
  if (run === "int8") {
    const units = description.units.filter(({ weight }) => weight && quantizing(stepsOf(weight)));
    const names = units.map(({ name }) => name);
    const batches = async function* () {
      yield inputs;
    };
    const options = { steps: stepsOf, units: names, plain: smooth ? [] : names, evaluations: 3 };
    const found = await planModel(kernels, engine, model, batches, options);
    const packing = packingOf(found.units, stepsOf, plan, false);
    const file = await packed(model, packing.plan, packing);
    const report = await writeIntegers(file, bytesSource(bytes), sink, {});
    return { bytes: sink.bytes(), report, weights: units.map(({ weight }) => weight?.name) };
  }
  const file = await packed(model, plan);
  const quantized = run === "f32" ? undefined : (name: string) => quantizedTensor(file, name);
  const decoded = { tensors: file.model(run === "f32" ? "f32" : "original").tensors, metadata: null };
  const report = await writeOnnx(bytesSource(bytes), decoded, sink, { quantized });
  const coded = description.units.filter(({ weight }) => weight && quantizing(stepsOf(weight)));
  return { bytes: sink.bytes(), report, weights: coded.map(({ weight }) => weight?.name) };
}

function decibels(a: Float32Array, b: Float32Array): number {
  let [signal, error] = [0, 0];
  for (const [i, value] of a.entries()) {
    signal += value ** 2;
    error += (value - b[i]) ** 2;
  }
  return 10 * Math.log10(signal / error);
}

/** As a page would run it: at full optimisation, where operators of integers are made. */
async function outputOf(bytes: Uint8Array, { inputs }: Ready, ort: (typeof onnxRuntimes)[number][1]) {
  const options = { graphOptimizationLevel: "all", intraOpNumThreads: 1, logSeverityLevel: 4 } as const;
  const session = await ort.InferenceSession.create(bytes, options);
  const { shape, data } = inputs.get("x") as { shape: number[]; data: Float32Array };
  try {
    return (await session.run({ x: new ort.Tensor("float32", data, shape) })).y.data as Float32Array;
  } finally {
    await session.release();
  }
}

describe.each(onnxRuntimes)("in %s", (name, ort) => {
  let environment: Environment;
  beforeAll(async () => {
    environment = await detectEnvironment({ runtime: `${name} 1.30.0` });
  });

  test.each(GENERATED)(
    "all that is kept of the preset space of a $kind is written as it is said, and runs",
    async (made) => {
      const model = await ready(made, ort);
      expect(model.description.kind).toBe(made.kind);
      const { tensors } = model.model;
      const { kept } = candidatesOf(presetSpace(model.description), { tensors }, model.description, environment, {
        opset: 21,
      });
      expect(kept.length).toBeGreaterThan(15);
      const original = (await model.engine.run(model.inputs)).get("y")?.data as Float32Array;
      const lost = new Map<string, number>();
      for (const candidate of kept) {
        const text = printCandidate(candidate);
        const { bytes, report, weights } = await deployed(model, candidate);
        if (candidate.run !== "f32") expect([...report.quantized], text).toEqual(expect.arrayContaining(weights));
        const output = await outputOf(bytes, model, ort);
        expect(output.every(Number.isFinite), text).toBe(true);
        lost.set(text, decibels(original, output));
      }
      await model.engine.close();
      // Of 8 bits all can be expected, of zeros and less bits only that something is left.
      for (const [text, ratio] of lost)
        expect(ratio, text).toBeGreaterThan(/prune|int4|4_0|nf4|snr/.test(text) ? 1 : 15);
      // Weights that stay codes in memory give what the same ones give that are decoded. The native package makes MatMulNBits of them, at an accuracy that
      // takes codes of 8 bits for activations as well.
      const most = name === "onnxruntime-node" ? 3 : 0.1;
      for (const [text, ratio] of lost) {
        const floats = lost.get(text.replace(/ @ w\d$/, ""));
        if (/ @ w\d$/.test(text) && floats !== undefined) expect(Math.abs(ratio - floats), text).toBeLessThan(most);
      }
      expect([...new Set(kept.map(({ run }) => run))].length).toBeGreaterThanOrEqual(3);
    },
  );

  test("a zero point for each channel is multiplied with, too", async () => {
    for (const made of GENERATED) {
      const model = await ready(made, ort);
      const { tensors } = model.model;
      const original = (await model.engine.run(model.inputs)).get("y")?.data as Float32Array;
      const space = ["small 1=lossless; int8 channel {,asymmetric} @ int8"];
      const { kept } = candidatesOf(space, { tensors }, model.description, environment);
      expect(kept).toHaveLength(2);
      const ratios = [];
      for (const candidate of kept)
        ratios.push(decibels(original, await outputOf((await deployed(model, candidate)).bytes, model, ort)));
      expect(ratios[1], made.kind).toBeGreaterThan(ratios[0] - 3);
      await model.engine.close();
    }
  });
});

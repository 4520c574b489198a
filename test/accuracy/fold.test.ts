import { describe, expect, test } from "vitest";
import { foldModel } from "../../src/activations/fold.ts";
import { planFolded } from "../../src/activations/folded.ts";
import { foldsIn } from "../../src/activations/folding.ts";
import { type PlanOptions, planModel } from "../../src/activations/model.ts";
import type { Engine, Value, Values } from "../../src/engine/engine.ts";
import { onnxEngine } from "../../src/engine/onnx.ts";
import { tfjsEngine } from "../../src/engine/tfjs.ts";
import { bytesSource, loadKernels, type Model, readOnnx, readTfjs } from "../../src/index.ts";
import { parseSteps } from "../../src/plan.ts";
import { random } from "../random.ts";
import { convNet, normed, outliers, pooled, tied } from "./graphs.ts";
import { onnxRuntimes } from "./runtimes.ts";
import { storiesGraph } from "./stories.ts";
import { sampled, storyTeller } from "./teller.ts";
import { tfjs } from "./tensorflow.ts";
import { safetensors, sharedFile } from "./weights.ts";

const kernels = await loadKernels();
const INT8 = { steps: parseSteps("int8 channel") };

interface Case {
  readonly engine: Engine;
  readonly model: Model;
  readonly batches: () => AsyncIterable<Values>;
}

async function opened(graph: Uint8Array, name: string, values: readonly Value[]): Promise<Case> {
  return {
    engine: await onnxEngine(graph, { ort: onnxRuntimes[0][1] }),
    model: await readOnnx(bytesSource(graph)),
    batches: async function* () {
      for (const value of values) yield new Map([[name, value]]);
    },
  };
}

function small(graph: Uint8Array, shape: readonly number[]): Promise<Case> {
  const next = random(5);
  const count = shape.reduce((a, b) => a * b);
  return opened(graph, "x", [{ shape, data: Float32Array.from({ length: count }, () => 2 * next() - 1) }]);
}

async function doodlenet(): Promise<Case | null> {
  const [modelJson, data] = ["model.json", "group1-shard1of1.bin"].map((n) => sharedFile(`models/doodlenet-tfjs/${n}`));
  const pixels = sharedFile("sets/quickdraw-cats1000.bin")?.subarray(0, 8 * 784);
  if (!modelJson || !data || !pixels) return null;
  const engine = await tfjsEngine({ modelJson: JSON.parse(new TextDecoder().decode(modelJson)), weights: data }, tfjs);
  const [{ name }] = (await engine.describe()).inputs;
  const value = { shape: [8, 28, 28, 1], data: Float32Array.from(pixels, (x) => x / 255) };
  return {
    engine,
    model: await readTfjs(bytesSource(modelJson), { open: async () => bytesSource(data) }),
    batches: async function* () {
      yield new Map([[name, value]]);
    },
  };
}

async function stories(): Promise<Case | null> {
  const weights = await safetensors("models/stories260k-llama.safetensors");
  if (!weights) return null;
  const tokens = sampled((await storyTeller(weights))(), 64, 3);
  return opened(await storiesGraph(weights), "tokens", [{ shape: [1, 64], data: tokens }]);
}

/** Powers of two: the model with the folds computes to the bit what the original does. */
async function expectExact({ engine, model, batches }: Case, options: PlanOptions = INT8): Promise<string[]> {
  const folded = await foldModel(kernels, engine, model, batches, { ...options, powers: true });
  for await (const batch of batches()) {
    const [before, after] = [await engine.run(batch), await folded.engine.run(batch)];
    for (const [name, { data }] of before) expect(after.get(name)?.data, name).toEqual(data);
  }
  for (const { factors, search } of folded.folds) {
    expect(factors.every((x) => Number.isInteger(Math.log2(x)))).toBe(true);
    expect(search.loss).toBeLessThan(search.none);
  }
  await folded.engine.close();
  return folded.folds.map(({ maker, users }) => `${maker} > ${users.join(", ")}`);
}

describe("where factors fold", () => {
  async function names(graph: Uint8Array, shape: readonly number[], except?: string): Promise<string[]> {
    const { engine } = await small(graph, shape);
    const description = await engine.describe();
    await engine.close();
    const planned = description.units.filter(({ name, weight }) => weight && name !== except);
    const folds = foldsIn(description, new Set(planned.map(({ name }) => name)));
    return folds.map(({ maker, users }) => `${maker.name} > ${users.map(({ name }) => name).join(", ")}`);
  }

  test("layers, norms and vectors; not through what bends, nor where another sees the value", async () => {
    expect(await names(outliers(), [1, 16])).toEqual(["a > b"]);
    expect(await names(normed(), [1, 8])).toEqual(["norm > q, k", "q > o", "vector > p"]);
    expect(await names(normed(true), [1, 8])).toEqual(["q > o", "vector > p"]);
    // One of two that take a value is not planned.
    expect(await names(normed(), [1, 8], "k")).toEqual(["q > o", "vector > p"]);
    expect(await names(pooled(), [1, 3, 8, 8])).toEqual(["a > b"]);
    expect(await names(convNet(), [1, 3, 8, 8])).toEqual(["conv > deep"]);
    // What would be divided is another's too.
    expect(await names(tied(false), [1, 8])).toEqual([]);
  });
});

const REAL = [
  ["doodlenet", await doodlenet(), 6],
  ["stories260k", await stories(), 10],
] as const;

describe("powers of two fold to the bit", () => {
  test.each<[string, Uint8Array, number[]]>([
    ["outliers", outliers(), [9, 16]],
    ["normed", normed(), [9, 8]],
    ["pooled", pooled(), [3, 3, 8, 8]],
    ["convNet", convNet(), [3, 3, 8, 8]],
  ])("%s", async (_, graph, shape) => {
    const given = await small(graph, shape);
    expect(await expectExact(given)).not.toEqual([]);
    await given.engine.close();
  });

  for (const [name, given, most] of REAL) {
    if (!given) test.skip(`no ${name} in the shared data: nothing was folded`, () => {});
    test.skipIf(!given)(name, async () => {
      if (!given) return;
      const folds = await expectExact(given, { ...INT8, evaluations: 6 });
      expect(folds.length).toBeGreaterThanOrEqual(most / 2);
      expect(folds.length).toBeLessThanOrEqual(most);
      await given.engine.close();
    });
  }
});

test("no unit that takes what is divided is worse than without factors, and the plan is of the model that is given back", async () => {
  for (const [graph, shape] of [
    [outliers(), [9, 16]],
    [normed(), [9, 8]],
  ] as const) {
    const { engine, model, batches } = await small(graph, shape);
    const bare = await planModel(kernels, engine, model, batches, { ...INT8, rules: [] });
    const { plan, folds, model: other } = await planFolded(kernels, engine, model, batches, INT8);
    expect(plan.losses.none).toBe(bare.losses.none);
    expect(plan.losses.taken).toBeLessThan(0.9 * plan.losses.none);
    const users = folds.flatMap((fold) => fold.users);
    expect(users).not.toEqual([]);
    for (const [i, { unit, search, factors }] of plan.units.entries()) {
      if (!users.includes(unit)) continue;
      expect(factors).toBeNull();
      expect(search.loss, unit).toBeLessThanOrEqual(bare.units[i].search.loss * (1 + 1e-3));
    }
    expect(other.tensors.map(({ name }) => name)).toEqual(model.tensors.map(({ name }) => name));
    const none = await planFolded(kernels, engine, model, batches, { ...INT8, evaluations: 1 });
    expect(none.folds).toEqual([]);
    expect(none.plan.losses.taken).toBe(none.plan.losses.none);
    await engine.close();
  }
});

import { describe, expect, test } from "vitest";
import { openData } from "../src/data.ts";
import type { Edits, Engine, Values } from "../src/engine/engine.ts";
import { open } from "../src/index.ts";
import { squares } from "../src/loss/squares.ts";
import { memoryPlace } from "../src/strategy/ledger.ts";
import { type CompressOptions, compress } from "../src/strategy.ts";
import { floatsOf } from "../src/tensor.ts";
import { memoryFiles, raw } from "./data.files.ts";
import { mlpEngine } from "./mlp.engine.ts";
import { random } from "./random.ts";
import { given, layersOf } from "./strategy.chain.ts";

// Models, data and files that are against the choice of a compression.

const FEW = { samples: { trial: 64, score: 32 }, budget: { trials: 8 }, rounds: 1, goal: "size" } as const;

async function made(own: Partial<CompressOptions> = {}) {
  const { model, options } = await given();
  return compress(model, { ...options, ...FEW, ...own });
}

describe("codes that turn out to need 16 bits", () => {
  const SPACE = [
    "small 64=lossless; int8 tensor snr 60dB > auto @ int8",
    "small 64=lossless; int8 tensor snr 20dB > auto @ int8",
  ];

  test("are not what is multiplied as integers: the candidate is left out, with the reason", async () => {
    for (const rounds of [0, 1]) {
      const found = await made({ space: SPACE, rounds, limits: { loss: 0.3 } });
      expect(found.rejected).toContainEqual({
        candidate: SPACE[0],
        reason: expect.stringContaining("16 bits under"),
      });
      const plans = (await open(found.file)).index.map(({ plan }) => plan);
      expect(plans.filter((plan) => plan.includes("int16"))).toEqual([]);
    }
  });

  test("leave what runs in floats alone", async () => {
    const found = await made({ space: ["small 64=lossless; int8 snr 60dB > auto"], rounds: 0 });
    const plans = (await open(found.file)).index.map(({ plan }) => plan);
    expect(plans.some((plan) => plan.includes("int16"))).toBe(true);
  });
});

/** An engine that gives something else. */
function altered(
  engine: Engine,
  change: (values: Values, tap: readonly string[], edits: Edits) => void,
  edits: Edits = {},
): Engine {
  return {
    ...engine,
    only: async (unit) => altered(await engine.only(unit), change, edits),
    withWeights: async (own) => altered(await engine.withWeights(own), change, own),
    run: async (inputs, tap = []) => {
      const values = await engine.run(inputs, tap);
      change(values, tap, edits);
      return values;
    },
  };
}

describe("values that are not finite", () => {
  test("within the model: what cannot be assembled is left out, with the reason, and the rest goes on", async () => {
    const { model, options } = await given();
    const space = ["small 64=lossless; int8 channel > auto @ int8", "lossless"];
    const engine = altered(options.engine, (values, tap) => {
      for (const name of tap) values.get(name)?.data.fill(Number.POSITIVE_INFINITY);
    });
    const found = await compress(model, { ...options, ...FEW, engine, space, rounds: 0 });
    expect(found.plan).toBe("lossless");
    const lost = found.rejected.find(({ candidate }) => candidate === space[0]);
    expect(lost?.reason).toContain("Infinity");
    // Without any that can be, there is still a model.
    const only = await compress(model, { ...options, ...FEW, engine, space: space.slice(0, 1), rounds: 0 });
    expect(only.plan).toBe("lossless");
  });

  test("of outputs, where a weight is changed much, do not make what leaves it alone hopeless", async () => {
    const { model, options } = await given();
    const tensor = model.tensors.find(({ name }) => name === "a.weight");
    if (!tensor) throw new Error("no weight");
    const before = await floatsOf(tensor);
    const engine = altered(options.engine, (values, _, { weights }) => {
      const own = weights?.get("a.weight") ?? before;
      const { error, signal } = squares(before, own);
      if (error > 1e-3 * signal) for (const { data } of values.values()) data.fill(Number.NaN);
    });
    const found = await compress(model, {
      ...options,
      ...FEW,
      ...{ engine, space: ["lossless", "int8 channel > auto"], goal: "latency" },
      ...{ limits: { loss: 0 }, budget: { trials: 1 }, rounds: 0 },
    });
    expect(found.plan).toBe("lossless");
    expect(found.met).toMatchObject([{ limit: "loss", got: 0, ok: true }]);
  });

  test("of the data: it is said that no loss can be told", async () => {
    const samples = new Float32Array(24 * 8).fill(Number.NaN);
    const data = await openData(memoryFiles({ x: raw(samples) }), [{ path: "x" }], { shape: [24], dtype: "f32" });
    const found = await made({ data, space: ["lossless", "int8 channel > auto"], rounds: 0 });
    expect(found.reason).toContain("Outputs are not finite");
    expect(JSON.stringify(found.rejected)).not.toContain("Infinity");
  });
});

describe("a ledger", () => {
  const SPACE = ["int8 channel > auto", "lossless"];

  async function ledger() {
    const place = memoryPlace();
    await made({ space: SPACE, ledger: place });
    return place;
  }

  test("is of another run if samples differ that are looked at only in the end", async () => {
    const place = await ledger();
    const next = random(8);
    const samples = Float32Array.from({ length: 96 * 24 }, () => 2 * next() - 1);
    for (let i = 0; i < 96; i++) {
      const other = samples.slice();
      other.fill(0.5, 24 * i, 24 * (i + 1));
      if (i % 12 !== 0) continue;
      const data = await openData(memoryFiles({ x: raw(other) }), [{ path: "x" }], { shape: [24], dtype: "f32" });
      await expect(made({ space: SPACE, ledger: place, data })).rejects.toThrow(/of another run: data was/);
    }
    await made({ space: SPACE, ledger: place });
  });

  test("is of another run if the graph differs, be it in its units or in what they give", async () => {
    const place = await ledger();
    const layers = layersOf().map((layer) => ({ ...layer, activation: "softmax" as const }));
    await expect(made({ space: SPACE, ledger: place, engine: mlpEngine(layers) })).rejects.toThrow(/of another run: /);
    const { options } = await given();
    const doubled = altered(options.engine, (values) => {
      for (const { data } of values.values()) for (const i of data.keys()) data[i] = (data[i] as number) / 2;
    });
    await expect(made({ space: SPACE, ledger: place, engine: doubled })).rejects.toThrow(/run: outputs was/);
  });
});

test("where size is the goal, the smallest of what was run and meets the limits is the answer", async () => {
  for (const trials of [3, 4, 6, 10]) {
    const found = await made({ budget: { trials }, samples: { trial: 96, score: 32 }, limits: { loss: 0.01 } });
    const able = found.trials.filter(({ ok }) => ok).map(({ bytes }) => bytes);
    expect(found.file.length).toBe(Math.min(...able));
    for (const { lost } of found.trials) expect(lost ?? "").not.toContain("expected on all of them");
  }
});

test("what cannot be trained says why", async () => {
  const found = await made({ space: ["int8 channel > auto"], rounds: 0, tune: true });
  expect(found.reason).toMatch(/Weights were not trained: .*(does not train|no labels)/);
});

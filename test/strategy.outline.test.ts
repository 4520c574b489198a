import { describe, expect, test } from "vitest";
import type { Engine } from "../src/engine/engine.ts";
import { open } from "../src/index.ts";
import { reportPage } from "../src/report/report.ts";
import { memoryPlace } from "../src/strategy/ledger.ts";
import { outline } from "../src/strategy/outline.ts";
import { scoredIn } from "../src/strategy/scored.ts";
import { type CompressOptions, compress } from "../src/strategy.ts";
import { all, classed, expectSound, parse, textOf } from "./page.ts";
import { given } from "./strategy.chain.ts";

// What an answer is in detail, and that the page of a real one is sound.

const SPACE = [
  "int8 snr {14,20,26}dB > auto",
  "int8 channel > auto @ {f32,int8,w4}",
  "int4 channel > auto",
  "lossless",
];
const FEW = { samples: { trial: 64, score: 32 }, budget: { trials: 8 }, rounds: 1, space: SPACE } as const;

/** An answer with the ledger that it was found with; runs of the model are counted. */
async function found(own: Partial<CompressOptions> = {}) {
  const { model, options: bare } = await given();
  const runs = { count: 0 };
  const engine: Engine = {
    ...bare.engine,
    async withWeights(edits) {
      runs.count++;
      return bare.engine.withWeights(edits);
    },
  };
  const ledger = memoryPlace();
  const options = { ...bare, ...FEW, engine, ...own, ledger };
  const answer = await compress(model, options);
  runs.count = 0;
  return { model, options, answer, ledger, runs };
}

describe("an outline", () => {
  test("has what was expected of all candidates that could be priced, and it came true of the sizes", async () => {
    const { model, options, answer } = await found({ goal: "size", limits: { loss: 0.005 } });
    const { expected } = await outline(model, options, answer);
    const plans = new Set(expected.map(({ plan }) => plan));
    expect(plans.size).toBe(expected.length);
    for (const { plan, bytes, latency, load } of answer.trials) {
      const own = expected.find((one) => one.plan === plan);
      expect(own?.latency).toEqual(latency);
      expect(own?.load).toEqual(load);
      expect(own?.bytes).toBe(bytes);
    }
    // What a place cannot run has no price.
    expect([...plans].filter((plan) => plan.includes("@ w4"))).toEqual([]);
    for (const { candidate, reason } of answer.rejected)
      expect(plans.has(candidate)).toBe(!/^run w4 needs|^the same as/.test(reason));
  });

  test("has the tensors of the file with their bytes, their time and the loss that each alone causes", async () => {
    const { model, options, answer } = await found({ goal: "size", limits: { loss: 0.005 } });
    const { layers } = await outline(model, options, answer);
    expect(layers.map(({ tensor }) => tensor)).toEqual(["a", "b", "c"].flatMap((x) => [`${x}.weight`, `${x}.bias`]));
    const file = await open(answer.file);
    const bytes = layers.reduce((sum, layer) => sum + layer.bytes, 0);
    expect(bytes).toBe(file.index.reduce((sum, { storedBytes }) => sum + storedBytes, 0));
    expect(bytes).toBeLessThan(answer.file.length);
    const taken = answer.trials.find(({ lost }) => lost === null);
    const ms = layers.reduce((sum, layer) => sum + layer.ms, 0);
    expect(ms).toBeGreaterThan(0);
    expect(ms).toBeLessThanOrEqual((taken?.latency.ms ?? 0) * (1 + 1e-9));
    for (const { tensor, loss, steps, units, type } of layers) {
      expect([units.length, type]).toEqual([1, "dense"]);
      expect(loss).toBeGreaterThanOrEqual(0);
      if (steps === "lossless") expect(loss).toBe(0);
      else expect(loss, tensor).toBeGreaterThan(0);
    }
  });

  test("has the choices that were measured, the answer's own among them, as the ledger has them", async () => {
    const { model, options, answer, ledger } = await found({ goal: "size", limits: { loss: 0.005 } });
    const { layers } = await outline(model, options, answer);
    const weights = layers.filter(({ tensor }) => tensor.endsWith(".weight"));
    for (const { choices, steps, loss } of weights) {
      expect(choices.length).toBeGreaterThan(3);
      const sizes = choices.flatMap(({ bytes }) => (bytes === null ? [] : [bytes]));
      expect(sizes).toEqual([...sizes].sort((a, b) => a - b));
      const own = choices.find((choice) => choice.steps === steps);
      if (own) expect(own.loss).toBe(loss);
    }
    // What the whole was solved from is there before the outline, too.
    expect(scoredIn(ledger.text ?? "").size).toBeGreaterThan(0);
    expect(scoredIn("").size).toBe(0);
  });

  test("runs nothing that the ledger knows, and nothing at all the second time", async () => {
    const { model, options, answer, ledger, runs } = await found({ goal: "size", limits: { loss: 0.005 } });
    const first = await outline(model, options, answer);
    expect(runs.count).toBeLessThanOrEqual(first.layers.length);
    runs.count = 0;
    const text = ledger.text;
    const second = await outline(model, options, answer);
    expect(runs.count).toBe(0);
    expect(second.layers.map(({ loss }) => loss)).toEqual(first.layers.map(({ loss }) => loss));
    expect(ledger.text).toBe(text);
    // The answer is the same with what the outline has added.
    expect(await compress(model, options)).toEqual(answer);
  });

  test("of units that multiply integers says so", async () => {
    const space = ["small 64=lossless; int8 channel > auto @ int8"];
    const { model, options, answer } = await found({ limits: { loss: 0.05 }, space });
    const { layers } = await outline(model, options, answer);
    expect(layers.filter(({ run }) => run === "int8").map(({ tensor }) => tensor)).toContain("b.weight");
    expect(layers.find(({ tensor }) => tensor === "b.bias")?.run).toBeNull();
  });

  test("ends with the signal's reason", async () => {
    const { model, options, answer } = await found({ rounds: 0 });
    const signal = AbortSignal.abort(new Error("enough"));
    await expect(outline(model, { ...options, signal }, answer)).rejects.toThrow("enough");
  });
});

describe("the page of a real answer", () => {
  test.each([
    ["size", { loss: 0.005, bytes: 6000 }],
    ["latency", { loss: 1e-9, bytes: 900, latency: 1e-6 }],
    ["load", { loss: 0.05, memory: 1e9 }],
  ] as const)("for %s is sound, and every reason has its place", async (goal, limits) => {
    const { model, options, answer } = await found({ goal, limits });
    const details = await outline(model, options, answer);
    const page = parse(
      reportPage({ title: "chain", choice: { goal, answer, fileBytes: answer.file.length, ...details } }),
    );
    expectSound(page);
    expect(textOf(page)).not.toContain("For other reasons");
    const [curves] = classed(page, "curves");
    for (const svg of curves ? all(curves, "svg") : []) expect(classed(svg, "ring")).toHaveLength(1);
    expect(textOf(page)).toContain("bytes of the file exactly as predicted");
  });
});

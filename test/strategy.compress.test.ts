import { describe, expect, test } from "vitest";
import type { Engine } from "../src/engine/engine.ts";
import { evaluate } from "../src/evaluate.ts";
import { DataError, open } from "../src/index.ts";
import { memoryPlace } from "../src/strategy/ledger.ts";
import { lossOf } from "../src/strategy/loss.ts";
import { type CompressOptions, compress } from "../src/strategy.ts";
import { readElementsOf } from "./accuracy/weights.ts";
import { dataOf, given, place } from "./strategy.chain.ts";

// The whole of it, on a small chain of dense layers.

const SPACE = ["int8 snr {14,20,26}dB > auto", "int8 channel > auto @ {f32,int8}", "lossless"];
const FEW = { samples: { trial: 64, score: 32 }, budget: { trials: 8 }, rounds: 1, space: SPACE } as const;

async function made(own: Partial<CompressOptions> = {}) {
  const { model, options } = await given();
  return compress(model, { ...options, ...FEW, ...own });
}

describe("compress", () => {
  test("gives a file, its plan, what was tried, whether limits are met, and why", async () => {
    const open_ = { count: 0 };
    const { model, options } = await given(open_);
    const phases = new Set<string>();
    const onProgress: CompressOptions["onProgress"] = ({ phase, done, total }) => {
      phases.add(phase);
      expect(done).toBeLessThanOrEqual(total);
    };
    const limits = { loss: 0.005, bytes: 6000 };
    const found = await compress(model, { ...options, ...FEW, goal: "size", limits, onProgress });
    const file = await open(found.file);
    expect(found.met.map(({ limit, ok }) => [limit, ok])).toEqual([
      ["loss", true],
      ["bytes", true],
    ]);
    // The loss that is told is that of what lies in the file, on all samples.
    const weights = await readElementsOf(file.model("f32"));
    const loss = lossOf(await evaluate(options.engine, { weights }, options.data));
    expect(loss).toBe(found.loss);
    expect(found.met[0]?.got).toBe(loss);
    expect(found.met[1]?.got).toBe(found.file.length);
    expect(found.reason).toContain("It meets all limits.");
    expect(found.trials.filter(({ lost }) => lost === null).map(({ plan }) => plan)).toEqual([found.plan]);
    expect(found.trials.length).toBeLessThanOrEqual(8);
    for (const { candidate, reason } of found.rejected) {
      expect(candidate).not.toBe("");
      expect(reason.length).toBeGreaterThan(10);
    }
    expect([...phases]).toEqual(expect.arrayContaining(["pricing", "scoring", "trying", "refining", "checking"]));
    // The engine that was given.
    expect(open_.count).toBe(1);
  });

  test("a plan that meets the limit only on the samples of trials is not taken, and it says so", async () => {
    const found = await made({
      ...{ goal: "size", limits: { loss: 0.003 }, samples: { trial: 6, score: 6 }, budget: { trials: 16 }, rounds: 1 },
    });
    expect(found.met).toMatchObject([{ limit: "loss", ok: true }]);
    const better = found.trials.filter(({ ok, bytes }) => ok && bytes < found.file.length);
    expect(better.length).toBeGreaterThan(0);
    for (const { lost } of better) expect(lost).toMatch(/on all samples it loses|expected on all of them/);
    expect(better.some(({ lost }) => lost?.startsWith("on all samples"))).toBe(true);
  });

  test("every candidate has an end: taken, tried and lost, or not tried, with reasons", async () => {
    const found = await made({ goal: "size", rounds: 0, limits: { loss: 0.002 } });
    const tried = found.trials.map(({ plan }) => plan);
    const others = found.rejected.map(({ candidate }) => candidate);
    expect(new Set([...tried, ...others]).size).toBe(6);
    expect(tried).toContain(found.plan);
    expect(others).not.toContain(found.plan);
    const lost = found.trials.filter(({ lost }) => lost !== null);
    for (const { ok, lost: reason } of lost) expect(reason).toContain(ok ? "size" : "loss is");
  });

  test("there is always a model: the one that misses limits least, and it says so", async () => {
    const found = await made({ limits: { loss: 1e-9, bytes: 900 } });
    expect((await open(found.file)).index).toHaveLength(6);
    expect(found.met.some(({ ok }) => !ok)).toBe(true);
    expect(found.reason).toContain("It misses");
    const none = await made({ space: ["int8 channel > auto @ w4"], budget: { trials: 1, seconds: 0 } });
    expect(none.plan).toBe("lossless");
    expect(none.rejected).toEqual([{ candidate: expect.stringContaining("@ w4"), reason: expect.any(String) }]);
    expect(none.loss).toBe(0);
  });

  test("where units multiply integers, the file has their codes, and its loss is that of both", async () => {
    const space = ["small 64=lossless; int8 channel > auto @ int8"];
    const found = await made({ goal: "latency", limits: { loss: 0.05 }, space });
    const floats = await made({ limits: { loss: 0.05 }, space: ["small 64=lossless; int8 channel > auto"], rounds: 0 });
    expect(found.trials[0]?.loss).toBeGreaterThan(floats.trials[0]?.loss ?? 0);
    expect(found.plan).toMatch(/@ int8$/);
    expect((await open(found.file)).activations?.map(({ unit }) => unit)).toContain("b");
  });

  test("loading as the goal needs a line", async () => {
    await expect(made({ goal: "load", environment: place(null) })).rejects.toThrow(DataError);
    await expect(made({ goal: "load", environment: place(null) })).rejects.toThrow("needs to know the line");
    const found = await made({ goal: "load" });
    expect(found.trials[0]?.load?.ms).toBeGreaterThan(0);
  });

  test("what is no option is refused by name", async () => {
    const wrong: [Partial<CompressOptions>, string][] = [
      [{ goal: "speed" as never }, '"goal" expected latency, size, load'],
      [{ limits: { loss: -1 } }, '"limits.loss" expected'],
      [{ budget: { trials: 0 } }, '"budget.trials" expected'],
      [{ rounds: 1.5 }, '"rounds" expected'],
      [{ samples: { score: 0 } }, '"samples.score" expected'],
      [{ space: ["int9"] }, "is not a step"],
    ];
    for (const [own, message] of wrong) await expect(made(own)).rejects.toThrow(message);
    await expect(made({ data: { ...(await dataOf()), count: 0 } })).rejects.toThrow("no samples");
  });
});

describe("a run", () => {
  const same = { goal: "size", limits: { loss: 0.003 } } as const;

  test("gives the same plan and the same bytes each time, and the same ledger", async () => {
    const [one, two] = [memoryPlace(), memoryPlace()];
    const [a, b] = [await made({ ...same, ledger: one }), await made({ ...same, ledger: two })];
    expect(b).toEqual(a);
    expect(two.text).toBe(one.text);
  });

  test("that is killed anywhere goes on to the same answer, and runs nothing twice", async () => {
    const whole = memoryPlace();
    const expected = await made({ ...same, ledger: whole });
    const text = whole.text as string;
    const lines = text.split("\n").length - 1;
    for (const share of [0.3, 0.95]) {
      const end = text.split("\n", Math.floor(share * lines)).join("\n").length;
      const left = memoryPlace(text.slice(0, end + 5));
      const { model, options } = await given();
      const runs: number[] = [];
      const engine: Engine = {
        ...options.engine,
        async withWeights(edits) {
          runs.push(1);
          return options.engine.withWeights(edits);
        },
      };
      const found = await compress(model, { ...options, ...FEW, ...same, engine, ledger: left });
      expect(found).toEqual(expected);
      expect(left.text).toBe(text);
      if (share === 0.95) expect(runs.length).toBeLessThan(0.2 * lines);
    }
  });

  test("does not take the ledger of another one", async () => {
    const ledger = memoryPlace();
    await made({ ...same, ledger, rounds: 0 });
    for (const [own, message] of [
      [{ seed: 2 }, "seed was 1 and is 2"],
      [{ limits: { loss: 0.1 } }, "limits was"],
      [{ data: await dataOf(96, 9) }, "data was"],
      [{ environment: place(9e6) }, "environment was"],
      [{ space: ["lossless"] }, "space was"],
    ] as const)
      await expect(made({ ...same, ledger, rounds: 0, ...own })).rejects.toThrow(message);
  });

  test("ends with the signal's reason, and closes what it has opened", async () => {
    const open_ = { count: 0 };
    const { model, options } = await given(open_);
    const controller = new AbortController();
    const stopping = compress(model, {
      ...{ ...options, ...FEW, ...same, signal: controller.signal },
      onProgress({ phase }) {
        if (phase === "scoring") controller.abort(new Error("enough"));
      },
    });
    await expect(stopping).rejects.toThrow("enough");
    expect(open_.count).toBe(1);
  });
});

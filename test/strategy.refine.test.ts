import { describe, expect, test } from "vitest";
import { printSteps } from "../src/plan.ts";
import { newJob } from "../src/strategy/begin.ts";
import { parseCandidate } from "../src/strategy/candidate.ts";
import { choicesNear } from "../src/strategy/choices.ts";
import { currentOf, planWithin } from "../src/strategy/fit.ts";
import { stepsOfTensor } from "../src/strategy/how.ts";
import { weightsOf } from "../src/strategy/job.ts";
import { refine } from "../src/strategy/refine.ts";
import type { CompressOptions } from "../src/strategy/settings.ts";
import { nearTable, wholeTable } from "../src/strategy/table.ts";
import { tryOut } from "../src/strategy/trial.ts";
import { given } from "./strategy.chain.ts";

// Refinement of plans of a small chain of dense layers.

async function begun(own: Partial<CompressOptions> = {}) {
  const { model, options } = await given();
  let runs = 0;
  const counted = (engine: typeof options.engine): typeof options.engine => ({
    ...engine,
    async withWeights(edits) {
      runs++;
      return engine.withWeights(edits);
    },
  });
  const engine = counted(options.engine);
  const job = await newJob(model, { ...options, engine, samples: { trial: 96, score: 48 }, ...own });
  return { job, runs: () => runs };
}

const START = "int8 snr 23dB > auto";

describe("choices of a tensor", () => {
  test("are near what it has: parameters, the order of steps, other scales; and never what it cannot have", async () => {
    const { job } = await begun();
    const [weight] = weightsOf(job).filter(({ tensor }) => tensor.name === "b.weight");
    if (!weight) throw new Error("there is one");
    const near = (text: string, run: "f32" | "int8" | "w8" | "w4", ladder: boolean) => {
      const candidate = parseCandidate(run === "f32" ? text : `${text} @ ${run}`);
      return choicesNear(stepsOfTensor(job, candidate, weight.tensor), weight, { ...candidate, rms: 0.5, ladder }).map(
        printSteps,
      );
    };
    const pruned = near("prune 0.5 > int8 channel > zrl", "f32", false);
    expect(pruned[0]).toBe("prune 0.5 > int8 channel axis 1 > zrl");
    expect(pruned).toContain("prune 0.6 > int8 channel axis 1 > zrl");
    expect(pruned).toContain("prune 0.4 > int8 channel axis 1 > zrl");
    expect(pruned).toContain("zrl");
    // Codes of channels along another dimension than the first cannot be pruned; those of one scale can.
    expect(pruned.some((text) => text.startsWith("int8 channel axis 1 > prune"))).toBe(false);
    expect(near("prune 0.5 > int8 tensor > zrl", "f32", false)).toContain("int8 tensor > prune 0.5 > zrl");
    expect(near("int8 step 0.01 > smallest", "f32", false)).toContain("int8 tensor step 0.005 > smallest");
    expect(near("int8 snr 20dB > smallest", "f32", false)).toContain("int8 tensor step 0.0866 > smallest");
    expect(near("int8 bits 3 > smallest", "f32", false)).toContain("int8 tensor bits 3.5 > smallest");
    expect(near("prune 0.5 global > int8 tensor", "f32", false)[0]).toBe("prune 0.5 > int8 tensor > auto");
    expect(near("int8 channel", "f32", true)).toContain("int4 group 32 > auto");
    // Runtimes multiply 8 bits, with one scale or one for each channel.
    const integers = near("int8 channel", "int8", true);
    expect(integers.length).toBeGreaterThan(5);
    expect(integers.filter((text) => /int4|group|asymmetric/.test(text))).toEqual([]);
    expect(near("int4 group 32", "w4", true).filter((text) => /int8/.test(text))).toEqual([]);
  });
});

describe("refinement", () => {
  test("lowers the measured loss in no more bytes, and says what it ran", async () => {
    const { job } = await begun();
    const start = await tryOut(job, parseCandidate(START));
    const { best, trials } = await refine(job, start, 2);
    expect(best.bytes).toBeLessThanOrEqual(start.bytes);
    expect(best.loss).toBeLessThan(0.7 * start.loss);
    expect(trials).toContain(best);
    expect(trials.every(({ from }) => from === "refined")).toBe(true);
    // What is told of the plan is what it does when it is tried anew.
    const again = await begun();
    expect(await tryOut(again.job, parseCandidate(best.text))).toMatchObject({ loss: best.loss, bytes: best.bytes });
  });

  test("the uniform plan stays where nothing is better, or nothing may be tried", async () => {
    const { job } = await begun();
    const whole = await tryOut(job, parseCandidate("lossless"));
    expect((await refine(job, whole, 2)).best).toBe(whole);
    const start = await tryOut(job, parseCandidate(START));
    expect(await refine(job, start, 0)).toMatchObject({ best: start, trials: [] });
    const poor = await begun({ budget: { trials: 1 } });
    const only = await tryOut(poor.job, parseCandidate(START));
    expect(await refine(poor.job, only, 2)).toMatchObject({ best: only, trials: [] });
  });

  test("where size is the goal bytes fall as far as the limit of loss allows", async () => {
    const { job } = await begun({ goal: "size", limits: { loss: 0.01 }, budget: { trials: 8 } });
    const start = await tryOut(job, parseCandidate(START));
    const { best } = await refine(job, start, 2);
    expect(best.loss).toBeLessThanOrEqual(0.01);
    expect(best.bytes).toBeLessThan(0.8 * start.bytes);
  });

  test("a plan that is too large becomes one that is not", async () => {
    const { job } = await begun({ limits: { bytes: 2600, loss: 1 } });
    const start = await tryOut(job, parseCandidate("int8 channel > auto"));
    expect(start.bytes).toBeGreaterThan(2600);
    expect((await refine(job, start, 2)).best.bytes).toBeLessThanOrEqual(2600);
  });

  test("where units multiply integers, what is chosen still does, and is no slower", async () => {
    const { job } = await begun();
    const start = await tryOut(job, parseCandidate("small 64=lossless; int8 tensor > auto @ int8"));
    const { best } = await refine(job, start, 1);
    expect(best.loss).toBeLessThanOrEqual(start.loss);
    expect(best.latency.ms).toBeLessThanOrEqual(start.latency.ms * (1 + 1e-6));
    expect(best.candidate.run).toBe("int8");
  });
});

describe("the table", () => {
  test("is solved for any budget without another run of the model", async () => {
    const { job, runs } = await begun();
    const root = parseCandidate(START);
    const start = await tryOut(job, root);
    const rows = await wholeTable(job, root);
    expect(rows.map(({ weight }) => weight.tensor.name)).toEqual(["a.weight", "b.weight", "c.weight"]);
    const chosen = new Map(rows.map(({ weight }) => [weight.tensor.name, stepsOfTensor(job, root, weight.tensor)]));
    const [before, figures] = [runs(), job.ledger.made];
    let last = Number.POSITIVE_INFINITY;
    for (const bytes of [1800, 2400, 3500, 5000]) {
      const found = await planWithin(job, { root, best: start, chosen }, rows, { bytes, ms: Number.POSITIVE_INFINITY });
      if (!found) throw new Error("it fits");
      expect(found.solution.loss).toBeLessThan(last);
      last = found.solution.loss;
    }
    expect(runs()).toBe(before);
    expect(job.ledger.made).toBe(figures);
  });

  test("around a compressed model says what each change does there", async () => {
    const { job } = await begun();
    const now = parseCandidate(START);
    const whole = await wholeTable(job, now);
    const chosen = new Map(whole.map(({ weight }) => [weight.tensor.name, stepsOfTensor(job, now, weight.tensor)]));
    const rows = await nearTable(job, now, chosen, whole);
    expect(currentOf(rows, chosen).loss).toBe(0);
    const gains = rows.flatMap(({ choices }) => choices.filter(({ loss }) => loss < 0));
    expect(gains.length).toBeGreaterThan(2);
  });
});

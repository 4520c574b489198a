import type { Value } from "../../src/engine/engine.ts";
import { relative, squares } from "../../src/loss/squares.ts";
import type { Step } from "../../src/plan.ts";
import { parseCandidate } from "../../src/strategy/candidate.ts";
import { batchesOf, type Job } from "../../src/strategy/job.ts";
import { tensorError } from "../../src/strategy/outlook.ts";
import { type ScoredRow, withChoice } from "../../src/strategy/score.ts";
import { wholeTable } from "../../src/strategy/table.ts";
import { lossWith } from "../../src/strategy/trial.ts";
import { random } from "../random.ts";

// Which score of single tensors adds up to the loss of the whole model: the loss that each alone makes in the outputs; the error of the unit's own output
// times what the model made of one such error; or the error of the tensor itself, times likewise.

const DRAWS = 24;

export async function predictors(job: Job): Promise<void> {
  const rows = (await wholeTable(job, parseCandidate("int8 snr 23dB > smallest"))).filter(
    ({ weight, choices }) => weight.units.length > 0 && choices.length > 3,
  );
  const own = await Promise.all(rows.map((row) => ownErrors(job, row)));
  const tensors = await Promise.all(rows.map((row) => tensorErrors(job, row)));
  const next = random(11);
  const found: { real: number; sums: number[] }[] = [];
  for (let draw = 0; draw < DRAWS; draw++) {
    // About the same number of bits everywhere, and more or less of them: what a solver has to tell apart.
    const level = 0.25 + 0.6 * next();
    const picks = rows.map(({ choices }) => {
      const at = Math.round((choices.length - 1) * Math.min(1, Math.max(0, level + 0.5 * (next() - 0.5))));
      return at;
    });
    const weights = new Map<string, Float32Array>();
    for (const [i, { weight, choices }] of rows.entries()) {
      const edits = await withChoice(job, null, weight, choices[picks[i] as number]?.steps ?? null);
      for (const [name, data] of edits.weights ?? []) weights.set(name, data);
    }
    const real = await lossWith(job, { weights }, job.samples.score);
    const sum = (of: (i: number, at: number) => number): number => picks.reduce((all, at, i) => all + of(i, at), 0);
    // The middle choice tells how much the model makes of an error.
    const scaled = (errors: readonly (readonly number[])[]) => (i: number, at: number) => {
      const { choices } = rows[i] as ScoredRow;
      const middle = choices.length >> 2;
      return ((choices[middle]?.loss ?? 0) / ((errors[i] as number[])[middle] as number)) * (errors[i]?.[at] as number);
    };
    const alone = (i: number, at: number): number => rows[i]?.choices[at]?.loss as number;
    found.push({ real, sums: [sum(alone), sum(scaled(own)), sum(scaled(tensors))] });
  }
  for (const [k, name] of ["loss of each alone", "unit's output, scaled", "tensor, scaled"].entries()) {
    const pairs = found.map(({ real, sums }): [number, number] => [Math.log(real), Math.log(sums[k] as number)]);
    const ratios = found.map(({ real, sums }) => real / (sums[k] as number)).sort((a, b) => a - b);
    const middle = ratios[ratios.length >> 1] as number;
    console.log(
      `  ${name}: rank correlation ${rank(pairs).toFixed(3)}, whole by sum ${middle.toFixed(2)} (${(ratios[2] as number).toFixed(2)} to ${(ratios.at(-3) as number).toFixed(2)})`,
    );
  }
}

/** Square of the error of a unit's output by that of the output, given what it is given in the original. */
async function ownErrors(job: Job, { weight, choices }: ScoredRow): Promise<number[]> {
  const [unit] = weight.units;
  if (!unit) return [];
  const only = await job.engine.only(unit.name);
  const errors: number[] = [];
  for (const { steps } of choices) {
    const { weights } = await withChoice(job, null, weight, steps);
    const own = await only.withWeights({ weights: weights ?? new Map() });
    let [error, signal] = [0, 0];
    for await (const batch of batchesOf(job, job.samples.score)) {
      const taps = [...unit.inputs, unit.output].filter((name) => !batch.has(name));
      const values = new Map([...(await job.engine.run(batch, taps)), ...batch]);
      const given = new Map(unit.inputs.map((name): [string, Value] => [name, values.get(name) as Value]));
      const sums = squares(
        (values.get(unit.output) as Value).data,
        ((await own.run(given)).get(unit.output) as Value).data,
      );
      error += sums.error;
      signal += sums.signal;
    }
    await own.close();
    errors.push(relative(error, signal));
  }
  await only.close();
  return errors;
}

async function tensorErrors(job: Job, { weight, choices }: ScoredRow): Promise<number[]> {
  const errors: number[] = [];
  for (const { steps } of choices) errors.push((await tensorError(job, weight, steps as readonly Step[])) ?? 0);
  return errors;
}

/** Spearman's. */
function rank(pairs: readonly [number, number][]): number {
  const places = [0, 1].map((k) => {
    const order = pairs.map((_, i) => i).sort((a, b) => (pairs[a]?.[k] as number) - (pairs[b]?.[k] as number));
    return pairs.map((_, i) => order.indexOf(i));
  });
  const n = pairs.length;
  const apart = pairs.reduce((sum, _, i) => sum + ((places[0]?.[i] as number) - (places[1]?.[i] as number)) ** 2, 0);
  return 1 - (6 * apart) / (n * (n * n - 1));
}

// npx tsx test/accuracy/compress.bench.ts [model ...]: what refinement makes of uniform plans of real models, at no more bytes, and which score of single
// tensors tells most of the loss of the whole model. Needs the shared data.
import { newTable } from "../../src/latency.ts";
import { newJob } from "../../src/strategy/begin.ts";
import { parseCandidate } from "../../src/strategy/candidate.ts";
import type { Job } from "../../src/strategy/job.ts";
import { refine } from "../../src/strategy/refine.ts";
import { type Trial, tryOut } from "../../src/strategy/trial.ts";
import { place } from "../strategy.chain.ts";
import { basicPitch, doodlenet, type Real, stories } from "./compress.models.ts";
import { predictors } from "./compress.scores.ts";

const UNIFORM = [
  "int8 channel > auto",
  "int8 channel > smallest",
  "int8 tensor > smallest",
  "int4 group 32 > smallest",
  "int4 channel > smallest",
  "prune 0.5 > int8 channel > smallest",
  ...[14, 17, 20, 23, 26, 29, 32, 35].map((dB) => `int8 snr ${dB}dB > smallest`),
];
/** Those that are refined. */
const STARTS = ["int8 channel > auto", "int8 snr 23dB > smallest", "int4 group 32 > smallest"];
const ROUNDS = 2;
let failed = false;

async function measure(real: Real): Promise<void> {
  const job = await newJob(real.model, {
    ...real,
    ...{ environment: place(), table: newTable(), seed: 1, budget: { trials: 1000 }, goal: "latency" },
  });
  const uniform: Trial[] = [];
  for (const text of UNIFORM) uniform.push(await tryOut(job, parseCandidate(text)));
  for (const { text, bytes, loss } of uniform) console.log(`  ${text}: ${bytes} bytes, loss ${loss.toExponential(3)}`);
  for (const text of STARTS) await refined(job, text, uniform);
  await predictors(job);
  await real.engine.close();
}

async function refined(job: Job, text: string, uniform: readonly Trial[]): Promise<void> {
  const start = uniform[UNIFORM.indexOf(text)] as Trial;
  const rival = uniform.filter(({ bytes }) => bytes <= start.bytes).sort((a, b) => a.loss - b.loss)[0] as Trial;
  const [began, before] = [Date.now(), job.ledger.made];
  const { best, trials } = await refine(job, start, ROUNDS);
  const met = best.loss < rival.loss && best.bytes <= start.bytes;
  failed ||= !met;
  console.log(
    `${met ? "met   " : "MISSED"} from "${text}": ${best.bytes} bytes, loss ${best.loss.toExponential(3)}; the best uniform plan of at most ${start.bytes} bytes, "${rival.text}" of ${rival.bytes}: ${rival.loss.toExponential(3)}: ${(100 * (1 - best.loss / rival.loss)).toFixed(1)} % less; ${trials.length} trials, ${job.ledger.made - before} figures, ${((Date.now() - began) / 1000).toFixed(0)} s`,
  );
}

const wanted = process.argv.slice(2);
for (const [name, open] of Object.entries({ doodlenet, stories, pitch: basicPitch })) {
  if (wanted.length > 0 && !wanted.includes(name)) continue;
  const real = await open();
  console.log(real ? real.name : `no shared data: ${name} was not compressed`);
  if (real) await measure(real);
}
process.exitCode = failed ? 1 : 0;

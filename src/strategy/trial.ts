import type { Edits } from "../engine/engine.ts";
import { evaluate } from "../evaluate/evaluate.ts";
import type { Model } from "../tensor.ts";
import { assemble } from "./assemble.ts";
import { type Candidate, printCandidate } from "./candidate.ts";
import type { Job } from "./job.ts";
import { lossOf } from "./loss.ts";
import { type Priced, price } from "./price.ts";

/** A candidate that was run on the data. */
export interface Trial extends Priced {
  /** On the samples that tell candidates apart; see lossOf. */
  readonly loss: number;
  /** How it came about. */
  readonly from: "space" | "refined" | "tuned";
  /** In the ledger. */
  readonly key: string;
  /** Weights that were trained; undefined: those of the model. */
  readonly model?: Model | undefined;
}

/** The loss of the model with edits, on some samples. */
export async function lossWith(job: Job, edits: Edits, indices: readonly number[]): Promise<number> {
  const { engine, data, comparing, seed, signal } = job;
  // Intervals are not looked at.
  const options = { ...comparing, indices, seed, resamples: 1, signal };
  return lossOf(await evaluate(engine, edits, data, options));
}

/** Packs a candidate and runs what came of it, unless the ledger knows how that went. Takes one of the trials that may be made. */
export async function tryOut(
  job: Job,
  candidate: Candidate,
  from: Trial["from"] = "space",
  model?: Model,
): Promise<Trial> {
  const { ledger, spending, samples, signal } = job;
  signal?.throwIfAborted();
  spending.take();
  const key = `${from === "tuned" ? "tuned: " : ""}${printCandidate(candidate)}`;
  const { loss, bytes } = await ledger.recall("trial", key, async () => {
    const { file, edits } = await assemble(job, candidate, model);
    return { loss: await lossWith(job, edits, samples.trial), bytes: file.length };
  });
  return { ...(await price(job, candidate)), bytes, loss, from, key, model };
}

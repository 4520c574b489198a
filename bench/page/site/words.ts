import { FormatError, LoadError } from "../../../src/read.ts";
import { counted, timeText } from "./numbers.ts";
import type { Run } from "./run.ts";

// What became of a run, in words.

export function cutsOf({ requests }: Run): number {
  return requests.filter(({ state }) => state === "cut").length;
}

/** @param last - the hash of the floats of the last run of the same model */
export function outcome(run: Run, last: string | undefined): string {
  const { job, error, endedAt = 0, floats, tensors } = run;
  const ready = tensors.filter((tensor) => tensor.ready !== undefined).length;
  if (job.signal.aborted)
    return `Aborted after ${timeText(endedAt)}, with ${ready} of ${tensors.length} tensors ready.`;
  if (error !== undefined) return errorText(error);
  const again = run.book.chunks.filter((chunk) => chunk.again).length;
  const same = last === floats ? "the floats are those of the run before" : "the floats differ from the run before";
  const facts = [
    `Loaded and verified in ${timeText(endedAt)}`,
    cutsOf(run) > 0 ? `cut ${counted(cutsOf(run), "time")} and resumed` : "",
    again > 0 ? `${counted(again, "damaged chunk")} fetched again` : "",
    last === undefined ? "" : same,
  ];
  return `${facts.filter(Boolean).join("; ")}.`;
}

function errorText(error: unknown): string {
  if (error instanceof FormatError) return `FormatError, code "${error.code}": ${error.message}`;
  if (error instanceof LoadError) return `LoadError, code "${error.code}": ${error.message}`;
  return `${error}`;
}

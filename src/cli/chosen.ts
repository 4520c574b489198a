import type { Answer, TrialReport } from "../strategy/answer.ts";
import { type Met, shownAmount } from "../strategy/limits.ts";
import { size, table } from "./print.ts";

// What compress has chosen, as text and as JSON.

export interface Chosen {
  readonly file: string;
  readonly output: string;
  readonly runtime: string;
  /** Of its environment. */
  readonly environment: { readonly id: string; readonly name: string };
  /** Of the model's files. */
  readonly bytes: number;
  readonly samples: number;
  readonly seconds: number;
  readonly answer: Answer;
}

const RIGHT = [1, 2, 3, 4];

export function chosenText({ file, output, runtime, environment, bytes, samples, seconds, answer }: Chosen): string {
  const { trials, met, plan, reason, rejected } = answer;
  const rows = trials.map(rowOf);
  return [
    `${file}: ${trials.length === 1 ? "one trial" : `${trials.length} trials`} on ${runtime} and ${samples} samples in ${seconds.toFixed(1)} s, for ${environment.name}`,
    "",
    table(["", "loss", "size", "ms", "from", "plan"], rows, RIGHT),
    "",
    ...met.map(metText),
    reason,
    ...(rejected.length > 0 ? ["", ...rejected.map(({ candidate, reason }) => `not ${candidate}: ${reason}`)] : []),
    "",
    `plan: ${plan}`,
    `${output}: ${size(answer.file.length)} of ${size(bytes)}`,
  ].join("\n");
}

function rowOf({ plan, from, loss, bytes, latency, lost, ok }: TrialReport): string[] {
  const mark = lost === null ? "taken" : ok ? "" : "misses";
  const { ms, low, high } = latency;
  const time = `${ms.toPrecision(3)} (${low.toPrecision(3)}..${high.toPrecision(3)})`;
  return [mark, shownAmount("loss", loss ?? Number.POSITIVE_INFINITY), size(bytes), time, from, plan];
}

function metText({ limit, asked, got, ok }: Met): string {
  const amount = shownAmount(limit, got ?? Number.POSITIVE_INFINITY);
  return `${ok ? "met" : "MISSED"}: ${limit} ${amount}, at most ${shownAmount(limit, asked)}`;
}

export function chosenJson({ answer, ...rest }: Chosen): object {
  const { file, ...told } = answer;
  return { ...rest, ...told, fileBytes: file.length };
}

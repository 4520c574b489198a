import type { Answer } from "../strategy/answer.ts";
import type { Goal } from "../strategy/job.ts";
import { type LedgerPlace, memoryPlace } from "../strategy/ledger.ts";
import { outline } from "../strategy/outline.ts";
import type { CompressOptions } from "../strategy/settings.ts";
import type { Model } from "../tensor.ts";
import { timeFinalists } from "./finalists.ts";
import { nameOf, reportTo } from "./page.ts";

// The page of compress --report.

/** What it is of, besides the answer. */
export interface Compressed {
  readonly model: Model;
  /** Those of the run. */
  readonly options: CompressOptions;
  readonly answer: Answer;
  readonly file: string;
  readonly output: string;
  /** Of the model's files. */
  readonly bytes: number;
}

export interface ChoicePage {
  /** Where the run is to keep what it finds, which the page is made of; undefined: nowhere. */
  readonly ledger: LedgerPlace | undefined;
  /** Where it is written; undefined: none was asked for. */
  readonly path: string | undefined;
  /** Does nothing where no page was asked for. */
  write(compressed: Compressed): Promise<void>;
}

/** @param flag - as --report was given @param ledger - that of the user */
export function choicePage(flag: string | boolean | undefined, ledger: LedgerPlace | undefined): ChoicePage {
  const report = reportTo(flag, []);
  if (typeof flag !== "string") return { ledger, path: undefined, write: async () => {} };
  const kept = ledger ?? memoryPlace();
  return {
    ledger: kept,
    path: flag,
    async write({ model, options, answer, file, output, bytes }) {
      const { expected, layers } = await outline(model, { ...options, ledger: kept }, answer);
      const measured = await timeFinalists(file, model, options, answer);
      const fileBytes = answer.file.length;
      const goal: Goal = options.goal ?? "latency";
      await report({
        title: nameOf(file),
        facts: factsOf(options, file, output),
        bytes: { before: bytes, after: fileBytes },
        choice: { goal, answer, fileBytes, expected, layers, measured },
      });
    },
  };
}

function factsOf(
  { environment, engine, data, seed = 1 }: CompressOptions,
  file: string,
  output: string,
): [string, string][] {
  const { runtime } = environment;
  return [
    ["model", nameOf(file)],
    ["compressed", nameOf(output)],
    ["for", `${environment.name}: ${runtime.name} ${runtime.version}, threads: ${runtime.threads}`],
    ["losses measured with", engine.runtime],
    ["samples", `${data.count.toLocaleString("en")}, seed ${seed}`],
  ];
}

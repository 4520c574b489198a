import { asciiBytes, asciiText } from "../bytes.ts";
import { argument, demand } from "../errors.ts";
import { globMatches } from "../plan.ts";
import type { LazyTensor, Model } from "../tensor.ts";
import { escaped } from "./json.ts";
import type { Stage, StageEntry } from "./prelude.ts";
import type { Entry } from "./sections.ts";

// Stages: runs of tensors that are used together, such as the encoder before the decoder. A reader may ask for one.

/** What the writer is asked for. */
export interface StageRule {
  readonly name: string;
  /** Names of tensors, with `*` for any characters and `?` for one. */
  readonly tensors: readonly string[];
}

/** The tensors of a model in the order of the stages; those that no rule takes come last, in a stage of the name "". */
export function orderByStages(
  { metadata, tensors }: Model,
  rules: readonly StageRule[],
): { model: Model; stages: Stage[] } {
  const names = rules.map(({ name }) => name);
  const distinct = new Set(names).size === names.length && !names.includes("");
  argument(distinct, "stages", "names that differ and are not empty", names);
  const rest: StageRule = { name: "", tensors: ["*"] };
  const taken = new Set<LazyTensor>();
  const stages: Stage[] = [];
  for (const { name, tensors: globs } of [...rules, rest]) {
    const own = tensors.filter((tensor) => !taken.has(tensor) && globs.some((glob) => globMatches(glob, tensor.name)));
    argument(
      own.length > 0 || name === "",
      `stage ${JSON.stringify(name)}`,
      "a tensor that no stage before it has",
      globs,
    );
    for (const tensor of own) taken.add(tensor);
    if (own.length > 0) stages.push([name, own.length]);
  }
  return { model: { metadata, tensors: [...taken] }, stages };
}

/** The record of stages: JSON in ASCII without white space. */
export function encodeStages(stages: readonly Stage[]): Uint8Array {
  return asciiBytes(escaped(JSON.stringify(stages)));
}

/** The stages that a record says, of a file of `tensors` tensors. @throws FormatError */
export function parseStages(record: Uint8Array, offset: number, tensors: number): readonly Stage[] {
  const text = asciiText(record);
  let stages: unknown;
  try {
    stages = JSON.parse(text);
  } catch {
    stages = null;
  }
  const valid = Array.isArray(stages) && stages.length > 0 && stages.every(isStage);
  demand(valid, "stages", offset, "stages", "[[name, count of tensors], ...]", text.slice(0, 60));
  const found = stages as Stage[];
  const names = new Set(found.map(([name]) => name));
  demand(names.size === found.length, "stages", offset, "stages", "names that differ", "one twice");
  const sum = found.reduce((all, [, count]) => all + count, 0);
  demand(sum === tensors, "stages", offset, "tensors of the stages", tensors, sum);
  demand(escaped(JSON.stringify(found)) === text, "stages", offset, "stages", "the canonical spelling", "another");
  return found;
}

function isStage(item: unknown): item is Stage {
  if (!Array.isArray(item) || item.length !== 2) return false;
  const [name, count] = item as unknown[];
  return typeof name === "string" && Number.isSafeInteger(count) && (count as number) > 0;
}

/** The stages of a file with the names of their tensors. */
export function stageEntries(stages: readonly Stage[] | null, entries: readonly Entry[]): StageEntry[] | null {
  if (!stages) return null;
  let end = 0;
  return stages.map(([name, count]) => {
    end += count;
    return { name, tensors: entries.slice(end - count, end).map(({ tensor }) => tensor.name) };
  });
}

/** Names of the tensors of stages. @throws RangeError if there is no such stage */
export function namesIn(stages: readonly StageEntry[] | null, wanted: readonly string[]): string[] {
  return wanted.flatMap((name) => {
    const stage = stages?.find((candidate) => candidate.name === name);
    argument(stage !== undefined, "stages", `of ${JSON.stringify(stages?.map((each) => each.name) ?? [])}`, name);
    return stage.tensors;
  });
}

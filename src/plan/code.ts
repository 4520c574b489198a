import { MAX_GROUP, type StepParser, wholeNumber } from "./words.ts";

/** How zrl groups values: whole chunk, `size` convolution kernels, or `size` values. */
export interface Grouping {
  readonly by: "chunk" | "kernel" | "count";
  readonly size: number;
}

export type Code = "raw" | "constant" | "huffman" | "pivot" | "mask" | "zrl" | "auto" | "smallest";

/**
 * The entropy code of the bytes that the steps before left. auto: the best by size and speed of decoding; smallest: by size alone, trying
 * more.
 */
export interface CodeStep {
  readonly op: "code";
  readonly code: Code;
  /** Only read by zrl and auto. */
  readonly grouping: Grouping;
}

const WHOLE_CHUNK: Grouping = { by: "chunk", size: 0 };

/** Code "auto" over whole chunks: what a plan that names no code means. */
export const AUTO: CodeStep = { op: "code", code: "auto", grouping: WHOLE_CHUNK };

export const parseCode: StepParser<CodeStep> = (words, verb) => {
  const code = verb as Code;
  if (words.length === 0) return { op: "code", code, grouping: WHOLE_CHUNK };
  if (code !== "zrl" && code !== "auto") return undefined;
  const byKernel = words[0] === "kernel";
  const rest = byKernel ? words.slice(1) : words;
  const size = byKernel && rest.length === 0 ? 1 : wholeNumber(rest[0], 1, MAX_GROUP);
  if (size === undefined || rest.length > 1) return undefined;
  return { op: "code", code, grouping: { by: byKernel ? "kernel" : "count", size } };
};

export function printCode({ code, grouping }: CodeStep): string {
  return code + printGrouping(grouping);
}

function printGrouping({ by, size }: Grouping): string {
  if (by === "chunk") return "";
  if (by === "count") return ` ${size}`;
  return size === 1 ? " kernel" : ` kernel ${size}`;
}

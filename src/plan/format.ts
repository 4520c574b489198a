import { MAX_GROUP, type StepParser, wholeNumber } from "./words.ts";

/** Codes and scales bit for bit as other software has them. Formulas and sources: docs/FORMAT.md. */
export interface FormatStep {
  readonly op: "format";
  /** GGUF's Q8_0, Q4_0 and Q4_1, bitsandbytes' NF4, ONNX Runtime's MatMulNBits with 4 bits. */
  readonly format: "q8_0" | "q4_0" | "q4_1" | "nf4" | "nbits4";
  /** Elements that share a scale: 32 for those of GGUF, 8..65536 for nf4, a power of two 16..65536 for nbits4. */
  readonly group: number;
  /** Only of nbits4: a zero point per group. */
  readonly asymmetric: boolean;
}

const GROUPS: Record<FormatStep["format"], number> = { q8_0: 32, q4_0: 32, q4_1: 32, nf4: 64, nbits4: 32 };

export const parseFormat: StepParser<FormatStep> = (rest, verb) => {
  const format = verb as FormatStep["format"];
  const words = [...rest];
  const sized = words[0] === "group" && !format.startsWith("q");
  if (sized) words.shift();
  const group = sized ? wholeNumber(words.shift(), format === "nf4" ? 8 : 16, MAX_GROUP) : GROUPS[format];
  const asymmetric = format === "nbits4" && words[0] === "asymmetric";
  if (asymmetric) words.shift();
  if (group === undefined || words.length > 0) return undefined;
  if (format === "nbits4" && !Number.isInteger(Math.log2(group))) return undefined;
  return { op: "format", format, group, asymmetric };
};

export function printFormat({ format, group, asymmetric }: FormatStep): string {
  if (format.startsWith("q")) return format;
  return `${format} group ${group}${asymmetric ? " asymmetric" : ""}`;
}

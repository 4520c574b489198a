import type { FormatStep, QuantizeStep } from "../plan.ts";
import type { BlockDType } from "../tensor.ts";
import { BYTES, type Content, HALVES, SCALES } from "./planes.ts";

// What lies in a chunk of codes, and how codes become numbers.

export interface Coding {
  readonly bits: 4 | 8 | 16;
  /** linear: (code - zero point) * scale; minimum: (code + 8) * scale + minimum; normal: level[code + 8] * scale. */
  readonly rule: "linear" | "minimum" | "normal";
  readonly scales: Content;
  /** Zero points or minima, one for each scale, or null. */
  readonly offsets: Content | null;
  /** What the offsets are called. */
  readonly offsetName: "zero points" | "minima";
  /** Scales and minima may be any f16, also NaN and infinities: they come from a file that has them. */
  readonly any: boolean;
}

/** The format step that a dtype of blocks is. */
export function formatOf(dtype: BlockDType): FormatStep {
  return { op: "format", format: dtype.toLowerCase() as FormatStep["format"], group: 32, asymmetric: false };
}

/** The coding of a step. @param any - whether scales may be NaN or infinite */
export function codingOf(step: QuantizeStep | FormatStep, any = false): Coding {
  const zeros = step.asymmetric ? BYTES : null;
  const plain = { rule: "linear", scales: SCALES, offsets: zeros, offsetName: "zero points", any } as const;
  if (step.op === "quantize") return { ...plain, bits: step.bits };
  const { format } = step;
  if (format === "nbits4") return { ...plain, bits: 4 };
  if (format === "nf4") return { ...plain, bits: 4, rule: "normal" };
  if (format === "q8_0") return { ...plain, bits: 8, scales: HALVES };
  if (format === "q4_0") return { ...plain, bits: 4, scales: HALVES };
  return { bits: 4, rule: "minimum", scales: HALVES, offsets: HALVES, offsetName: "minima", any };
}

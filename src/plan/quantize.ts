import { MAX_GROUP, type StepParser, wholeNumber } from "./words.ts";

/** Uniform quantization, one scale per row of the granularity. Formulas: docs/FORMAT.md. */
export interface QuantizeStep {
  readonly op: "quantize";
  readonly bits: 4 | 8;
  /** The elements that share a scale: all, those of one index of the first dimension, or `group` neighbours. */
  readonly per: "tensor" | "channel" | "group";
  /** Elements in a group, 8..65536; 0 unless per is "group". */
  readonly group: number;
  readonly asymmetric: boolean;
  /** Codes 0..255 instead of -128..127, always asymmetric; only of 8 bits. */
  readonly unsigned?: true;
  /** The dimension along which channels are counted or groups lie; negative: from the end. Absent: channels of the first, groups of neighbours. */
  readonly axis?: number;
}

const MIN_GROUP = 8;

export const parseQuantize: StepParser<QuantizeStep> = (rest, verb) => {
  const words = [...rest];
  const per = words[0] === "tensor" || words[0] === "group" ? words.shift() : "channel";
  if (words[0] === "channel" && rest[0] === "channel") words.shift();
  const group = per === "group" ? wholeNumber(words.shift(), MIN_GROUP, MAX_GROUP) : 0;
  const axis = takeAxis(words);
  const unsigned = verb === "uint8";
  const symmetry = words.shift() ?? (unsigned ? "asymmetric" : "symmetric");
  if (group === undefined || words.length > 0 || !/^a?symmetric$/.test(symmetry)) return undefined;
  const asymmetric = symmetry === "asymmetric";
  if (Number.isNaN(axis) || (axis !== undefined && per === "tensor") || (unsigned && !asymmetric)) return undefined;
  return {
    op: "quantize",
    bits: verb === "int4" ? 4 : 8,
    per: per as QuantizeStep["per"],
    group,
    asymmetric,
    ...(unsigned && { unsigned }),
    ...(axis !== undefined && { axis }),
  };
};

/** Takes "axis K" off the front of the words; NaN if there is no such dimension. */
function takeAxis(words: string[]): number | undefined {
  if (words[0] !== "axis") return undefined;
  words.shift();
  const word = words.shift() ?? "";
  return /^(-[1-9]|-1[0-6]|\d|1[0-5])$/.test(word) ? Number(word) : Number.NaN;
}

export function printQuantize(step: QuantizeStep): string {
  const group = step.per === "group" ? ` ${step.group}` : "";
  const axis = step.axis === undefined ? "" : ` axis ${step.axis}`;
  if (step.unsigned) return `uint8 ${step.per}${group}${axis}`;
  return `int${step.bits} ${step.per}${group}${axis}${step.asymmetric ? " asymmetric" : ""}`;
}

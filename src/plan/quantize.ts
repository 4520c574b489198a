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
}

const MIN_GROUP = 8;

export const parseQuantize: StepParser<QuantizeStep> = (rest, verb) => {
  const words = [...rest];
  const per = words[0] === "tensor" || words[0] === "group" ? words.shift() : "channel";
  if (words[0] === "channel" && rest[0] === "channel") words.shift();
  const group = per === "group" ? wholeNumber(words.shift(), MIN_GROUP, MAX_GROUP) : 0;
  const symmetry = words.shift() ?? "symmetric";
  if (group === undefined || words.length > 0 || !/^a?symmetric$/.test(symmetry)) return undefined;
  return {
    op: "quantize",
    bits: verb === "int8" ? 8 : 4,
    per: per as QuantizeStep["per"],
    group,
    asymmetric: symmetry === "asymmetric",
  };
};

export function printQuantize(step: QuantizeStep): string {
  const group = step.per === "group" ? ` ${step.group}` : "";
  return `int${step.bits} ${step.per}${group}${step.asymmetric ? " asymmetric" : ""}`;
}

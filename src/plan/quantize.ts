import { printTarget, type Target, takeDead, takeTarget } from "./target.ts";
import { MAX_GROUP, type StepParser, takeAxis, wholeNumber } from "./words.ts";

/** Uniform quantization, one scale per row of the granularity. Formulas: docs/FORMAT.md. */
export interface QuantizeStep {
  readonly op: "quantize";
  /** 16 only with a target. */
  readonly bits: 4 | 8 | 16;
  /** The elements that share a scale: all, those of one index of the first dimension, or `group` neighbours. */
  readonly per: "tensor" | "channel" | "group";
  /** Elements in a group, 8..65536; 0 unless per is "group". */
  readonly group: number;
  readonly asymmetric: boolean;
  /** Codes 0..255 instead of -128..127, always asymmetric; only of 8 bits. */
  readonly unsigned?: true;
  /** The dimension along which channels are counted or groups lie; negative: from the end. Absent: channels of the first, groups of neighbours. */
  readonly axis?: number;
  /** What the step size, the same all over the tensor, is chosen for; absent: the largest magnitude takes the largest code. */
  readonly target?: Target;
  /** With a target: round to a larger magnitude from a fraction of 0.5 + dead on, 0 <= dead < 0.5. Absent: rate decides too. */
  readonly dead?: number;
}

const MIN_GROUP = 8;

export const parseQuantize: StepParser<QuantizeStep> = (rest, verb) => {
  const words = [...rest];
  const bits = Number(verb.replace(/^u?int/, "")) as QuantizeStep["bits"];
  const per = words[0] === "tensor" || words[0] === "group" || words[0] === "channel" ? words.shift() : undefined;
  const group = per === "group" ? wholeNumber(words.shift(), MIN_GROUP, MAX_GROUP) : 0;
  if (group === undefined) return undefined;
  const unsigned = verb === "uint8";
  const target = unsigned ? undefined : takeTarget(words);
  if (target) return (per ?? "tensor") === "tensor" ? withTarget(bits, target, words) : undefined;
  const axis = per === "tensor" ? undefined : takeAxis(words);
  const symmetry = words.shift() ?? (unsigned ? "asymmetric" : "symmetric");
  const asymmetric = symmetry === "asymmetric";
  if (bits === 16 || words.length > 0 || !/^a?symmetric$/.test(symmetry)) return undefined;
  if (Number.isNaN(axis) || (unsigned && !asymmetric)) return undefined;
  const step = { op: "quantize", bits, per: (per ?? "channel") as QuantizeStep["per"], group, asymmetric } as const;
  return { ...step, ...(unsigned && { unsigned }), ...(axis !== undefined && { axis }) };
};

function withTarget(bits: QuantizeStep["bits"], target: Target, words: string[]): QuantizeStep | undefined {
  const step = { op: "quantize", bits, per: "tensor", group: 0, asymmetric: false, target } as const;
  const dead = takeDead(words);
  if (words.length > 0 || bits === 4) return undefined;
  return dead === undefined ? step : { ...step, dead };
}

export function printQuantize(step: QuantizeStep): string {
  const { bits, per, group, asymmetric, unsigned, axis, target, dead } = step;
  const words = [`${unsigned ? "u" : ""}int${bits}`, per];
  if (per === "group") words.push(`${group}`);
  if (axis !== undefined) words.push(`axis ${axis}`);
  if (asymmetric && !unsigned) words.push("asymmetric");
  if (target) words.push(printTarget(target));
  if (dead !== undefined) words.push(`dead ${dead}`);
  return words.join(" ");
}

import type { CodeBits, Sharing } from "../model/onnx/dequantize.ts";
import type { FormatStep, QuantizeStep, Step } from "../plan.ts";
import { elementCount } from "../tensor.ts";

// What steps leave of a tensor, as DequantizeLinear has it.

/** Codes that steps make. */
export interface CodesInfo {
  readonly bits: CodeBits;
  readonly unsigned: boolean;
  readonly asymmetric: boolean;
  /** null: in a way that ONNX does not have. */
  readonly sharing: Sharing | null;
}

/** The codes that steps make of a tensor of this shape; null if they make none. @param smoothed - values are wanted as they are multiplied with factors */
export function codesOf(steps: readonly Step[], shape: readonly number[], smoothed = false): CodesInfo | null {
  const step = quantizing(steps);
  if (!step) return null;
  const unsigned = step.op === "quantize" && step.unsigned === true;
  const bits = step.op === "quantize" ? step.bits : step.format === "q8_0" ? 8 : 4;
  const plain = steps.every((each) => isPlain(each) || (smoothed && each.op === "smooth"));
  return { bits, unsigned, asymmetric: step.asymmetric, sharing: plain ? sharingOf(shape, step) : null };
}

/** The step that makes codes of numbers. */
export function quantizing(steps: readonly Step[]): QuantizeStep | FormatStep | undefined {
  return steps.find((step) => step.op === "quantize" || step.op === "format");
}

// Whether the codes are all of the tensor, and times their scales its values. Channels that were removed are missing, and smoothed values
// are still to be divided.
function isPlain(step: Step): boolean {
  return step.op !== "smooth" && (step.op !== "prune" || (step.by !== "removed" && step.by !== "channels"));
}

function sharingOf(shape: readonly number[], step: QuantizeStep | FormatStep): Sharing | null {
  const elements = elementCount(shape);
  const channel = elements / (shape[0] || 1);
  if (step.op === "format") {
    // Levels that are not evenly spaced, and minima, which are no zero points.
    if (step.format === "nf4" || step.format === "q4_1") return null;
    return inLines(shape, step.format === "nbits4" && shape.length > 1 ? channel : elements, step.group);
  }
  const { per, group, axis } = step;
  if (axis !== undefined) return alongAxis(shape, axis < 0 ? shape.length + axis : axis, per === "group" ? group : 0);
  if (per === "tensor" || shape.length === 0) return {};
  return per === "channel" ? { axis: 0 } : inLines(shape, elements, group);
}

function alongAxis(shape: readonly number[], axis: number, group: number): Sharing {
  // Larger blocks than the axis have no meaning to the operator.
  return group === 0 ? { axis } : { axis, block: Math.min(group, shape[axis] as number) };
}

// Groups lie in lines, the whole tensor or one index of the first dimension. They are blocks along the last axis if they do not cross its
// rows; one group to a line needs no blocks.
function inLines(shape: readonly number[], line: number, group: number): Sharing | null {
  const last = shape.at(-1) ?? 1;
  if (group >= line) return line === elementCount(shape) ? {} : { axis: 0 };
  return last === line || last % group === 0 ? { axis: shape.length - 1, block: group } : null;
}

import type { UnitWeight } from "../engine/engine.ts";
import type { Step } from "../plan.ts";

/** The steps for weights: the same for all, or by weight. */
export type StepsOf = readonly Step[] | ((weight: UnitWeight) => readonly Step[]);

export function stepsOf(steps: StepsOf, weight: UnitWeight): readonly Step[] {
  return typeof steps === "function" ? steps(weight) : steps;
}

const dimension = (axis: number, shape: readonly number[]): number => (axis < 0 ? axis + shape.length : axis);

/**
 * The steps for a weight: scales of its output channels, where the steps have one for each channel and say no other dimension, and smoothing along its
 * input channels.
 */
export function stepsForUnit(steps: readonly Step[], { inputAxis, outputAxis, shape }: UnitWeight): readonly Step[] {
  const [input, output] = [dimension(inputAxis, shape), dimension(outputAxis, shape)];
  return steps.map((step): Step => {
    if (step.op === "smooth" && step.axis === undefined && input !== 1) return { ...step, axis: input };
    const channels = step.op === "quantize" && step.per === "channel" && step.axis === undefined && output > 0;
    return channels ? { ...step, axis: output } : step;
  });
}

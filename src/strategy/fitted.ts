import { stepsForUnit } from "../activations/outputs.ts";
import type { Description, UnitWeight } from "../engine/engine.ts";
import { globMatches, type Plan, printSteps, prunesCodes, type Rule, type Step, stepsFor } from "../plan.ts";
import { elementCount, type TensorInfo } from "../tensor.ts";
import { patternOf } from "./names.ts";

// The plan of a candidate, for the weights of a model.

interface Fitted {
  readonly tensor: TensorInfo;
  readonly given: readonly Step[];
  readonly steps: readonly Step[];
}

/**
 * The plan that `plan` means for a model: where steps have one scale per channel, groups or a pattern and say no dimension, weights of units get rules of
 * their own with the dimension that the unit's channels lie along. A plan alone knows the first dimension only, and in weights of products that is the
 * input's. Steps that prune codes, or prune by the magnitudes of the whole model, stay as they are: there no dimension can be said.
 * @throws PlanError for steps that a tensor cannot have
 */
export function fittedPlan(plan: Plan, tensors: readonly TensorInfo[], { units }: Description): Plan {
  const weights = new Map<string, UnitWeight>();
  // A weight of several units is packed as the first one's.
  for (const { weight } of units) if (weight && !weights.has(weight.name)) weights.set(weight.name, weight);
  const fitted = tensors.map((tensor): Fitted => {
    const given = stepsFor(plan, tensor);
    const weight = weights.get(tensor.name);
    return { tensor, given, steps: weight ? fittedSteps(given, weight) : given };
  });
  return [...rulesFor(fitted), ...plan];
}

function fittedSteps(steps: readonly Step[], weight: UnitWeight): readonly Step[] {
  const global = steps.some((step) => step.op === "prune" && step.by === "magnitude" && step.over === "model");
  if (global) return steps;
  const { inputAxis, outputAxis } = weight;
  const codesPruned = prunesCodes(steps);
  return (codesPruned ? steps : stepsForUnit(steps, weight)).map((step): Step => {
    if (step.op === "prune" && step.by === "pattern" && step.axis === null && inputAxis !== outputAxis)
      return inputAxis === 1 ? step : { ...step, axis: inputAxis };
    const groups = step.op === "quantize" && step.per === "group" && step.axis === undefined;
    return groups && !codesPruned && groupsCross(step.group, weight) ? { ...step, axis: inputAxis } : step;
  });
}

// Whether neighbours in memory are not those that a product sums up, or groups of them would run on into the next row: runtimes have no such groups. Kernels
// larger than a point are left alone, since groups along inputs would need a scale for each few weights.
function groupsCross(group: number, { shape, inputAxis, outputAxis }: UnitWeight): boolean {
  const inputs = shape[inputAxis] as number;
  const isProduct = inputAxis !== outputAxis && elementCount(shape) === inputs * (shape[outputAxis] as number);
  return isProduct && (inputAxis !== shape.length - 1 || inputs % group > 0);
}

// Names that cannot be written come last, so that their patterns take no other tensor that has a rule.
function rulesFor(fitted: readonly Fitted[]): Rule[] {
  const changed = fitted.filter(({ given, steps }) => printSteps(given) !== printSteps(steps));
  const isExact = ({ tensor: { name } }: Fitted): boolean => patternOf(name) === name && !name.includes("?");
  const exact = changed.filter(isExact);
  const rules = exact.map(({ tensor, steps }): Rule => ({ name: tensor.name, steps }));
  const done = new Set(exact);
  for (const each of changed) {
    const pattern = isExact(each) ? null : patternOf(each.tensor.name);
    if (pattern === null) continue;
    const others = fitted.filter((other) => !done.has(other) && globMatches(pattern, other.tensor.name));
    if (others.every(({ steps }) => printSteps(steps) === printSteps(each.steps)))
      rules.push({ name: pattern, steps: each.steps });
  }
  return rules;
}

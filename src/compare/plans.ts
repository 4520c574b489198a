import { PlanError } from "../errors.ts";
import { type LikeFormat, type Plan, parsePlan, parseSteps, type Step, stepsFor } from "../plan.ts";
import type { Model } from "../tensor.ts";

// The plans that follow from the one that a comparison is made under.

/** The plan of a comparison. @throws PlanError unless its lossy steps are int8 or int16 */
export function comparedPlan(text: string): Plan {
  const plan = parsePlan(text);
  for (const { steps } of plan) {
    const lossy = steps.filter(({ op }) => op !== "code");
    const free = lossy.every((step) => step.op === "quantize" && step.bits !== 4);
    if (!free)
      throw new PlanError(
        `plan "${text}": compare chooses step sizes, so it takes int8 and a code, and no other lossy steps`,
      );
  }
  return plan;
}

/** Names of the tensors that a plan quantizes. @throws PlanError */
export function quantizedBy(plan: Plan, { tensors }: Model): ReadonlySet<string> {
  const lossy = tensors.filter((tensor) => stepsFor(plan, tensor).some(({ op }) => op === "quantize"));
  return new Set(lossy.map(({ name }) => name));
}

/** The plan with other steps in the place of int8, such as "q4_0" or "int8 like q4_0". */
export function withSteps(plan: Plan, text: string): Plan {
  const [other] = parseSteps(text) as readonly [Step, ...Step[]];
  return plan.map((rule) => ({ ...rule, steps: rule.steps.map((step) => (step.op === "quantize" ? other : step)) }));
}

/**
 * The plan whose tensors err no more than under a format.
 * @param exact - names of tensors that the format errs nowhere on: no step need be able to do that, so they are kept
 */
export function likePlan(plan: Plan, format: LikeFormat, exact: readonly string[]): Plan {
  const code = (plan.at(-1)?.steps ?? []).filter(({ op }) => op === "code");
  // "*" and "?" in a name may take others too, which then err less.
  const kept = exact.map((name) => ({ name: name.replaceAll(";", "?"), steps: code }));
  return [...kept, ...withSteps(plan, `int8 like ${format}`)];
}

/** The plan that keeps everything. */
export function losslessPlan(plan: Plan): Plan {
  return plan.map((rule) => ({ ...rule, steps: rule.steps.filter(({ op }) => op !== "quantize") }));
}

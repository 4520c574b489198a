import { takersOf } from "../engine/takers.ts";
import type { RunOf } from "../latency/parts.ts";
import { type Plan, printSteps, type Rule, type Step, stepsFor } from "../plan.ts";
import type { TensorInfo } from "../tensor.ts";
import type { Candidate } from "./candidate.ts";
import { fittedPlan } from "./fitted.ts";
import type { Job } from "./job.ts";
import { patternOf } from "./names.ts";
import { quantizing } from "./sharing.ts";

// What a candidate means for each tensor and each unit.

/** What plans are of. */
export type PlanPlace = Pick<Job, "fitted" | "model" | "description">;

/** What is packed: see fittedPlan. */
export function planOf({ fitted, model, description }: PlanPlace, { plan }: Candidate): Plan {
  const known = fitted.get(plan) ?? fittedPlan(plan, model.tensors, description);
  fitted.set(plan, known);
  return known;
}

export function stepsOfTensor(
  job: PlanPlace,
  candidate: Candidate,
  { name, dtype, shape }: TensorInfo,
): readonly Step[] {
  return stepsFor(planOf(job, candidate), { name, dtype, shape });
}

/** Whether what is stored are codes, which can be multiplied as they are. */
export function isQuantized(steps: readonly Step[]): boolean {
  return quantizing(steps) !== undefined;
}

/** Ways to run units, each with those whose candidates run them so: they take the same time. */
export function waysToRun<T>(
  place: PlanPlace,
  all: readonly T[],
  candidateOf: (one: T) => Candidate,
): { readonly runOf: RunOf; readonly alike: T[] }[] {
  const ways = new Map<string, { runOf: RunOf; alike: T[] }>();
  for (const one of all) {
    const runOf = runsOf(place, candidateOf(one));
    const key = place.description.units.map(runOf).join(" ");
    ways.set(key, { runOf, alike: [...(ways.get(key)?.alike ?? []), one] });
  }
  return [...ways.values()];
}

/** How each unit is run: as the candidate says where its weight is quantized, else in floats. */
export function runsOf(job: PlanPlace, candidate: Candidate): RunOf {
  const byName = new Map(job.model.tensors.map((tensor) => [tensor.name, tensor]));
  return ({ weight }) => {
    const tensor = weight ? byName.get(weight.name) : undefined;
    if (!tensor || candidate.run === "f32") return "f32";
    if (!isQuantized(stepsOfTensor(job, candidate, tensor))) return "f32";
    // A weight that others take too gets no factors.
    return candidate.smooth && takersOf(job.description.units, tensor.name) <= 1 ? "int8 smooth" : candidate.run;
  };
}

/** The plan with other steps for some tensors; one without a name keeps those that it has. */
export function localPlan(plan: Plan, steps: ReadonlyMap<string, readonly Step[]>): Plan {
  const rules = [...steps].flatMap(([name, own]): Rule[] => {
    const pattern = patternOf(name);
    return pattern === null ? [] : [{ name: pattern, steps: own }];
  });
  // A pattern that takes more than its own tensor comes after the names that it would take.
  const wild = ({ name = "" }: Rule): boolean => /[*?]/.test(name);
  return [...rules.filter((rule) => !wild(rule)), ...rules.filter(wild), ...plan];
}

export function sameSteps(a: readonly Step[], b: readonly Step[]): boolean {
  return printSteps(a) === printSteps(b);
}

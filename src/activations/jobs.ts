import type { Unit, UnitWeight } from "../engine/engine.ts";
import { takersOf } from "../engine/takers.ts";
import { DataError, PlanError } from "../errors.ts";
import { checkSteps, printSteps, type Step } from "../plan.ts";
import type { LazyTensor, Model } from "../tensor.ts";
import type { GroupRule } from "./groups.ts";
import { type StepsOf, stepsForUnit, stepsOf } from "./outputs.ts";
import { RULES, type UnitOptions } from "./unit.ts";

// Which units are planned, and what can be done to each.

export interface PlanOptions extends Omit<UnitOptions, "steps" | "packedAs"> {
  /** What is done to weights: to all, or to each. They quantize, and do not smooth. */
  readonly steps: StepsOf;
  /** Names of units to plan. Default: all that have a weight */
  readonly units?: readonly string[] | undefined;
  /** Names of units that get no factors. */
  readonly plain?: readonly string[] | undefined;
  readonly onProgress?: ((progress: { done: number; total: number; unit: string }) => void) | undefined;
}

type Weighted = Unit & { readonly weight: UnitWeight };

export interface Job {
  readonly steps: readonly Step[];
  readonly rules: readonly GroupRule[];
  readonly packedAs: UnitWeight;
  readonly unit: Weighted;
  readonly tensor: LazyTensor;
}

/** Checked before anything is run. @throws PlanError, DataError */
export function jobsOf(model: Model, described: readonly Unit[], options: PlanOptions): Job[] {
  const { units: wanted, steps: asked, rules = RULES, plain = [] } = options;
  const tensors = new Map(model.tensors.map((tensor) => [tensor.name, tensor]));
  const first = new Map<string, UnitWeight>();
  const jobs = described.flatMap((unit): Job[] => {
    const { weight, name } = unit;
    if (!(weight && (wanted?.includes(name) ?? tensors.has(weight.name)))) return [];
    const tensor = tensors.get(weight.name);
    if (!tensor) throw new DataError(`unit "${name}": the model has no tensor "${weight.name}"`);
    if (!first.has(weight.name)) first.set(weight.name, weight);
    // Factors of a weight that others use as well would be in their way.
    const shared = takersOf(described, weight.name) > 1;
    const job = {
      steps: stepsOf(asked, weight),
      rules: shared || plain.includes(name) ? [] : rules,
      packedAs: first.get(weight.name) ?? weight,
    };
    demandSteps(job, tensor);
    return [{ unit: { ...unit, weight }, tensor, ...job }];
  });
  if (jobs.length === 0) throw new DataError("no unit of the model has a weight that can be quantized");
  return jobs;
}

function demandSteps({ steps, rules, packedAs }: Pick<Job, "steps" | "rules" | "packedAs">, tensor: LazyTensor): void {
  const ops = steps.map(({ op }) => op);
  if (ops.includes("smooth") || !(ops.includes("quantize") || ops.includes("format"))) {
    const problem = ops.includes("smooth") ? "smooths, which is what is looked for" : "does not quantize";
    throw new PlanError(`tensor "${tensor.name}": "${printSteps(steps)}" ${problem}`);
  }
  const own: readonly Step[] = rules.length > 0 ? [{ op: "smooth", alphas: [0.5], powers: false }, ...steps] : steps;
  checkSteps(stepsForUnit(own, packedAs), tensor);
}

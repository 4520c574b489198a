import type { Smoothing } from "../codec/factors.ts";
import type { Plan, Rule, SmoothStep } from "../plan.ts";
import { type StepsOf, stepsForUnit, stepsOf } from "./outputs.ts";
import type { UnitPlan } from "./unit.ts";

// What was found for units, as pack takes it.

/** What a file says of the input of a unit: see UnitActivations. */
export interface PackedInput {
  readonly unit: string;
  readonly factors: string | null;
  readonly scale: number;
  readonly zeroPoint: number;
  readonly least: number;
  readonly most: number;
}

export interface Packing {
  /** Rules for the weights of the units, then those of the plan. */
  readonly plan: Plan;
  /** Options of pack. */
  readonly smoothing: ReadonlyMap<string, Smoothing>;
  readonly activations: readonly PackedInput[];
}

/**
 * The plan and the options that pack the weights of units as they were tried. Tensors come back as they are in the model: what is stored is multiplied by
 * the factors, and divided when it is read.
 * @param steps - that units were planned with
 * @param plan - for all other tensors
 */
export function packingOf(units: readonly UnitPlan[], steps: StepsOf, plan: Plan, powers: boolean): Packing {
  const rules: Rule[] = [];
  const named = new Set<string>();
  const smoothing = new Map<string, Smoothing>();
  for (const { weight, search, factors, maxima } of units) {
    // A weight of several units is packed as the first one's: it has no factors then.
    if (named.has(weight.name)) continue;
    named.add(weight.name);
    const own = stepsOf(steps, weight);
    const smooth: SmoothStep | null =
      factors && search.best ? { op: "smooth", alphas: search.best.alphas, powers } : null;
    rules.push({ name: weight.name, steps: stepsForUnit(smooth ? [smooth, ...own] : own, weight) });
    if (search.best && smooth)
      smoothing.set(weight.name, { activations: maxima.activations, groups: search.best.grouping.groups });
  }
  const activations = units.map(({ unit, weight, factors, codes }) => ({
    unit,
    factors: factors ? weight.name : null,
    ...codes,
  }));
  return { plan: [...rules, ...plan], smoothing, activations };
}

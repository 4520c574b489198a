import type { Unit } from "./engine.ts";

/** How many units take a parameter. */
export function takersOf(units: readonly Unit[], parameter: string): number {
  return units.filter(({ parameters }) => parameters.includes(parameter)).length;
}

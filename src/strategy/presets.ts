import type { Description, Unit } from "../engine/engine.ts";
import { SMALL } from "../plan.ts";
import { elementCount } from "../tensor.ts";
import { patternOf } from "./names.ts";
import { CARED, type Care, PRESET_ROWS, type PresetRow, SHARES } from "./rows.ts";

// The space of candidates that is looked through where no other is given.

const STEPS: Readonly<Record<Exclude<Care, "none">, string>> = { int8: "int8 channel > auto", lossless: "lossless" };

/**
 * Texts for expandPlan, of 24 to 80 candidates in all, by the kind of model; layers that suffer most have rules of their own by name. In what order
 * candidates come says nothing. The same description gives the same texts.
 */
export function presetSpace(description: Description): string[] {
  const { kind } = description;
  const rows = PRESET_ROWS.filter(({ kinds }) => !kinds || kinds.includes(kind));
  return rows.flatMap((row) => (row.care ?? ["none" as const]).flatMap((care) => textsOf(description, row, care)));
}

function textsOf(description: Description, { steps, runs }: PresetRow, care: Care): string[] {
  const own = care === "none" ? [] : caredFor(description).map((pattern) => `${pattern}=${STEPS[care]}`);
  const all = steps.replaceAll("prune S", `prune {${SHARES[description.kind]}}`);
  const isInteger = (run: string): boolean => run.startsWith("int8");
  const groups = [
    { of: runs.filter((run) => !isInteger(run)), small: SMALL },
    { of: runs.filter(isInteger), small: smallestWeight(description) },
  ];
  return groups.flatMap(({ of, small }) => {
    if (of.length === 0) return [];
    // In front of names: what is small is not worth a scale, whoever's it is. A plan that keeps everything needs no rule for it.
    const first = all === "lossless" ? [] : [`small ${small}=lossless`];
    return [`${[...first, ...own, all].join("; ")} @ {${of}}`];
  });
}

// A weight that is kept in floats keeps its unit in floats, between two conversions, however small it is.
function smallestWeight({ units }: Description): number {
  const sizes = units.flatMap(({ weight }) => (weight ? [elementCount(weight.shape)] : []));
  return Math.max(1, Math.min(SMALL, ...sizes));
}

/** Patterns for the tensors that suffer most. */
export function caredFor({ kind, units }: Description): string[] {
  const takes = (what: keyof typeof CARED): boolean => CARED[what].kinds.includes(kind);
  const weighted = units.filter(({ weight }) => weight);
  const weights = (of: readonly (Unit | undefined)[]): string[] =>
    of.flatMap((unit) => (unit?.weight ? [unit.weight.name] : []));
  const names = [
    ...(takes("first") ? weights(weighted.slice(0, 1)) : []),
    ...(takes("depthwise") ? weights(weighted.filter(({ type }) => type === "depthwise")) : []),
    ...(takes("embedding") ? units.filter(({ type }) => type === "embedding").flatMap((unit) => unit.parameters) : []),
    ...(takes("last") ? weights(weighted.slice(-1)) : []),
  ];
  return [...new Set(names.flatMap((name) => patternOf(name) ?? []))];
}

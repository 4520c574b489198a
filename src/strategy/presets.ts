import type { Description, Unit } from "../engine/engine.ts";
import { SMALL } from "../plan.ts";
import { elementCount } from "../tensor.ts";
import { textsOf } from "./lists.ts";
import { patternOf } from "./names.ts";
import { CARED, type Care, HELD, PRESET_ROWS, type PresetRow, SHARES } from "./rows.ts";
import { parseLists } from "./scan.ts";

// The space of candidates that is looked through where no other is given.

const STEPS: Readonly<Record<Exclude<Care, "none">, string>> = { int8: "int8 channel > auto", lossless: "lossless" };

/**
 * Texts for expandPlan, of 24 to 80 candidates in all, by the kind of model; layers that suffer most, and those that hold most, have rules of their own by
 * name. In what order candidates come says nothing. The same description gives the same texts.
 */
export function presetSpace(description: Description): string[] {
  const { kind } = description;
  const rows = PRESET_ROWS.filter(({ kinds }) => !kinds || kinds.includes(kind));
  return rows.flatMap((row) => rulesOf(description, row).flatMap((rules) => written(description, row, rules)));
}

/** The rules by name that a row comes with, one after the other. */
function rulesOf(description: Description, { care = ["none"], largest }: PresetRow): string[][] {
  const rules = (patterns: readonly string[], steps: string): string[] =>
    patterns.map((pattern) => `${pattern}=${steps}`);
  const cared = care.map((each) => (each === "none" ? [] : rules(caredFor(description), STEPS[each])));
  if (largest === undefined) return cared;
  // Lists are gone through here: in a rule for each tensor they would be chosen from for each.
  const steps = textsOf(parseLists(withShares(largest, description)));
  return cared.flatMap((own) => steps.map((each) => [...own, ...rules(largestWeights(description), each)]));
}

function written(description: Description, { steps, runs }: PresetRow, rules: readonly string[]): string[] {
  const all = withShares(steps, description);
  const isInteger = (run: string): boolean => run.startsWith("int8");
  const groups = [
    { of: runs.filter((run) => !isInteger(run)), small: SMALL },
    { of: runs.filter(isInteger), small: smallestWeight(description) },
  ];
  return groups.flatMap(({ of, small }) => {
    if (of.length === 0) return [];
    // In front of names: what is small is not worth a scale, whoever's it is. A plan that keeps everything needs no rule for it.
    const first = all === "lossless" ? [] : [`small ${small}=lossless`];
    return [`${[...first, ...rules, all].join("; ")} @ {${of}}`];
  });
}

function withShares(steps: string, { kind }: Description): string {
  return steps.replaceAll("prune S", `prune {${SHARES[kind]}}`);
}

// A weight that is kept in floats keeps its unit in floats, between two conversions, however small it is.
function smallestWeight({ units }: Description): number {
  const sizes = units.flatMap(({ weight }) => (weight ? [elementCount(weight.shape)] : []));
  return Math.max(1, Math.min(SMALL, ...sizes));
}

/** Patterns for the tensors that suffer most. */
function caredFor({ kind, units }: Description): string[] {
  const takes = (what: keyof typeof CARED): boolean => CARED[what].kinds.includes(kind);
  const weighted = units.filter(({ weight }) => weight);
  const weights = (of: readonly (Unit | undefined)[]): string[] =>
    of.flatMap((unit) => (unit?.weight ? [unit.weight.name] : []));
  return patternsOf([
    ...(takes("first") ? weights(weighted.slice(0, 1)) : []),
    ...(takes("depthwise") ? weights(weighted.filter(({ type }) => type === "depthwise")) : []),
    ...(takes("embedding") ? units.filter(({ type }) => type === "embedding").flatMap((unit) => unit.parameters) : []),
    ...(takes("last") ? weights(weighted.slice(-1)) : []),
  ]);
}

/** Patterns for the weights that hold most, as few as there can be. */
function largestWeights({ units }: Description): string[] {
  const sizes = new Map<string, number>();
  for (const { weight } of units) if (weight) sizes.set(weight.name, elementCount(weight.shape));
  const bound = HELD * [...sizes.values()].reduce((sum, size) => sum + size, 0);
  let held = 0;
  const names: string[] = [];
  for (const [name, size] of [...sizes].sort(([, a], [, b]) => b - a)) {
    if (held >= bound) break;
    held += size;
    names.push(name);
  }
  return patternsOf(names);
}

function patternsOf(names: readonly string[]): string[] {
  return [...new Set(names.flatMap((name) => patternOf(name) ?? []))];
}

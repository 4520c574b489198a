import type { ModelKind } from "../engine/engine.ts";
import { type Check, flag, oneOf, record, refuse, text } from "../latency/checks.ts";
import { RUNS, type Run } from "../latency/run.ts";
import { globMatches, type Plan, printSteps, prunesCodes, type Step } from "../plan.ts";
import type { Candidate } from "./candidate.ts";
import { quantizing } from "./sharing.ts";

// Conditions on candidates, as an entry of a priority list has them.

const KINDS: readonly ModelKind[] = ["cnn", "depthwise-cnn", "rnn", "transformer", "mlp", "other"];
const FORMATS = ["none", "int4", "int8", "int16", "uint8", "q8_0", "q4_0", "q4_1", "nf4", "nbits4"] as const;
const SCALES = ["none", "tensor", "channel", "group"] as const;
const PRUNES = ["none", "magnitude", "pattern", "channels"] as const;
const ORDERS = ["prune first", "quantize first"] as const;

/**
 * All that are given must hold. Those about formats, scales and pruning hold if they hold for every rule of the plan that loses something, or for its last
 * rule where none does. "none": there is no such step.
 */
export interface Match {
  /** Of the model. */
  readonly kind?: readonly ModelKind[];
  readonly run?: readonly Run[];
  readonly smooth?: boolean;
  readonly format?: readonly (typeof FORMATS)[number][];
  /** What shares a scale. */
  readonly scales?: readonly (typeof SCALES)[number][];
  readonly prune?: readonly (typeof PRUNES)[number][];
  /** Does not hold where only one of both is done. */
  readonly order?: (typeof ORDERS)[number];
  /** Whether tensors have rules by name, as sensitive layers have. */
  readonly named?: boolean;
  /** The steps of the last rule as they are printed, as a glob: "int8 channel > *". */
  readonly steps?: string;
}

const FIELDS: { readonly [K in keyof Match]-?: Check<NonNullable<Match[K]>> } = {
  kind: some(oneOf(KINDS)),
  run: some(oneOf(RUNS)),
  smooth: flag,
  format: some(oneOf(FORMATS)),
  scales: some(oneOf(SCALES)),
  prune: some(oneOf(PRUNES)),
  order: oneOf(ORDERS),
  named: flag,
  steps: text(1000),
};
const NAMES = Object.keys(FIELDS) as (keyof Match)[];

function some<T>(check: Check<T>): Check<readonly T[]> {
  return (value, field) => {
    if (!Array.isArray(value) || value.length === 0 || value.length > 64)
      return refuse(field, "a list of 1 to 64", value);
    return value.map((each, i) => check(each, `${field}[${i}]`));
  };
}

/** @throws DataError naming the field */
export function parseMatch(value: unknown, field: string): Match {
  const given = record(value, field);
  const other = Object.keys(given).find((name) => !(NAMES as string[]).includes(name));
  if (other !== undefined) refuse(field, `some of the fields ${NAMES.join(", ")}`, other);
  const names = NAMES.filter((name) => Object.hasOwn(given, name));
  return Object.fromEntries(names.map((name) => [name, FIELDS[name](given[name], `${field}.${name}`)]));
}

export function matches(match: Match, { plan, run, smooth }: Candidate, kind: ModelKind): boolean {
  const last = plan.at(-1)?.steps ?? [];
  const lossy = plan.map(({ steps }) => steps).filter((steps) => steps.some(({ op }) => op !== "code"));
  const all = lossy.length > 0 ? lossy : [last];
  return (
    holds(match.kind, kind) &&
    holds(match.run, run) &&
    (match.smooth ?? smooth) === smooth &&
    all.every((steps) => holds(match.format, formatOf(steps))) &&
    all.every((steps) => holds(match.scales, scalesOf(steps))) &&
    all.every((steps) => holds(match.prune, pruneOf(steps))) &&
    (match.order === undefined || isOrdered(all, match.order)) &&
    (match.named === undefined || match.named === isNamed(plan)) &&
    (match.steps === undefined || globMatches(match.steps, printSteps(last)))
  );
}

function holds<T>(wanted: readonly T[] | undefined, is: T): boolean {
  return wanted === undefined || wanted.includes(is);
}

function formatOf(steps: readonly Step[]): (typeof FORMATS)[number] {
  const step = quantizing(steps);
  if (!step) return "none";
  if (step.op === "format") return step.format;
  return step.unsigned ? "uint8" : `int${step.bits}`;
}

function scalesOf(steps: readonly Step[]): (typeof SCALES)[number] {
  const step = quantizing(steps);
  if (!step) return "none";
  return step.op === "format" ? "group" : step.per;
}

function pruneOf(steps: readonly Step[]): (typeof PRUNES)[number] {
  const step = steps.find(({ op }) => op === "prune");
  if (step?.op !== "prune") return "none";
  return step.by === "removed" ? "channels" : step.by;
}

function isOrdered(all: readonly (readonly Step[])[], order: (typeof ORDERS)[number]): boolean {
  const both = all.filter((steps) => quantizing(steps) && pruneOf(steps) !== "none");
  const codesFirst = order === "quantize first";
  return (
    both.length > 0 && both.every((steps) => (prunesCodes(steps) || quantizing(steps) === steps[0]) === codesFirst)
  );
}

function isNamed(plan: Plan): boolean {
  return plan.some(({ name }) => name !== undefined);
}

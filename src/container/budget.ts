import { curveOf, type Point, spend } from "../codec/curve.ts";
import { cutLayout } from "../codec/cut.ts";
import { type Asked, prunedBlocks, type Resolved } from "../codec/inputs.ts";
import { prepareAll } from "../codec/resolve.ts";
import { binsOf, resolveTarget } from "../codec/target.ts";
import { named } from "../codec/values.ts";
import { argument, DataError } from "../errors.ts";
import type { QuantizeStep, Step } from "../plan.ts";
import { bytesOf, elementCount, isBlocks } from "../tensor.ts";
import { encodedChunks } from "./encoded.ts";
import { type Group, type Grouped, groupTensors } from "./grouping.ts";
import type { Place } from "./workers.ts";

// A size for the whole file, spent where it lowers the error most: one price of a bit for all tensors, then measured and corrected.

/** What a file may take. */
export interface Budget {
  /** Most bytes of the file, header and all. One of this and bits. */
  readonly bytes?: number | undefined;
  /** Most bits of the file by elements of the model. */
  readonly bits?: number | undefined;
  /** How much a squared error in a tensor counts, above 0. Default: 1 for all. */
  readonly importance?: ((name: string) => number) | undefined;
}

interface Options {
  readonly signal?: AbortSignal | undefined;
  readonly onProgress?:
    | ((progress: { phase: "choosing"; tensor: string; done: number; total: number }) => void)
    | undefined;
}

/** Share of its bytes that a tensor of floats is reckoned to take without loss. */
const LOSSLESS = 0.85;
/** Bits that a quantized tensor takes besides its levels: entries of the header, stream headers, a small table of code lengths. */
const FIXED = 8 * 90;
/** Measured files before one that is full enough is taken, half of those before any is; and how full one must be to be taken at once. */
const TURNS = 6;
const ENOUGH = 0.98;
const FULL = 0.998;
/** Share of what is allowed that is aimed at. */
const NEAR = 0.9995;

/**
 * Steps and levels for tensors under a budget: those with int8 or int16, whatever their granularity or target, get one step size each. What
 * is int4, uint8, along an axis or in a format stays so.
 * @param headerOf - bytes before the first chunk of a file of these sections
 * @throws DataError if there is no such tensor, or the budget is below what the file takes with nothing but zeros in them
 */
export async function spendBudget(
  place: Place,
  given: readonly Asked[],
  budget: Budget,
  headerOf: (grouped: Grouped) => number,
  options: Options = {},
): Promise<Resolved[]> {
  const { kernels } = place;
  const most = bytesAllowed(budget, given);
  const asked = await prepareAll(kernels, given, options.signal);
  const curves = await curvesOf(place, asked, budget, options);
  if (curves.size === 0) throw new DataError("a budget needs tensors whose plan says int8: there are none");
  const weights = [...curves.keys()].reduce((sum, { tensor }) => sum + elementCount(tensor.shape), 0);
  const fixed = new Map<string, number>();
  let [best, size]: [Resolved[] | undefined, number] = [undefined, 0];
  let wanted = 8 * most;
  // What was wanted of the largest file that fits, and of the smallest that does not.
  let [fits, misses] = [0, Number.POSITIVE_INFINITY];
  let least = Number.POSITIVE_INFINITY;
  for (let turn = 0; turn < (size >= ENOUGH * most ? TURNS : 2 * TURNS); turn++) {
    const resolved = await choose(place, asked, curves, wanted, weights, options.signal);
    const { coded, rest } = await measure(place, groupTensors(resolved), curves, fixed, headerOf, options);
    const found = coded + rest;
    least = Math.min(least, found);
    if (found > most) misses = Math.min(misses, wanted);
    else {
      fits = Math.max(fits, wanted);
      if (found > size) [best, size] = [resolved, found];
      if (found >= FULL * most) break;
    }
    if (rest >= most) break;
    // Aimed a little below: a miss costs a whole turn. In the end ever further below: sizes of small files go by steps.
    const aim = best ? NEAR : 1 - (1 - NEAR) * 2 ** Math.max(turn + 1 - TURNS, 0);
    const next = wanted * (((most - rest) * aim) / Math.max(coded, 1));
    if (Math.abs(next / wanted - 1) < 1e-4) break;
    wanted = next > fits && next < misses ? next : (fits + Math.min(misses, 2 * fits)) / 2;
  }
  if (best) return best;
  throw new DataError(`a budget of ${most} bytes is too small: the smallest file tried took ${least}`);
}

function bytesAllowed({ bytes, bits }: Budget, asked: readonly Asked[]): number {
  argument((bytes === undefined) !== (bits === undefined), "budget", "either bytes or bits", { bytes, bits });
  const value = (bytes ?? bits) as number;
  argument(value > 0 && Number.isFinite(value), "budget", "a number above 0", value);
  const elements = asked.reduce((sum, { tensor }) => sum + elementCount(tensor.shape), 0);
  return Math.floor(bytes ?? (value * elements) / 8);
}

/** The step that the budget decides about, or undefined: int4, uint8, an axis and formats are there because other software wants just these. */
function spendable(steps: readonly Step[]): QuantizeStep | undefined {
  const step = steps.find((candidate) => candidate.op === "quantize");
  const exact = step?.bits === 4 || step?.unsigned || step?.axis !== undefined;
  return exact ? undefined : step;
}

async function curvesOf(
  { kernels }: Place,
  asked: readonly Asked[],
  { importance = () => 1 }: Budget,
  { signal, onProgress }: Options,
): Promise<Map<Asked, Point[]>> {
  const curves = new Map<Asked, Point[]>();
  for (const [done, one] of asked.entries()) {
    signal?.throwIfAborted();
    const { tensor, steps } = one;
    onProgress?.({ phase: "choosing", tensor: tensor.name, done, total: asked.length });
    const quantize = spendable(steps);
    if (!quantize) continue;
    const weight = importance(tensor.name);
    argument(weight > 0 && Number.isFinite(weight), `importance of "${tensor.name}"`, "a number above 0", weight);
    try {
      const targeted = { ...one, steps: withStep(steps, 1) };
      const bins = await binsOf(kernels, await prunedBlocks(kernels, targeted, cutLayout(tensor, targeted.steps)));
      // What is pruned cannot stay in these dtypes.
      const stuck = (isBlocks(tensor.dtype) || tensor.dtype === "F64") && steps.some(({ op }) => op === "prune");
      const lossless = stuck ? Number.POSITIVE_INFINITY : LOSSLESS * 8 * bytesOf(tensor.dtype, bins.elements);
      curves.set(one, curveOf(bins, quantize.dead, weight, lossless, FIXED));
    } catch (error) {
      throw named(tensor, error);
    }
  }
  return curves;
}

// 0: without the quantize step.
function withStep(steps: readonly Step[], size: number): readonly Step[] {
  if (size === 0) return steps.filter((step) => step.op !== "quantize");
  // Few digits, because the header says it.
  const target = { by: "step", value: Number(size.toPrecision(6)) } as const;
  return steps.map((step) => {
    if (step.op !== "quantize") return step;
    const { dead } = step;
    const plain = { op: "quantize", bits: 8, per: "tensor", group: 0, asymmetric: false, target } as const;
    return dead === undefined ? plain : { ...plain, dead };
  });
}

// The points of the curves that `bits` allow, made a little finer all alike for what bits are left over.
async function choose(
  { kernels }: Place,
  asked: readonly Asked[],
  curves: ReadonlyMap<Asked, readonly Point[]>,
  bits: number,
  weights: number,
  signal: AbortSignal | undefined,
): Promise<Resolved[]> {
  const points = spend([...curves.values()], bits);
  const left = bits - points.reduce((sum, point) => sum + point.bits, 0);
  const finer = 2 ** -Math.min(Math.max(left / weights, 0), 1 / 8);
  const chosen = new Map([...curves.keys()].map((one, i) => [one, (points[i] as Point).step]));
  const resolved: Resolved[] = [];
  for (const one of asked) {
    signal?.throwIfAborted();
    const step = chosen.get(one);
    const finest = curves.get(one)?.at(-2)?.step ?? 0;
    const size = step && Math.max(step * finer, finest * 1.001);
    const steps = size === undefined ? one.steps : withStep(one.steps, size);
    resolved.push(await resolveTarget(kernels, { ...one, steps }));
  }
  return resolved;
}

// Bytes of the chunks that the budget decides about, and of all else, which is measured once as long as the same tensors share a chunk.
async function measure(
  place: Place,
  grouped: Grouped,
  curves: ReadonlyMap<Asked, unknown>,
  fixed: Map<string, number>,
  headerOf: (grouped: Grouped) => number,
  { signal, onProgress }: Options,
): Promise<{ coded: number; rest: number }> {
  const names = new Set([...curves.keys()].map(({ tensor }) => tensor.name));
  const isFree = (group: Group): boolean => group.names.some((name) => names.has(name));
  const keyOf = (group: Group): string => JSON.stringify(group.names);
  const others = grouped.groups.filter((group) => !isFree(group)).map(keyOf);
  const header = headerOf(grouped);
  const todo = grouped.groups.filter((group) => isFree(group) || !fixed.has(keyOf(group)));
  const total = todo.reduce((sum, { layout }) => sum + layout.elements, 0);
  let [coded, done] = [0, 0];
  for await (const { group, chunk } of encodedChunks(place, todo, signal)) {
    done += chunk.shape.count;
    onProgress?.({ phase: "choosing", tensor: group.source.tensor.name, done, total });
    if (isFree(group)) coded += chunk.bytes.length;
    else fixed.set(keyOf(group), (fixed.get(keyOf(group)) ?? 0) + chunk.bytes.length);
  }
  return { coded, rest: others.reduce((sum, key) => sum + (fixed.get(key) ?? 0), header) };
}

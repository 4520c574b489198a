import type { Workers } from "../container/workers.ts";
import { argument, DataError } from "../errors.ts";
import { type Kernels, loadKernels } from "../kernels.ts";
import { type Plan, printPlan } from "../plan.ts";
import { bytesOf, elementCount, type Model } from "../tensor.ts";
import type { Comparison, CurvePoint, FormatFigures } from "./comparison.ts";
import { curveBudgets } from "./curve.ts";
import { FORMATS, type Format, REFERENCE } from "./formats.ts";
import { type Bench, bitsOf, exactOf, type Measured, measure, worstRatio } from "./measure.ts";
import { comparedPlan, likePlan, losslessPlan, quantizedBy, withSteps } from "./plans.ts";
import { formatBytes } from "./sizes.ts";
import { tensorFigures } from "./tensors.ts";
import { largest } from "./weights.ts";

export interface CompareOptions {
  /** What is done to which tensors, with int8 where steps are chosen. */
  readonly plan?: string | undefined;
  /** Points of the curve. */
  readonly points?: number | undefined;
  readonly kernels?: Kernels | undefined;
  readonly workers?: Workers | undefined;
  readonly signal?: AbortSignal | undefined;
  /** From 0 to 1. */
  readonly onProgress?: ((share: number) => void) | undefined;
}

export const COMPARED_PLAN = "int8 > smallest";
export const CURVE_POINTS = 8;
export const MAX_POINTS = 100;

/**
 * Measures a model under budgets, and against the formats of other software: everything is packed to memory, decoded and compared.
 * @throws DataError if a value is not finite or the plan quantizes no tensor; PlanError; the signal's reason
 */
export async function compare(model: Model, options: CompareOptions = {}): Promise<Comparison> {
  const { points = CURVE_POINTS, signal, workers, onProgress } = options;
  const valid = Number.isInteger(points) && points >= 1 && points <= MAX_POINTS;
  argument(valid, "points", `a whole number from 1 to ${MAX_POINTS}`, points);
  const plan = comparedPlan(options.plan ?? COMPARED_PLAN);
  const quantized = quantizedBy(plan, model);
  if (quantized.size === 0) throw nothingToCompare(plan);
  const limits = new Map<string, number>();
  for (const tensor of model.tensors) {
    if (quantized.has(tensor.name)) limits.set(tensor.name, await largest(tensor, signal));
  }
  const bench: Bench = { model, kernels: options.kernels ?? (await loadKernels()), workers, signal };
  const next = progress(2 * FORMATS.length + 2 + points, onProgress);
  const formats: FormatFigures[] = [];
  let followed: Measured | null = null;
  for (const format of FORMATS) {
    const { figures, equal } = await measureFormat(bench, plan, format, quantized, next);
    formats.push(figures);
    if (format.name === REFERENCE) followed = equal;
  }
  const curve = await measureCurve(bench, plan, points, next);
  const tensors = await tensorFigures(bench, quantized, limits, followed);
  const elements = model.tensors.reduce((sum, { shape }) => sum + elementCount(shape), 0);
  const among = model.tensors.filter(({ name }) => quantized.has(name));
  return {
    plan: printPlan(plan),
    elements,
    sourceBytes: model.tensors.reduce((sum, { dtype, shape }) => sum + bytesOf(dtype, elementCount(shape)), 0),
    quantized: { tensors: among.length, elements: among.reduce((sum, { shape }) => sum + elementCount(shape), 0) },
    curve,
    formats,
    reference: followed ? REFERENCE : null,
    headerBytes: followed?.file.totals.header ?? 0,
    tensors,
  };
}

function nothingToCompare(plan: Plan): DataError {
  return new DataError(
    `nothing to compare: the plan "${printPlan(plan)}" quantizes no tensor (1-D ones and small ones it keeps); ` +
      'another takes smaller ones, such as --plan "small 17=lossless; int8 > smallest"',
  );
}

type Next = () => (share: number) => void;

// Each of `jobs` moves the bar as far as the others do.
function progress(jobs: number, onProgress: CompareOptions["onProgress"]): Next {
  let job = -1;
  return () => {
    job++;
    onProgress?.(Math.min(job / jobs, 1));
    return (share) => onProgress?.(Math.min((job + share) / jobs, 1));
  };
}

// Data that a format cannot hold are no reason to leave out the others.
async function unlessData<T>(run: () => Promise<T>): Promise<{ found: T; why: null } | { found: null; why: string }> {
  try {
    return { found: await run(), why: null };
  } catch (error) {
    if (error instanceof DataError) return { found: null, why: error.message };
    throw error;
  }
}

async function measureFormat(
  bench: Bench,
  plan: Plan,
  format: Format,
  quantized: ReadonlySet<string>,
  next: Next,
): Promise<{ figures: FormatFigures; equal: Measured | null }> {
  const { name, label, file } = format;
  const own = await unlessData(async () => {
    const size = await formatBytes(bench.model, format, quantized, bench.signal);
    return { size, same: await measure(bench, withSteps(plan, name), undefined, next()) };
  });
  if (!own.found) {
    next();
    return { figures: { name, label, file, own: null, same: null, equal: null, why: own.why }, equal: null };
  }
  const { size, same } = own.found;
  const like = await unlessData(() =>
    measure(bench, likePlan(plan, name, exactOf(same.diff, quantized)), undefined, next()),
  );
  const equal = like.found && {
    ...figuresOf(like.found),
    saved: 1 - like.found.bytes / size,
    worst: worstRatio(like.found.diff, same.diff),
  };
  const figures = {
    ...{ name, label, file },
    own: { bytes: size, bits: bitsOf(bench.model, size), snr: same.snr },
    same: figuresOf(same),
    equal,
    why: like.why,
  };
  return { figures, equal: like.found };
}

function figuresOf({ bytes, bits, snr }: Measured): { bytes: number; bits: number; snr: number } {
  return { bytes, bits, snr };
}

// Budgets between what the file takes with zeros for weights, and what it takes without loss.
async function measureCurve(bench: Bench, plan: Plan, points: number, next: Next): Promise<CurvePoint[]> {
  const zeros = await measure(bench, withSteps(plan, "int8 step 1e30"), undefined, next());
  const lossless = await measure(bench, losslessPlan(plan), undefined, next());
  const curve: CurvePoint[] = [];
  for (const budget of curveBudgets(zeros.bits, lossless.bits, points)) {
    // The least budgets may be too small for the tables of the codes.
    const { found } = await unlessData(() => measure(bench, plan, { bits: budget }, next()));
    // Where all tensors are as fine as they get, more makes no other file.
    if (found && found.bytes !== curve.at(-1)?.bytes) curve.push({ budget, ...figuresOf(found) });
  }
  return curve;
}

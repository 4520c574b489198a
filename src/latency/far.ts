import { weightBytes } from "./alike.ts";
import type { UnitSpec } from "./spec.ts";

// Weights that a core's own cache does not hold from run to run. A unit by itself finds its weights there again; in a model with more weights than fit, each
// run reads them from farther away, which takes as long as there are bytes, whatever is computed with them: perceptrons of 7 MB took 2.4 times as long as
// their layers by themselves where the cache has 2 MB, those of 1 MB 0.9 times.

/** What cores have for themselves, in bytes: from 256 KiB to 4 MiB. */
export const CACHES: readonly number[] = [18, 19, 20, 21, 22].map((bits) => 2 ** bits);
/** By the cache: weights of which some are read from farther away, and of which all are. */
const [SOME, ALL] = [0.7, 1.4];
/** Bytes in a millisecond, of the order of what a third cache gives; how much slower or faster it is, models show. */
const RATE = 30e6;
/** Weights of 8 bits ("w8") are made floats in memory first, and read again as such. */
const AS_FLOATS = 5;

/** Milliseconds for each part of a model, where its weights are read from beyond such a cache. */
export function farOf(specs: readonly UnitSpec[], cache: number): number[] {
  const bytes = specs.map((spec) => (spec.precision === "w8" ? AS_FLOATS : 1) * weightBytes(spec));
  const all = bytes.reduce((sum, own) => sum + own, 0);
  const share = Math.min(1, Math.max(0, (all / cache - SOME) / (ALL - SOME)));
  return bytes.map((own) => (share * own) / RATE);
}

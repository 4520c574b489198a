import type { Interval } from "../latency/interval.ts";
import { type Clock, withResolution } from "./clock.ts";
import { checkReference, type Measured, measureUnit, quartiles, type Reference, settled } from "./loop.ts";
import type { OpenUnit } from "./unit.ts";

// Times of whole models. A session differs from others of the same model by some percent, and so does a minute from others: each model is opened and timed
// several times, with all others in between.

export interface VisitOptions {
  readonly reference: Reference;
  /** How often each is opened. Default: 4 */
  readonly visits?: number | undefined;
  /** Milliseconds of a visit. Default: 400 */
  readonly each?: number | undefined;
  readonly clock?: Clock | undefined;
  readonly signal?: AbortSignal | undefined;
  readonly onVisit?: ((done: number, total: number) => Promise<void> | void) | undefined;
}

/** Undisturbed rounds that are enough for a visit. */
const ENOUGH = 31;

/**
 * The middle of the visits of each, with the least and the most of them: milliseconds of a machine on which the reference takes what it is said to. Those
 * that were disturbed do not count where others were not; where most were, there are as many again.
 * @param opens - null: there is no such model here, and no time
 * @throws the signal's reason, what opening throws, or DataError for a reference that takes something else altogether
 */
export async function timeInVisits(
  opens: readonly (() => Promise<OpenUnit | null>)[],
  { reference, visits = 4, each = 400, clock = performance, signal, onVisit }: VisitOptions,
): Promise<(Interval | null)[]> {
  const fine = withResolution(clock);
  const { median: least } = await settled(fine, reference.run, { signal });
  checkReference(reference.ms, least);
  const beside = { ...reference, least };
  const found = opens.map((): Measured[] => []);
  const absent = new Set<number>();
  const calmOnes = (i: number): readonly Measured[] => (found[i] ?? []).filter(({ calm }) => calm);
  for (let visit = 0; visit < 2 * visits; visit++) {
    for (const [i, open] of opens.entries()) {
      if (absent.has(i) || (visit >= visits && 2 * calmOnes(i).length >= visits)) continue;
      const total = visits * opens.length;
      await onVisit?.(Math.min(total, visit * opens.length + i), total);
      const unit = await open();
      if (!unit) {
        absent.add(i);
        continue;
      }
      try {
        found[i]?.push(await measureUnit(fine, beside, unit, each, { signal, enough: ENOUGH }));
      } finally {
        await unit.close();
      }
    }
  }
  return found.map((all, i) => {
    const times = (calmOnes(i).length > 0 ? calmOnes(i) : all).map(({ median }) => median);
    return times.length === 0 ? null : { ms: quartiles(times)[1], low: Math.min(...times), high: Math.max(...times) };
  });
}

import type { UnitSpec } from "../latency/spec.ts";
import type { Clock } from "./clock.ts";
import type { Runner } from "./runner.ts";

// Engines compile code fast first, and well once it has run for some time: on busy machines after 0.3 s of runs, in a third of which it takes three times
// as long. What runs first would be told too slow, and all that is like it.

/** So many units of the design have each kind of units among them, and those often that come often. */
const UNITS = 144;

export interface WarmOptions {
  /** Units before those of the runner's own. */
  readonly first: readonly UnitSpec[];
  /** Together; some units are not run where it is over before. */
  readonly seconds: number;
  readonly signal?: AbortSignal | undefined;
  /** Is heard of what is run. */
  readonly onUnit: (spec: UnitSpec) => Promise<void> | void;
}

/** Runs units of all kinds, and measures nothing. Units that the runtime refuses to open or to run are left out. @throws the signal's reason */
export async function warmUp(
  runner: Runner,
  clock: Clock,
  { first, seconds, signal, onUnit }: WarmOptions,
): Promise<void> {
  if (seconds <= 0) return;
  const start = clock.now();
  const units = [...first, ...firstOf(runner.specs(), UNITS)];
  for (const [i, spec] of units.entries()) {
    if (clock.now() >= start + 1000 * seconds) return;
    // A unit that took longer to open leaves less for those behind it.
    const until = start + (1000 * seconds * (i + 1)) / units.length;
    signal?.throwIfAborted();
    await onUnit(spec);
    const unit = await Promise.resolve(runner.open(spec)).catch(() => null);
    if (!unit) continue;
    try {
      do {
        await unit.run();
        await unit.base?.();
      } while (clock.now() < until);
    } catch {
      signal?.throwIfAborted();
      // Who measures the unit is told why.
    } finally {
      await unit.close();
    }
  }
}

function firstOf<T>(all: Iterable<T>, most: number): T[] {
  const found: T[] = [];
  for (const each of all) if (found.push(each) >= most) break;
  return found;
}

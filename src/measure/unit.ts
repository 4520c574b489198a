import { elementsOf, type UnitSpec } from "../latency/spec.ts";
import { workOf } from "../latency/work.ts";

// What is timed: pairs of graphs, of which one does the unit some times more than the other.

export interface Timed {
  readonly spec: UnitSpec;
  open(): Promise<OpenUnit>;
}

export interface OpenUnit {
  /** How often the unit is done in `run` and not in `base`. */
  readonly copies: number;
  run(): Promise<unknown> | unknown;
  /** All that `run` does beside; null: nothing that would count. */
  readonly base: (() => Promise<unknown> | unknown) | null;
  close(): Promise<void> | void;
}

/** What all that is timed is given: no zeros and no denormals, which processors have ways of their own with. */
export function givenTo(shape: readonly number[]): Float32Array {
  return Float32Array.from({ length: elementsOf(shape) }, (_, i) => 0.5 + ((i * 37) % 101) / 101);
}

/** Weights of all copies, in bytes: those of small models stay in the second cache, and so these are to. */
const MOST_BYTES = 1 << 18;

/** So many copies of a unit at most; at least 1. */
export function copiesWithin(spec: UnitSpec, most: number): number {
  const { weights = 0 } = workOf(spec).counts;
  return Math.max(1, Math.min(most, Math.floor(MOST_BYTES / (4 * weights + 1))));
}

/** Two runs of `once` less one of `twice`, which does the same two times: a call that does nothing. Closing is the caller's. */
export function callAlone(once: OpenUnit["run"], twice: OpenUnit["run"]): Pick<OpenUnit, "copies" | "run" | "base"> {
  const run = async (): Promise<void> => {
    await once();
    await once();
  };
  return { copies: 1, run, base: twice };
}

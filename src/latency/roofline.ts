import { elementsOf, listOf, type UnitSpec } from "./spec.ts";
import { workOf } from "./work.ts";

// What machines can do, for units of which no row tells anything: the larger of what is multiplied and what is moved (Williams, Waterman and Patterson,
// "Roofline", 2009).

/** Multiplications of floats, and bytes, in a millisecond and thread: a core of 3 GHz with 128 bits of SIMD at a third of its peak, and what memory gives it. */
const [MACS, BYTES] = [4e6, 8e6];
/** What calling an operator takes, in milliseconds. */
const CALL = 0.002;

/** Milliseconds, above 0. @param threads - that compute */
export function boundOf(spec: UnitSpec, threads: number): number {
  const { counts } = workOf(spec);
  const { macs = 0, weights = 0 } = counts;
  const moved = ["in", "out"].reduce((sum, name) => sum + spec.batch * elementsOf(listOf(spec, name)), weights);
  return CALL + Math.max(macs / (MACS * threads), (4 * moved) / BYTES);
}

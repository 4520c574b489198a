import { nameOf } from "../status.ts";
import type { Case } from "./cases.ts";
import { type Machine, same } from "./machine.ts";

/** No case may take longer: a hostile payload must not cost more than its size. */
const BOUND_MS = 1;
const BOUND_NS_PER_BYTE = 150;

export interface Verdict {
  /** What went wrong, or nothing. */
  problem: string;
  accepted: boolean;
  ms: number;
}

/** Decodes a case on a tier and compares with what the twins made of it. */
export function check(machine: Machine, one: Case, expected: Uint8Array | number): Verdict {
  const start = performance.now();
  let status: number;
  try {
    status = machine.decode(one);
  } catch (error) {
    return { problem: error instanceof Error ? error.message : String(error), accepted: false, ms: 0 };
  }
  const ms = performance.now() - start;
  return { problem: mismatch(machine, one, status, expected), accepted: status >= 0, ms };
}

function mismatch(machine: Machine, { kind }: Case, status: number, expected: Uint8Array | number): string {
  if (typeof expected === "number") {
    if (status >= 0) return `accepted, the twin refuses: ${nameOf(expected)}`;
    // Only pivot promises which of several reasons is told.
    return kind === "pivot" && status !== expected ? `${nameOf(status)} instead of ${nameOf(expected)}` : "";
  }
  if (status < 0) return `refused: ${nameOf(status)}; the twin accepts`;
  if (status !== expected.length) return `${status} bytes instead of ${expected.length}`;
  return same(machine.result(status), 0, expected) ? "" : "other bytes than the twin's";
}

export function sizeOf({ n, bytes }: Case): number {
  return n + bytes.length;
}

/** Slower than its size allows, on five runs: once may be the machine's fault. */
export function tooSlow(machine: Machine, one: Case, ms: number): string {
  const bound = BOUND_MS + (BOUND_NS_PER_BYTE * sizeOf(one)) / 1e6;
  let best = ms;
  for (let i = 0; i < 5 && best > bound; i++) best = fastest(machine, one, 1);
  return best > bound ? `took ${best.toFixed(2)} ms, more than ${bound.toFixed(2)}` : "";
}

export function fastest(machine: Machine, one: Case, runs: number): number {
  let best = Number.POSITIVE_INFINITY;
  for (let i = 0; i < runs; i++) {
    const start = performance.now();
    machine.decode(one);
    best = Math.min(best, performance.now() - start);
  }
  return best;
}

import type { UnitSpec } from "../latency/spec.ts";

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

import type { Value } from "../engine/engine.ts";

/** Samples that are read when they are asked for, so that never more than a batch is in memory. */
export interface Dataset {
  /** Samples. */
  readonly count: number;
  /** Of one sample. */
  readonly shape: readonly number[];
  /** Names of classes, where the data have them. */
  readonly classes: readonly string[] | null;
  readonly labelled: boolean;
  /** Samples by index, in that order. */
  read(indices: readonly number[]): Promise<Batch>;
  close?(): Promise<void>;
}

export interface Batch {
  /** [samples, ...shape] */
  readonly inputs: Value;
  /** A class for each sample; null where there are none. */
  readonly labels: Int32Array | null;
}

import type { Whole } from "../latency/predict.ts";
import type { Run } from "../latency/run.ts";
import type { UnitSpec } from "../latency/spec.ts";
import type { OpenUnit } from "./unit.ts";

/** A runtime that units and whole models are timed in. */
export interface Runner {
  /** Its name and version: "onnxruntime-web 1.30.0". */
  readonly runtime: string;
  /** What is timed beside everything. */
  readonly reference: UnitSpec;
  /** Units worth knowing, in order, without an end. */
  specs(): Iterable<UnitSpec>;
  /** What a unit gets, in milliseconds. Default: 90 */
  readonly each?: number;
  /** What its whole models are called in rows: see wholeOf. */
  readonly family: "family" | "layers";
  /** How whole models can be run. */
  readonly runs: readonly Run[];
  /** null: there is no such unit here. */
  open(spec: UnitSpec): Promise<OpenUnit | null>;
  /** A graph of the family. */
  openModel(index: number, seed: number, run: Run): Promise<OpenModel | null>;
}

export interface OpenModel {
  readonly unit: OpenUnit;
  readonly whole: Whole;
}

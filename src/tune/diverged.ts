import { DataError } from "../errors.ts";
import type { Weights } from "./projection.ts";
import type { TuneResult } from "./tune.ts";

/** Training that came to numbers that are none. */
export class DivergedError extends DataError {
  /** The best weights before that. */
  readonly result: TuneResult;

  constructor(message: string, result: TuneResult) {
    super(message);
    this.name = "DivergedError";
    this.result = result;
  }
}

/** Numbers that training cannot go on with. */
export class NotFinite extends Error {}

/** @throws NotFinite */
export function demandFinite(weights: Weights): void {
  for (const [name, data] of weights) {
    for (let i = 0; i < data.length; i++) {
      if (!Number.isFinite(data[i] as number)) throw new NotFinite(`the weight "${name}" became ${data[i]}`);
    }
  }
}

import { DataError } from "../errors.ts";
import type { TuneResult } from "./options.ts";
import type { Weights } from "./projection.ts";

/** Training that came to weights that are not finite, or that the plan cannot take any more. */
export class DivergedError extends DataError {
  /** The best weights before that. */
  readonly result: TuneResult;

  constructor(message: string, result: TuneResult) {
    super(message);
    this.name = "DivergedError";
    this.result = result;
  }
}

/** What training cannot go on with. */
export class Diverging extends DataError {}

/** @throws Diverging */
export function demandFinite(weights: Weights): void {
  for (const [name, data] of weights) {
    for (let i = 0; i < data.length; i++) {
      if (!Number.isFinite(data[i] as number)) throw new Diverging(`the weight "${name}" became ${data[i]}`);
    }
  }
}

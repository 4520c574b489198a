/** A time, and where it is 9 times out of 10. Milliseconds. */
export interface Interval {
  readonly ms: number;
  readonly low: number;
  readonly high: number;
}

export interface Prediction extends Interval {
  /** Share of `ms` that comes from rows of the very units, 0 to 1. */
  readonly known: number;
}

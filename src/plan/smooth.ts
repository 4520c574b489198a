import type { StepParser } from "./words.ts";

/** Multiply the weights of each input channel by a factor, which decoding divides by again. Formula and source: docs/FORMAT.md. */
export interface SmoothStep {
  readonly op: "smooth";
  /** One per group of input channels, 0 <= alpha <= 1. */
  readonly alphas: readonly number[];
  /** Factors are rounded to powers of two: multiplying and dividing by them loses nothing, within the range of f32. */
  readonly powers: boolean;
}

const MAX_GROUPS = 256;

export const parseSmooth: StepParser<SmoothStep> = (words) => {
  const [list = "", ...rest] = words;
  const parts = list.split(",");
  const alphas = parts.map(Number);
  const valid = parts.every((part) => part !== "") && alphas.every((alpha) => alpha >= 0 && alpha <= 1);
  const powers = rest[0] === "pow2";
  if (!valid || parts.length > MAX_GROUPS || rest.length > (powers ? 1 : 0)) return undefined;
  return { op: "smooth", alphas, powers };
};

export function printSmooth({ alphas, powers }: SmoothStep): string {
  return `smooth ${alphas.join(",")}${powers ? " pow2" : ""}`;
}

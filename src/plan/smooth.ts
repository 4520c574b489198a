import { type StepParser, takeAxis } from "./words.ts";

/** Multiply the weights of each input channel by a factor, which decoding divides by again. Formula and source: docs/FORMAT.md. */
export interface SmoothStep {
  readonly op: "smooth";
  /** One per group of input channels, 0 <= alpha <= 1; null: the group is left as it is. */
  readonly alphas: readonly (number | null)[];
  /** Factors are rounded to powers of two: multiplying and dividing by them loses nothing, within the range of f32. */
  readonly powers: boolean;
  /** The dimension of the input channels; negative: from the end. Absent: 1 */
  readonly axis?: number;
}

const MAX_GROUPS = 256;
/** In place of a coefficient. */
const ALONE = "-";

export const parseSmooth: StepParser<SmoothStep> = (words) => {
  const [list = "", ...rest] = words;
  const parts = list.split(",");
  const alphas = parts.map((part) => (part === ALONE ? null : Number(part)));
  const valid =
    parts.every((part) => part !== "") && alphas.every((alpha) => alpha === null || (alpha >= 0 && alpha <= 1));
  const axis = takeAxis(rest);
  const powers = rest[0] === "pow2";
  if (!valid || Number.isNaN(axis) || parts.length > MAX_GROUPS || rest.length > (powers ? 1 : 0)) return undefined;
  return { op: "smooth", alphas, powers, ...(axis !== undefined && { axis }) };
};

export function printSmooth({ alphas, powers, axis }: SmoothStep): string {
  const list = alphas.map((alpha) => alpha ?? ALONE).join(",");
  return `smooth ${list}${axis === undefined ? "" : ` axis ${axis}`}${powers ? " pow2" : ""}`;
}

import { isTold } from "../figures.ts";

// Amounts of a choice as text, and texts that may be of any length.

export interface Range {
  readonly ms: number;
  readonly low: number;
  readonly high: number;
}

/** In a row, and beside a mark. */
const LONG = 100;
const UNITS = ["bytes", "kB", "MB", "GB", "TB"];

export function lossText(loss: number | null): string {
  return isTold(loss) ? `${Number((100 * loss).toPrecision(3))} %` : "not finite";
}

/** Three digits. */
export function sizeText(bytes: number | null): string {
  if (!isTold(bytes)) return "–";
  const power = Math.min(Math.max(Math.floor(Math.log10(Math.max(bytes, 1)) / 3), 0), UNITS.length - 1);
  return `${Number((bytes / 1000 ** power).toPrecision(3))} ${UNITS[power]}`;
}

export function timeText(ms: number | null): string {
  return isTold(ms) ? `${Number(ms.toPrecision(3))} ms` : "–";
}

/** A time with where it is 9 times out of 10. */
export function rangeText(range: Range | null): string {
  if (!range || !isTold(range.ms)) return "–";
  const { low, high } = range;
  if (!isTold(low) || !isTold(high) || low === high) return timeText(range.ms);
  return `${timeText(range.ms)} (${Number(low.toPrecision(3))} – ${Number(high.toPrecision(3))})`;
}

export function shareText(share: number): string {
  return isTold(share) ? `${(100 * share).toFixed(1)} %` : "–";
}

/** Its begin and its end: plans have rules for single tensors first, and what is for all the others last. */
export function clipped(text: string, most = LONG): string {
  const characters = [...text];
  if (characters.length <= most) return text;
  const half = (most - 3) >> 1;
  return `${characters.slice(0, half).join("")} … ${characters.slice(-half).join("")}`;
}

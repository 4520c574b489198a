import { SYMBOL } from "./status.ts";

function u32(b: Uint8Array, at: number): number {
  return (
    ((b[at] as number) |
      ((b[at + 1] as number) << 8) |
      ((b[at + 2] as number) << 16) |
      ((b[at + 3] as number) << 24)) >>>
    0
  );
}

function setU32(b: Uint8Array, at: number, value: number): void {
  for (let k = 0; k < 4; k++) b[at + k] = value >>> (8 * k);
}

/** Counts of the n bytes by the class of their row or column, as eight u32 at dst. Returns 8, or SYMBOL. */
export function classCounts(
  b: Uint8Array,
  map: number,
  n: number,
  width: number,
  columns: number,
  classes: number,
  dst: number,
): number {
  const counts = [0, 0, 0, 0, 0, 0, 0, 0];
  const rows = Math.ceil(n / width);
  const last = n - (rows - 1) * width;
  const entries = columns ? Math.min(width, n) : rows;
  for (let i = 0; i < entries; i++) {
    const k = b[map + i] as number;
    if (k >= classes) return SYMBOL;
    const count = columns ? rows - (i >= last ? 1 : 0) : i === rows - 1 ? last : width;
    counts[k] = (counts[k] as number) + count;
  }
  for (let k = 0; k < 8; k++) setU32(b, dst + 4 * k, counts[k] as number);
  return 8;
}

/** n bytes at dst from the lists of the classes at src, which begin where the eight u32 at `starts` say. Returns n. */
export function classScatter(
  b: Uint8Array,
  src: number,
  n: number,
  width: number,
  columns: number,
  map: number,
  starts: number,
  dst: number,
): number {
  const next = [0, 1, 2, 3, 4, 5, 6, 7].map((k) => src + u32(b, starts + 4 * k));
  for (let at = 0, row = 0; at < n; at += width, row++) {
    const length = Math.min(width, n - at);
    if (columns) {
      for (let j = 0; j < length; j++) {
        const k = b[map + j] as number;
        const from = next[k] as number;
        next[k] = from + 1;
        b[dst + at + j] = b[from] as number;
      }
    } else {
      const k = b[map + row] as number;
      const from = next[k] as number;
      next[k] = from + length;
      b.copyWithin(dst + at, from, from + length);
    }
  }
  return n;
}

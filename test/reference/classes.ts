import { readU24, u24 } from "./bits.ts";
import { concat } from "./huffman.ts";
import { CODE, innerStream, streamOf } from "./stream.ts";

/** How bytes in rows of `width` are parted: by the class of their row, or of their column. */
export interface Parted {
  readonly width: number;
  readonly columns: boolean;
  readonly map: Uint8Array;
}

/** Entries that the map of n bytes has. */
export function entriesOf(n: number, width: number, columns: boolean): number {
  return columns ? Math.min(width, n) : Math.ceil(n / width);
}

function classAt(i: number, { width, columns, map }: Parted): number {
  return map[columns ? i % width : Math.floor(i / width)];
}

/** Counts of n bytes by class. */
export function classCounts(n: number, parted: Parted, classes: number): Uint32Array {
  const counts = new Uint32Array(8);
  if (parted.map.some((k) => k >= classes)) throw new Error("SYMBOL");
  for (let i = 0; i < n; i++) counts[classAt(i, parted)]++;
  return counts;
}

/** The bytes class by class. */
export function classGather(bytes: Uint8Array, parted: Parted): Uint8Array {
  const lists = [0, 1, 2, 3, 4, 5, 6, 7].map((k) => bytes.filter((_, i) => classAt(i, parted) === k));
  return Uint8Array.from(lists.flatMap((list) => [...list]));
}

export function classScatter(lists: Uint8Array, parted: Parted): Uint8Array {
  const counts = classCounts(lists.length, parted, 8);
  const next = [...counts].map((_, k) => counts.slice(0, k).reduce((sum, n) => sum + n, 0));
  return lists.map((_, i) => lists[next[classAt(i, parted)]++]);
}

/** The payload of docs/FORMAT.md, its streams as `inner` makes them. */
export function classesEncode(
  bytes: Uint8Array,
  parted: Parted,
  classes: number,
  inner = (list: Uint8Array) => streamOf(CODE.RAW, list),
): Uint8Array {
  const counts = classCounts(bytes.length, parted, classes);
  const lists = classGather(bytes, parted);
  let at = 0;
  const streams = Array.from({ length: classes }, (_, k) => {
    at += counts[k];
    return inner(lists.slice(at - counts[k], at));
  });
  const head = [...u24(parted.width), classes + (parted.columns ? 128 : 0)];
  return concat(Uint8Array.from(head), inner(parted.map), ...streams);
}

export function classesDecode(payload: Uint8Array, n: number): Uint8Array {
  if (payload.length < 4) throw new Error("SIZES");
  const [width, columns, classes] = [readU24(payload, 0), payload[3] >= 128, payload[3] % 128];
  if (width < 1 || width > n || classes < 2 || classes > 8) throw new Error("COUNT");
  const map = innerStream(payload.subarray(4), entriesOf(n, width, columns));
  const parted = { width, columns, map: map.bytes };
  const counts = classCounts(n, parted, classes);
  const lists: Uint8Array[] = [];
  let at = 4 + map.size;
  for (let k = 0; k < classes; k++) {
    const { bytes, size } = innerStream(payload.subarray(at), counts[k]);
    lists.push(bytes);
    at += size;
  }
  if (at !== payload.length) throw new Error("SIZES");
  return classScatter(concat(...lists), parted);
}

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

// Which rows or columns of bytes go together: those of like magnitude at first, then each to the class that codes it in the fewest bits.

export const MOST_CLASSES = 8;

/** How the bytes of a stream are parted. */
export interface Partition {
  /** Bytes in a row. */
  readonly width: number;
  /** Whether columns have classes, or rows. */
  readonly columns: boolean;
  /** 2..8. */
  readonly classes: number;
  /** The class of each row or column. */
  readonly map: Uint8Array;
}

/** Bytes that a class costs by itself: a stream header and a table of code lengths, about. */
const CLASS_BYTES = 24;
/** Least bytes of an entry, least entries: with less, the map costs more than it can save. */
const LEAST_BYTES = 8;
const LEAST_ENTRIES = 16;
/** Rounds of "each to its best class". A third gains less than 0.1 %. */
const ROUNDS = 2;

type Way = Pick<Partition, "width" | "columns">;

/** The best partition of bytes, as rows of one of the widths, by an estimate; undefined if one table for all is as good. */
export function chooseClasses(bytes: Uint8Array, widths: readonly number[]): Partition | undefined {
  const ways = [...new Set(widths)].flatMap((width): Way[] => [
    { width, columns: false },
    { width, columns: true },
  ]);
  const begun = ways.filter((way) => worthTrying(bytes.length, way)).map((way) => begin(bytes, way));
  const best = begun.reduce((a, b) => (b.bits < a.bits ? b : a), { bits: Number.POSITIVE_INFINITY } as Begun);
  if (!best.way) return undefined;
  const refined = refine(bytes, best);
  const whole = entropy(counted(bytes, { width: bytes.length, columns: false }, Uint8Array.of(0), 1)[0] as Uint32Array);
  return refined.classes > 1 && refined.bits < whole ? refined : undefined;
}

function worthTrying(n: number, { width, columns }: Way): boolean {
  const rows = Math.ceil(n / width);
  const [entries, bytes] = columns ? [width, rows] : [rows, width];
  return entries >= LEAST_ENTRIES && bytes >= LEAST_BYTES;
}

interface Begun {
  readonly way: Way;
  readonly map: Uint8Array;
  readonly bits: number;
}

// Classes of as many entries each, by mean magnitude.
function begin(bytes: Uint8Array, way: Way): Begun {
  const sums = magnitudes(bytes, way);
  const order = Array.from(sums.keys()).sort((a, b) => (sums[a] as number) - (sums[b] as number) || a - b);
  const map = new Uint8Array(order.length);
  order.forEach((entry, rank) => {
    map[entry] = Math.floor((rank * MOST_CLASSES) / order.length);
  });
  return { way, map, bits: costOf(counted(bytes, way, map, MOST_CLASSES), map) };
}

function magnitudes(bytes: Uint8Array, { width, columns }: Way): Float64Array {
  const sums = new Float64Array(columns ? width : Math.ceil(bytes.length / width));
  for (let at = 0, row = 0; at < bytes.length; at += width, row++) {
    const end = Math.min(at + width, bytes.length);
    for (let i = at; i < end; i++) {
      const entry = columns ? i - at : row;
      sums[entry] = (sums[entry] as number) + Math.abs(((bytes[i] as number) << 24) >> 24);
    }
  }
  // The last row may be shorter.
  const last = bytes.length % width;
  if (!columns && last > 0) sums[sums.length - 1] = ((sums.at(-1) as number) * width) / last;
  return sums;
}

function counted(bytes: Uint8Array, { width, columns }: Way, map: Uint8Array, classes: number): Uint32Array[] {
  const all = new Uint32Array(256 * classes);
  for (let at = 0, row = 0; at < bytes.length; at += width, row++) {
    const end = Math.min(at + width, bytes.length);
    for (let i = at; i < end; i++) {
      const cell = ((map[columns ? i - at : row] as number) << 8) | (bytes[i] as number);
      all[cell] = (all[cell] as number) + 1;
    }
  }
  return Array.from({ length: classes }, (_, k) => all.subarray(256 * k, 256 * (k + 1)));
}

function entropy(counts: ArrayLike<number>): number {
  let [sum, bits] = [0, 0];
  for (let s = 0; s < counts.length; s++) {
    const n = counts[s] as number;
    sum += n;
    if (n > 0) bits -= n * Math.log2(n);
  }
  return sum > 0 ? bits + sum * Math.log2(sum) : 0;
}

// Bits of the classes' bytes, their tables and the map.
function costOf(classes: readonly Uint32Array[], map: Uint8Array): number {
  const sizes = new Uint32Array(MOST_CLASSES);
  for (const k of map) sizes[k] = (sizes[k] as number) + 1;
  return classes.reduce((sum, counts) => sum + entropy(counts) + 8 * CLASS_BYTES, entropy(sizes));
}

function refine(bytes: Uint8Array, { way, map: first }: Begun): Partition & { bits: number } {
  let map = first;
  let classes = counted(bytes, way, map, MOST_CLASSES);
  for (let round = 0; round < ROUNDS; round++) {
    map = toBest(bytes, way, map, classes);
    classes = counted(bytes, way, map, MOST_CLASSES);
  }
  [classes, map] = mergeClasses(classes, map);
  return { ...way, map, classes: classes.length, bits: costOf(classes, map) };
}

// Each entry to the class whose code takes the fewest bits for it, that of its class number included.
function toBest(
  bytes: Uint8Array,
  { width, columns }: Way,
  map: Uint8Array,
  classes: readonly Uint32Array[],
): Uint8Array {
  const lengths = classes.map(lengthsOf);
  const share = lengthsOf(classes.map((_, k) => map.reduce((n, mine) => n + Number(mine === k), 0)));
  const costs = classes.map((_, k) => new Float64Array(map.length).fill(share[k] as number));
  for (let k = 0; k < classes.length; k++) {
    const [cost, length] = [costs[k] as Float64Array, lengths[k] as Float64Array];
    for (let at = 0, row = 0; at < bytes.length; at += width, row++) {
      const end = Math.min(at + width, bytes.length);
      for (let i = at; i < end; i++) {
        const entry = columns ? i - at : row;
        cost[entry] = (cost[entry] as number) + (length[bytes[i] as number] as number);
      }
    }
  }
  return map.map((_, entry) =>
    costs.reduce((best, cost, k) => ((cost[entry] as number) < (costs[best]?.[entry] as number) ? k : best), 0),
  );
}

// Bits of every symbol; one that does not occur takes as many as a count of a quarter would.
function lengthsOf(counts: ArrayLike<number>): Float64Array {
  const sum = Array.from(counts).reduce((a, b) => a + b, 0);
  return Float64Array.from(counts, (n) => Math.log2(Math.max(sum, 1)) - Math.log2(n > 0 ? n : 0.25));
}

// Joins the two classes whose joining saves most, until none saves.
function mergeClasses(classes: readonly Uint32Array[], map: Uint8Array): [Uint32Array[], Uint8Array] {
  let lists = classes
    .map((counts, k) => ({ counts, members: [k], bits: entropy(counts) }))
    .filter(({ bits, counts }) => bits > 0 || counts.some(Boolean));
  for (;;) {
    let best = { saved: 0, a: -1, b: -1 };
    lists.forEach((one, a) => {
      lists.slice(0, a).forEach((other, b) => {
        const saved = one.bits + other.bits + 8 * CLASS_BYTES - entropy(added(one.counts, other.counts));
        if (saved > best.saved) best = { saved, a, b };
      });
    });
    const [one, other] = [lists[best.a], lists[best.b]];
    if (!one || !other) break;
    const counts = added(one.counts, other.counts);
    const joined = { counts, members: [...one.members, ...other.members], bits: entropy(counts) };
    lists = [...lists.filter((list) => list !== one && list !== other), joined];
  }
  const renamed = new Uint8Array(MOST_CLASSES);
  lists.forEach(({ members }, k) => {
    for (const member of members) renamed[member] = k;
  });
  return [lists.map(({ counts }) => counts), map.map((k) => renamed[k] as number)];
}

function added(a: Uint32Array, b: Uint32Array): Uint32Array {
  return a.map((n, s) => n + (b[s] as number));
}

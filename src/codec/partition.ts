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

/** The bytes of a way entry by entry: those of entry e are bytes[starts[e]] to bytes[starts[e + 1]]. */
interface Entries {
  readonly way: Way;
  readonly bytes: Uint8Array;
  readonly starts: Uint32Array;
}

/** The best partition of bytes, as rows of one of the widths, by an estimate; undefined if one table for all is as good. */
export function chooseClasses(bytes: Uint8Array, widths: readonly number[]): Partition | undefined {
  const ways = [...new Set(widths)].flatMap((width): Way[] => [
    { width, columns: false },
    { width, columns: true },
  ]);
  const begun = ways.filter((way) => worthTrying(bytes.length, way)).map((way) => begin(entriesOf(bytes, way)));
  const best = begun.reduce((a, b) => (b.bits < a.bits ? b : a), { bits: Number.POSITIVE_INFINITY } as Begun);
  if (!best.entries) return undefined;
  const refined = refine(best);
  const whole = { bytes, starts: Uint32Array.of(0, bytes.length) };
  const bits = entropy(counted(whole, new Uint8Array(1), 1)[0] as Uint32Array);
  return refined.classes > 1 && refined.bits < bits ? refined : undefined;
}

function worthTrying(n: number, { width, columns }: Way): boolean {
  const rows = Math.ceil(n / width);
  const [entries, bytes] = columns ? [width, rows] : [rows, width];
  return entries >= LEAST_ENTRIES && bytes >= LEAST_BYTES;
}

function entriesOf(bytes: Uint8Array, way: Way): Entries {
  const { width, columns } = way;
  const n = bytes.length;
  const rows = Math.ceil(n / width);
  if (!columns) return { way, bytes, starts: Uint32Array.from({ length: rows + 1 }, (_, i) => Math.min(i * width, n)) };
  const turned = new Uint8Array(n);
  const starts = new Uint32Array(width + 1);
  let to = 0;
  for (let j = 0; j < width; j++) {
    for (let i = j; i < n; i += width) turned[to++] = bytes[i] as number;
    starts[j + 1] = to;
  }
  return { way, bytes: turned, starts };
}

interface Begun {
  readonly entries: Entries;
  readonly map: Uint8Array;
  readonly bits: number;
}

// Classes of as many entries each, by mean magnitude.
function begin(entries: Entries): Begun {
  const order = magnitudes(entries).sort();
  const map = new Uint8Array(order.length);
  order.forEach((key, rank) => {
    map[key % INDEX] = Math.floor((rank * MOST_CLASSES) / order.length);
  });
  return { entries, map, bits: costOf(counted(entries, map, MOST_CLASSES), map) };
}

// Mean magnitudes in steps of 2^-24, with the index of the entry behind: numbers, because sorting with a function takes longer than the rest.
const INDEX = 2 ** 20;

function magnitudes({ bytes, starts }: Entries): Float64Array {
  const signed = new Int8Array(bytes.buffer, bytes.byteOffset, bytes.length);
  const keys = new Float64Array(starts.length - 1);
  for (let e = 0; e < keys.length; e++) {
    const [from, to] = [starts[e] as number, starts[e + 1] as number];
    let sum = 0;
    for (let i = from; i < to; i++) sum += Math.abs(signed[i] as number);
    keys[e] = Math.floor((sum / (to - from)) * 2 ** 24) * INDEX + e;
  }
  return keys;
}

function counted({ bytes, starts }: Omit<Entries, "way">, map: Uint8Array, classes: number): Uint32Array[] {
  const all = new Uint32Array(256 * classes);
  for (let e = 0; e < map.length; e++) {
    const table = (map[e] as number) << 8;
    const to = starts[e + 1] as number;
    for (let i = starts[e] as number; i < to; i++) {
      const cell = table | (bytes[i] as number);
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

function refine({ entries, map: first }: Begun): Partition & { bits: number } {
  let map = first;
  let classes = counted(entries, map, MOST_CLASSES);
  for (let round = 0; round < ROUNDS; round++) {
    map = toBest(entries, map, classes);
    classes = counted(entries, map, MOST_CLASSES);
  }
  [classes, map] = mergeClasses(classes, map);
  return { ...entries.way, map, classes: classes.length, bits: costOf(classes, map) };
}

// Each entry to the class whose code takes the fewest bits for it, that of its class number included.
function toBest({ bytes, starts }: Entries, map: Uint8Array, classes: readonly Uint32Array[]): Uint8Array {
  const lengths = new Float64Array(256 * MOST_CLASSES);
  classes.map(lengthsOf).forEach((bits, k) => {
    bits.forEach((length, byte) => {
      lengths[MOST_CLASSES * byte + k] = length;
    });
  });
  const sizes = new Uint32Array(MOST_CLASSES);
  for (const k of map) sizes[k] = (sizes[k] as number) + 1;
  const share = lengthsOf(sizes);
  const best = new Uint8Array(map.length);
  const costs = new Float64Array(MOST_CLASSES);
  for (let e = 0; e < map.length; e++) {
    costs.set(share);
    addCosts(bytes, starts[e] as number, starts[e + 1] as number, lengths, costs);
    for (let k = 1; k < MOST_CLASSES; k++) {
      if ((costs[k] as number) < (costs[best[e] as number] as number)) best[e] = k;
    }
  }
  return best;
}

// Adds what bytes [from, to) cost in each class. Four sums at a time stay in registers.
function addCosts(bytes: Uint8Array, from: number, to: number, lengths: Float64Array, costs: Float64Array): void {
  for (let k = 0; k < MOST_CLASSES; k += 4) {
    let [a, b, c, d] = [0, 0, 0, 0];
    for (let i = from; i < to; i++) {
      const at = MOST_CLASSES * (bytes[i] as number) + k;
      a += lengths[at] as number;
      b += lengths[at + 1] as number;
      c += lengths[at + 2] as number;
      d += lengths[at + 3] as number;
    }
    costs[k] = (costs[k] as number) + a;
    costs[k + 1] = (costs[k + 1] as number) + b;
    costs[k + 2] = (costs[k + 2] as number) + c;
    costs[k + 3] = (costs[k + 3] as number) + d;
  }
}

// Bits of every symbol; one that does not occur takes as many as a count of a quarter would. A class that has become empty stays so.
function lengthsOf(counts: ArrayLike<number>): Float64Array {
  const sum = Array.from(counts).reduce((a, b) => a + b, 0);
  if (sum === 0) return new Float64Array(counts.length).fill(Number.POSITIVE_INFINITY);
  return Float64Array.from(counts, (n) => Math.log2(sum) - Math.log2(n > 0 ? n : 0.25));
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

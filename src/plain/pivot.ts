import { readLengths } from "./lengths.ts";
import type { Loops } from "./merge.ts";
import { countOnes } from "./ones.ts";
import { KIND, PADDING, SIZES } from "./status.ts";
import { unpack } from "./unpack.ts";

const LIMIT = 12;
const BLOCK = 32768;
const WIDEST = 8;

// Between the blocks of a payload `work` keeps the code lengths and, in one byte, whether there are any. Behind them lie
// the lists of two levels of the tree.
const KNOWN = 260;
const LISTS = 512;

const RAW = 0;
const CONSTANT = 1;
const TABLE = 2;
const SAME_TABLE = 3;

/** The nodes as they are written: by depth, within a depth from the left. */
interface Tree {
  readonly nodes: number;
  /** First node of each depth, and behind the last depth the count of nodes. */
  readonly levels: readonly number[];
  /** Bits of the fields of a flat; -1 for an inner node. */
  readonly width: Int8Array;
  /** The left child of an inner node (the right one is the next); the first symbol of a flat in `symbols`. */
  readonly link: Uint8Array;
  /** All symbols by length, then by signed value. */
  readonly symbols: Uint8Array;
}

/**
 * Makes the kernel that decodes the block of n symbols (1..32768) at the start of the at most `size` bytes at src. `first`: it is the
 * first of its payload. work: 81920 bytes, left alone between the blocks of a payload. The kernel returns the bytes used, or
 * KIND, SIZES, PADDING, LENGTHS or KRAFT; it writes nothing to dst before all is known to be valid.
 */
export function pivotBlock(loops: Loops) {
  return (b: Uint8Array, src: number, size: number, n: number, first: number, dst: number, work: number): number => {
    if (first) b[work + KNOWN] = 0;
    if (size < 1) return SIZES;
    const kind = b[src] as number;
    if (kind > SAME_TABLE || (kind === SAME_TABLE && b[work + KNOWN] !== 1)) return KIND;
    if (kind < TABLE) return plainBlock(b, kind, src, size, n, dst);
    const table = kind === TABLE ? readLengths(b, src + 1, size - 1, LIMIT, work) : 0;
    b[work + KNOWN] = table < 0 ? 0 : 1;
    if (table < 0) return table;
    const tree = treeOf(b, work);
    const places = new Int32Array(tree.nodes + 1);
    const counts = new Int32Array(tree.nodes);
    const status = placeNodes(b, tree, src + 1 + table, src + size, n, places, counts);
    if (status < 0) return status;
    decodeLevels(loops, b, tree, places, counts, dst, work + LISTS);
    return (places[tree.nodes] as number) - src;
  };
}

function plainBlock(b: Uint8Array, kind: number, src: number, size: number, n: number, dst: number): number {
  const bytes = kind === CONSTANT ? 1 : n;
  if (size - 1 < bytes) return SIZES;
  if (kind === RAW) b.copyWithin(dst, src + 1, src + 1 + n);
  else b.fill(b[src + 1] as number, dst, dst + n);
  return 1 + bytes;
}

function treeOf(b: Uint8Array, lengths: number): Tree {
  const { symbols, starts } = sortSymbols(b, lengths);
  const width = new Int8Array(256);
  const link = new Uint8Array(256);
  const levels = [0];
  let nodes = 0;
  let inner = 0;
  for (let places = 1, depth = 0; places > 0; depth++) {
    let flats = 0;
    for (let bits = depth === 0 ? 1 : 0; bits <= WIDEST && depth + bits <= LIMIT; bits++) {
      const start = starts[depth + bits] as number;
      const count = (starts[depth + bits + 1] as number) - start;
      if (((count >> bits) & 1) === 0) continue;
      width[nodes] = bits;
      // Larger flats of the same length come before.
      link[nodes++] = start + (count & (-2 << bits));
      flats++;
    }
    places -= flats;
    for (let i = 0; i < places; i++) {
      width[nodes] = -1;
      link[nodes++] = 1 + 2 * inner++;
    }
    places *= 2;
    levels.push(nodes);
  }
  return { nodes, levels, width, link, symbols };
}

// All symbols by length, then by signed value; and where in them each length starts. Length 0 comes last.
function sortSymbols(b: Uint8Array, lengths: number): { symbols: Uint8Array; starts: Uint16Array } {
  const starts = new Uint16Array(LIMIT + 2);
  for (let symbol = 0; symbol < 256; symbol++) {
    const length = b[lengths + symbol] as number;
    if (length > 0) starts[length + 1] = (starts[length + 1] as number) + 1;
  }
  for (let length = 1; length < LIMIT + 2; length++) {
    starts[length] = (starts[length] as number) + (starts[length - 1] as number);
  }
  const next = starts.slice();
  const symbols = new Uint8Array(256);
  for (let i = 0; i < 256; i++) {
    const symbol = i ^ 128;
    const length = b[lengths + symbol] as number;
    if (length === 0) continue;
    symbols[next[length] as number] = symbol;
    next[length] = (next[length] as number) + 1;
  }
  return { symbols, starts };
}

// Where each node begins, and how many symbols pass it; the end of the last one as the place behind. Returns 0, SIZES or PADDING.
function placeNodes(
  b: Uint8Array,
  { nodes, width, link }: Tree,
  start: number,
  end: number,
  n: number,
  places: Int32Array,
  counts: Int32Array,
): number {
  const words = new Int32Array(b.buffer);
  let at = start;
  counts[0] = n;
  for (let k = 0; k < nodes; k++) {
    const count = counts[k] as number;
    const inner = (width[k] as number) < 0;
    const bits = inner ? count : count * (width[k] as number);
    const bytes = (bits + 7) >> 3;
    places[k] = at;
    if (bytes > end - at) return SIZES;
    if (bits & 7 && (b[at + bytes - 1] as number) >> (bits & 7) !== 0) return PADDING;
    if (inner) {
      const ones = countOnes(b, words, at, bytes);
      counts[link[k] as number] = count - ones;
      counts[(link[k] as number) + 1] = ones;
    }
    at += bytes;
  }
  places[nodes] = at;
  return 0;
}

// From the deepest level up. The lists of a level lie one behind the other, those of the next one in the other half.
function decodeLevels(
  loops: Loops,
  b: Uint8Array,
  tree: Tree,
  places: Int32Array,
  counts: Int32Array,
  dst: number,
  lists: number,
): void {
  const { levels, width, link, symbols } = tree;
  const list = new Int32Array(tree.nodes);
  for (let depth = levels.length - 2; depth >= 0; depth--) {
    let out = depth === 0 ? dst : lists + (depth & 1) * BLOCK;
    for (let k = levels[depth] as number; k < (levels[depth + 1] as number); k++) {
      const bits = width[k] as number;
      const from = link[k] as number;
      const count = counts[k] as number;
      const place = places[k] as number;
      list[k] = out;
      if (bits >= 0) unpack(b, place, count, bits, symbols.subarray(from, from + (1 << bits)), out);
      else if (width[from] === 0) {
        const leaf = symbols[link[from] as number] as number;
        loops.expand(b, place, count, list[from + 1] as number, leaf, out);
      } else loops.merge(b, place, count, list[from] as number, list[from + 1] as number, out);
      out += count;
    }
  }
}

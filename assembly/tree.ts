import { readLengths } from "./lengths";
import { PADDING, SIZES } from "./status";

// The tree of a pivoted code (docs/FORMAT.md, pivot), in a region that its caller owns, so that it outlives a block.

/** Longest code, in bits. */
export const PIVOT_LIMIT: i32 = 12;
/** Symbols in a block. */
export const BLOCK: i32 = 32768;

// The region: two buffers for the lists of a level, each with room for the gaps that encoding leaves between them; then the tree.
const LISTS: usize = 36864;
const TREE: usize = 2 * LISTS;
const LEVELS: usize = TREE;
const SYMBOLS: usize = TREE + 64;
const LENGTHS: usize = SYMBOLS + 256 + 64;
const COUNTS: usize = LENGTHS + 260 + 60;
const NODES: usize = TREE + 1024;

/** `width` of an inner node; of a flat it is the bits of its fields. */
export const INNER: i32 = 255;

// A node: what it is, then what prepass finds out about a block.
/** @unmanaged A node, 16 bytes. */
@unmanaged
export class Node {
  width: u8;
  /** Of a flat: its first symbol in the order of flats. */
  first: u8;
  /** Of an inner node: its left child; the right one follows. */
  child: u16;
  count: u32;
  /** Its bytes in the payload. */
  src: u32;
  /** Its list while a level is made. */
  list: u32;
}
const NODE: usize = 16;
// 256 symbols have at most 52 flats under 12 lengths (eight lengths of 15 symbols, four of 31), so 103 nodes.
/** Where an encoder keeps what it knows besides: 4.9 KiB. */
export const BEHIND_NODES: usize = NODES + 104 * NODE;

// @ts-ignore: decorator
@inline
export function nodeAt(work: usize, index: i32): Node {
  return changetype<Node>(work + NODES + (index as usize) * NODE);
}

// @ts-ignore: decorator
@inline
export function symbolsOf(work: usize, node: Node): usize {
  return work + SYMBOLS + (node.first as usize);
}

// @ts-ignore: decorator
@inline
export function listsOf(work: usize, level: i32): usize {
  return work + (level & 1 ? LISTS : 0);
}

/** First node of a level; of the level behind the last: the count of nodes. */
// @ts-ignore: decorator
@inline
export function levelStart(work: usize, level: i32): i32 {
  return load<u16>(work + LEVELS + 2 + ((level as usize) << 1)) as i32;
}

/** Levels of the tree, at most 12; 0 if there is no tree. */
// @ts-ignore: decorator
@inline
export function levelCount(work: usize): i32 {
  return load<u16>(work + LEVELS) as i32;
}

// @ts-ignore: decorator
@inline
export function forgetTree(work: usize): void {
  store<u16>(work + LEVELS, 0);
}

/** Reads code lengths and builds their tree. Returns the bytes used, or LENGTHS or KRAFT. */
export function readTree(src: usize, size: i32, work: usize): i32 {
  const used = readLengths(src, size, PIVOT_LIMIT, work + LENGTHS);
  if (used > 0) buildTree(work + LENGTHS, work);
  return used;
}

/** Builds the tree of 256 code lengths, which are complete, have at least two symbols and at most PIVOT_LIMIT bits. */
export function buildTree(lengths: usize, work: usize): void {
  sortSymbols(lengths, work);
  let nodes = 0;
  let open = 1;
  let depth = 0;
  for (; open > 0; depth++) {
    store<u16>(work + LEVELS + 2 + (depth << 1), nodes as u16);
    const end = nodes + open;
    nodes = placeFlats(work, depth, nodes);
    open = 2 * (end - nodes);
    for (let child = end; nodes < end; nodes++, child += 2) {
      const node = nodeAt(work, nodes);
      node.width = INNER as u8;
      node.child = child as u16;
    }
  }
  store<u16>(work + LEVELS + 2 + (depth << 1), nodes as u16);
  store<u16>(work + LEVELS, depth as u16);
}

// Flats of a depth, narrow ones first. A length whose count has bit D set has a flat of 2^D symbols at depth length - D, behind
// its larger ones.
function placeFlats(work: usize, depth: i32, at: i32): i32 {
  for (let width = 0; width <= 8 && depth + width <= PIVOT_LIMIT; width++) {
    const length = work + COUNTS + ((depth + width) << 2);
    const count = load<u16>(length) as i32;
    if (((count >> width) & 1) == 0) continue;
    const node = nodeAt(work, at++);
    node.width = width as u8;
    node.first = (load<u16>(length, 2) + ((count >> (width + 1)) << (width + 1))) as u8;
  }
  return at;
}

// SYMBOLS by length, within a length by signed value. COUNTS per length: count, and where its symbols begin, as two u16.
function sortSymbols(lengths: usize, work: usize): void {
  memory.fill(work + COUNTS, 0, 4 * (PIVOT_LIMIT + 1));
  for (let symbol = 0; symbol < 256; symbol++) {
    const at = work + COUNTS + ((load<u8>(lengths + symbol) as usize) << 2);
    store<u16>(at, load<u16>(at) + 1);
  }
  store<u32>(work + COUNTS, 0);
  let first: u32 = 0;
  for (let length = 1; length <= PIVOT_LIMIT; length++) {
    const at = work + COUNTS + (length << 2);
    store<u16>(at, first as u16, 2);
    first += load<u16>(at);
  }
  for (let value = -128; value < 128; value++) {
    const length = load<u8>(lengths + (value & 255)) as usize;
    if (length == 0) continue;
    const at = work + COUNTS + (length << 2);
    const place = load<u16>(at, 2);
    store<u8>(work + SYMBOLS + place, value as u8);
    store<u16>(at, place + 1, 2);
  }
  for (let length = 1; length <= PIVOT_LIMIT; length++) {
    const at = work + COUNTS + (length << 2);
    store<u16>(at, load<u16>(at, 2) - load<u16>(at), 2);
  }
}

/**
 * Finds where the nodes of a block of n symbols lie and how many symbols pass each: all counts follow from the bitmaps.
 * Nothing is written but the tree. Returns the bytes used, or SIZES or PADDING.
 */
export function findNodes(src: usize, size: i32, n: i32, work: usize): i32 {
  const nodes = levelStart(work, levelCount(work));
  const end = src + size;
  let at = src;
  nodeAt(work, 0).count = n;
  for (let i = 0; i < nodes; i++) {
    const node = nodeAt(work, i);
    const inner = node.width == INNER;
    const bits = inner ? node.count : node.count * (node.width as u32);
    const bytes = (bits + 7) >> 3;
    if (at + bytes > end) return SIZES;
    if (bits & 7 && load<u8>(at + bytes - 1) >> ((bits & 7) as u8) != 0) return PADDING;
    node.src = at as u32;
    if (inner) {
      const ones = onesIn(at, bytes);
      nodeAt(work, node.child).count = node.count - ones;
      nodeAt(work, node.child + 1).count = ones;
    }
    at += bytes;
  }
  return (at - src) as i32;
}

/** Counts the ones in the `bytes` bytes at src. */
export function onesIn(src: usize, bytes: u32): u32 {
  let ones: u64 = 0;
  const end = src + bytes;
  for (const wide = end - (bytes & 31); src < wide; src += 32) {
    ones += popcnt(load<u64>(src, 0, 1)) + popcnt(load<u64>(src, 8, 1));
    ones += popcnt(load<u64>(src, 16, 1)) + popcnt(load<u64>(src, 24, 1));
  }
  for (; src < end; src++) ones += popcnt<u32>(load<u8>(src)) as u64;
  return ones as u32;
}

import { BEHIND_NODES, INNER, levelCount, levelStart, nodeAt, symbolsOf } from "./tree";

// What an encoder has to know of a tree besides: to which side of a node a symbol goes. With SIMD, nodes divide their lists by ranges of
// signed values where these are few, as for all bell-shaped distributions. Else symbols first become ranks, in the order of the tree from
// the left, so that every node divides by one comparison.

/** Most ends of ranges of a node. */
const MOST: i32 = 8;

/** Where symbols, in the order of signed values, go over from one side of a node to the other. */
/** @unmanaged Ranges of a node, 16 bytes. */
@unmanaged
export class Ranges {
  /** Up to 8 ends: the last value before a change, 127 behind those there are. */
  ends: u64;
  /** Ends there are. */
  count: u8;
  /** Side of the least symbol: 1 is the right. */
  side: u8;
  /** Side of the latest symbol seen while ends are found. */
  latest: u8;
}

const RANKS: usize = BEHIND_NODES;
// Whether lists hold ranks.
const RANKED: usize = RANKS + 256;
const RANGES: usize = RANKED + 16;

// @ts-ignore: decorator
@inline
export function rangesOf(work: usize, index: i32): Ranges {
  return changetype<Ranges>(work + RANGES + ((index as usize) << 4));
}

/** Whether lists hold ranks, not symbols. */
// @ts-ignore: decorator
@inline
export function ranked(work: usize): bool {
  return load<u8>(work, RANKED) != 0;
}

// @ts-ignore: decorator
@inline
function rankOf(work: usize, symbol: u8): i32 {
  return load<u8>(work + (symbol as usize), RANKS);
}

/** Finds the ranks of the symbols of a tree with these lengths, and the ranges of its nodes. `src` of a node becomes its least rank. */
export function findSides(lengths: usize, work: usize): void {
  const nodes = levelStart(work, levelCount(work));
  let rank = 0;
  for (let i = 0; i < nodes; i++) {
    const node = nodeAt(work, i);
    if (node.width == INNER) continue;
    node.src = rank;
    const symbols = symbolsOf(work, node);
    for (let k = 0; k < 1 << node.width; k++) store<u8>(work + (load<u8>(symbols + k) as usize), rank++ as u8, RANKS);
  }
  for (let i = nodes - 1; i >= 0; i--) {
    const node = nodeAt(work, i);
    if (node.width == INNER) node.src = nodeAt(work, node.child).src;
  }
  store<u8>(work, !ASC_FEATURE_SIMD || !findRanges(lengths, nodes, work) ? 1 : 0, RANKED);
}

// False if a node has too many.
function findRanges(lengths: usize, nodes: i32, work: usize): bool {
  for (let i = 0; i < nodes; i++) {
    const ranges = rangesOf(work, i);
    ranges.ends = 0x7f7f7f7f7f7f7f7f;
    ranges.count = 0;
    ranges.latest = 255;
  }
  for (let value = -128; value < 128; value++) {
    if (load<u8>(lengths + (value & 255)) == 0) continue;
    const rank = rankOf(work, value as u8);
    for (let i = 0; nodeAt(work, i).width == INNER; ) {
      const child = nodeAt(work, i).child as i32;
      const side = (rank >= (nodeAt(work, child + 1).src as i32)) as i32;
      if (!addValue(rangesOf(work, i), value, side)) return false;
      i = child + side;
    }
  }
  return true;
}

// @ts-ignore: decorator
@inline
function addValue(ranges: Ranges, value: i32, side: i32): bool {
  if (ranges.latest == 255) ranges.side = side as u8;
  else if (ranges.latest != side) {
    if (ranges.count == MOST) return false;
    store<u8>(changetype<usize>(ranges) + (ranges.count++ as usize), (value - 1) as u8);
  }
  ranges.latest = side as u8;
  return true;
}

/** The ranks of n symbols. Eight a turn: reads and writes up to 7 bytes beyond. */
export function toRanks(src: usize, n: i32, dst: usize, work: usize): void {
  for (const end = src + n; src < end; src += 8, dst += 8) {
    store<u8>(dst, rankOf(work, load<u8>(src)) as u8);
    store<u8>(dst, rankOf(work, load<u8>(src, 1)) as u8, 1);
    store<u8>(dst, rankOf(work, load<u8>(src, 2)) as u8, 2);
    store<u8>(dst, rankOf(work, load<u8>(src, 3)) as u8, 3);
    store<u8>(dst, rankOf(work, load<u8>(src, 4)) as u8, 4);
    store<u8>(dst, rankOf(work, load<u8>(src, 5)) as u8, 5);
    store<u8>(dst, rankOf(work, load<u8>(src, 6)) as u8, 6);
    store<u8>(dst, rankOf(work, load<u8>(src, 7)) as u8, 7);
  }
}

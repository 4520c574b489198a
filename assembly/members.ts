import { BEHIND_NODES, INNER, levelCount, levelStart, nodeAt, symbolsOf } from "./tree";

// What an encoder has to know of a tree besides: which symbols are leaves of a node, and where they stand in the tree's order.

const RANKS: usize = BEHIND_NODES;
const SETS: usize = RANKS + 256;

/** The leaves of a node, as memberBits takes a set. */
// @ts-ignore: decorator
@inline
export function leavesOf(work: usize, index: i32): usize {
  return work + SETS + ((index as usize) << 5);
}

/**
 * Finds the leaves of every node, and the rank of every symbol: its place from the left of the tree, flats from the top down, as nodes
 * lie. `src` of a node becomes its least rank.
 */
export function findLeaves(work: usize): void {
  let rank = 0;
  const nodes = levelStart(work, levelCount(work));
  for (let i = 0; i < nodes; i++) {
    const node = nodeAt(work, i);
    if (node.width == INNER) continue;
    node.src = rank;
    const symbols = symbolsOf(work, node);
    for (let k = 0; k < 1 << node.width; k++) store<u8>(work + (load<u8>(symbols + k) as usize), rank++ as u8, RANKS);
  }
  for (let i = nodes - 1; i >= 0; i--) {
    const node = nodeAt(work, i);
    if (node.width != INNER) {
      addSymbols(symbolsOf(work, node), 1 << node.width, leavesOf(work, i));
      continue;
    }
    node.src = nodeAt(work, node.child).src;
    for (let at: usize = 0; at < 32; at += 8) {
      const left = load<u64>(leavesOf(work, node.child) + at, 0, 1);
      store<u64>(leavesOf(work, i) + at, left | load<u64>(leavesOf(work, node.child + 1) + at, 0, 1), 0, 1);
    }
  }
}

function addSymbols(symbols: usize, count: i32, set: usize): void {
  memory.fill(set, 0, 32);
  for (let k = 0; k < count; k++) {
    const symbol = load<u8>(symbols + k) as usize;
    const at = set + (symbol & 31);
    store<u8>(at, load<u8>(at) | (<u8>1 << ((symbol >> 5) as u8)));
  }
}

/** The ranks of n symbols. Eight a turn: reads and writes up to 7 bytes beyond. */
export function toRanks(src: usize, n: i32, dst: usize, work: usize): void {
  for (const end = src + n; src < end; src += 8, dst += 8) {
    store<u8>(dst, load<u8>(work + (load<u8>(src) as usize), RANKS));
    store<u8>(dst, load<u8>(work + (load<u8>(src, 1) as usize), RANKS), 1);
    store<u8>(dst, load<u8>(work + (load<u8>(src, 2) as usize), RANKS), 2);
    store<u8>(dst, load<u8>(work + (load<u8>(src, 3) as usize), RANKS), 3);
    store<u8>(dst, load<u8>(work + (load<u8>(src, 4) as usize), RANKS), 4);
    store<u8>(dst, load<u8>(work + (load<u8>(src, 5) as usize), RANKS), 5);
    store<u8>(dst, load<u8>(work + (load<u8>(src, 6) as usize), RANKS), 6);
    store<u8>(dst, load<u8>(work + (load<u8>(src, 7) as usize), RANKS), 7);
  }
}

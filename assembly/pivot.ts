import { compareBits, expand, gather, merge, split } from "./merge";
import { KIND, SIZES } from "./status";
import {
  buildTree, findNodes, forgetTree, INNER, levelCount, levelStart, listsOf, nodeAt, readTree, symbolsOf,
} from "./tree";
import { packFields, runOfSorted, unpackFlat } from "./unpack";

// A pivoted Huffman code: the bits of a code lie by node of its tree, so that decoding is merging lists, sixteen symbols a step.
// The idea is published: M. Zukowski, "PivCo-Huffman", arXiv 2606.05765. docs/FORMAT.md is the specification.

const RAW: i32 = 0;
const CONSTANT: i32 = 1;
const TABLE: i32 = 2;

/**
 * Decodes one block of n symbols (1..32768) from at most `size` bytes at src. `work`: 80 KiB, which keep the tree between the blocks
 * of a payload; first != 0 forgets it. All counts are checked before a symbol is written.
 * Reads up to 64 bytes beyond src + size, writes up to 64 beyond dst + n.
 * Returns the bytes used, or KIND, LENGTHS, KRAFT, SIZES or PADDING.
 */
export function pivotBlock(src: usize, size: i32, n: i32, first: i32, dst: usize, work: usize): i32 {
  if (first) forgetTree(work);
  if (size < 1) return SIZES;
  const kind = load<u8>(src) as i32;
  if (kind == RAW) {
    if (n > size - 1) return SIZES;
    memory.copy(dst, src + 1, n);
    return n + 1;
  }
  if (kind == CONSTANT) {
    if (size < 2) return SIZES;
    memory.fill(dst, load<u8>(src, 1), n);
    return 2;
  }
  if (kind > TABLE + 1) return KIND;
  let used = 1;
  if (kind == TABLE) {
    const table = readTree(src + 1, size - 1, work);
    if (table < 0) {
      // What it held is gone.
      forgetTree(work);
      return table;
    }
    used += table;
  } else if (levelCount(work) == 0) return KIND;
  const nodes = findNodes(src + used, size - used, n, work);
  if (nodes < 0) return nodes;
  for (let level = levelCount(work) - 1; level >= 0; level--) makeLevel(work, level, level == 0 ? dst : listsOf(work, level));
  return used + nodes;
}

// Makes the lists of a level, one behind the other, from those of the next. What a kernel writes beyond its list belongs to the
// next one, which is made later. Leaves need no list: the node above them expands.
function makeLevel(work: usize, level: i32, lists: usize): void {
  const end = levelStart(work, level + 1);
  for (let i = levelStart(work, level); i < end; i++) {
    const node = nodeAt(work, i);
    node.list = lists as u32;
    if (node.count == 0 || node.width == 0) continue;
    if (node.width == INNER) makeInner(work, node.src, node.count, node.child, lists);
    else {
      const symbols = symbolsOf(work, node);
      unpackFlat(node.src, node.count, node.width, symbols, runOfSorted(symbols, 1 << node.width), lists);
    }
    lists += node.count;
  }
}

function makeInner(work: usize, bits: usize, count: i32, child: i32, dst: usize): void {
  const left = nodeAt(work, child);
  const right = nodeAt(work, child + 1);
  // A depth has at most one leaf, and it comes first.
  if (left.width == 0) expand(bits, count, right.list, load<u8>(symbolsOf(work, left)), dst);
  else merge(bits, count, left.list, right.list, dst);
}

// Lists of an encoder keep this far apart, because a split writes beyond its end.
const GAP: u32 = 16;
const RANKS = memory.data(256 + 64, 16);

/**
 * Writes the nodes of a block: n symbols (1..32768) at src, each with a length in `lengths`, which are complete and at most 12.
 * work: 80 KiB. Reads and writes up to 64 bytes beyond. Returns the bytes written.
 */
export function pivotNodes(src: usize, n: i32, lengths: usize, dst: usize, work: usize): i32 {
  buildTree(lengths, work);
  rankSymbols(work);
  const root = listsOf(work, 0);
  // Eight a turn: what lies behind the n symbols is mapped too, and not used.
  for (let from = src, to = root; from < src + n; from += 8, to += 8) {
    store<u8>(to, load<u8>(load<u8>(from), RANKS));
    store<u8>(to, load<u8>(load<u8>(from, 1), RANKS), 1);
    store<u8>(to, load<u8>(load<u8>(from, 2), RANKS), 2);
    store<u8>(to, load<u8>(load<u8>(from, 3), RANKS), 3);
    store<u8>(to, load<u8>(load<u8>(from, 4), RANKS), 4);
    store<u8>(to, load<u8>(load<u8>(from, 5), RANKS), 5);
    store<u8>(to, load<u8>(load<u8>(from, 6), RANKS), 6);
    store<u8>(to, load<u8>(load<u8>(from, 7), RANKS), 7);
  }
  nodeAt(work, 0).list = root as u32;
  nodeAt(work, 0).count = n;
  let out = dst;
  const levels = levelCount(work);
  for (let level = 0; level < levels; level++) out = writeLevel(work, level, out);
  return (out - dst) as i32;
}

// The rank of a symbol is its place from the left of the tree: flats from the top down, as nodes lie. `src` of a node becomes its least.
function rankSymbols(work: usize): void {
  let rank = 0;
  const nodes = levelStart(work, levelCount(work));
  for (let i = 0; i < nodes; i++) {
    const node = nodeAt(work, i);
    if (node.width == INNER) continue;
    node.src = rank;
    const symbols = symbolsOf(work, node);
    for (let k = 0; k < 1 << node.width; k++) store<u8>(RANKS + load<u8>(symbols + k), rank++ as u8);
  }
  for (let i = nodes - 1; i >= 0; i--) {
    const node = nodeAt(work, i);
    if (node.width == INNER) node.src = nodeAt(work, node.child).src;
  }
}

function writeLevel(work: usize, level: i32, out: usize): usize {
  const end = levelStart(work, level + 1);
  let lists = listsOf(work, level + 1);
  for (let i = levelStart(work, level); i < end; i++) {
    const node = nodeAt(work, i);
    if (node.width == INNER) {
      const left = nodeAt(work, node.child);
      const right = nodeAt(work, node.child + 1);
      right.count = compareBits(node.list, node.count, right.src, out);
      left.count = node.count - right.count;
      // Leaves need no list.
      left.list = lists as u32;
      if (left.width > 0) lists += left.count + GAP;
      right.list = lists as u32;
      lists += right.count + GAP;
      if (left.width > 0) split(out, node.list, node.count, left.list, right.list);
      else gather(out, node.list, node.count, right.list);
      out += (node.count + 7) >> 3;
    } else if (node.width > 0) out += packFields(node.list, node.count, node.width, node.src, out);
  }
  return out;
}

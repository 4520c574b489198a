import { expand, merge } from "./merge";
import { findSides, ranked, rangesOf, toRanks } from "./sides";
import { compareBits, gather, rangeBits, split } from "./split";
import { KIND, SIZES } from "./status";
import {
  buildTree, findNodes, forgetTree, INNER, levelCount, levelStart, listsOf, Node, nodeAt, readTree, symbolsOf,
} from "./tree";
import { packFields, packRuns, runOfSorted, unpackFlat } from "./unpack";

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

/**
 * Makes the tree of 256 code lengths in `work` (80 KiB), for pivotNodes, pivotSize and pivotSteps. The lengths are complete, at most 12,
 * and two at least are not 0. Returns its levels.
 */
export function pivotTree(lengths: usize, work: usize): i32 {
  buildTree(lengths, work);
  findSides(lengths, work);
  return levelCount(work);
}

/**
 * Writes the nodes of a block: n symbols (1..32768) at src, all of them leaves of the tree that pivotTree left in `work`.
 * Reads and writes up to 64 bytes beyond. Returns the bytes written.
 */
export function pivotNodes(src: usize, n: i32, dst: usize, work: usize): i32 {
  const root = nodeAt(work, 0);
  root.count = n;
  root.list = src as u32;
  if (ranked(work)) {
    root.list = listsOf(work, 0) as u32;
    toRanks(src, n, root.list, work);
  }
  let out = dst;
  const levels = levelCount(work);
  for (let level = 0; level < levels; level++) out = writeLevel(work, level, out);
  return (out - dst) as i32;
}

function writeLevel(work: usize, level: i32, out: usize): usize {
  const end = levelStart(work, level + 1);
  let lists = listsOf(work, level + 1);
  for (let i = levelStart(work, level); i < end; i++) {
    const node = nodeAt(work, i);
    if (node.width == INNER) {
      lists = writeInner(work, i, lists, out);
      out += (node.count + 7) >> 3;
    } else if (node.width > 0) out += writeFlat(work, node, lists, out);
  }
  return out;
}

// Writes a bitmap, and the lists of both children from `lists` on. Returns the end of the lists.
function writeInner(work: usize, index: i32, lists: usize, bits: usize): usize {
  const node = nodeAt(work, index);
  const left = nodeAt(work, node.child);
  const right = nodeAt(work, node.child + 1);
  if (ranked(work)) right.count = compareBits(node.list, node.count, right.src, bits);
  else {
    const ranges = rangesOf(work, index);
    right.count = rangeBits(node.list, node.count, changetype<usize>(ranges), ranges.count, ranges.side, bits);
  }
  left.count = node.count - right.count;
  left.list = lists as u32;
  // Leaves need no list.
  if (left.width > 0) lists += left.count + GAP;
  right.list = lists as u32;
  if (left.width > 0) split(bits, node.list, node.count, left.list, right.list);
  else gather(bits, node.list, node.count, right.list);
  return lists + right.count + GAP;
}

// Writes the fields of a flat. `spare`: room for its list.
function writeFlat(work: usize, node: Node, spare: usize, dst: usize): i32 {
  let list = node.list as usize;
  if (!ranked(work)) {
    const symbols = symbolsOf(work, node);
    const second = runOfSorted(symbols, 1 << node.width);
    if (second > 0) return packRuns(list, node.count, node.width, symbols, second, dst);
    toRanks(list, node.count, spare, work);
    list = spare;
  }
  return packFields(list, node.count, node.width, node.src, dst);
}

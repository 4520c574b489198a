import { buildTree, INNER, levelCount, levelStart, nodeAt, symbolsOf } from "./tree";
import { runOfSorted } from "./unpack";

// What a pivoted code costs, from counts alone: exact bytes of a block, and steps of decoding it. A step is a merge of one byte.

/** Steps that are worth a byte (docs/DECISIONS.md); src/codec/stream.ts has their inverse. */
export const STEPS_PER_BYTE: f64 = 128;
/** Steps that a node costs besides those of its symbols, in every block: calls, and the ends of its loops. */
export const NODE_STEPS: f64 = 100;

// Sets `count` of every node.
function countNodes(hist: usize, work: usize): void {
  for (let i = levelStart(work, levelCount(work)) - 1; i >= 0; i--) {
    const node = nodeAt(work, i);
    if (node.width == INNER) {
      node.count = nodeAt(work, node.child).count + nodeAt(work, node.child + 1).count;
      continue;
    }
    let count: u32 = 0;
    const symbols = symbolsOf(work, node);
    for (let k = 0; k < 1 << node.width; k++) count += load<u32>(hist + ((load<u8>(symbols + k) as usize) << 2), 0, 1);
    node.count = count;
  }
}

// Steps of a byte of a flat, measured beside merge (npm run bench -- --filter unpack): sixteen symbols are one swizzle, two runs a
// comparison, others a table of two swizzles or more.
function flatSteps(width: i32, symbols: usize): f64 {
  if (width <= 4) return width == 0 ? 0 : 0.3;
  if (runOfSorted(symbols, 1 << width) > 0) return 0.5;
  return width == 5 ? 1 : width == 6 ? 1.3 : width == 7 ? 2.7 : 4.5;
}

function stepsOf(work: usize): f64 {
  let steps: f64 = 0;
  for (let i = levelStart(work, levelCount(work)) - 1; i >= 0; i--) {
    const node = nodeAt(work, i);
    if (node.width == 0) continue;
    const leaf = node.width == INNER && nodeAt(work, node.child).width == 0;
    const each = node.width == INNER ? (leaf ? 0.75 : 1) : flatSteps(node.width, symbolsOf(work, node));
    steps += each * (node.count as f64) + NODE_STEPS;
  }
  return steps;
}

/** Exact bytes of the nodes of a block whose symbols have the 256 u32 counts at hist, under the tree that pivotTree left in `work`. */
export function pivotSize(hist: usize, work: usize): i32 {
  countNodes(hist, work);
  let bytes: u32 = 0;
  for (let i = levelStart(work, levelCount(work)) - 1; i >= 0; i--) {
    const node = nodeAt(work, i);
    bytes += (node.count * (node.width == INNER ? 1 : (node.width as u32)) + 7) >> 3;
  }
  return bytes as i32;
}

/** Steps of decoding symbols with these counts under the tree in `work`, without their checksum and copies. */
export function pivotSteps(hist: usize, work: usize): i32 {
  countNodes(hist, work);
  return stepsOf(work) as i32;
}

/** Bytes and steps of these lengths in one figure, in bytes. */
export function costOf(hist: usize, lengths: usize, work: usize): f64 {
  buildTree(lengths, work);
  return (pivotSize(hist, work) as f64) + stepsOf(work) / STEPS_PER_BYTE;
}

/** Steps of decoding the block that pivotBlock decoded last with this `work`, if it has nodes (docs/FORMAT.md, kinds 2 and 3). */
export function blockSteps(work: usize): i32 {
  return stepsOf(work) as i32;
}

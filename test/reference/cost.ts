import { treeOf } from "./pivot.ts";

/** Steps that a byte is worth. */
const STEPS_PER_BYTE = 128;
/** Steps of a node besides those of its symbols. */
const NODE_STEPS = 100;

export interface Cost {
  /** Of the nodes of one block. */
  bytes: number;
  steps: number;
  /** Both, in bytes. */
  cost: number;
}

/** Stretches of symbols that follow each other, as signed bytes. */
function runs(symbols: number[]): number {
  return symbols.filter((symbol, i) => i === 0 || symbol !== ((symbols[i - 1] + 1) & 255)).length;
}

/** Steps of a symbol of a flat of 2^bits. */
function flatSteps(bits: number, symbols: number[]): number {
  if (bits <= 4) return 0.3;
  if (runs(symbols) <= 2) return 0.5;
  return { 5: 1, 6: 1.3, 7: 2.7 }[bits] ?? Number.NaN;
}

/** What symbols with these counts cost under a complete code, in one block. */
export function pivotCost(counts: Uint32Array, lengths: Uint8Array): Cost {
  const nodes = treeOf(lengths);
  const passing = nodes.map(() => 0);
  let [bytes, steps] = [0, 0];
  // Children lie behind their parents.
  for (let k = nodes.length - 1; k >= 0; k--) {
    const node = nodes[k];
    if ("left" in node) {
      passing[k] = passing[node.left] + passing[node.left + 1];
      const left = nodes[node.left];
      const leaf = !("left" in left) && left.bits === 0;
      bytes += Math.ceil(passing[k] / 8);
      steps += NODE_STEPS + (leaf ? 0.75 : 1) * passing[k];
    } else {
      passing[k] = node.symbols.reduce((sum, symbol) => sum + counts[symbol], 0);
      bytes += Math.ceil((passing[k] * node.bits) / 8);
      if (node.bits > 0) steps += NODE_STEPS + flatSteps(node.bits, node.symbols) * passing[k];
    }
  }
  return { bytes, steps, cost: bytes + steps / STEPS_PER_BYTE };
}

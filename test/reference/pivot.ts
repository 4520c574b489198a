import { bytesOfBits } from "./bits.ts";
import { fieldAt, packFields } from "./fields.ts";
import { concat, readLengths, writeLengths } from "./huffman.ts";

export const BLOCK = 32768;
export const PIVOT_LIMIT = 12;

/** A subtree of 2^bits leaves, all of them `bits` levels below its root. */
export interface Flat {
  /** Length of the codes of its symbols. */
  length: number;
  bits: number;
  symbols: number[];
}

/** Where the left child of an inner node lies in the list of all nodes; the right one is the next. */
interface Inner {
  left: number;
}

export type Node = Flat | Inner;

function isInner(node: Node): node is Inner {
  return "left" in node;
}

export function flatsOf(lengths: Uint8Array): Flat[] {
  const ofLength = Array.from({ length: PIVOT_LIMIT + 1 }, (): number[] => []);
  for (let value = -128; value < 128; value++) ofLength[lengths[value & 255]].push(value & 255);
  const flats: Flat[] = [];
  for (let length = 1; length <= PIVOT_LIMIT; length++) {
    const symbols = ofLength[length];
    let at = 0;
    for (let bits = 8; bits >= 0; bits--) {
      if ((symbols.length & (1 << bits)) === 0) continue;
      flats.push({ length, bits, symbols: symbols.slice(at, at + 2 ** bits) });
      at += 2 ** bits;
    }
  }
  return flats;
}

/** All nodes in the order they are written: by depth, within a depth from the left. */
export function treeOf(lengths: Uint8Array): Node[] {
  const flats = flatsOf(lengths);
  const nodes: Node[] = [];
  let inner = 0;
  let places = 1;
  for (let depth = 0; places > 0; depth++) {
    if (depth > PIVOT_LIMIT) throw new Error("these lengths are no complete code");
    const here = flats.filter((flat) => flat.length - flat.bits === depth).sort((a, b) => a.bits - b.bits);
    nodes.push(...here);
    // Behind the root come the children of the first inner node, then those of the second, and so on.
    for (let i = here.length; i < places; i++) nodes.push({ left: 1 + 2 * inner++ });
    places = 2 * (places - here.length);
  }
  return nodes;
}

/** Per node the symbols that are leaves of it. */
function leavesOf(nodes: Node[]): Set<number>[] {
  const below = (node: Node): number[] =>
    isInner(node) ? [...below(nodes[node.left]), ...below(nodes[node.left + 1])] : node.symbols;
  return nodes.map((node) => new Set(below(node)));
}

export function writeNodes(symbols: Uint8Array, lengths: Uint8Array): Uint8Array {
  const nodes = treeOf(lengths);
  const leaves = leavesOf(nodes);
  const passing: Uint8Array[] = [symbols];
  const parts = nodes.map((node, k) => {
    if (!isInner(node)) {
      return packFields(
        passing[k].map((symbol) => node.symbols.indexOf(symbol)),
        node.bits,
      );
    }
    const right = leaves[node.left + 1];
    passing[node.left] = passing[k].filter((symbol) => !right.has(symbol));
    passing[node.left + 1] = passing[k].filter((symbol) => right.has(symbol));
    return bytesOfBits(Array.from(passing[k], (symbol) => (right.has(symbol) ? 1 : 0)));
  });
  return concat(...parts);
}

function bit(bytes: Uint8Array, at: number): number {
  return (bytes[at >> 3] >> (at & 7)) & 1;
}

interface Places {
  /** How many symbols pass each node. */
  count: number[];
  /** The first byte of each node. */
  first: number[];
  used: number;
}

/** Where every node lies in `bytes`, if n symbols pass the root. */
function placesOf(bytes: Uint8Array, n: number, nodes: Node[]): Places {
  const count = [n];
  const first: number[] = [];
  let used = 0;
  nodes.forEach((node, k) => {
    const start = 8 * used;
    const end = start + count[k] * (isInner(node) ? 1 : node.bits);
    first.push(used);
    used = Math.ceil(end / 8);
    if (used > bytes.length) throw new Error("SIZES");
    for (let i = end; i < 8 * used; i++) if (bit(bytes, i) === 1) throw new Error("PADDING");
    if (isInner(node)) {
      let ones = 0;
      for (let i = start; i < end; i++) ones += bit(bytes, i);
      count[node.left] = count[k] - ones;
      count[node.left + 1] = ones;
    }
  });
  return { count, first, used };
}

/** n symbols, each walked from the root to its flat: every node hands out its bits, a flat its fields, in their order. */
export function readNodes(bytes: Uint8Array, n: number, lengths: Uint8Array): { symbols: Uint8Array; used: number } {
  const nodes = treeOf(lengths);
  const { count, first, used } = placesOf(bytes, n, nodes);
  const passed = nodes.map(() => 0);
  const symbols = new Uint8Array(n);
  for (let i = 0; i < n; i++) {
    let k = 0;
    let node = nodes[0];
    while (isInner(node)) {
      k = node.left + bit(bytes, 8 * first[k] + passed[k]++);
      node = nodes[k];
    }
    symbols[i] = node.symbols[fieldAt(bytes, first[k], count[k], node.bits, passed[k]++)];
  }
  return { symbols, used };
}

/** A block of n symbols at the start of `bytes`. `before` are the code lengths of the latest block of kind 2. */
export function readBlock(
  bytes: Uint8Array,
  n: number,
  before?: Uint8Array,
): { symbols: Uint8Array; used: number; lengths: Uint8Array | undefined } {
  if (bytes.length < 1) throw new Error("SIZES");
  const [kind, body] = [bytes[0], bytes.subarray(1)];
  if (kind > 3 || (kind === 3 && !before)) throw new Error("KIND");
  if (kind < 2) {
    const size = kind === 0 ? n : 1;
    if (body.length < size) throw new Error("SIZES");
    const symbols = kind === 0 ? body.slice(0, n) : new Uint8Array(n).fill(body[0]);
    return { symbols, used: 1 + size, lengths: before };
  }
  const table = kind === 2 || !before ? readLengths(body, PIVOT_LIMIT) : { lengths: before, size: 0 };
  const { symbols, used } = readNodes(body.subarray(table.size), n, table.lengths);
  return { symbols, used: 1 + table.size + used, lengths: table.lengths };
}

export function pivotDecode(payload: Uint8Array, n: number): Uint8Array {
  if (n < 1) throw new Error("COUNT");
  const symbols = new Uint8Array(n);
  let lengths: Uint8Array | undefined;
  let at = 0;
  for (let start = 0; start < n; start += BLOCK) {
    const block = readBlock(payload.subarray(at), Math.min(BLOCK, n - start), lengths);
    symbols.set(block.symbols, start);
    at += block.used;
    lengths = block.lengths;
  }
  if (at !== payload.length) throw new Error("SIZES");
  return symbols;
}

/** All blocks under the same code lengths, or constant where they can be. */
export function pivotEncode(symbols: Uint8Array, lengths: Uint8Array): Uint8Array {
  const parts: Uint8Array[] = [];
  let written = false;
  for (let start = 0; start < symbols.length; start += BLOCK) {
    const block = symbols.subarray(start, start + BLOCK);
    if (block.every((symbol) => symbol === block[0])) {
      parts.push(Uint8Array.of(1, block[0]));
      continue;
    }
    parts.push(written ? Uint8Array.of(3) : concat(Uint8Array.of(2), writeLengths(lengths, -1, 12)));
    parts.push(writeNodes(block, lengths));
    written = true;
  }
  return concat(...parts);
}

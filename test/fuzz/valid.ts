import { u24 } from "../reference/bits.ts";
import { concat } from "../reference/huffman.ts";
import {
  BLOCK,
  CODE,
  classesEncode,
  entriesOf,
  maskSplit,
  pivotEncode,
  splitPlanes,
  streamOf,
  writeLengths,
  writeNodes,
  writeStreams,
  zrlTokens,
} from "../reference.ts";
import { drawn, type Growth, grownLengths, shapes } from "../trees.ts";

export interface Payload {
  /** Decoded bytes; of zrl4 and unpack4 the count of codes; of dequantize and dequantize16 the count of elements. */
  n: number;
  bytes: Uint8Array;
}

type Next = () => number;

const below = (next: Next, limit: number) => Math.floor(limit * next());
const pick = <T>(next: Next, list: readonly T[]): T => list[below(next, list.length)];

/** Mostly few, for speed; now and then around the places where something changes. */
function countOf(next: Next): number {
  const chance = next();
  if (chance < 0.002) return pick(next, [32767, 32768, 32769, 65537]);
  if (chance < 0.02) return pick(next, [1022, 1023, 1024, 1025, 1500]);
  return chance < 0.5 ? 1 + below(next, 40) : 1 + below(next, 300);
}

function lengthsOf(next: Next, limit: number): Uint8Array {
  if (limit === 12 && next() < 0.1) return pick(next, SHAPES);
  const leaves = next() < 0.8 ? 2 + below(next, 20) : 2 + below(next, 255);
  return grownLengths(next, leaves, pick<Growth>(next, ["any", "any", "comb", "bush"]), limit);
}

const SHAPES = shapes().map(([, lengths]) => lengths);

/** Symbols of a code; sometimes only one or two of them, so that most nodes of a tree are passed by none. */
function symbolsOf(lengths: Uint8Array, n: number, next: Next): Uint8Array {
  const symbols = drawn(lengths, n, next, next() < 0.5);
  const chance = next();
  if (chance < 0.1) return symbols.fill(symbols[0]);
  if (chance < 0.2)
    return symbols.map((symbol, i) => (symbol === symbols[0] || i === n >> 1 ? symbol : symbols[n - 1]));
  return symbols;
}

/** Signed bytes, of which a changing part is zero. */
function valuesOf(n: number, next: Next, most = 127): Int8Array {
  const keep = pick(next, [0, 0.02, 0.2, 0.6, 1]);
  const wide = 1 + below(next, most);
  return new Int8Array(n).map(() =>
    next() < keep ? below(next, 2 * wide + 1) - wide - (wide === most ? below(next, 2) : 0) : 0,
  );
}

function coded(bytes: Uint8Array, limit: 11 | 12, next: Next): { symbols: Uint8Array; lengths: Uint8Array } {
  const present = new Set(bytes);
  const wanted = Math.max(2, present.size + (next() < 0.5 ? 0 : below(next, 6)));
  const depths = grownLengths(next, Math.min(256, wanted), pick<Growth>(next, ["any", "bush", "comb"]), limit);
  const list = [...depths].filter((depth) => depth > 0);
  const lengths = new Uint8Array(256);
  for (const symbol of present) lengths[symbol] = list.pop() ?? 0;
  for (let symbol = 0; list.length > 0; symbol++) if (!present.has(symbol)) lengths[symbol] = list.pop() ?? 0;
  return { symbols: bytes, lengths };
}

function huffman({ symbols, lengths }: { symbols: Uint8Array; lengths: Uint8Array }): Uint8Array {
  return concat(writeLengths(lengths, -1), writeStreams(symbols, lengths));
}

/** A stream of any of the codes that may stand inside others. */
function inner(bytes: Uint8Array, next: Next): Uint8Array {
  if (bytes.length === 0 || next() < 0.2) return streamOf(CODE.RAW, bytes);
  if (bytes.every((byte) => byte === bytes[0])) {
    return next() < 0.5 ? streamOf(CODE.CONSTANT, bytes.subarray(0, 1)) : streamOf(CODE.HUFFMAN, only(bytes));
  }
  if (next() < 0.4) return streamOf(CODE.HUFFMAN, huffman(coded(bytes, 11, next)));
  const { symbols, lengths } = coded(bytes, 12, next);
  return streamOf(CODE.PIVOT, pivotEncode(symbols, lengths));
}

function only(bytes: Uint8Array): Uint8Array {
  return concat(writeLengths(new Uint8Array(256), bytes[0]), writeStreams(bytes, new Uint8Array(256)));
}

function mask(bytes: Uint8Array, next: Next): Uint8Array {
  const { mask, values } = maskSplit(bytes);
  return concat(inner(mask, next), inner(values, next));
}

/** Rows or columns; sometimes all of one class, so that the others are empty. */
function classes(bytes: Uint8Array, next: Next): Uint8Array {
  const n = bytes.length;
  const width = pick(next, [1, n, 1 + below(next, n), 1 + below(next, Math.min(n, 40))]);
  const columns = next() < 0.5;
  const count = 2 + below(next, 7);
  const used = next() < 0.1 ? 1 : count;
  const map = new Uint8Array(entriesOf(n, width, columns)).map(() => below(next, used));
  return classesEncode(bytes, { width, columns, map }, count, (list) => inner(list, next));
}

function zrl(n: number, next: Next, most: number): Payload {
  const values = valuesOf(n, next, most);
  const group = pick(next, [n, 1 + below(next, n), 1 + below(next, Math.min(n, 40))]);
  const categories = most === 7 ? 4 : 8;
  const { symbols, raw } = zrlTokens(values, group, categories);
  const head = Uint8Array.of(categories, ...u24(group), ...u24(symbols.length));
  return { n, bytes: concat(head, inner(symbols, next), raw) };
}

function planes(width: number, rotate: boolean, next: Next): Payload {
  const n = Math.ceil(countOf(next) / width);
  const elements = new Uint8Array(n * width).map((_, i) => (i % width < width / 2 ? below(next, 256) : below(next, 4)));
  const split = splitPlanes(elements, width, rotate);
  const parts = Array.from({ length: width }, (_, k) => {
    const plane = split.subarray(k * n, (k + 1) * n);
    const chance = next();
    if (chance < 0.1) return streamOf(CODE.MASK, mask(plane, next));
    if (chance > 0.9) return streamOf(CODE.CLASSES, classes(plane, next));
    return chance < 0.2 ? streamOf(CODE.ZRL, zrlOf(plane, next)) : inner(plane, next);
  });
  return { n: n * width, bytes: concat(...parts) };
}

function zrlOf(bytes: Uint8Array, next: Next): Uint8Array {
  const { symbols, raw } = zrlTokens(new Int8Array(bytes), bytes.length, 8);
  return concat(Uint8Array.of(8, ...u24(bytes.length), ...u24(symbols.length)), inner(symbols, next), raw);
}

/** columns u8, whether there are zero points u8; f32 scales, zero points, codes: n of them in whole rows. */
function dequantize(next: Next): Payload {
  const cols = 1 + below(next, 60);
  const rows = 1 + below(next, 8);
  const asymmetric = below(next, 2);
  const scales = new Float32Array(rows).map(() => pick(next, [1, 1e-38, 1e38, next(), -next()]));
  const rest = new Uint8Array(rows * (asymmetric + cols)).map(() => below(next, 256));
  return { n: rows * cols, bytes: concat(Uint8Array.of(cols, asymmetric), new Uint8Array(scales.buffer), rest) };
}

const GROW = {
  pivot: (next) => (next() < 0.9 ? tree(next, 12, pivotEncode) : blocks(next)),
  huffman: (next) => {
    const n = countOf(next);
    if (next() < 0.05) return { n, bytes: only(new Uint8Array(n).fill(below(next, 256))) };
    return tree(next, 11, (symbols, lengths) => huffman({ symbols, lengths }));
  },
  mask: (next) => {
    const n = countOf(next);
    return { n, bytes: mask(new Uint8Array(valuesOf(n, next)), next) };
  },
  classes: (next) => {
    const n = countOf(next);
    return { n, bytes: classes(new Uint8Array(valuesOf(n, next)), next) };
  },
  zrl: (next) => zrl(countOf(next), next, 127),
  zrl4: (next) => zrl(countOf(next), next, 7),
  planes2: (next) => planes(2, true, next),
  int16: (next) => planes(2, false, next),
  planes4: (next) => planes(4, true, next),
  planes4i: (next) => planes(4, false, next),
  planes8: (next) => planes(8, true, next),
  stream: (next) => {
    const n = countOf(next);
    const bytes = new Uint8Array(valuesOf(n, next));
    if (next() < 0.2) return { n, bytes: streamOf(CODE.CLASSES, classes(bytes, next)) };
    return { n, bytes: next() < 0.5 ? streamOf(CODE.MASK, mask(bytes, next)) : inner(bytes, next) };
  },
  unpack4: (next) => {
    const n = countOf(next);
    return { n, bytes: new Uint8Array(Math.ceil(n / 2)).map(() => below(next, 256)) };
  },
  dequantize,
  /** f32 scale, int16 codes. */
  dequantize16: (next) => {
    const n = countOf(next);
    const scale = Float32Array.of(pick(next, [1, 1e-38, 1e38, next(), -next()]));
    return {
      n,
      bytes: concat(
        new Uint8Array(scale.buffer),
        new Uint8Array(2 * n).map(() => below(next, 256)),
      ),
    };
  },
} satisfies Record<string, (next: Next) => Payload>;

export type Kind = keyof typeof GROW;

// Pivot is what is new.
export const KINDS: Kind[] = ["pivot", "pivot", "pivot", ...(Object.keys(GROW) as Kind[])];

function tree(next: Next, limit: number, write: (symbols: Uint8Array, lengths: Uint8Array) => Uint8Array): Payload {
  const n = countOf(next);
  const lengths = lengthsOf(next, limit);
  return { n, bytes: write(symbolsOf(lengths, n, next), lengths) };
}

/** Blocks of every kind, under tables that change. */
function blocks(next: Next): Payload {
  const n = countOf(next);
  let lengths: Uint8Array | undefined;
  const parts: Uint8Array[] = [];
  for (let start = 0; start < n; start += BLOCK) {
    const count = Math.min(BLOCK, n - start);
    const kind = below(next, 4);
    if (kind === 0)
      parts.push(
        Uint8Array.of(0),
        new Uint8Array(count).map(() => below(next, 256)),
      );
    else if (kind === 1) parts.push(Uint8Array.of(1, below(next, 256)));
    else {
      if (kind === 3 && lengths) parts.push(Uint8Array.of(3));
      else {
        lengths = lengthsOf(next, 12);
        parts.push(Uint8Array.of(2), writeLengths(lengths, -1, 12));
      }
      parts.push(writeNodes(symbolsOf(lengths, count, next), lengths));
    }
  }
  return { n, bytes: concat(...parts) };
}

export function grow(kind: Kind, next: Next): Payload {
  return GROW[kind](next);
}

import { demand } from "../errors.ts";
import { checked, type Kernels } from "../kernels.ts";
import { fileOffset, type HuffmanMeasure, measureHuffman, type Place, readHuffman, writeHuffman } from "./entropy.ts";

// Values to a zrl payload and back: zero runs and level categories as symbols, magnitudes and signs as raw bits.

const HEADER_BYTES = 10;
const PAIRS = 254;

/** What a zrl payload would take. */
export interface ZrlMeasure {
  readonly group: number;
  readonly categories: number;
  /** Count of symbols. */
  readonly symbols: number;
  readonly huffman: HuffmanMeasure;
  /** Bytes of raw bits. */
  readonly raw: number;
  /** Exact bytes of the payload. */
  readonly bytes: number;
}

/** Largest level category of the values whose bytes were counted; 1 if all are zero. */
export function categoriesOf(counts: Uint32Array): number {
  let largest = 1;
  for (let byte = 1; byte < 256; byte++) {
    if (counts[byte]) largest = Math.max(largest, categoryOf(byte));
  }
  return largest;
}

/**
 * A lower bound, in bytes, of any zrl payload of n signed bytes in one group, from their counts and those of the bytes
 * behind a zero. The symbols (with their escapes) are a prefix code that tells of every value its category and whether a
 * zero came before, so they take at least the entropy of these two; the raw bits are known.
 */
export function zrlBound(kernels: Kernels, src: number, n: number, counts: Uint32Array): number {
  const { histogram } = kernels.arena(0, "encode");
  kernels.run.afterZeros(src, n, histogram);
  const behind = new Uint32Array(kernels.bytes().slice(histogram, histogram + 1024).buffer);
  const classes = new Float64Array(18);
  let bits = 0;
  for (let byte = 1; byte < 256; byte++) {
    const category = categoryOf(byte);
    const [all, after] = [counts[byte] as number, behind[byte] as number];
    bits += all * category;
    classes[category] = (classes[category] as number) + all - after;
    classes[category + 9] = (classes[category + 9] as number) + after;
  }
  const values = n - (counts[0] as number);
  for (const count of classes) if (count > 0) bits -= count * Math.log2(count / values);
  return Math.floor(bits / 8);
}

function categoryOf(byte: number): number {
  return 32 - Math.clz32(Math.abs((byte << 24) >> 24));
}

/**
 * Measures n >= 1 signed bytes at src in groups of `group`. Leaves the symbols in arena.symbols, the raw bits in
 * arena.floats and the code lengths of the symbols in arena.lengths[1], where writeZrl takes them from.
 */
export function measureZrl(kernels: Kernels, src: number, n: number, group: number, categories: number): ZrlMeasure {
  const arena = kernels.arena(0, "encode");
  const symbols = kernels.run.zrlTokens(src, n, group, categories, arena.symbols, arena.floats);
  const huffman = measureHuffman(kernels, arena.symbols, symbols, 1);
  const escapeSymbol = Math.floor(PAIRS / categories) * categories;
  let bits = 0;
  for (let s = 0; s < escapeSymbol; s++) bits += (huffman.counts[s] as number) * ((s % categories) + 1);
  const raw = Math.ceil(bits / 8);
  return { group, categories, symbols, huffman, raw, bytes: HEADER_BYTES + huffman.bytes + raw };
}

/** Writes the payload of the latest measureZrl. Returns its bytes. */
export function writeZrl(kernels: Kernels, measure: ZrlMeasure, dst: number): number {
  const arena = kernels.arena(0, "encode");
  const { symbols, huffman } = measure;
  const coded = writeHuffman(kernels, arena.symbols, symbols, 1, huffman.only, dst + HEADER_BYTES);
  const view = kernels.view();
  view.setUint32(dst, measure.categories | (measure.group << 8), true);
  view.setUint32(dst + 4, (symbols & 0xffffff) | (coded << 24), true);
  view.setUint16(dst + 8, coded >>> 8, true);
  kernels.bytes().copyWithin(dst + HEADER_BYTES + coded, arena.floats, arena.floats + measure.raw);
  return HEADER_BYTES + coded + measure.raw;
}

/**
 * Reads the payload of `size` bytes at `at` into n >= 1 signed bytes at dst.
 * @param most - largest level category: 8, or 4 for int4
 * @throws FormatError
 */
export function readZrl(
  kernels: Kernels,
  at: number,
  size: number,
  n: number,
  most: 4 | 8,
  dst: number,
  place: Place,
): void {
  const arena = kernels.arena(0, "decode");
  const offset = fileOffset(place, arena, at);
  const named = (name: string) => `${place.field}, ${name}`;
  demand(size >= HEADER_BYTES, "truncated", offset, named("zrl header"), `${HEADER_BYTES} bytes`, size);
  const view = kernels.view();
  const categories = view.getUint8(at);
  const group = view.getUint32(at, true) >>> 8;
  const symbols = view.getUint32(at + 4, true) & 0xffffff;
  const coded = view.getUint32(at + 6, true) >>> 8;
  demand(
    categories >= 1 && categories <= most,
    "categories",
    offset,
    named("zrl categories"),
    `1..${most}`,
    categories,
  );
  demand(group >= 1 && group <= n, "group", offset + 1, named("zrl group"), `1..${n}`, group);
  demand(symbols >= 1 && symbols <= n, "symbols", offset + 4, named("zrl symbol count"), `1..${n}`, symbols);
  const rest = size - HEADER_BYTES;
  demand(coded <= rest, "truncated", offset + 7, named("zrl symbol bytes"), `at most ${rest}`, coded);
  const inner = { offset: place.offset, field: named("zrl symbols") };
  readHuffman(kernels, at + HEADER_BYTES, coded, symbols, arena.symbols, inner);
  const raw = at + HEADER_BYTES + coded;
  const result = kernels.run.zrlValues(arena.symbols, symbols, raw, rest - coded, group, categories, n, dst);
  checked(result, fileOffset(place, arena, raw), named("zrl values"));
}

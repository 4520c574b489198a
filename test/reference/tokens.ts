import { bitReader, bytesOfBits, readU24, u24 } from "./bits.ts";
import { concat, huffmanEncode } from "./huffman.ts";
import { CODE, innerStream, streamOf } from "./stream.ts";

export interface Tokens {
  symbols: Uint8Array;
  raw: Uint8Array;
}

/** Bits needed for the magnitude. */
export function categoryOf(value: number): number {
  return Math.abs(value).toString(2).length;
}

export function largestCategory(values: Int8Array): number {
  return values.reduce((most, value) => Math.max(most, categoryOf(value)), 1);
}

/** R: a symbol can hold fewer zeros than this. */
export function runsOf(categories: number): number {
  return Math.floor(254 / categories);
}

/** The bits of the magnitude below its leading one, least significant first, then the sign. */
function rawBits(value: number): number[] {
  const bits: number[] = [];
  for (let k = 0; k < categoryOf(value) - 1; k++) bits.push((Math.abs(value) >> k) & 1);
  return [...bits, value < 0 ? 1 : 0];
}

export function zrlTokens(values: Int8Array, group: number, categories: number): Tokens {
  const symbols: number[] = [];
  const bits: number[] = [];
  for (let start = 0; start < values.length; start += group) {
    const cut = values.subarray(start, start + group);
    for (const symbol of groupSymbols(cut, categories)) symbols.push(symbol);
    for (const value of cut) if (value !== 0) bits.push(...rawBits(value));
  }
  return { symbols: Uint8Array.from(symbols), raw: bytesOfBits(bits) };
}

function* groupSymbols(values: Int8Array, categories: number): Generator<number> {
  const runs = runsOf(categories);
  let run = 0;
  for (const value of values) {
    if (value === 0) run++;
    else {
      for (; run >= runs; run -= runs) yield runs * categories;
      yield run * categories + categoryOf(value) - 1;
      run = 0;
    }
  }
  if (run > 0) yield runs * categories + 1;
}

export function zrlValues(tokens: Tokens, group: number, categories: number, n: number): Int8Array {
  const bits = bitReader(tokens.raw);
  const values: number[] = [];
  const escapeSymbol = runsOf(categories) * categories;
  let escaped = false;
  for (const symbol of tokens.symbols) {
    if (values.length === n) throw new Error("COUNT");
    // The last group may be shorter.
    const left = Math.min(group - (values.length % group), n - values.length);
    if (symbol > escapeSymbol + 1) throw new Error("SYMBOL");
    // Zeros at the end of a group are written as one end symbol, never as escapes.
    if (symbol === escapeSymbol + 1 && escaped) throw new Error("RUN");
    if (symbol === escapeSymbol + 1) pushZeros(values, left);
    else if (symbol === escapeSymbol) pushZeros(values, inside(runsOf(categories), left));
    else {
      pushZeros(values, inside(Math.floor(symbol / categories), left));
      values.push(readValue(bits.next, (symbol % categories) + 1));
    }
    escaped = symbol === escapeSymbol;
  }
  if (values.length !== n) throw new Error("COUNT");
  bits.end();
  return Int8Array.from(values);
}

function pushZeros(values: number[], count: number): void {
  for (let i = 0; i < count; i++) values.push(0);
}

/** Behind the zeros of a run or an escape the group still has a value. */
function inside(run: number, left: number): number {
  if (run >= left) throw new Error("RUN");
  return run;
}

function readValue(next: () => number, category: number): number {
  let magnitude = 2 ** (category - 1);
  for (let k = 0; k < category - 1; k++) magnitude += next() * 2 ** k;
  const value = next() === 1 ? -magnitude : magnitude;
  if (value < -128 || value > 127) throw new Error("LEVEL");
  return value;
}

/** The symbols are a stream of its own; by default of Huffman codes. */
export function zrlEncode(
  values: Int8Array,
  group: number,
  inner = (symbols: Uint8Array) => streamOf(CODE.HUFFMAN, huffmanEncode(symbols)),
): Uint8Array {
  const categories = largestCategory(values);
  const { symbols, raw } = zrlTokens(values, group, categories);
  const head = [categories, ...u24(group), ...u24(symbols.length)];
  return concat(Uint8Array.from(head), inner(symbols), raw);
}

export function zrlDecode(payload: Uint8Array, n: number, bits: 4 | 8 = 8): Int8Array {
  if (payload.length < 11) throw new Error("SIZES");
  const categories = payload[0];
  if (categories < 1 || categories > bits) throw new Error("LEVEL");
  const [group, m] = [1, 4].map((at) => readU24(payload, at));
  // Every symbol stands for at least one value.
  if (group < 1 || m < 1 || m > n) throw new Error("COUNT");
  const symbols = innerStream(payload.subarray(7), m);
  const tokens = { symbols: symbols.bytes, raw: payload.subarray(7 + symbols.size) };
  const values = zrlValues(tokens, group, categories, n);
  const least = -(2 ** (bits - 1));
  if (values.some((value) => value < least || value >= -least)) throw new Error("LEVEL");
  return values;
}

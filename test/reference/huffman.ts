import { bitReader, bytesOfBits, readU24, u24 } from "./bits.ts";
import { histogram } from "./histogram.ts";

export const LIMIT = 11;

export interface Table {
  lengths: Uint8Array;
  /** The symbol of a one-symbol table, whose lengths are all 0; else -1. */
  onlySymbol: number;
}

interface Item {
  weight: number;
  symbols: number[];
}

/** Optimal code lengths up to `limit`, by package-merge. Fewer than two present symbols need no code: all 0. */
export function codeLengths(hist: Uint32Array, limit = LIMIT): Uint8Array {
  const leaves = Array.from(hist, (weight, symbol): Item => ({ weight, symbols: [symbol] }))
    .filter((leaf) => leaf.weight > 0)
    .sort((a, b) => a.weight - b.weight || a.symbols[0] - b.symbols[0]);
  const lengths = new Uint8Array(256);
  if (leaves.length < 2) return lengths;
  let list = leaves;
  for (let level = 1; level < limit; level++) list = merge(leaves, packages(list));
  for (const item of list.slice(0, 2 * (leaves.length - 1))) {
    for (const symbol of item.symbols) lengths[symbol]++;
  }
  return lengths;
}

function packages(list: Item[]): Item[] {
  const pairs: Item[] = [];
  for (let i = 0; i + 1 < list.length; i += 2) {
    const [a, b] = [list[i], list[i + 1]];
    pairs.push({ weight: a.weight + b.weight, symbols: [...a.symbols, ...b.symbols] });
  }
  return pairs;
}

function merge(leaves: Item[], pairs: Item[]): Item[] {
  // The sort is stable, so a leaf stays before a package of the same weight.
  return [...leaves, ...pairs].sort((a, b) => a.weight - b.weight);
}

function bytesOfNibbles(nibbles: number[]): Uint8Array {
  const bytes = new Uint8Array(Math.ceil(nibbles.length / 2));
  nibbles.forEach((nibble, i) => {
    bytes[i >> 1] |= nibble << (4 * (i & 1));
  });
  return bytes;
}

function absent(run: number): number[] {
  if (run === 0) return [];
  return run < 16 ? [0, run - 1] : [0, 15, (run - 16) & 15, (run - 16) >> 4];
}

/** Under a limit of 12 (pivot) symbols stand by signed value, and a length that three or more symbols repeat is a run. */
export function writeLengths(lengths: Uint8Array, onlySymbol: number, limit = LIMIT): Uint8Array {
  if (onlySymbol >= 0) return bytesOfNibbles([...absent(onlySymbol), 15]);
  const nibbles: number[] = [];
  const inOrder = Array.from(lengths, (_, place) => lengths[symbolAt(place, limit)]);
  for (let place = 0; place < 256; ) {
    const length = inOrder[place];
    let end = place + 1;
    while (end < 256 && inOrder[end] === length) end++;
    const again = end - place - 1;
    if (length === 0) {
      if (inOrder.slice(end).some((l) => l > 0)) nibbles.push(...absent(end - place));
      place = end;
    } else if (limit > LIMIT && again >= 3) {
      nibbles.push(length, 13, ...runNibbles(again - 3));
      place = end;
    } else {
      nibbles.push(length);
      place++;
    }
  }
  return bytesOfNibbles(nibbles);
}

function symbolAt(place: number, limit: number): number {
  return limit > LIMIT ? (place + 128) % 256 : place;
}

function runNibbles(more: number): number[] {
  return more < 15 ? [more] : [15, (more - 15) % 16, Math.floor((more - 15) / 16)];
}

function nibbleReader(bytes: Uint8Array): { next(): number; used(): number } {
  let position = 0;
  const next = () => {
    if (position === 2 * bytes.length) throw new Error("LENGTHS");
    const byte = bytes[position >> 1];
    return position++ % 2 === 0 ? byte & 15 : byte >> 4;
  };
  const used = () => {
    if (position % 2 === 1 && next() !== 0) throw new Error("LENGTHS");
    return position / 2;
  };
  return { next, used };
}

/** Under a limit of 12 (pivot) there is no table of an only symbol, but runs of a length. */
export function readLengths(bytes: Uint8Array, limit = LIMIT): Table & { size: number } {
  const full = 2 ** limit;
  const nibbles = nibbleReader(bytes);
  const lengths = new Uint8Array(256);
  let place = 0;
  let kraft = 0;
  let before: "start" | "absent" | "again" | number = "start";
  const put = (length: number) => {
    if (place > 255) throw new Error("LENGTHS");
    lengths[symbolAt(place++, limit)] = length;
    kraft += 2 ** (limit - length);
  };
  while (kraft < full) {
    const nibble = nibbles.next();
    if (nibble === 0) {
      if (before === "absent") throw new Error("LENGTHS");
      place += readRun(nibbles.next);
      if (place > 256) throw new Error("LENGTHS");
      before = "absent";
    } else if (nibble === 13 && limit > LIMIT) {
      const run = readRun(nibbles.next) + 2;
      if (typeof before !== "number") throw new Error("LENGTHS");
      for (let k = 0; k < run; k++) put(before);
      before = "again";
    } else if (place > 255) throw new Error("LENGTHS");
    else if (nibble === 15 && kraft === 0 && limit === LIMIT)
      return { lengths, onlySymbol: place, size: nibbles.used() };
    else if (nibble > limit) throw new Error("LENGTHS");
    else {
      put(nibble);
      before = nibble;
    }
  }
  if (kraft > full) throw new Error("KRAFT");
  return { lengths, onlySymbol: -1, size: nibbles.used() };
}

function readRun(next: () => number): number {
  const run = next();
  if (run < 15) return run + 1;
  const low = next();
  return 16 + low + 16 * next();
}

/** The canonical code of every present symbol, as a string of 0 and 1: shorter first, then smaller symbols first. */
export function canonicalCodes(lengths: Uint8Array): Map<number, string> {
  const codes = new Map<number, string>();
  let code = 0;
  for (let length = 1; length <= LIMIT; length++) {
    for (let symbol = 0; symbol < 256; symbol++) {
      if (lengths[symbol] === length) codes.set(symbol, (code++).toString(2).padStart(length, "0"));
    }
    code *= 2;
  }
  return codes;
}

/** How many symbols each bit stream holds. */
export function shares(n: number): number[] {
  if (n < 1024) return [n];
  const share = Math.floor(n / 6);
  return [share, share, share, share, share, n - 5 * share];
}

export function tableOf(symbols: Uint8Array): Table {
  const hist = histogram(symbols);
  const present = [...hist.keys()].filter((symbol) => hist[symbol] > 0);
  return { lengths: codeLengths(hist), onlySymbol: present.length === 1 ? present[0] : -1 };
}

/** The sizes and bit streams, that is all that follows the code lengths. */
export function writeStreams(symbols: Uint8Array, lengths: Uint8Array): Uint8Array {
  const codes = canonicalCodes(lengths);
  const bitsOf = Array.from({ length: 256 }, (_, symbol) => Array.from(codes.get(symbol) ?? "", Number));
  const streams: Uint8Array[] = [];
  let start = 0;
  for (const share of shares(symbols.length)) {
    const bits: number[] = [];
    for (const symbol of symbols.subarray(start, start + share)) bits.push(...bitsOf[symbol]);
    streams.push(bytesOfBits(bits));
    start += share;
  }
  const sizes = streams.slice(0, -1).flatMap((stream) => u24(stream.length));
  return concat(Uint8Array.from(sizes), ...streams);
}

export function huffmanEncode(symbols: Uint8Array): Uint8Array {
  if (symbols.length === 0) throw new Error("no code for no symbols");
  const { lengths, onlySymbol } = tableOf(symbols);
  return concat(writeLengths(lengths, onlySymbol), writeStreams(symbols, lengths));
}

export function huffmanDecode(payload: Uint8Array, n: number): Uint8Array {
  const table = readLengths(payload);
  return readStreams(payload.subarray(table.size), n, table);
}

export function readStreams(bytes: Uint8Array, n: number, { lengths, onlySymbol }: Table): Uint8Array {
  if (n < 1) throw new Error("COUNT");
  const symbolOf = new Map([...canonicalCodes(lengths)].map(([symbol, code]) => [code, symbol]));
  if (onlySymbol >= 0) symbolOf.set("", onlySymbol);
  const result: number[] = [];
  cutStreams(bytes, n).forEach((stream, k) => {
    const bits = bitReader(stream);
    for (let i = 0; i < shares(n)[k]; i++) result.push(readSymbol(bits.next, symbolOf));
    bits.end();
  });
  return Uint8Array.from(result);
}

function readSymbol(next: () => number, symbolOf: Map<string, number>): number {
  let code = "";
  let symbol = symbolOf.get(code);
  while (symbol === undefined) {
    code += next();
    symbol = symbolOf.get(code);
  }
  return symbol;
}

function cutStreams(bytes: Uint8Array, n: number): Uint8Array[] {
  const sizes = 3 * (shares(n).length - 1);
  if (bytes.length < sizes) throw new Error("SIZES");
  const streams: Uint8Array[] = [];
  let start = sizes;
  for (let at = 0; at < sizes; at += 3) {
    const end = start + readU24(bytes, at);
    if (end > bytes.length) throw new Error("SIZES");
    streams.push(bytes.subarray(start, end));
    start = end;
  }
  return [...streams, bytes.subarray(start)];
}

export function concat(...parts: Uint8Array[]): Uint8Array {
  const bytes = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    bytes.set(part, at);
    at += part.length;
  }
  return bytes;
}

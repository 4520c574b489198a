import { demand } from "../errors.ts";
import { checked, type Kernels } from "../kernels.ts";
import { readSimple } from "./entropy.ts";
import { bestSimple } from "./mask.ts";
import {
  type Candidate,
  fileOffset,
  HEADER_BYTES,
  LAMBDA,
  type Place,
  STEPS,
  within,
  writeCandidate,
} from "./stream.ts";

// Values to a zrl payload and back: zero runs and level categories as symbols, magnitudes and signs as raw bits.

/** What lies before the stream of symbols. */
export const HEAD_BYTES = 7;

/** A zrl payload that has been measured, not written: until the next measureZrl its parts lie in the arena. */
export interface ZrlCandidate extends Candidate {
  readonly group: number;
  /** The stream of symbols. */
  readonly symbols: Candidate;
  /** Bytes of raw bits. */
  readonly raw: number;
}

/** Largest level category of the values whose bytes were counted; 1 if all are zero. */
function categoriesOf(counts: Uint32Array): number {
  let largest = 1;
  for (let byte = 1; byte < 256; byte++) {
    if (counts[byte]) largest = Math.max(largest, categoryOf(byte));
  }
  return largest;
}

function categoryOf(byte: number): number {
  return 32 - Math.clz32(Math.abs((byte << 24) >> 24));
}

/** Raw bits of values with these counts: the category of each, as a field takes one bit less and a sign one. */
function rawBits(counts: Uint32Array): number {
  return counts.reduce((bits, count, byte) => bits + count * categoryOf(byte), 0);
}

/**
 * Measures n >= 1 signed bytes at src, of which each occurs as often as `counts` say, in groups of `group`. Leaves the symbols in
 * arena.symbols and the raw bits in arena.floats, where writing takes them from.
 */
export function measureZrl(
  kernels: Kernels,
  src: number,
  n: number,
  group: number,
  counts: Uint32Array,
  lambda = LAMBDA,
): ZrlCandidate {
  const categories = categoriesOf(counts);
  const arena = kernels.arena(0, "encode");
  const count = kernels.run.zrlTokens(src, n, group, categories, arena.symbols, arena.floats);
  const raw = Math.ceil(rawBits(counts) / 8);
  const symbols = bestSimple(kernels, arena.symbols, count, lambda);
  const bytes = HEAD_BYTES + HEADER_BYTES + symbols.bytes + raw;
  const steps = symbols.steps + STEPS.zrlSymbol * count + STEPS.zrlByte * n;
  const write = (dst: number): number => {
    const view = kernels.view();
    view.setUint32(dst, categories | (group << 8), true);
    view.setUint32(dst + 4, count, true);
    const end = dst + HEAD_BYTES + writeCandidate(kernels, symbols, dst + HEAD_BYTES).bytes;
    kernels.bytes().copyWithin(end, arena.floats, arena.floats + raw);
    return end + raw - dst;
  };
  return { code: "zrl", bytes, steps, group, symbols, raw, write };
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
  demand(size >= HEAD_BYTES, "truncated", offset, named("zrl header"), `${HEAD_BYTES} bytes`, size);
  const view = kernels.view();
  const categories = view.getUint8(at);
  const group = view.getUint32(at, true) >>> 8;
  const symbols = view.getUint32(at + 3, true) >>> 8;
  const known = categories >= 1 && categories <= most;
  demand(known, "categories", offset, named("zrl categories"), `1..${most}`, categories);
  demand(group >= 1 && group <= n, "group", offset + 1, named("zrl group"), `1..${n}`, group);
  demand(symbols >= 1 && symbols <= n, "symbols", offset + 4, named("zrl symbol count"), `1..${n}`, symbols);
  const end = at + size;
  const raw = readSimple(kernels, at + HEAD_BYTES, end, symbols, arena.symbols, within(place, "zrl symbols"));
  const result = kernels.run.zrlValues(arena.symbols, symbols, raw, end - raw, group, categories, n, dst);
  checked(result, fileOffset(place, arena, raw), named("zrl values"));
}

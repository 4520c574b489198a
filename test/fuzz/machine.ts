import { BLOCK, CODE } from "../reference.ts";
import { STATUS } from "../status.ts";
import type { Case } from "./cases.ts";
import { partsOf, STREAMS } from "./expected.ts";
import type { FuzzTier } from "./tiers.ts";

// The kernels of one tier put together as a decoder of streams, with canaries around all they write. Lean: no copies but
// of the input, every region laid out once.

/** Decoded bytes a case may have. */
export const CAPACITY = 135_000;
const SLACK = 64;
const CANARY = 64;
const WORK = 81920;
const MARK = 0xa5;

export interface Machine {
  tier: FuzzTier;
  /** The count of bytes at `result`, or a status. Throws if a kernel traps or writes where it may not. */
  decode(one: Case): number;
  /** The last result; valid until the next call. */
  result(size: number): Uint8Array;
}

interface Regions {
  [name: string]: number;
}

function layOut(base: number): Regions {
  let at = (base + 63) & ~63;
  const sizes = {
    lengths: 260,
    work: WORK,
    plain: CAPACITY,
    planes: CAPACITY,
    values: CAPACITY,
    symbols: CAPACITY,
    mask: CAPACITY,
    scales: 4096,
    floats: 4 * CAPACITY,
  };
  const regions: Regions = {};
  for (const [name, size] of Object.entries(sizes)) {
    at += CANARY;
    regions[name] = at;
    at = (at + size + SLACK + CANARY + 63) & ~63;
  }
  return { ...regions, end: at };
}

export function machineOf(tier: FuzzTier): Machine {
  const memory = tier.memory();
  const view = new DataView(memory.buffer, memory.byteOffset, memory.byteLength);
  const at = layOut(tier.exports.heapBase());
  const state: State = { tier, memory, view, at, turn: 0 };
  let result = 0;
  const decode = (one: Case): number => {
    const { bytes } = one;
    // Up against the end of memory: a tier that reads further than 64 bytes behind its input traps.
    const src = memory.length - 64 - (state.turn++ & 15) - bytes.length;
    if (src < at.end) throw new Error("this case is too large");
    memory.set(bytes, src);
    result = one.kind.startsWith("dequantize") ? at.floats : at.plain;
    const status = decodeCase(state, one, src);
    if (!same(memory, src, bytes)) throw new Error("the input was changed");
    return status;
  };
  return { tier, decode, result: (size) => memory.subarray(result, result + size) };
}

interface State {
  tier: FuzzTier;
  memory: Uint8Array;
  view: DataView;
  at: Regions;
  turn: number;
}

export function same(memory: Uint8Array, at: number, bytes: Uint8Array): boolean {
  for (let i = 0; i < bytes.length; i++) if (memory[at + i] !== bytes[i]) return false;
  return true;
}

/** Calls a kernel that writes `size` bytes at dst, and perhaps `slack` behind. */
function guarded(
  { tier, memory }: State,
  kernel: string,
  dst: number,
  size: number,
  slack: number,
  front: boolean,
  ...args: number[]
): number {
  const behind = dst + size + slack;
  memory.fill(MARK, behind, behind + CANARY);
  if (front) memory.fill(MARK, dst - CANARY, dst);
  const status = tier.exports[kernel](...args);
  for (let i = 0; i < CANARY; i++)
    if (memory[behind + i] !== MARK) throw new Error(`${kernel} wrote behind its output`);
  if (front) {
    for (let i = 1; i <= CANARY; i++)
      if (memory[dst - i] !== MARK) throw new Error(`${kernel} wrote before its output`);
  }
  return status;
}

function decodeCase(state: State, { kind, n, bytes }: Case, src: number): number {
  const { at } = state;
  const stream = STREAMS[kind];
  if (stream) {
    if (n % stream.width !== 0) return STATUS.COUNT;
    if (stream.int4) return zrl4(state, src, bytes.length, n, at.plain);
    return payload(state, stream.code, src, bytes.length, n, at.plain, stream.width, stream.float);
  }
  if (kind === "stream") {
    const used = outer(state, src, bytes.length, n, at.plain);
    return used < 0 ? used : used === bytes.length ? n : STATUS.SIZES;
  }
  if (kind === "dequantize") return dequantize(state, bytes, n, src);
  if (kind === "dequantize16") return dequantize16(state, bytes, n, src);
  if (bytes.length !== Math.ceil(n / 2)) return STATUS.SIZES;
  return guarded(state, "unpack4", at.plain, n, 0, true, src, n, at.plain);
}

function u24(memory: Uint8Array, at: number): number {
  return memory[at] | (memory[at + 1] << 8) | (memory[at + 2] << 16);
}

/** A stream of n bytes, of any code but planes; returns the bytes it takes. */
function outer(state: State, src: number, size: number, n: number, dst: number): number {
  const { memory } = state;
  if (size < 4) return STATUS.SIZES;
  const length = u24(memory, src + 1);
  if (4 + length > size) return STATUS.SIZES;
  const status = payload(state, memory[src], src + 4, length, n, dst, 1, false);
  return status < 0 ? status : 4 + length;
}

/** As outer, but only of the codes that may stand inside zrl and mask. */
function inner(state: State, src: number, size: number, n: number, dst: number): number {
  const code = state.memory[src];
  const nests = code === CODE.ZRL || code === CODE.MASK || code === CODE.CLASSES;
  if (size >= 4 && nests) return STATUS.COUNT;
  return outer(state, src, size, n, dst);
}

function payload(
  state: State,
  code: number,
  src: number,
  size: number,
  n: number,
  dst: number,
  width: number,
  float: boolean,
): number {
  const { memory } = state;
  if (code === CODE.RAW) {
    if (size !== n) return STATUS.COUNT;
    memory.copyWithin(dst, src, src + n);
    return n;
  }
  if (n === 0) return STATUS.COUNT;
  if (code === CODE.CONSTANT && size === 1) {
    memory.fill(memory[src], dst, dst + n);
    return n;
  }
  if (code === CODE.HUFFMAN) return huffman(state, src, size, n, dst);
  if (code === CODE.PIVOT) return pivot(state, src, size, n, dst);
  if (code === CODE.MASK) return mask(state, src, size, n, dst);
  if (code === CODE.CLASSES) return classes(state, src, size, n, dst);
  if (code === CODE.ZRL) return zrl(state, src, size, n, 8, dst);
  if (code === CODE.PLANES && width > 1) return planes(state, src, size, n, width, float, dst);
  return STATUS.COUNT;
}

function huffman(state: State, src: number, size: number, n: number, dst: number): number {
  const { at, view, memory } = state;
  const table = guarded(state, "readLengths", at.lengths, 260, 0, true, src, size, 11, at.lengths);
  if (table < 0) return table;
  const only = view.getInt32(at.lengths + 256, true);
  if (only < 0) return guarded(state, "huffmanDecode", dst, n, 0, true, src + table, size - table, n, at.lengths, dst);
  // Streams of no bits: none, or six of which five have their size.
  const rest = size - table;
  if (rest !== (n < 1024 ? 0 : 15)) return rest < 15 && n >= 1024 ? STATUS.SIZES : STATUS.BITS;
  for (let i = 0; i < rest; i++) if (memory[src + table + i] !== 0) return STATUS.BITS;
  memory.fill(only, dst, dst + n);
  return n;
}

function pivot(state: State, src: number, size: number, n: number, dst: number): number {
  const { at, memory } = state;
  memory.fill(MARK, at.work + WORK, at.work + WORK + CANARY);
  memory.fill(MARK, at.work - CANARY, at.work);
  let used = 0;
  for (let start = 0; start < n; start += BLOCK) {
    const count = Math.min(BLOCK, n - start);
    const first = start === 0;
    const args = [src + used, size - used, count, first ? 1 : 0, dst + start, at.work];
    const status = guarded(state, "pivotBlock", dst + start, count, SLACK, first, ...args);
    for (let i = 0; i < CANARY; i++) {
      if (memory[at.work + WORK + i] !== MARK || memory[at.work - 1 - i] !== MARK)
        throw new Error("pivotBlock left work");
    }
    if (status < 0) return status;
    used += status;
    if (status === 0 || used > size) throw new Error(`pivotBlock took ${status} bytes`);
  }
  return used === size ? n : STATUS.SIZES;
}

function mask(state: State, src: number, size: number, n: number, dst: number): number {
  const { at, tier } = state;
  const used = inner(state, src, size, Math.ceil(n / 8), at.mask);
  if (used < 0) return used;
  const count = tier.exports.maskCount(at.mask, n);
  if (count < 0) return count;
  const more = inner(state, src + used, size - used, count, at.values);
  if (more < 0) return more;
  if (used + more !== size) return STATUS.SIZES;
  const taken = guarded(state, "maskExpand", dst, n, SLACK, true, at.mask, n, at.values, dst);
  if (taken !== count) throw new Error(`maskExpand took ${taken} of ${count}`);
  return n;
}

function classes(state: State, src: number, size: number, n: number, dst: number): number {
  const { at, memory, view } = state;
  if (size < 4) return STATUS.SIZES;
  const [width, count, columns] = [u24(memory, src), memory[src + 3] & 127, memory[src + 3] >> 7];
  if (width < 1 || width > n || count < 2 || count > 8) return STATUS.COUNT;
  const entries = columns ? width : Math.ceil(n / width);
  const map = inner(state, src + 4, size - 4, entries, at.symbols);
  if (map < 0) return map;
  const counted = guarded(
    state,
    "classCounts",
    at.scales,
    32,
    0,
    true,
    at.symbols,
    n,
    width,
    columns,
    count,
    at.scales,
  );
  if (counted < 0) return counted;
  let [used, start] = [4 + map, 0];
  for (let k = 0; k < 8; k++) {
    const length = view.getUint32(at.scales + 4 * k, true);
    view.setUint32(at.scales + 4 * k, start, true);
    if (k < count) {
      // Decoded apart, because canaries would fall on the list before.
      const taken = inner(state, src + used, size - used, length, dst);
      if (taken < 0) return taken;
      memory.copyWithin(at.values + start, dst, dst + length);
      used += taken;
    } else if (length > 0) throw new Error(`classCounts counted class ${k}`);
    start += length;
  }
  if (used !== size || start !== n) return STATUS.SIZES;
  const args = [at.values, n, width, columns, at.symbols, at.scales, dst, at.work];
  return guarded(state, "classScatter", dst, n, 0, true, ...args);
}

function zrl(state: State, src: number, size: number, n: number, bits: number, dst: number): number {
  const { at, memory } = state;
  if (size < 11) return STATUS.SIZES;
  const categories = memory[src];
  const [group, m] = [u24(memory, src + 1), u24(memory, src + 4)];
  if (categories < 1 || categories > bits) return STATUS.LEVEL;
  if (group < 1 || group > n || m < 1 || m > n) return STATUS.COUNT;
  const used = inner(state, src + 7, size - 7, m, at.symbols);
  if (used < 0) return used;
  const [raw, rawSize] = [src + 7 + used, size - 7 - used];
  return guarded(state, "zrlValues", dst, n, 0, true, at.symbols, m, raw, rawSize, group, categories, n, dst);
}

function zrl4(state: State, src: number, size: number, n: number, dst: number): number {
  const { at } = state;
  const status = zrl(state, src, size, n, 4, at.values);
  return status < 0 ? status : guarded(state, "pack4", dst, Math.ceil(n / 2), 0, true, at.values, n, dst);
}

function planes(
  state: State,
  src: number,
  size: number,
  n: number,
  width: number,
  float: boolean,
  dst: number,
): number {
  const { at, memory } = state;
  const each = n / width;
  let used = 0;
  for (let k = 0; k < width; k++) {
    // Decoded apart, because canaries would fall on the plane before.
    const taken = outer(state, src + used, size - used, each, dst);
    if (taken < 0) return taken;
    memory.copyWithin(at.planes + k * each, dst, dst + each);
    used += taken;
  }
  if (used !== size) return STATUS.SIZES;
  return guarded(state, "mergePlanes", dst, n, 0, true, at.planes, each, width, float ? 1 : 0, dst);
}

function dequantize(state: State, bytes: Uint8Array, n: number, src: number): number {
  const { at, memory, view } = state;
  const parts = partsOf(bytes, n);
  if (!parts) return STATUS.SIZES;
  const { rows, cols, zeros, codes } = parts;
  // Scales lie where f32 do; the rest where the case has it.
  memory.copyWithin(at.scales, src + 2, src + 2 + 4 * rows);
  for (let i = 0; i < rows; i++)
    if (!Number.isFinite(view.getFloat32(at.scales + 4 * i, true))) return STATUS.NOT_FINITE;
  const args = [src + codes, rows, cols, at.scales, zeros ? src + zeros : 0, at.floats];
  return 4 * guarded(state, "dequantize", at.floats, 4 * n, 0, true, ...args);
}

function dequantize16(state: State, bytes: Uint8Array, n: number, src: number): number {
  const { at, memory, view } = state;
  if (bytes.length !== 4 + 2 * n) return STATUS.SIZES;
  memory.copyWithin(at.scales, src, src + 4);
  if (!Number.isFinite(view.getFloat32(at.scales, true))) return STATUS.NOT_FINITE;
  return 4 * guarded(state, "dequantize16", at.floats, 4 * n, 0, true, src + 4, n, at.scales, at.floats);
}

import { LIMIT } from "./lengths";
import { BITS, PADDING, SIZES } from "./status";

// Bit streams a payload is cut into: enough independent chains of lookups to hide the latency of each.
const STREAMS: i32 = 6;
const SINGLE_BELOW: i32 = 1024;
const SIZES_BYTES: i32 = 3 * (STREAMS - 1);
// Symbols per refill of a 64-bit container: 5 * 11 = 55 bits, what is left after up to 7 bits of a started byte.
const BATCH: i32 = 5;
// Batches between two checks of the stream ends: 8 * 55 bits + a 8-byte load stay within the 64 bytes of slack.
const BATCHES: i32 = 8;

// Next canonical code of each length, 0..LIMIT.
const NEXT = memory.data(4 * 12, 16);

// Sets NEXT to the first code of each length: codes count up, and a bit is appended where the length grows.
function firstCodes(lengths: usize): void {
  memory.fill(NEXT, 0, 4 * (LIMIT + 1));
  for (let symbol = 0; symbol < 256; symbol++) {
    const at = NEXT + ((load<u8>(lengths + symbol) as usize) << 2);
    store<u32>(at, load<u32>(at) + 1);
  }
  let code: u32 = 0;
  for (let length = 1; length <= LIMIT; length++) {
    const at = NEXT + (length << 2);
    const count = load<u32>(at);
    code <<= 1;
    store<u32>(at, code);
    code += count;
  }
}

// The next code of a length, reversed: streams are read from their lowest bit.
// @ts-ignore: decorator
@inline
function nextCode(length: i32): i32 {
  const at = NEXT + (length << 2);
  const code = load<i32>(at);
  store<i32>(at, code + 1);
  return reverse(code, length);
}

/** Canonical codes: reversed code | length << 16 as u32 at dst + 4 * symbol. */
function canonicalCodes(lengths: usize, dst: usize): void {
  firstCodes(lengths);
  for (let symbol = 0; symbol < 256; symbol++) {
    const length = load<u8>(lengths + symbol) as i32;
    if (length > 0) store<u32>(dst + (symbol << 2), nextCode(length) | (length << 16), 0, 1);
  }
}

// @ts-ignore: decorator
@inline
function reverse(code: i32, length: i32): i32 {
  let x = code;
  x = ((x & 0x5555) << 1) | ((x >> 1) & 0x5555);
  x = ((x & 0x3333) << 2) | ((x >> 2) & 0x3333);
  x = ((x & 0x0f0f) << 4) | ((x >> 4) & 0x0f0f);
  x = ((x & 0x00ff) << 8) | ((x >> 8) & 0x00ff);
  return x >> (16 - length);
}

/**
 * Codes n symbols at src with complete code lengths (at least two symbols): stream sizes and bit streams at dst (docs/FORMAT.md, huffman).
 * scratch: 4 KiB. May write 64 bytes beyond the result. Returns the bytes written.
 */
export function huffmanEncode(src: usize, n: i32, lengths: usize, dst: usize, scratch: usize): i32 {
  canonicalCodes(lengths, scratch);
  if (n < SINGLE_BELOW) return (encodeStream(src, n, scratch, dst) - dst) as i32;
  const segment = n / STREAMS;
  let out = dst + SIZES_BYTES;
  for (let k = 0; k < STREAMS; k++, src += segment) {
    const last = k == STREAMS - 1;
    const next = encodeStream(src, last ? n - k * segment : segment, scratch, out);
    if (!last) {
      const size = (next - out) as u32;
      store<u16>(dst + 3 * k, size as u16, 0, 1);
      store<u8>(dst + 3 * k, (size >> 16) as u8, 2);
    }
    out = next;
  }
  return (out - dst) as i32;
}

function encodeStream(src: usize, n: i32, codes: usize, dst: usize): usize {
  let acc: u64 = 0;
  let bits: u64 = 0;
  const end = src + n;
  for (const wide = end - (n % BATCH); src < wide; src += BATCH) {
    for (let k = 0; k < BATCH; k++) {
      const entry = load<u32>(codes + ((load<u8>(src + k) as usize) << 2), 0, 1) as u64;
      acc |= (entry & 0xffff) << bits;
      bits += entry >> 16;
    }
    store<u64>(dst, acc, 0, 1);
    dst += (bits >> 3) as usize;
    acc >>= bits & 0x38;
    bits &= 7;
  }
  for (; src < end; src++) {
    const entry = load<u32>(codes + ((load<u8>(src) as usize) << 2), 0, 1) as u64;
    acc |= (entry & 0xffff) << bits;
    bits += entry >> 16;
  }
  store<u64>(dst, acc, 0, 1);
  return dst + ((bits + 7) >> 3) as usize;
}

const TABLE = memory.data(2 << LIMIT, 16);

// Lookup table of 2^width entries symbol << 8 | length, indexed by the next `width` bits of the stream.
function buildTable(lengths: usize, width: i32): void {
  firstCodes(lengths);
  for (let symbol = 0; symbol < 256; symbol++) {
    const length = load<u8>(lengths + symbol) as i32;
    if (length == 0) continue;
    const entry = ((symbol << 8) | length) as u16;
    for (let at = nextCode(length); at < 1 << width; at += 1 << length) store<u16>(TABLE + (at << 1), entry);
  }
}

function longest(lengths: usize): i32 {
  let most = 0;
  for (let symbol = 0; symbol < 256; symbol++) most = max(most, load<u8>(lengths + symbol) as i32);
  return most;
}

// Entry of the symbol whose bits lie lowest. `bits` and `mask` are shifted left by one, which makes them the byte offset
// of a 2-byte entry; the constant address of TABLE goes into the load.
// @ts-ignore: decorator
@inline
function look(bits: u64, mask: u64): u64 {
  return load<u16>(TABLE + ((bits & mask) as usize)) as u64;
}

// A container of the next bits: shifted left by one for `look`, with a marker on top whose distance from bit 63 tells at
// the end how many bits were used.
// @ts-ignore: decorator
@inline
function refill(src: usize, at: u32): u64 {
  return ((load<u64>(src + (at >> 3), 0, 1) >> ((at & 7) as u64)) << 1) | 0x8000000000000000;
}

// Decodes BATCH symbols each of two streams: alternating their lookups lets the processor overlap the two chains (20 %
// over one after the other). The entry serves as the shift count as it is: shifts are modulo 64, a length is below 64.
// Returns the bits used by the first stream, and by the second << 32.
// @ts-ignore: decorator
@inline
function decodePair(src: usize, at0: u32, at1: u32, out0: usize, out1: usize, mask: u64): u64 {
  let x = refill(src, at0);
  let y = refill(src, at1);
  const a = look(x, mask);
  const b = look(y, mask);
  x >>= a;
  y >>= b;
  store<u8>(out0, (a >> 8) as u8, 0);
  store<u8>(out1, (b >> 8) as u8, 0);
  const c = look(x, mask);
  const d = look(y, mask);
  x >>= c;
  y >>= d;
  store<u8>(out0, (c >> 8) as u8, 1);
  store<u8>(out1, (d >> 8) as u8, 1);
  const e = look(x, mask);
  const f = look(y, mask);
  x >>= e;
  y >>= f;
  store<u8>(out0, (e >> 8) as u8, 2);
  store<u8>(out1, (f >> 8) as u8, 2);
  const g = look(x, mask);
  const h = look(y, mask);
  x >>= g;
  y >>= h;
  store<u8>(out0, (g >> 8) as u8, 3);
  store<u8>(out1, (h >> 8) as u8, 3);
  const i = look(x, mask);
  const j = look(y, mask);
  x >>= i;
  y >>= j;
  store<u8>(out0, (i >> 8) as u8, 4);
  store<u8>(out1, (j >> 8) as u8, 4);
  return clz(x) | (clz(y) << 32);
}

// Decodes n symbols one at a time from bit `at` on and checks that exactly the bits up to `end` are used.
function decodeTail(src: usize, at: u32, end: u32, n: i32, dst: usize, mask: u32): i32 {
  for (let i = 0; i < n; i++) {
    if (at > end) return BITS;
    const bits = load<u32>(src + (at >> 3), 0, 1) >> (at & 7);
    const entry = load<u16>(TABLE + ((bits & mask) << 1)) as u32;
    store<u8>(dst + i, (entry >> 8) as u8);
    at += entry & 0xff;
  }
  if (at > end || end - at > 7) return BITS;
  if (at < end && load<u8>(src + (at >> 3)) >> ((at & 7) as u8) != 0) return PADDING;
  return n;
}

/**
 * Decodes n >= 1 symbols to dst, exactly n bytes, from the `size` bytes of stream sizes and bit streams at src.
 * lengths: a complete code of at least two symbols (readLengths). Reads up to 64 bytes beyond src + size.
 * Returns n, or SIZES, BITS or PADDING.
 */
export function huffmanDecode(src: usize, size: i32, n: i32, lengths: usize, dst: usize): i32 {
  const width = longest(lengths);
  assert(n > 0 && width > 0 && width <= LIMIT);
  buildTable(lengths, width);
  const mask: u32 = (1 << width) - 1;
  if (n < SINGLE_BELOW) return decodeTail(src, 0, (size as u32) << 3, n, dst, mask);
  return decodeSix(src, size, n, dst, mask);
}

// @ts-ignore: decorator
@inline
function streamSize(src: usize, k: i32): u32 {
  return (load<u16>(src + 3 * k, 0, 1) as u32) | ((load<u8>(src + 3 * k, 2) as u32) << 16);
}

function decodeSix(src: usize, size: i32, n: i32, dst: usize, mask: u32): i32 {
  if (size < SIZES_BYTES) return SIZES;
  const end0 = streamSize(src, 0) << 3;
  const end1 = end0 + (streamSize(src, 1) << 3);
  const end2 = end1 + (streamSize(src, 2) << 3);
  const end3 = end2 + (streamSize(src, 3) << 3);
  const end4 = end3 + (streamSize(src, 4) << 3);
  const end5 = ((size - SIZES_BYTES) as u32) << 3;
  if (end4 > end5) return SIZES;
  src += SIZES_BYTES;
  let at0: u32 = 0;
  let at1 = end0;
  let at2 = end1;
  let at3 = end2;
  let at4 = end3;
  let at5 = end4;
  const segment = n / STREAMS;
  const rounds = segment / (BATCH * BATCHES);
  const wide = (mask as u64) << 1;
  let out = dst;
  for (let round = 0; round < rounds; round++) {
    if (at0 > end0 || at1 > end1 || at2 > end2 || at3 > end3 || at4 > end4 || at5 > end5) return BITS;
    for (const stop = out + BATCH * BATCHES; out < stop; out += BATCH) {
      const used01 = decodePair(src, at0, at1, out, out + segment, wide);
      const used23 = decodePair(src, at2, at3, out + 2 * segment, out + 3 * segment, wide);
      const used45 = decodePair(src, at4, at5, out + 4 * segment, out + 5 * segment, wide);
      at0 += used01 as u32;
      at1 += (used01 >> 32) as u32;
      at2 += used23 as u32;
      at3 += (used23 >> 32) as u32;
      at4 += used45 as u32;
      at5 += (used45 >> 32) as u32;
    }
  }
  const left = segment - ((out - dst) as i32);
  let status = decodeTail(src, at0, end0, left, out, mask);
  status = min(status, decodeTail(src, at1, end1, left, out + segment, mask));
  status = min(status, decodeTail(src, at2, end2, left, out + 2 * segment, mask));
  status = min(status, decodeTail(src, at3, end3, left, out + 3 * segment, mask));
  status = min(status, decodeTail(src, at4, end4, left, out + 4 * segment, mask));
  const last = n - 5 * segment - ((out - dst) as i32);
  status = min(status, decodeTail(src, at5, end5, last, out + 5 * segment, mask));
  return status < 0 ? status : n;
}

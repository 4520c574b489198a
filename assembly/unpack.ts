// A flat of a pivoted code: fields of equal width become symbols, and back. docs/FORMAT.md has the layout: groups of 128 fields in
// sixteen lanes of a byte, which need no more than shifts and masks, and packed fields behind them.

// Fields in a group.
const GROUP: i32 = 128;

// For packed fields, per width 32 bytes: which two bytes of the source each of eight 16-bit lanes takes, and the power of two
// that moves its field up to bit 8.
const SPREAD = memory.data(32 * 9, 64);

function build(): void {
  for (let width = 1; width <= 8; width++) {
    for (let lane = 0; lane < 8; lane++) {
      const at = SPREAD + (width << 5) + (lane << 1);
      const bit = lane * width;
      store<u8>(at, (bit >> 3) as u8);
      store<u8>(at, ((bit >> 3) + 1) as u8, 1);
      store<u16>(at, (<i32>1 << (8 - (bit & 7))) as u16, 16);
    }
  }
}

if (ASC_FEATURE_SIMD) build();

/**
 * Unpacks n fields of `width` bits (1..8) at src and looks each up in the 2^width bytes at `symbols`.
 * Reads up to 16 bytes beyond src and symbols, writes up to 15 beyond dst + n. Returns n.
 */
export function unpack(src: usize, n: i32, width: i32, symbols: usize, dst: usize): i32 {
  return unpackFlat(src, n, width, symbols, secondRun(symbols, 1 << width), dst);
}

/** As unpack, where `second` is what secondRun or runOfSorted says of the symbols. */
export function unpackFlat(src: usize, n: i32, width: i32, symbols: usize, second: i32, dst: usize): i32 {
  if (ASC_FEATURE_SIMD) {
    if (width <= 4) return unpackNarrow(src, n, width, v128.load(symbols), dst);
    const count = 1 << width;
    const first = load<u8>(symbols) as i32;
    if (second == count) return unpackWide(src, n, width, first, count, 0, dst);
    if (second > 0) return unpackWide(src, n, width, first, second, load<u8>(symbols + second) - first - second, dst);
    // Fields as they are, then a swizzle for each 16 symbols.
    unpackWide(src, n, width, 0, count, 0, dst);
    return lookUp(dst, n, symbols, count);
  }
  return unpackWords(src, n, width, symbols, second, dst);
}

/**
 * As secondRun, of symbols in order: how far one lies beyond its place only grows, so the end of the first run is found by halves.
 * Symbols of a flat lie in order, so those of a bell-shaped distribution make one run or two.
 */
export function runOfSorted(symbols: usize, count: i32): i32 {
  const start = load<u8>(symbols) as i32;
  let at = 0;
  for (let step = count >> 1; step > 0; step >>= 1) {
    if (load<u8>(symbols + at + step) == ((start + at + step) & 255)) at += step;
  }
  at++;
  return at == count || ((load<u8>(symbols + count - 1) - load<u8>(symbols + at)) & 255) == count - 1 - at ? at : 0;
}

// Where the second of at most two runs of consecutive symbols begins (count if there is one run), or 0 if there are more.
function secondRun(symbols: usize, count: i32): i32 {
  let at = 0;
  for (let i = 1; i < count; i++) {
    if (load<u8>(symbols + i) == ((load<u8>(symbols + i - 1) + 1) & 255)) continue;
    if (at) return 0;
    at = i;
  }
  return at ? at : count;
}

// Bits of each byte moved right, then masked: a 16-bit shift, because engines emulate those of bytes.
// @ts-ignore: decorator
@inline
function right(bytes: v128, by: i32, mask: i32): v128 {
  return v128.and(i16x8.shr_u(bytes, by), i8x16.splat(mask as i8));
}

// @ts-ignore: decorator
@inline
function low(bytes: v128, mask: i32): v128 {
  return v128.and(bytes, i8x16.splat(mask as i8));
}

// Sixteen symbols of a flat of at most sixteen.
// @ts-ignore: decorator
@inline
function put(dst: usize, row: usize, fields: v128, table: v128): void {
  v128.store(dst + (row << 4), i8x16.swizzle(table, fields));
}

function unpackNarrow(src: usize, n: i32, width: i32, table: v128, dst: usize): i32 {
  const groups = dst + (n & ~(GROUP - 1));
  if (width == 4) for (; dst < groups; dst += GROUP, src += 64) group4(src, dst, table);
  else if (width == 3) for (; dst < groups; dst += GROUP, src += 48) group3(src, dst, table);
  else if (width == 2) for (; dst < groups; dst += GROUP, src += 32) group2(src, dst, table);
  else for (; dst < groups; dst += GROUP, src += 16) group1(src, dst, table);
  const end = groups + (n & (GROUP - 1));
  const lanes = v128.load(SPREAD + (width << 5));
  const power = v128.load(SPREAD + (width << 5), 16);
  for (; dst < end; dst += 16, src += 2 * width) put(dst, 0, packed(src, width, lanes, power), table);
  return n;
}

// @ts-ignore: decorator
@inline
function group4(src: usize, dst: usize, table: v128): void {
  const a = v128.load(src);
  const b = v128.load(src, 16);
  const c = v128.load(src, 32);
  const d = v128.load(src, 48);
  put(dst, 0, low(a, 15), table);
  put(dst, 1, low(b, 15), table);
  put(dst, 2, low(c, 15), table);
  put(dst, 3, low(d, 15), table);
  put(dst, 4, right(a, 4, 15), table);
  put(dst, 5, right(b, 4, 15), table);
  put(dst, 6, right(c, 4, 15), table);
  put(dst, 7, right(d, 4, 15), table);
}

// @ts-ignore: decorator
@inline
function group3(src: usize, dst: usize, table: v128): void {
  const a = v128.load(src);
  const b = v128.load(src, 16);
  const c = v128.load(src, 32);
  put(dst, 0, low(a, 7), table);
  put(dst, 1, low(b, 7), table);
  put(dst, 2, low(c, 7), table);
  put(dst, 3, right(a, 3, 7), table);
  put(dst, 4, v128.or(right(a, 6, 3), right(b, 1, 4)), table);
  put(dst, 5, right(b, 4, 7), table);
  put(dst, 6, v128.or(right(b, 7, 1), right(c, 2, 6)), table);
  put(dst, 7, right(c, 5, 7), table);
}

// @ts-ignore: decorator
@inline
function group2(src: usize, dst: usize, table: v128): void {
  const a = v128.load(src);
  const b = v128.load(src, 16);
  put(dst, 0, low(a, 3), table);
  put(dst, 1, low(b, 3), table);
  put(dst, 2, right(a, 2, 3), table);
  put(dst, 3, right(a, 4, 3), table);
  put(dst, 4, right(a, 6, 3), table);
  put(dst, 5, right(b, 2, 3), table);
  put(dst, 6, right(b, 4, 3), table);
  put(dst, 7, right(b, 6, 3), table);
}

// @ts-ignore: decorator
@inline
function group1(src: usize, dst: usize, table: v128): void {
  const bytes = v128.load(src);
  put(dst, 0, low(bytes, 1), table);
  put(dst, 1, right(bytes, 1, 1), table);
  put(dst, 2, right(bytes, 2, 1), table);
  put(dst, 3, right(bytes, 3, 1), table);
  put(dst, 4, right(bytes, 4, 1), table);
  put(dst, 5, right(bytes, 5, 1), table);
  put(dst, 6, right(bytes, 6, 1), table);
  put(dst, 7, right(bytes, 7, 1), table);
}

// Index i < second stands for first + i, any other for first + jump + i.
function unpackWide(src: usize, n: i32, width: i32, first: i32, second: i32, jump: i32, dst: usize): i32 {
  const groups = dst + (n & ~(GROUP - 1));
  const start = i8x16.splat(first as i8);
  const last = i8x16.splat((second - 1) as i8);
  const more = i8x16.splat(jump as i8);
  if (width == 7) for (; dst < groups; dst += GROUP, src += 112) group7(src, dst, start, last, more);
  else if (width == 6) for (; dst < groups; dst += GROUP, src += 96) group6(src, dst, start, last, more);
  else if (width == 5) for (; dst < groups; dst += GROUP, src += 80) group5(src, dst, start, last, more);
  else {
    // All 256 symbols, so one run.
    for (; dst < groups; dst += 16, src += 16) v128.store(dst, i8x16.add(v128.load(src), start));
  }
  const end = groups + (n & (GROUP - 1));
  const lanes = v128.load(SPREAD + (width << 5));
  const power = v128.load(SPREAD + (width << 5), 16);
  for (; dst < end; dst += 16, src += 2 * width) {
    if (width == 8) v128.store(dst, i8x16.add(v128.load(src), start));
    else putRun(dst, 0, packed(src, width, lanes, power), start, last, more);
  }
  return n;
}

// Sixteen symbols of a flat of at most 128 in two runs.
// @ts-ignore: decorator
@inline
function putRun(dst: usize, row: usize, fields: v128, start: v128, last: v128, more: v128): void {
  const second = v128.and(i8x16.gt_s(fields, last), more);
  v128.store(dst + (row << 4), i8x16.add(i8x16.add(fields, start), second));
}

// The eighth row has its bit i as the high bit of row i: pushed in from the top.
// @ts-ignore: decorator
@inline
function group7(src: usize, dst: usize, start: v128, last: v128, more: v128): void {
  let high = row7(src, dst, i8x16.splat(0), start, last, more);
  high = row7(src + 16, dst + 16, high, start, last, more);
  high = row7(src + 32, dst + 32, high, start, last, more);
  high = row7(src + 48, dst + 48, high, start, last, more);
  high = row7(src + 64, dst + 64, high, start, last, more);
  high = row7(src + 80, dst + 80, high, start, last, more);
  high = row7(src + 96, dst + 96, high, start, last, more);
  putRun(dst, 7, i16x8.shr_u(high, 1), start, last, more);
}

// @ts-ignore: decorator
@inline
function row7(src: usize, dst: usize, high: v128, start: v128, last: v128, more: v128): v128 {
  const bytes = v128.load(src);
  putRun(dst, 0, low(bytes, 127), start, last, more);
  return v128.or(i16x8.shr_u(high, 1), low(bytes, 128));
}

// @ts-ignore: decorator
@inline
function group6(src: usize, dst: usize, start: v128, last: v128, more: v128): void {
  half6(src, dst, dst + 96, start, last, more);
  half6(src + 48, dst + 48, dst + 112, start, last, more);
}

// Three rows, and one of their high bits.
// @ts-ignore: decorator
@inline
function half6(src: usize, dst: usize, fourth: usize, start: v128, last: v128, more: v128): void {
  const a = v128.load(src);
  const b = v128.load(src, 16);
  const c = v128.load(src, 32);
  putRun(dst, 0, low(a, 63), start, last, more);
  putRun(dst, 1, low(b, 63), start, last, more);
  putRun(dst, 2, low(c, 63), start, last, more);
  putRun(fourth, 0, v128.or(v128.or(right(a, 6, 3), right(b, 4, 12)), right(c, 2, 48)), start, last, more);
}

// @ts-ignore: decorator
@inline
function group5(src: usize, dst: usize, start: v128, last: v128, more: v128): void {
  const a = v128.load(src);
  const b = v128.load(src, 16);
  putRun(dst, 0, low(a, 31), start, last, more);
  putRun(dst, 1, low(b, 31), start, last, more);
  putRun(dst, 5, v128.or(right(a, 5, 7), right(b, 2, 24)), start, last, more);
  const c = v128.load(src, 32);
  const d = v128.load(src, 48);
  putRun(dst, 2, low(c, 31), start, last, more);
  putRun(dst, 3, low(d, 31), start, last, more);
  putRun(dst, 6, v128.or(v128.or(right(b, 7, 1), right(c, 4, 14)), right(d, 1, 16)), start, last, more);
  const e = v128.load(src, 64);
  putRun(dst, 4, low(e, 31), start, last, more);
  putRun(dst, 7, v128.or(right(d, 6, 3), right(e, 3, 28)), start, last, more);
}

// Sixteen packed fields of less than 8 bits. 16-bit multiply and constant shift: WASM has no shift by lane.
// @ts-ignore: decorator
@inline
function packed(src: usize, width: i32, lanes: v128, power: v128): v128 {
  const a = i16x8.shr_u(i16x8.mul(i8x16.swizzle(v128.load(src), lanes), power), 8);
  const b = i16x8.shr_u(i16x8.mul(i8x16.swizzle(v128.load(src + width), lanes), power), 8);
  return v128.and(i8x16.narrow_i16x8_u(a, b), i8x16.splat(((<i32>1 << width) - 1) as i8));
}

// Any 32 to 256 symbols: a swizzle for each sixteen of them.
function lookUp(dst: usize, n: i32, symbols: usize, count: i32): i32 {
  const sixteen = i8x16.splat(16);
  const thirtyTwo = i8x16.splat(32);
  const end = dst + n;
  const a = v128.load(symbols);
  const b = v128.load(symbols, 16);
  if (count == 32) {
    for (; dst < end; dst += 16) v128.store(dst, found(v128.load(dst), a, b, sixteen));
    return n;
  }
  const c = v128.load(symbols, 32);
  const d = v128.load(symbols, 48);
  if (count == 64) {
    for (; dst < end; dst += 16) {
      const fields = v128.load(dst);
      v128.store(dst, v128.or(found(fields, a, b, sixteen), found(i8x16.sub(fields, thirtyTwo), c, d, sixteen)));
    }
    return n;
  }
  for (; dst < end; dst += 16) {
    let fields = v128.load(dst);
    let all = i8x16.splat(0);
    for (let at = 0; at < count; at += 32) {
      all = v128.or(all, found(fields, v128.load(symbols + at), v128.load(symbols + at, 16), sixteen));
      fields = i8x16.sub(fields, thirtyTwo);
    }
    v128.store(dst, all);
  }
  return n;
}

// @ts-ignore: decorator
@inline
function found(fields: v128, a: v128, b: v128, sixteen: v128): v128 {
  return v128.or(i8x16.swizzle(a, fields), i8x16.swizzle(b, i8x16.sub(fields, sixteen)));
}

// @ts-ignore: decorator
@inline
function repeat(byte: i32): u64 {
  return (byte as u64) * 0x0101010101010101;
}

// Without SIMD: eight lanes are a word, half a row. Flats of more than two runs get their fields first, then look them up.
function unpackWords(src: usize, n: i32, width: i32, symbols: usize, second: i32, dst: usize): i32 {
  const groups = dst + (n & ~(GROUP - 1));
  const count = 1 << width;
  // Fields of at least `second` set the high bit of their byte. All 256 symbols are one run.
  const least = second == count ? 0 : repeat(128 - second);
  const first = second > 0 ? repeat(load<u8>(symbols)) : 0;
  const flip = second == 0 || second == count ? 0 : (load<u8>(symbols) ^ (load<u8>(symbols + second) - second)) & 255;
  for (; dst < groups; dst += GROUP, src += width << 4) {
    groupWords(src, width, dst, least, first, flip);
    groupWords(src + 8, width, dst + 8, least, first, flip);
    if (second == 0) for (let at = dst; at < dst + GROUP; at++) store<u8>(at, load<u8>(symbols + load<u8>(at)));
  }
  const end = groups + (n & (GROUP - 1));
  const mask = count - 1;
  for (let bit: u32 = 0; dst < end; dst++, bit += width) {
    store<u8>(dst, load<u8>(symbols + ((load<u16>(src + (bit >> 3), 0, 1) >> (bit & 7)) & mask)));
  }
  return n;
}

// Adds to each byte the start of its run, of which there are two, without carries from byte to byte.
// @ts-ignore: decorator
@inline
function putWord(dst: usize, fields: u64, least: u64, first: u64, flip: u64): void {
  const start = first ^ ((((fields + least) >> 7) & 0x0101010101010101) * flip);
  store<u64>(dst, (fields + (start & 0x7f7f7f7f7f7f7f7f)) ^ (start & 0x8080808080808080), 0, 1);
}

// Half of each row of a group.
function groupWords(src: usize, width: i32, dst: usize, least: u64, first: u64, flip: u64): void {
  if (width == 8) {
    // Its fields are full, and their sum with 0x80 is 0x80 ^ x.
    for (let row = 0; row < GROUP; row += 16) store<u64>(dst + row, load<u64>(src + row, 0, 1) ^ first, 0, 1);
    return;
  }
  const mask = repeat((1 << width) - 1);
  const rows = src + (width << 4);
  for (let at = src; at < rows; at += 16, dst += 16) putWord(dst, load<u64>(at, 0, 1) & mask, least, first, flip);
  if (width == 7) {
    let high: u64 = 0;
    for (let at = src; at < rows; at += 16) high = (high >> 1) | (load<u64>(at, 0, 1) & 0x8080808080808080);
    putWord(dst, high >> 1, least, first, flip);
  } else if (width == 6) {
    for (let at = src; at < rows; at += 48, dst += 16) {
      const low = bitsOf(at, 6, 0x03) | (bitsOf(at + 16, 4, 0x0c));
      putWord(dst, low | bitsOf(at + 32, 2, 0x30), least, first, flip);
    }
  } else if (width == 5) {
    putWord(dst, bitsOf(src, 5, 0x07) | bitsOf(src + 16, 2, 0x18), least, first, flip);
    putWord(dst + 16, bitsOf(src + 16, 7, 0x01) | bitsOf(src + 32, 4, 0x0e) | bitsOf(src + 48, 1, 0x10), least, first, flip);
    putWord(dst + 32, bitsOf(src + 48, 6, 0x03) | bitsOf(src + 64, 3, 0x1c), least, first, flip);
  } else if (width == 3) {
    putWord(dst, bitsOf(src, 3, 0x07), least, first, flip);
    putWord(dst + 16, bitsOf(src, 6, 0x03) | bitsOf(src + 16, 1, 0x04), least, first, flip);
    putWord(dst + 32, bitsOf(src + 16, 4, 0x07), least, first, flip);
    putWord(dst + 48, bitsOf(src + 16, 7, 0x01) | bitsOf(src + 32, 2, 0x06), least, first, flip);
    putWord(dst + 64, bitsOf(src + 32, 5, 0x07), least, first, flip);
  } else {
    for (let at = src; at < rows; at += 16) {
      for (let by = width; by < 8; by += width, dst += 16) putWord(dst, (load<u64>(at, 0, 1) >> by) & mask, least, first, flip);
    }
  }
}

// @ts-ignore: decorator
@inline
function bitsOf(src: usize, by: u64, mask: i32): u64 {
  return (load<u64>(src, 0, 1) >> by) & repeat(mask);
}

/**
 * The mirror: writes n bytes, each `first` plus a field of `width` bits (1..8). Reads and writes up to 8 bytes beyond.
 * Returns the bytes written.
 */
export function packFields(src: usize, n: i32, width: i32, first: i32, dst: usize): i32 {
  return pack(src, n, width, first, 256, 0, dst);
}

/** As packFields, of symbols in one run or two, where `second` is what runOfSorted says of them; with SIMD only. */
export function packRuns(src: usize, n: i32, width: i32, symbols: usize, second: i32, dst: usize): i32 {
  const first = load<u8>(symbols) as i32;
  const jump = second < 1 << width ? ((load<u8>(symbols + second) - first) & 255) - second : 0;
  return pack(src, n, width, first, second, jump, dst);
}

// A byte that is at least `second` above `first` counts as `jump` less.
// @ts-ignore: decorator
@inline
function pack(src: usize, n: i32, width: i32, first: i32, second: i32, jump: i32, dst: usize): i32 {
  const start = dst;
  const groups = src + (n & ~(GROUP - 1));
  for (; src < groups; src += GROUP, dst += width << 4) {
    if (ASC_FEATURE_SIMD) packGroup(src, width, i8x16.splat(first as i8), i8x16.splat(second as i8), i8x16.splat(jump as i8), dst);
    else {
      packWords(src, width, repeat(first), dst);
      packWords(src + 8, width, repeat(first), dst + 8);
    }
  }
  const end = groups + (n & (GROUP - 1));
  let pool: u64 = 0;
  let bits: u64 = 0;
  for (; src < end; src++) {
    const field = (load<u8>(src) - first) & 255;
    pool |= ((field < second ? field : field - jump) as u64) << bits;
    bits += width as u64;
    if (bits < 32) continue;
    store<u32>(dst, pool as u32, 0, 1);
    dst += 4;
    pool >>= 32;
    bits -= 32;
  }
  store<u64>(dst, pool, 0, 1);
  return (dst - start) as i32 + (((bits + 7) >> 3) as i32);
}

// Bits of each byte moved left, then masked.
// @ts-ignore: decorator
@inline
function left(bytes: v128, by: i32, mask: i32): v128 {
  return v128.and(i16x8.shl(bytes, by), i8x16.splat(mask as i8));
}

// @ts-ignore: decorator
@inline
function take(src: usize, row: usize, first: v128, second: v128, jump: v128): v128 {
  const field = i8x16.sub(v128.load(src + (row << 4)), first);
  return i8x16.sub(field, v128.and(i8x16.ge_u(field, second), jump));
}

// Rows of a group, each with its part of those behind.
function packGroup(src: usize, width: i32, first: v128, second: v128, jump: v128, dst: usize): void {
  const a = take(src, 0, first, second, jump);
  const b = take(src, 1, first, second, jump);
  const c = take(src, 2, first, second, jump);
  const d = take(src, 3, first, second, jump);
  const e = take(src, 4, first, second, jump);
  const f = take(src, 5, first, second, jump);
  const g = take(src, 6, first, second, jump);
  const h = take(src, 7, first, second, jump);
  if (width < 4) packNarrow(width, a, b, c, d, e, f, g, h, dst);
  else if (width == 4) {
    v128.store(dst, v128.or(a, left(e, 4, 240)));
    v128.store(dst, v128.or(b, left(f, 4, 240)), 16);
    v128.store(dst, v128.or(c, left(g, 4, 240)), 32);
    v128.store(dst, v128.or(d, left(h, 4, 240)), 48);
  } else if (width == 5) {
    v128.store(dst, v128.or(a, left(f, 5, 224)));
    v128.store(dst, v128.or(b, v128.or(left(right(f, 3, 3), 5, 96), left(g, 7, 128))), 16);
    v128.store(dst, v128.or(c, left(right(g, 1, 7), 5, 224)), 32);
    v128.store(dst, v128.or(d, v128.or(left(right(g, 4, 1), 5, 32), left(h, 6, 192))), 48);
    v128.store(dst, v128.or(e, left(right(h, 2, 7), 5, 224)), 64);
  } else if (width == 6) {
    v128.store(dst, v128.or(a, left(g, 6, 192)));
    v128.store(dst, v128.or(b, left(g, 4, 192)), 16);
    v128.store(dst, v128.or(c, left(g, 2, 192)), 32);
    v128.store(dst, v128.or(d, left(h, 6, 192)), 48);
    v128.store(dst, v128.or(e, left(h, 4, 192)), 64);
    v128.store(dst, v128.or(f, left(h, 2, 192)), 80);
  } else if (width == 7) {
    v128.store(dst, v128.or(a, left(h, 7, 128)));
    v128.store(dst, v128.or(b, left(h, 6, 128)), 16);
    v128.store(dst, v128.or(c, left(h, 5, 128)), 32);
    v128.store(dst, v128.or(d, left(h, 4, 128)), 48);
    v128.store(dst, v128.or(e, left(h, 3, 128)), 64);
    v128.store(dst, v128.or(f, left(h, 2, 128)), 80);
    v128.store(dst, v128.or(g, left(h, 1, 128)), 96);
  } else {
    v128.store(dst, a);
    v128.store(dst, b, 16);
    v128.store(dst, c, 32);
    v128.store(dst, d, 48);
    v128.store(dst, e, 64);
    v128.store(dst, f, 80);
    v128.store(dst, g, 96);
    v128.store(dst, h, 112);
  }
}

// @ts-ignore: decorator
@inline
function packNarrow(width: i32, a: v128, b: v128, c: v128, d: v128, e: v128, f: v128, g: v128, h: v128, dst: usize): void {
  if (width == 1) {
    const low = v128.or(v128.or(a, i16x8.shl(b, 1)), v128.or(i16x8.shl(c, 2), i16x8.shl(d, 3)));
    const high = v128.or(v128.or(e, i16x8.shl(f, 1)), v128.or(i16x8.shl(g, 2), i16x8.shl(h, 3)));
    v128.store(dst, v128.or(low, i16x8.shl(high, 4)));
  } else if (width == 2) {
    v128.store(dst, v128.or(v128.or(a, i16x8.shl(c, 2)), v128.or(i16x8.shl(d, 4), i16x8.shl(e, 6))));
    v128.store(dst, v128.or(v128.or(b, i16x8.shl(f, 2)), v128.or(i16x8.shl(g, 4), i16x8.shl(h, 6))), 16);
  } else {
    v128.store(dst, v128.or(v128.or(a, i16x8.shl(d, 3)), left(e, 6, 192)));
    v128.store(dst, v128.or(v128.or(b, left(right(e, 2, 1), 3, 8)), v128.or(i16x8.shl(f, 4), left(g, 7, 128))), 16);
    v128.store(dst, v128.or(v128.or(c, left(right(g, 1, 3), 3, 24)), i16x8.shl(h, 5)), 32);
  }
}

// Half a group. No byte is below `first`, so no subtraction borrows.
function packWords(src: usize, width: i32, base: u64, dst: usize): void {
  let row = width;
  let high = width < 8 ? load<u64>(src + (row << 4), 0, 1) - base : 0;
  let have = width;
  for (let i = 0; i < width; i++) {
    let word = load<u64>(src + (i << 4), 0, 1) - base;
    let at = width;
    while (at < 8) {
      const take = min(8 - at, have);
      const part = repeat((1 << take) - 1);
      word |= (high & part) << at;
      high = (high & ~part) >> take;
      at += take;
      have -= take;
      if (have > 0) continue;
      row++;
      if (row == 8) break;
      high = load<u64>(src + (row << 4), 0, 1) - base;
      have = width;
    }
    store<u64>(dst + (i << 4), word, 0, 1);
  }
}

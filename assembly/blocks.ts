import { NOT_FINITE } from "./status";

// Blocks of 32 elements as GGUF has them, and ONNX Runtime's 4-bit blocks. Formulas: docs/FORMAT.md. 4-bit codes c are given as c - 8.

const BLOCK: i32 = 32;
const FLOAT_INFINITY: i32 = 0x7f800000;
const HALF_INFINITY: u32 = 0x7c00;
// 1.5 * 2^23: added to an f32 integer of magnitude < 2^22 it leaves the integer in the low bits.
const ROUND: f32 = 12582912.0;
const ROUND_BITS: i32 = 0x4b400000;
// The f32 before 0.5. trunc(x + this, signed as x) rounds halves away from zero; 0.5 itself would take 0.49999997 to 1.
const BEFORE_HALF: u32 = 0x3effffff;
const CLAMP: f32 = 1048576.0;

/**
 * GGUF Q8_0: n f32 in groups of 32 (the last may be shorter) to an f16 scale each and signed bytes, halves away from zero.
 * Returns n, or NOT_FINITE if a value or an f16 scale is not finite.
 */
export function quantizeQ80(src: usize, n: i32, scales: usize, codes: usize): i32 {
  let worst: u32 = 0;
  for (let i = 0; i < n; i += BLOCK, src += 128, codes += BLOCK, scales += 2) {
    const count = min(n - i, BLOCK);
    const d = reinterpret<f32>(greatestBits(src, count)) / 127;
    const scale = toHalf(d);
    worst = max(worst, scale);
    store<u16>(scales, scale as u16, 0, 1);
    if (ASC_FEATURE_SIMD) {
      if (count == BLOCK) {
        const s = f32x4.splat(inverse(d));
        v128.store(codes, nearCodes(src, s));
        v128.store(codes, nearCodes(src + 64, s), 16);
        continue;
      }
    }
    awayCodes(src, count, inverse(d), 0, 127, codes);
  }
  return worst >= HALF_INFINITY ? NOT_FINITE : n;
}

/**
 * GGUF Q4_0: as quantizeQ80, with a scale of either sign that takes the first value of greatest magnitude to code 0.
 * Returns n or NOT_FINITE.
 */
export function quantizeQ40(src: usize, n: i32, scales: usize, codes: usize): i32 {
  let worst: u32 = 0;
  for (let i = 0; i < n; i += BLOCK, src += 128, codes += BLOCK, scales += 2) {
    const count = min(n - i, BLOCK);
    const d = farthest(src, count) / -8;
    const scale = toHalf(d);
    worst = max(worst, scale & 0x7fff);
    store<u16>(scales, scale as u16, 0, 1);
    floorCodes(src, count, 0, inverse(d), 8.5, codes);
  }
  return worst >= HALF_INFINITY ? NOT_FINITE : n;
}

/** GGUF Q4_1: as quantizeQ80, with an f16 scale and an f16 minimum for each group. Returns n or NOT_FINITE. */
export function quantizeQ41(src: usize, n: i32, scales: usize, minima: usize, codes: usize): i32 {
  let worst: u32 = 0;
  for (let i = 0; i < n; i += BLOCK, src += 128, codes += BLOCK, scales += 2, minima += 2) {
    const count = min(n - i, BLOCK);
    const least = leastOf(src, count);
    const d: f32 = (greatestOf(src, count) - least) / 15;
    const scale = toHalf(d);
    const minimum = toHalf(least);
    const finite = greatestBits(src, count) < FLOAT_INFINITY;
    worst = max(worst, finite ? max(scale, minimum & 0x7fff) : HALF_INFINITY);
    store<u16>(scales, scale as u16, 0, 1);
    store<u16>(minima, minimum as u16, 0, 1);
    floorCodes(src, count, least, inverse(d), 0.5, codes);
  }
  return worst >= HALF_INFINITY ? NOT_FINITE : n;
}

/**
 * ONNX Runtime's 4-bit blocks: c = clip(away(x * (1 / scale) + zero point), 0, 15), halves away from zero, a product and a sum
 * in f32. One f32 scale and (zeros != 0) one i8 zero point - 8 per row; without them it is 8. src holds finite values. Returns rows * cols.
 */
export function quantizeAway(src: usize, rows: i32, cols: i32, scales: usize, zeros: usize, dst: usize): i32 {
  for (let row = 0; row < rows; row++, src += (cols as usize) << 2, dst += cols) {
    const zero = zeros ? (load<i8>(zeros + row) as i32) + 8 : 8;
    awayCodes(src, cols, inverse(load<f32>(scales + (row << 2), 0, 1)), zero as f32, 15, dst);
  }
  return rows * cols;
}

/** n f16 as f32; NaN keep their bits. Returns n. */
export function halves(src: usize, n: i32, dst: usize): i32 {
  const end = src + (n << 1);
  if (ASC_FEATURE_SIMD) {
    for (const wide = end - ((n & 3) << 1); src < wide; src += 8, dst += 16) {
      const x = v128.load16x4_u(src);
      const magnitude = i32x4.shl(v128.and(x, i32x4.splat(0x7fff)), 13);
      const scaled = f32x4.mul(magnitude, f32x4.splat(TWO_112));
      const special = v128.and(i32x4.ge_s(magnitude, i32x4.splat(SPECIAL)), i32x4.splat(FLOAT_INFINITY));
      const sign = i32x4.shl(v128.and(x, i32x4.splat(0x8000)), 16);
      v128.store(dst, v128.or(v128.or(scaled, special), sign));
    }
  }
  for (; src < end; src += 2, dst += 4) store<f32>(dst, fromHalf(load<u16>(src, 0, 1)), 0, 1);
  return n;
}

// 2^112 makes up for the biases: an f16's bits shifted by 13 are an f32 of its value times 2^-112, also where it is subnormal.
const TWO_112: f32 = 5192296858534827628530496329220096.0;
const SPECIAL: i32 = 0x0f800000;

// @ts-ignore: decorator
@inline
function fromHalf(x: u32): f32 {
  const magnitude = (x & 0x7fff) << 13;
  const scaled = reinterpret<u32>(reinterpret<f32>(magnitude) * TWO_112);
  return reinterpret<f32>(scaled | ((magnitude as i32) >= SPECIAL ? FLOAT_INFINITY : 0) | ((x & 0x8000) << 16));
}

/** x = f32(code + 8) * scale + minimum, f32 scale and minimum per row. Writes exactly rows * cols f32, returns their count. */
export function dequantizeMinimum(src: usize, rows: i32, cols: i32, scales: usize, minima: usize, dst: usize): i32 {
  for (let row = 0; row < rows; row++) {
    const scale = load<f32>(scales + (row << 2), 0, 1);
    const least = load<f32>(minima + (row << 2), 0, 1);
    const end = src + cols;
    if (ASC_FEATURE_SIMD) {
      const s = f32x4.splat(scale);
      const m = f32x4.splat(least);
      for (const wide = end - (cols & 7); src < wide; src += 8, dst += 32) {
        const codes = i16x8.add(v128.load8x8_s(src), i16x8.splat(8));
        const a = f32x4.mul(f32x4.convert_i32x4_s(i32x4.extend_low_i16x8_s(codes)), s);
        const b = f32x4.mul(f32x4.convert_i32x4_s(i32x4.extend_high_i16x8_s(codes)), s);
        v128.store(dst, f32x4.add(a, m));
        v128.store(dst, f32x4.add(b, m), 16);
      }
    }
    for (; src < end; src++, dst += 4) {
      store<f32>(dst, (((load<i8>(src) as i32) + 8) as f32) * scale + least, 0, 1);
    }
  }
  return rows * cols;
}

/** Kinds of blocks, as splitBlocks and joinBlocks take them. */
const Q8_0: i32 = 0;
const Q4_1: i32 = 2;

/**
 * Takes blocks (f16 scale, Q4_1: f16 minimum, codes) apart. Q8_0 codes stay bytes, 4-bit codes become pairs of neighbours with
 * bit 3 flipped, as streams of codes have them. Returns the bytes read.
 */
export function splitBlocks(src: usize, blocks: i32, kind: i32, scales: usize, minima: usize, codes: usize): i32 {
  const start = src;
  for (let i = 0; i < blocks; i++, scales += 2, minima += 2) {
    store<u16>(scales, load<u16>(src, 0, 1), 0, 1);
    src += 2;
    if (kind == Q4_1) {
      store<u16>(minima, load<u16>(src, 0, 1), 0, 1);
      src += 2;
    }
    if (kind == Q8_0) {
      copyCodes(codes, src);
      src += 32;
      codes += 32;
    } else {
      if (ASC_FEATURE_SIMD) {
        const all = v128.load(src);
        const low = v128.and(all, i8x16.splat(15));
        const high = v128.and(i16x8.shr_u(all, 4), i8x16.splat(15));
        const pairs = i8x16.narrow_i16x8_u(pairNibbles(low), pairNibbles(high));
        v128.store(codes, v128.xor(pairs, i8x16.splat(<i8>0x88)));
      } else {
        for (let k = 0; k < 16; k += 2) {
          const a = load<u8>(src + k) as u32;
          const b = load<u8>(src + k, 1) as u32;
          store<u8>(codes + (k >> 1), ((a & 15) | ((b & 15) << 4)) ^ 0x88);
          store<u8>(codes + (k >> 1), ((a >> 4) | (b & 0xf0)) ^ 0x88, 8);
        }
      }
      src += 16;
      codes += 16;
    }
  }
  return (src - start) as i32;
}

/** Puts blocks together again: the inverse of splitBlocks. Returns the bytes written. */
export function joinBlocks(scales: usize, minima: usize, codes: usize, blocks: i32, kind: i32, dst: usize): i32 {
  const start = dst;
  for (let i = 0; i < blocks; i++, scales += 2, minima += 2) {
    store<u16>(dst, load<u16>(scales, 0, 1), 0, 1);
    dst += 2;
    if (kind == Q4_1) {
      store<u16>(dst, load<u16>(minima, 0, 1), 0, 1);
      dst += 2;
    }
    if (kind == Q8_0) {
      copyCodes(dst, codes);
      dst += 32;
      codes += 32;
    } else {
      if (ASC_FEATURE_SIMD) {
        const pairs = v128.xor(v128.load(codes), i8x16.splat(<i8>0x88));
        const low = spreadNibbles(i16x8.extend_low_i8x16_u(pairs));
        const high = spreadNibbles(i16x8.extend_high_i8x16_u(pairs));
        v128.store(dst, v128.or(low, i16x8.shl(high, 4)));
      } else {
        for (let k = 0; k < 8; k++) {
          const low = (load<u8>(codes + k) as u32) ^ 0x88;
          const high = (load<u8>(codes + k, 8) as u32) ^ 0x88;
          store<u8>(dst + (k << 1), (low & 15) | (high << 4));
          store<u8>(dst + (k << 1), (low >> 4) | (high & 0xf0), 1);
        }
      }
      dst += 16;
      codes += 16;
    }
  }
  return (dst - start) as i32;
}

// @ts-ignore: decorator
@inline
function copyCodes(dst: usize, src: usize): void {
  if (ASC_FEATURE_SIMD) {
    v128.store(dst, v128.load(src));
    v128.store(dst, v128.load(src, 16), 16);
  } else memory.copy(dst, src, 32);
}

// Two nibbles, one in each byte of an i16, become the low byte.
// @ts-ignore: decorator
@inline
function pairNibbles(x: v128): v128 {
  return v128.and(v128.or(x, i16x8.shr_u(x, 4)), i16x8.splat(255));
}

// And back.
// @ts-ignore: decorator
@inline
function spreadNibbles(x: v128): v128 {
  return v128.and(v128.or(x, i16x8.shl(x, 4)), i8x16.splat(15));
}

// Bits of the f16 nearest to x, halves to even; of infinities and NaN those of an infinity.
// @ts-ignore: decorator
@inline
function toHalf(x: f32): u32 {
  const bits = reinterpret<u32>(x);
  const magnitude = bits & 0x7fffffff;
  // Below 2^-14 the sum with 0.5 counts units of 2^-24, rounded as f32 sums are.
  const small = reinterpret<u32>(reinterpret<f32>(magnitude) + <f32>0.5) - 0x3f000000;
  const normal = min((magnitude - 0x38000000 + 0xfff + ((magnitude >> 13) & 1)) >> 13, HALF_INFINITY);
  return ((bits >> 16) & 0x8000) | (magnitude < 0x38800000 ? small : normal);
}

// 1 / d, or 0 where that is not finite: then every f16 scale is 0.
// @ts-ignore: decorator
@inline
function inverse(d: f32): f32 {
  const id: f32 = <f32>1 / d;
  return abs(id) < f32.MAX_VALUE ? id : 0;
}

// Bits of the greatest magnitude: integers order as magnitudes do, with NaN above all.
// @ts-ignore: decorator
@inline
function greatestBits(src: usize, count: i32): i32 {
  let worst: i32 = 0;
  let i = 0;
  if (ASC_FEATURE_SIMD) {
    if (count == BLOCK) {
      const m = i32x4.splat(0x7fffffff);
      const a = i32x4.max_s(v128.and(v128.load(src), m), v128.and(v128.load(src, 16), m));
      const b = i32x4.max_s(v128.and(v128.load(src, 32), m), v128.and(v128.load(src, 48), m));
      const c = i32x4.max_s(v128.and(v128.load(src, 64), m), v128.and(v128.load(src, 80), m));
      const d = i32x4.max_s(v128.and(v128.load(src, 96), m), v128.and(v128.load(src, 112), m));
      let all = i32x4.max_s(i32x4.max_s(a, b), i32x4.max_s(c, d));
      all = i32x4.max_s(all, v128.shuffle<u32>(all, all, 2, 3, 0, 1));
      all = i32x4.max_s(all, v128.shuffle<u32>(all, all, 1, 0, 3, 2));
      return i32x4.extract_lane(all, 0);
    }
    let bits = i32x4.splat(0);
    for (; i + 4 <= count; i += 4) bits = i32x4.max_s(bits, v128.and(v128.load(src + (i << 2)), i32x4.splat(0x7fffffff)));
    bits = i32x4.max_s(bits, v128.shuffle<u32>(bits, bits, 2, 3, 0, 1));
    bits = i32x4.max_s(bits, v128.shuffle<u32>(bits, bits, 1, 0, 3, 2));
    worst = i32x4.extract_lane(bits, 0);
  }
  for (; i < count; i++) worst = max(worst, load<i32>(src + (i << 2), 0, 1) & 0x7fffffff);
  return worst;
}

// Sixteen codes away(x * s) of magnitude at most 127: x is at most 127 / s.
// @ts-ignore: decorator
@inline
function nearCodes(src: usize, s: v128): v128 {
  const a = near(v128.load(src), s);
  const b = near(v128.load(src, 16), s);
  const c = near(v128.load(src, 32), s);
  const d = near(v128.load(src, 48), s);
  return i8x16.narrow_i16x8_s(i16x8.narrow_i32x4_s(a, b), i16x8.narrow_i32x4_s(c, d));
}

// @ts-ignore: decorator
@inline
function near(x: v128, s: v128): v128 {
  const y = f32x4.mul(x, s);
  const half = v128.or(v128.and(y, i32x4.splat(0x80000000)), i32x4.splat(BEFORE_HALF));
  return i32x4.sub(f32x4.add(f32x4.trunc(f32x4.add(y, half)), f32x4.splat(ROUND)), i32x4.splat(ROUND_BITS));
}

// The first value of the greatest magnitude.
function farthest(src: usize, count: i32): f32 {
  const top = greatestBits(src, count);
  if (ASC_FEATURE_SIMD) {
    if (count == BLOCK) {
      // As integers the greatest is +top, if it is there; the negative of greatest magnitude is the greatest unsigned.
      let high = v128.load(src);
      let low = high;
      for (let i = 16; i < 128; i += 16) {
        const x = v128.load(src + i);
        high = i32x4.max_s(high, x);
        low = i32x4.max_u(low, x);
      }
      const plus = v128.any_true(i32x4.eq(high, i32x4.splat(top)));
      const minus = v128.any_true(i32x4.eq(low, i32x4.splat(top | 0x80000000)));
      if (top != 0 && plus != minus) return reinterpret<f32>(plus ? top : top | 0x80000000);
    }
  }
  for (let i = 0; i < count; i++) {
    const x = load<f32>(src + (i << 2), 0, 1);
    // Of zeros alone it is +0.
    if (top != 0 && (reinterpret<i32>(x) & 0x7fffffff) == top) return x;
  }
  return 0;
}

// The least value, and of zeros of both signs the first.
function leastOf(src: usize, count: i32): f32 {
  let least = load<f32>(src, 0, 1);
  let i = 1;
  if (ASC_FEATURE_SIMD) {
    if (count >= 4) {
      let low = v128.load(src);
      for (i = 4; i + 4 <= count; i += 4) low = f32x4.pmin(low, v128.load(src + (i << 2)));
      low = f32x4.pmin(low, v128.shuffle<u32>(low, low, 2, 3, 0, 1));
      low = f32x4.pmin(low, v128.shuffle<u32>(low, low, 1, 0, 3, 2));
      least = f32x4.extract_lane(low, 0);
    }
  }
  for (; i < count; i++) {
    const x = load<f32>(src + (i << 2), 0, 1);
    if (x < least) least = x;
  }
  if (ASC_FEATURE_SIMD) {
    for (i = 0; least == 0 && i < count; i++) {
      const x = load<f32>(src + (i << 2), 0, 1);
      if (x == 0) return x;
    }
  }
  return least;
}

function greatestOf(src: usize, count: i32): f32 {
  let greatest = load<f32>(src, 0, 1);
  let i = 1;
  if (ASC_FEATURE_SIMD) {
    if (count >= 4) {
      let high = v128.load(src);
      for (i = 4; i + 4 <= count; i += 4) high = f32x4.pmax(high, v128.load(src + (i << 2)));
      high = f32x4.pmax(high, v128.shuffle<u32>(high, high, 2, 3, 0, 1));
      high = f32x4.pmax(high, v128.shuffle<u32>(high, high, 1, 0, 3, 2));
      greatest = f32x4.extract_lane(high, 0);
    }
  }
  for (; i < count; i++) {
    const x = load<f32>(src + (i << 2), 0, 1);
    if (x > greatest) greatest = x;
  }
  return greatest;
}

// Q8_0: away(x * id). 4 bits: clip(away(x * id + 8), 0, 15) - 8. `most` is 127 or 15.
// @ts-ignore: decorator
@inline
function awayCodes(src: usize, count: i32, id: f32, zero: f32, most: i32, dst: usize): void {
  const least = most == 15 ? 0 : -128;
  const shift = most == 15 ? 8 : 0;
  let i = 0;
  if (ASC_FEATURE_SIMD) {
    const s = f32x4.splat(id);
    const z = f32x4.splat(zero);
    const low = i8x16.splat((least - shift) as i8);
    const high = i8x16.splat((most - shift) as i8);
    for (; i + 16 <= count; i += 16) {
      const at = src + (i << 2);
      const a = away(v128.load(at), s, z, shift);
      const b = away(v128.load(at, 16), s, z, shift);
      const c = away(v128.load(at, 32), s, z, shift);
      const d = away(v128.load(at, 48), s, z, shift);
      const codes = i8x16.narrow_i16x8_s(i16x8.narrow_i32x4_s(a, b), i16x8.narrow_i32x4_s(c, d));
      v128.store(dst + i, i8x16.max_s(i8x16.min_s(codes, high), low));
    }
  }
  for (; i < count; i++) {
    const y = max<f32>(min<f32>(load<f32>(src + (i << 2), 0, 1) * id + zero, CLAMP), -CLAMP);
    const away = trunc<f32>(y + copysign<f32>(reinterpret<f32>(BEFORE_HALF), y)) as i32;
    store<i8>(dst + i, (max(min(away, most), least) - shift) as i8);
  }
}

// @ts-ignore: decorator
@inline
function away(x: v128, s: v128, z: v128, shift: i32): v128 {
  const y = f32x4.pmax(f32x4.pmin(f32x4.add(f32x4.mul(x, s), z), f32x4.splat(CLAMP)), f32x4.splat(-CLAMP));
  const half = v128.or(v128.and(y, i32x4.splat(0x80000000)), i32x4.splat(BEFORE_HALF));
  return i32x4.sub(f32x4.add(f32x4.trunc(f32x4.add(y, half)), f32x4.splat(ROUND)), i32x4.splat(ROUND_BITS + shift));
}

// min(15, trunc((x - base) * id + half)) - 8. Nothing below zero comes in, so truncation is floor.
// @ts-ignore: decorator
@inline
function floorCodes(src: usize, count: i32, base: f32, id: f32, half: f32, dst: usize): void {
  let i = 0;
  if (ASC_FEATURE_SIMD) {
    const m = f32x4.splat(base);
    const s = f32x4.splat(id);
    const h = f32x4.splat(half);
    for (; i + 16 <= count; i += 16) {
      const at = src + (i << 2);
      const a = floored(v128.load(at), m, s, h);
      const b = floored(v128.load(at, 16), m, s, h);
      const c = floored(v128.load(at, 32), m, s, h);
      const d = floored(v128.load(at, 48), m, s, h);
      const codes = i8x16.narrow_i16x8_s(i16x8.narrow_i32x4_s(a, b), i16x8.narrow_i32x4_s(c, d));
      v128.store(dst + i, i8x16.min_s(codes, i8x16.splat(7)));
    }
  }
  for (; i < count; i++) {
    const y = (load<f32>(src + (i << 2), 0, 1) - base) * id + half;
    store<i8>(dst + i, (min((y < CLAMP ? y : CLAMP) as i32, 15) - 8) as i8);
  }
}

// @ts-ignore: decorator
@inline
function floored(x: v128, base: v128, s: v128, half: v128): v128 {
  const y = f32x4.add(f32x4.mul(f32x4.sub(x, base), s), half);
  const whole = f32x4.floor(f32x4.pmin(y, f32x4.splat(CLAMP)));
  return i32x4.sub(f32x4.add(whole, f32x4.splat(ROUND)), i32x4.splat(ROUND_BITS + 8));
}

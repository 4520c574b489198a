// Elements of `width` bytes to `width` planes of bytes and back. `rotate` turns each element left by one bit first,
// which puts the sign of a float lowest and its exponent alone into the top plane.

/** n elements at src to planes at dst, plane k at dst + k * n. width is 2, 4 or 8. Returns n * width. */
export function splitPlanes(src: usize, n: i32, width: i32, rotate: i32, dst: usize): i32 {
  assert(width == 2 || width == 4 || width == 8);
  if (width == 2) split2(src, n, rotate, dst);
  else if (width == 4) split4(src, n, rotate, dst);
  else split8(src, n, rotate, dst);
  return n * width;
}

/** The inverse of splitPlanes: writes exactly n * width bytes. */
export function mergePlanes(src: usize, n: i32, width: i32, rotate: i32, dst: usize): i32 {
  assert(width == 2 || width == 4 || width == 8);
  if (width == 2) merge2(src, n, rotate, dst);
  else if (width == 4) merge4(src, n, rotate, dst);
  else merge8(src, n, rotate, dst);
  return n * width;
}

function split2(src: usize, n: i32, rotate: i32, dst: usize): void {
  let i = 0;
  if (ASC_FEATURE_SIMD) {
    for (; i + 16 <= n; i += 16) {
      const a = turn16(v128.load(src + (i << 1)), rotate);
      const b = turn16(v128.load(src + (i << 1), 16), rotate);
      const low = i16x8.splat(0xff);
      v128.store(dst + i, i8x16.narrow_i16x8_u(v128.and(a, low), v128.and(b, low)));
      v128.store(dst + n + i, i8x16.narrow_i16x8_u(i16x8.shr_u(a, 8), i16x8.shr_u(b, 8)));
    }
  }
  for (; i < n; i++) {
    let x = load<u16>(src + (i << 1), 0, 1);
    if (rotate) x = rotl<u16>(x, 1);
    store<u8>(dst + i, x as u8);
    store<u8>(dst + n + i, (x >> 8) as u8);
  }
}

function merge2(src: usize, n: i32, rotate: i32, dst: usize): void {
  let i = 0;
  if (ASC_FEATURE_SIMD) {
    for (; i + 16 <= n; i += 16) {
      const a = v128.load(src + i);
      const b = v128.load(src + n + i);
      const low = v128.shuffle<u8>(a, b, 0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23);
      const high = v128.shuffle<u8>(a, b, 8, 24, 9, 25, 10, 26, 11, 27, 12, 28, 13, 29, 14, 30, 15, 31);
      v128.store(dst + (i << 1), turnBack16(low, rotate));
      v128.store(dst + (i << 1), turnBack16(high, rotate), 16);
    }
  }
  for (; i < n; i++) {
    let x = (load<u8>(src + i) as u16) | ((load<u8>(src + n + i) as u16) << 8);
    if (rotate) x = rotr<u16>(x, 1);
    store<u16>(dst + (i << 1), x, 0, 1);
  }
}

// @ts-ignore: decorator
@inline
function turn16(x: v128, rotate: i32): v128 {
  return rotate ? v128.or(i16x8.shl(x, 1), i16x8.shr_u(x, 15)) : x;
}

// @ts-ignore: decorator
@inline
function turnBack16(x: v128, rotate: i32): v128 {
  return rotate ? v128.or(i16x8.shr_u(x, 1), i16x8.shl(x, 15)) : x;
}

function split4(src: usize, n: i32, rotate: i32, dst: usize): void {
  let i = 0;
  if (ASC_FEATURE_SIMD) {
    for (; i + 16 <= n; i += 16) {
      const at = src + (i << 2);
      const a = gather4(v128.load(at), rotate);
      const b = gather4(v128.load(at, 16), rotate);
      const c = gather4(v128.load(at, 32), rotate);
      const d = gather4(v128.load(at, 48), rotate);
      storeTransposed(a, b, c, d, dst + i, n);
    }
  }
  for (; i < n; i++) {
    let x = load<u32>(src + (i << 2), 0, 1);
    if (rotate) x = rotl<u32>(x, 1);
    for (let k = 0; k < 4; k++) store<u8>(dst + k * n + i, (x >> (k << 3)) as u8);
  }
}

// [b0 b1 b2 b3] x 4 to [b0 x 4, b1 x 4, b2 x 4, b3 x 4]; its own inverse.
// @ts-ignore: decorator
@inline
function quarter(x: v128): v128 {
  return v128.shuffle<u8>(x, x, 0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15);
}

// @ts-ignore: decorator
@inline
function gather4(x: v128, rotate: i32): v128 {
  return quarter(rotate ? v128.or(i32x4.shl(x, 1), i32x4.shr_u(x, 31)) : x);
}

// Stores the columns of the 4 x 4 matrix of 32-bit lanes, `stride` bytes apart.
// @ts-ignore: decorator
@inline
function storeTransposed(a: v128, b: v128, c: v128, d: v128, dst: usize, stride: i32): void {
  const ab = v128.shuffle<u32>(a, b, 0, 4, 1, 5);
  const ab2 = v128.shuffle<u32>(a, b, 2, 6, 3, 7);
  const cd = v128.shuffle<u32>(c, d, 0, 4, 1, 5);
  const cd2 = v128.shuffle<u32>(c, d, 2, 6, 3, 7);
  v128.store(dst, v128.shuffle<u64>(ab, cd, 0, 2));
  v128.store(dst + stride, v128.shuffle<u64>(ab, cd, 1, 3));
  v128.store(dst + 2 * stride, v128.shuffle<u64>(ab2, cd2, 0, 2));
  v128.store(dst + 3 * stride, v128.shuffle<u64>(ab2, cd2, 1, 3));
}

function merge4(src: usize, n: i32, rotate: i32, dst: usize): void {
  let i = 0;
  if (ASC_FEATURE_SIMD) {
    for (; i + 16 <= n; i += 16) {
      const a = v128.load(src + i);
      const b = v128.load(src + n + i);
      const c = v128.load(src + 2 * n + i);
      const d = v128.load(src + 3 * n + i);
      const ab = v128.shuffle<u32>(a, b, 0, 4, 1, 5);
      const ab2 = v128.shuffle<u32>(a, b, 2, 6, 3, 7);
      const cd = v128.shuffle<u32>(c, d, 0, 4, 1, 5);
      const cd2 = v128.shuffle<u32>(c, d, 2, 6, 3, 7);
      const at = dst + (i << 2);
      v128.store(at, scatter4(v128.shuffle<u64>(ab, cd, 0, 2), rotate));
      v128.store(at, scatter4(v128.shuffle<u64>(ab, cd, 1, 3), rotate), 16);
      v128.store(at, scatter4(v128.shuffle<u64>(ab2, cd2, 0, 2), rotate), 32);
      v128.store(at, scatter4(v128.shuffle<u64>(ab2, cd2, 1, 3), rotate), 48);
    }
  }
  for (; i < n; i++) {
    let x: u32 = 0;
    for (let k = 0; k < 4; k++) x |= (load<u8>(src + k * n + i) as u32) << (k << 3);
    if (rotate) x = rotr<u32>(x, 1);
    store<u32>(dst + (i << 2), x, 0, 1);
  }
}

// @ts-ignore: decorator
@inline
function scatter4(x: v128, rotate: i32): v128 {
  const elements = quarter(x);
  return rotate ? v128.or(i32x4.shr_u(elements, 1), i32x4.shl(elements, 31)) : elements;
}

function split8(src: usize, n: i32, rotate: i32, dst: usize): void {
  for (let i = 0; i < n; i++) {
    let x = load<u64>(src + (i << 3), 0, 1);
    if (rotate) x = rotl<u64>(x, 1);
    for (let k = 0; k < 8; k++) store<u8>(dst + k * n + i, (x >> ((k as u64) << 3)) as u8);
  }
}

function merge8(src: usize, n: i32, rotate: i32, dst: usize): void {
  for (let i = 0; i < n; i++) {
    let x: u64 = 0;
    for (let k = 0; k < 8; k++) x |= (load<u8>(src + k * n + i) as u64) << ((k as u64) << 3);
    if (rotate) x = rotr<u64>(x, 1);
    store<u64>(dst + (i << 3), x, 0, 1);
  }
}

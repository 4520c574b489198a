import { LEVEL } from "./status";

/**
 * Packs n signed codes in [-8, 7] two to a byte, the earlier one low; an odd last high nibble is 0.
 * Returns the bytes written or LEVEL if a code is out of range.
 */
export function pack4(src: usize, n: i32, dst: usize): i32 {
  const start = dst;
  const end = src + n;
  let bad: u32 = 0;
  if (ASC_FEATURE_SIMD) {
    let wrong = i8x16.splat(0);
    for (const wide = end - (n & 31); src < wide; src += 32, dst += 16) {
      const a = v128.load(src);
      const b = v128.load(src, 16);
      const eight = i8x16.splat(8);
      wrong = v128.or(wrong, v128.or(i8x16.add(a, eight), i8x16.add(b, eight)));
      v128.store(dst, i8x16.narrow_i16x8_u(joinNibbles(a), joinNibbles(b)));
    }
    bad = v128.any_true(v128.and(wrong, i8x16.splat(<i8>0xf0))) as u32;
  }
  for (; src + 1 < end; src += 2) {
    const low = load<u8>(src);
    const high = load<u8>(src, 1);
    bad |= ((low + 8) | (high + 8)) & 0xf0;
    store<u8>(dst++, (low & 15) | (high << 4));
  }
  if (src < end) {
    const low = load<u8>(src);
    bad |= (low + 8) & 0xf0;
    store<u8>(dst++, low & 15);
  }
  return bad ? LEVEL : ((dst - start) as i32);
}

// Each i16 lane holds an earlier (low byte) and a later code (high byte): join their nibbles into the low byte.
// @ts-ignore: decorator
@inline
function joinNibbles(pairs: v128): v128 {
  const low = v128.and(pairs, i16x8.splat(0x0f));
  const high = v128.and(i16x8.shr_u(pairs, 4), i16x8.splat(0xf0));
  return v128.or(low, high);
}

/** Unpacks n nibbles at src to n sign-extended codes at dst. Returns n. */
export function unpack4(src: usize, n: i32, dst: usize): i32 {
  const end = dst + n;
  if (ASC_FEATURE_SIMD) {
    for (const wide = end - (n & 31); dst < wide; src += 16, dst += 32) {
      const packed = v128.load(src);
      const low = v128.and(packed, i8x16.splat(15));
      const high = v128.and(i16x8.shr_u(packed, 4), i8x16.splat(15));
      v128.store(dst, extend(v128.shuffle<u8>(low, high, 0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23)));
      v128.store(
        dst,
        extend(v128.shuffle<u8>(low, high, 8, 24, 9, 25, 10, 26, 11, 27, 12, 28, 13, 29, 14, 30, 15, 31)),
        16,
      );
    }
  }
  for (; dst + 1 < end; src++, dst += 2) {
    const packed = load<i8>(src) as i32;
    store<i8>(dst, ((packed << 28) >> 28) as i8);
    store<i8>(dst, (packed >> 4) as i8, 1);
  }
  if (dst < end) store<i8>(dst, (((load<i8>(src) as i32) << 28) >> 28) as i8);
  return n;
}

// Sign extension of a nibble: (x ^ 8) - 8.
// @ts-ignore: decorator
@inline
function extend(nibbles: v128): v128 {
  const eight = i8x16.splat(8);
  return i8x16.sub(v128.xor(nibbles, eight), eight);
}

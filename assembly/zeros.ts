// How many elements are zero, for the report of what was packed.

// @ts-ignore: decorator
@inline
function countByte(src: usize, n: i32, byte: i32): i32 {
  let found = 0;
  let i = 0;
  if (ASC_FEATURE_SIMD) {
    const wanted = i8x16.splat(byte as i8);
    for (; i + 16 <= n; i += 16) found += popcnt(i8x16.bitmask(i8x16.eq(v128.load(src + i), wanted)));
  }
  for (; i < n; i++) if (load<i8>(src + i) == (byte as i8)) found++;
  return found;
}

/**
 * Counts the codes (signed bytes, rows x cols at src) that equal the zero point of their row: signed bytes at zeros, or 0 everywhere if
 * zeros is 0.
 */
export function zeroCodes(src: usize, rows: i32, cols: i32, zeros: usize): i32 {
  if (zeros == 0) return countByte(src, rows * cols, 0);
  let found = 0;
  for (let row = 0; row < rows; row++) {
    found += countByte(src, cols, load<i8>(zeros + row) as i32);
    src += cols;
  }
  return found;
}

// @ts-ignore: decorator
@inline
function countZeros<T>(src: usize, n: i32, mask: T): i32 {
  let found = 0;
  let i = 0;
  if (ASC_FEATURE_SIMD) {
    const lanes: i32 = 16 / sizeof<T>();
    const kept = v128.splat<T>(mask);
    const zero = v128.splat<T>(0 as T);
    for (; i + lanes <= n; i += lanes) {
      const bits = v128.and(v128.load(src + i * sizeof<T>()), kept);
      found += popcnt(v128.bitmask<T>(v128.eq<T>(bits, zero)));
    }
  }
  for (; i < n; i++) if ((load<T>(src + i * sizeof<T>(), 0, 1) & mask) == 0) found++;
  return found;
}

/** Counts the elements of 1, 2, 4 or 8 bytes at src all of whose bits are 0; float: all but the highest, the sign. */
export function zeroElements(src: usize, n: i32, width: i32, float: i32): i32 {
  if (width == 1) return countZeros<u8>(src, n, u8.MAX_VALUE);
  if (width == 2) return countZeros<u16>(src, n, u16.MAX_VALUE >> (float as u16));
  if (width == 4) return countZeros<u32>(src, n, u32.MAX_VALUE >> (float as u32));
  return countZeros<u64>(src, n, u64.MAX_VALUE >> (float as u64));
}

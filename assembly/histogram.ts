// Equal neighbours would wait for each other in one table (a load of what was just stored), so counts go to eight. They have 8 bytes each, and the
// tables begin in different places of a cache line: measured best, with bytes loaded one by one.
const STRIDE: usize = 2048 + 64;
const TABLES = memory.data(8 * 2112, 64);

// @ts-ignore: decorator
@inline
function at(place: usize): u64 {
  return load<u64>(place, TABLES);
}

/** Counts of the n bytes at src as 256 u32 at dst. Returns 256. */
export function histogram(src: usize, n: i32, dst: usize): i32 {
  memory.fill(TABLES, 0, 8 * STRIDE);
  const end = src + n;
  for (const wide = end - (n & 7); src < wide; src += 8) {
    // Offsets that are immediate: a tenth faster than sums.
    const x0 = (load<u8>(src, 0) as usize) << 3;
    store<u64>(x0, load<u64>(x0, TABLES) + 1, TABLES);
    const x1 = (load<u8>(src, 1) as usize) << 3;
    store<u64>(x1, load<u64>(x1, TABLES + STRIDE) + 1, TABLES + STRIDE);
    const x2 = (load<u8>(src, 2) as usize) << 3;
    store<u64>(x2, load<u64>(x2, TABLES + 2 * STRIDE) + 1, TABLES + 2 * STRIDE);
    const x3 = (load<u8>(src, 3) as usize) << 3;
    store<u64>(x3, load<u64>(x3, TABLES + 3 * STRIDE) + 1, TABLES + 3 * STRIDE);
    const x4 = (load<u8>(src, 4) as usize) << 3;
    store<u64>(x4, load<u64>(x4, TABLES + 4 * STRIDE) + 1, TABLES + 4 * STRIDE);
    const x5 = (load<u8>(src, 5) as usize) << 3;
    store<u64>(x5, load<u64>(x5, TABLES + 5 * STRIDE) + 1, TABLES + 5 * STRIDE);
    const x6 = (load<u8>(src, 6) as usize) << 3;
    store<u64>(x6, load<u64>(x6, TABLES + 6 * STRIDE) + 1, TABLES + 6 * STRIDE);
    const x7 = (load<u8>(src, 7) as usize) << 3;
    store<u64>(x7, load<u64>(x7, TABLES + 7 * STRIDE) + 1, TABLES + 7 * STRIDE);
  }
  for (; src < end; src++) {
    const x = (load<u8>(src) as usize) << 3;
    store<u64>(x, load<u64>(x, TABLES) + 1, TABLES);
  }
  for (let i: usize = 0; i < 2048; i += 8, dst += 4) {
    const even = at(i) + at(2 * STRIDE + i) + at(4 * STRIDE + i) + at(6 * STRIDE + i);
    const odd = at(STRIDE + i) + at(3 * STRIDE + i) + at(5 * STRIDE + i) + at(7 * STRIDE + i);
    store<u32>(dst, (even + odd) as u32, 0, 1);
  }
  return 256;
}

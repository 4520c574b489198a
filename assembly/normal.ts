// NF4: sixteen levels, the quantiles of a normal distribution. Table and rule: QLoRA (Dettmers et al. 2023, appendix E) and docs/FORMAT.md.
// Codes c are given as c - 8.

// The levels, least first: one row of bytes for each byte of their f32, the lowest first.
const LEVELS = memory.data<u8>([
  0, 177, 48, 160, 77, 63, 113, 0, 255, 227, 221, 58, 184, 171, 179, 0,
  0, 57, 107, 50, 162, 53, 120, 0, 250, 202, 4, 3, 164, 7, 19, 0,
  128, 50, 6, 202, 145, 61, 186, 0, 162, 36, 124, 173, 225, 16, 57, 128,
  191, 191, 191, 190, 190, 190, 189, 0, 61, 62, 62, 62, 62, 63, 63, 63,
]);

/** x = level[code + 8] * scale, one f32 scale per row. Writes exactly rows * cols f32 at dst and returns their count. */
export function dequantizeNormal(src: usize, rows: i32, cols: i32, scales: usize, dst: usize): i32 {
  for (let row = 0; row < rows; row++) {
    const scale = load<f32>(scales + (row << 2), 0, 1);
    const end = src + cols;
    if (ASC_FEATURE_SIMD) {
      const s = f32x4.splat(scale);
      for (const wide = end - (cols & 15); src < wide; src += 16, dst += 64) {
        const index = v128.and(i8x16.add(v128.load(src), i8x16.splat(8)), i8x16.splat(15));
        const p0 = i8x16.swizzle(v128.load(LEVELS), index);
        const p1 = i8x16.swizzle(v128.load(LEVELS, 16), index);
        const p2 = i8x16.swizzle(v128.load(LEVELS, 32), index);
        const p3 = i8x16.swizzle(v128.load(LEVELS, 48), index);
        let low = lowBytes(p0, p1);
        let high = lowBytes(p2, p3);
        v128.store(dst, f32x4.mul(lowPairs(low, high), s));
        v128.store(dst, f32x4.mul(highPairs(low, high), s), 16);
        low = highBytes(p0, p1);
        high = highBytes(p2, p3);
        v128.store(dst, f32x4.mul(lowPairs(low, high), s), 32);
        v128.store(dst, f32x4.mul(highPairs(low, high), s), 48);
      }
    }
    for (; src < end; src++, dst += 4) store<f32>(dst, level((load<u8>(src) + 8) & 15) * scale, 0, 1);
  }
  return rows * cols;
}

function level(index: usize): f32 {
  const at = LEVELS + index;
  const low = (load<u8>(at) as u32) | ((load<u8>(at, 16) as u32) << 8);
  return reinterpret<f32>(low | ((load<u8>(at, 32) as u32) << 16) | ((load<u8>(at, 48) as u32) << 24));
}

// @ts-ignore: decorator
@inline
function lowBytes(a: v128, b: v128): v128 {
  return v128.shuffle<u8>(a, b, 0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23);
}

// @ts-ignore: decorator
@inline
function highBytes(a: v128, b: v128): v128 {
  return v128.shuffle<u8>(a, b, 8, 24, 9, 25, 10, 26, 11, 27, 12, 28, 13, 29, 14, 30, 15, 31);
}

// @ts-ignore: decorator
@inline
function lowPairs(a: v128, b: v128): v128 {
  return v128.shuffle<u16>(a, b, 0, 8, 1, 9, 2, 10, 3, 11);
}

// @ts-ignore: decorator
@inline
function highPairs(a: v128, b: v128): v128 {
  return v128.shuffle<u16>(a, b, 4, 12, 5, 13, 6, 14, 7, 15);
}

// What a normalized value t becomes lies in 32 cells of 1/16, from -1 up. No cell has more than one threshold (the f32 midpoint of two levels),
// and none lies near an end of its cell, so it does not matter to which cell rounding takes a t.

// The code at the start of each cell.
const CELL_CODE = memory.data<u8>([
  0, 0, 0, 1, 1, 1, 1, 2, 2, 3, 3, 4, 4, 5, 6, 6,
  7, 8, 9, 9, 10, 11, 11, 12, 12, 13, 13, 14, 14, 14, 15, 15,
]);
// The threshold of each cell, or infinity: one row of two halves for each byte of its f32.
const CELL_THRESHOLD = memory.data<u8>([
  0, 0, 216, 0, 0, 0, 112, 0, 128, 0, 118, 0, 236, 188, 0, 113,
  255, 98, 0, 224, 212, 0, 249, 0, 4, 0, 175, 0, 0, 218, 0, 0,
  0, 0, 28, 0, 0, 0, 82, 0, 132, 0, 234, 0, 60, 56, 0, 120,
  250, 72, 0, 103, 130, 0, 83, 0, 109, 0, 141, 0, 0, 137, 0, 0,
  128, 128, 89, 128, 128, 128, 28, 128, 235, 128, 173, 128, 112, 13, 128, 58,
  34, 246, 128, 80, 149, 128, 199, 128, 0, 128, 36, 128, 128, 92, 128, 128,
  127, 127, 191, 127, 127, 127, 191, 127, 190, 127, 190, 127, 190, 190, 127, 189,
  61, 61, 127, 62, 62, 127, 62, 127, 63, 127, 63, 127, 127, 63, 127, 127,
]);

/**
 * Code of the level nearest to x * (1 / scale), as bitsandbytes finds it: the count of thresholds below. src holds finite values of magnitude at
 * most the f32 scale of their row. Returns rows * cols.
 */
export function quantizeNormal(src: usize, rows: i32, cols: i32, scales: usize, dst: usize): i32 {
  for (let row = 0; row < rows; row++) {
    const inverse: f32 = <f32>1 / load<f32>(scales + (row << 2), 0, 1);
    const id: f32 = inverse < f32.MAX_VALUE ? inverse : 0;
    const end = dst + cols;
    if (ASC_FEATURE_SIMD) {
      const s = f32x4.splat(id);
      for (const wide = end - (cols & 15); dst < wide; dst += 16, src += 64) {
        v128.store(dst, nearestLevels(
          f32x4.mul(v128.load(src), s), f32x4.mul(v128.load(src, 16), s),
          f32x4.mul(v128.load(src, 32), s), f32x4.mul(v128.load(src, 48), s),
        ));
      }
    }
    for (; dst < end; dst++, src += 4) {
      const t = load<f32>(src, 0, 1) * id;
      const cell = min((max<f32>((t + 1) * 16, 0)) as i32, 31);
      store<i8>(dst, (load<u8>(CELL_CODE + cell) as i32) + (t > threshold(cell) ? 1 : 0) - 8);
    }
  }
  return rows * cols;
}

function threshold(cell: usize): f32 {
  const at = CELL_THRESHOLD + cell;
  const low = (load<u8>(at) as u32) | ((load<u8>(at, 32) as u32) << 8);
  return reinterpret<f32>(low | ((load<u8>(at, 64) as u32) << 16) | ((load<u8>(at, 96) as u32) << 24));
}

function nearestLevels(a: v128, b: v128, c: v128, d: v128): v128 {
  const cells = i8x16.narrow_i16x8_u(i16x8.narrow_i32x4_s(cellOf(a), cellOf(b)), i16x8.narrow_i32x4_s(cellOf(c), cellOf(d)));
  const first = i8x16.min_u(cells, i8x16.splat(31));
  const second = i8x16.sub(first, i8x16.splat(16));
  const p0 = lookUp(CELL_THRESHOLD, first, second);
  const p1 = lookUp(CELL_THRESHOLD + 32, first, second);
  const p2 = lookUp(CELL_THRESHOLD + 64, first, second);
  const p3 = lookUp(CELL_THRESHOLD + 96, first, second);
  let low = lowBytes(p0, p1);
  let high = lowBytes(p2, p3);
  const overA = f32x4.gt(a, lowPairs(low, high));
  const overB = f32x4.gt(b, highPairs(low, high));
  low = highBytes(p0, p1);
  high = highBytes(p2, p3);
  const overC = f32x4.gt(c, lowPairs(low, high));
  const overD = f32x4.gt(d, highPairs(low, high));
  const over = i8x16.narrow_i16x8_s(i16x8.narrow_i32x4_s(overA, overB), i16x8.narrow_i32x4_s(overC, overD));
  // What is over a threshold is -1 in each byte.
  return i8x16.sub(i8x16.sub(lookUp(CELL_CODE, first, second), over), i8x16.splat(8));
}

// @ts-ignore: decorator
@inline
function cellOf(t: v128): v128 {
  const cell = f32x4.floor(f32x4.mul(f32x4.add(t, f32x4.splat(1)), f32x4.splat(16)));
  return i32x4.sub(f32x4.add(cell, f32x4.splat(ROUND)), i32x4.splat(ROUND_BITS));
}

// 1.5 * 2^23: added to an f32 integer of magnitude < 2^22 it leaves the integer in the low bits.
const ROUND: f32 = 12582912.0;
const ROUND_BITS: i32 = 0x4b400000;

// A table of 32 bytes; a swizzle gives 0 for indices beyond 15.
// @ts-ignore: decorator
@inline
function lookUp(table: usize, first: v128, second: v128): v128 {
  return v128.or(i8x16.swizzle(v128.load(table), first), i8x16.swizzle(v128.load(table, 16), second));
}

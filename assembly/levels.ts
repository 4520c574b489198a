// Levels of a uniform quantizer chosen by a table of bins. A tensor's f32 fall into 65536 bins of equal width; the host decides from their
// counts which level each bin goes to, so that what it reckoned from the counts is what is coded.

const BINS: i32 = 65536;
const HALF: f32 = 32768.0;

// @ts-ignore: decorator
@inline
function binOf(x: f32, inverse: f32): i32 {
  const bin = (Mathf.floor(x * inverse) + HALF) as i32;
  return min(max(bin, 0), BINS - 1);
}

// @ts-ignore: decorator
@inline
function bins(at: usize, inverse: v128): v128 {
  const scaled = f32x4.floor(f32x4.mul(v128.load(at), inverse));
  const bin = i32x4.trunc_sat_f32x4_s(f32x4.add(scaled, f32x4.splat(HALF)));
  return i32x4.min_s(i32x4.max_s(bin, i32x4.splat(0)), i32x4.splat(BINS - 1));
}

// @ts-ignore: decorator
@inline
function bump(counts: usize, bin: i32): void {
  const at = counts + ((bin as usize) << 2);
  store<u32>(at, load<u32>(at) + 1);
}

/**
 * Adds n finite f32 at src to the 65536 u32 counts at dst: x belongs to the bin floor(x * inverse) + 32768 (an f32 product), kept within
 * 0..65535. dst is a multiple of 4. Returns n.
 */
export function countBins(src: usize, n: i32, inverse: f32, dst: usize): i32 {
  let i = 0;
  if (ASC_FEATURE_SIMD) {
    const v = f32x4.splat(inverse);
    for (; i + 4 <= n; i += 4) {
      const found = bins(src + (i << 2), v);
      bump(dst, i32x4.extract_lane(found, 0));
      bump(dst, i32x4.extract_lane(found, 1));
      bump(dst, i32x4.extract_lane(found, 2));
      bump(dst, i32x4.extract_lane(found, 3));
    }
  }
  for (; i < n; i++) bump(dst, binOf(load<f32>(src + (i << 2), 0, 1), inverse));
  return n;
}

// @ts-ignore: decorator
@inline
function levelOf(table: usize, bin: i32): i32 {
  return load<i16>(table + ((bin as usize) << 1)) as i32;
}

/**
 * Codes of n finite f32 at src: the levels of their bins (see countBins) in the table of 65536 i16. width 1: i8 at dst, for levels
 * -127..127. width 2: u16 at dst, (level + 128) ^ 128, whose low byte is the level's as long as it fits, and whose high byte is then 0.
 * Returns n * width.
 */
export function binCodes(src: usize, n: i32, inverse: f32, table: usize, width: i32, dst: usize): i32 {
  for (let i = 0; i < n; i++) {
    const level = levelOf(table, binOf(load<f32>(src + (i << 2), 0, 1), inverse));
    if (width == 1) store<i8>(dst + i, level as i8);
    else store<u16>(dst + (i << 1), ((level + 128) ^ 128) as u16, 0, 1);
  }
  return n * width;
}

/** Sum of (x - f32(level) * scale)^2 over n f32 at src, levels as in binCodes: a f64 added to that at dst. Returns n. */
export function binError(src: usize, n: i32, inverse: f32, table: usize, scale: f32, dst: usize): i32 {
  let sum: f64 = 0;
  for (let i = 0; i < n; i++) {
    const x = load<f32>(src + (i << 2), 0, 1);
    const difference = (x as f64) - ((((levelOf(table, binOf(x, inverse)) as f32) * scale) as f32) as f64);
    sum += difference * difference;
  }
  store<f64>(dst, load<f64>(dst, 0, 1) + sum, 0, 1);
  return n;
}

import { NOT_FINITE } from "./status";

// 1.5 * 2^23: adding it rounds an f32 of magnitude < 2^22 half to even and leaves the integer in the low bits.
const ROUND: f32 = 12582912.0;
const ROUND_BITS: i32 = 0x4b400000;
// Far outside any code range, far inside the reach of ROUND.
const CLAMP: f32 = 1048576.0;

/**
 * Least and greatest value of each row and of 0, as rows pairs of f32 at dst.
 * Returns rows, or NOT_FINITE if a NaN or an infinity is met.
 */
export function range(src: usize, rows: i32, cols: i32, dst: usize): i32 {
  let worst: i32 = 0;
  for (let row = 0; row < rows; row++, dst += 8, src += (cols as usize) << 2) {
    worst = max(worst, rangeRow(src, cols, dst));
  }
  return worst >= 0x7f800000 ? NOT_FINITE : rows;
}

// Returns the greatest magnitude as bits, so that one integer test finds NaN and infinity.
function rangeRow(src: usize, cols: i32, dst: usize): i32 {
  let least: f32 = 0;
  let greatest: f32 = 0;
  let worst: i32 = 0;
  let i = 0;
  if (ASC_FEATURE_SIMD) {
    let low = f32x4.splat(0);
    let high = f32x4.splat(0);
    let bits = i32x4.splat(0);
    for (; i + 4 <= cols; i += 4) {
      const x = v128.load(src + (i << 2));
      low = f32x4.pmin(low, x);
      high = f32x4.pmax(high, x);
      bits = i32x4.max_s(bits, v128.and(x, i32x4.splat(0x7fffffff)));
    }
    for (let k = 0; k < 4; k++) {
      least = min(least, f32x4.extract_lane(low, 0));
      greatest = max(greatest, f32x4.extract_lane(high, 0));
      worst = max(worst, i32x4.extract_lane(bits, 0));
      low = v128.shuffle<u32>(low, low, 1, 2, 3, 0);
      high = v128.shuffle<u32>(high, high, 1, 2, 3, 0);
      bits = v128.shuffle<u32>(bits, bits, 1, 2, 3, 0);
    }
  }
  for (; i < cols; i++) {
    const x = load<f32>(src + (i << 2), 0, 1);
    if (x < least) least = x;
    if (x > greatest) greatest = x;
    worst = max(worst, (reinterpret<u32>(x) & 0x7fffffff) as i32);
  }
  store<f32>(dst, least, 0, 1);
  store<f32>(dst, greatest, 4, 1);
  return worst;
}

/**
 * code = clip(RNE(x / scale) + zero point, qmin, qmax), one f32 scale and (zeros != 0) one i8 zero point per row.
 * Source of the formula: ONNX QuantizeLinear. src holds finite values (see range). Returns rows * cols.
 */
export function quantize(
  src: usize, rows: i32, cols: i32, scales: usize, zeros: usize, qmin: i32, qmax: i32, dst: usize,
): i32 {
  for (let row = 0; row < rows; row++, src += (cols as usize) << 2, dst += cols) {
    const zero = zeros ? (load<i8>(zeros + row) as i32) : 0;
    quantizeRow(src, cols, load<f32>(scales + (row << 2), 0, 1), zero, qmin, qmax, dst);
  }
  return rows * cols;
}

function quantizeRow(src: usize, cols: i32, scale: f32, zero: i32, qmin: i32, qmax: i32, dst: usize): void {
  let i = 0;
  if (ASC_FEATURE_SIMD) {
    const s = f32x4.splat(scale);
    const bias = i32x4.splat(ROUND_BITS - zero);
    const low = i8x16.splat(qmin as i8);
    const high = i8x16.splat(qmax as i8);
    for (; i + 16 <= cols; i += 16) {
      const at = src + (i << 2);
      const a = round(v128.load(at), s, bias);
      const b = round(v128.load(at, 16), s, bias);
      const c = round(v128.load(at, 32), s, bias);
      const d = round(v128.load(at, 48), s, bias);
      const codes = i8x16.narrow_i16x8_s(i16x8.narrow_i32x4_s(a, b), i16x8.narrow_i32x4_s(c, d));
      v128.store(dst + i, i8x16.max_s(i8x16.min_s(codes, high), low));
    }
  }
  for (; i < cols; i++) {
    const x = load<f32>(src + (i << 2), 0, 1) / scale;
    const rounded = nearest<f32>(max<f32>(min<f32>(x, CLAMP), -CLAMP));
    store<i8>(dst + i, max(min((rounded as i32) + zero, qmax), qmin) as i8);
  }
}

// @ts-ignore: decorator
@inline
function round(x: v128, scale: v128, bias: v128): v128 {
  const clamped = f32x4.pmax(f32x4.pmin(f32x4.div(x, scale), f32x4.splat(CLAMP)), f32x4.splat(-CLAMP));
  return i32x4.sub(f32x4.add(clamped, f32x4.splat(ROUND)), bias);
}

/** x = f32(code - zero point) * scale. Writes exactly rows * cols f32 at dst and returns their count. */
export function dequantize(src: usize, rows: i32, cols: i32, scales: usize, zeros: usize, dst: usize): i32 {
  for (let row = 0; row < rows; row++, src += cols, dst += (cols as usize) << 2) {
    const zero = zeros ? (load<i8>(zeros + row) as i32) : 0;
    dequantizeRow(src, cols, load<f32>(scales + (row << 2), 0, 1), zero, dst);
  }
  return rows * cols;
}

function dequantizeRow(src: usize, cols: i32, scale: f32, zero: i32, dst: usize): void {
  let i = 0;
  if (ASC_FEATURE_SIMD) {
    const s = f32x4.splat(scale);
    const z = i16x8.splat(zero as i16);
    for (; i + 16 <= cols; i += 16) {
      const codes = v128.load(src + i);
      const low = i16x8.sub(i16x8.extend_low_i8x16_s(codes), z);
      const high = i16x8.sub(i16x8.extend_high_i8x16_s(codes), z);
      const at = dst + (i << 2);
      v128.store(at, f32x4.mul(f32x4.convert_i32x4_s(i32x4.extend_low_i16x8_s(low)), s));
      v128.store(at, f32x4.mul(f32x4.convert_i32x4_s(i32x4.extend_high_i16x8_s(low)), s), 16);
      v128.store(at, f32x4.mul(f32x4.convert_i32x4_s(i32x4.extend_low_i16x8_s(high)), s), 32);
      v128.store(at, f32x4.mul(f32x4.convert_i32x4_s(i32x4.extend_high_i16x8_s(high)), s), 48);
    }
  }
  for (; i < cols; i++) {
    store<f32>(dst + (i << 2), (((load<i8>(src + i) as i32) - zero) as f32) * scale, 0, 1);
  }
}

/**
 * x = f32(level) * scale, one f32 scale at `scales`, of n u16 at src that are (level + 128) ^ 128. Writes exactly n f32 at dst and returns
 * their count.
 */
export function dequantize16(src: usize, n: i32, scales: usize, dst: usize): i32 {
  const scale = load<f32>(scales, 0, 1);
  let i = 0;
  if (ASC_FEATURE_SIMD) {
    const s = f32x4.splat(scale);
    const bias = i16x8.splat(128);
    for (; i + 8 <= n; i += 8) {
      const levels = i16x8.sub(v128.xor(v128.load(src + (i << 1)), bias), bias);
      const at = dst + (i << 2);
      v128.store(at, f32x4.mul(f32x4.convert_i32x4_s(i32x4.extend_low_i16x8_s(levels)), s));
      v128.store(at, f32x4.mul(f32x4.convert_i32x4_s(i32x4.extend_high_i16x8_s(levels)), s), 16);
    }
  }
  for (; i < n; i++) {
    const level = ((load<u16>(src + (i << 1), 0, 1) ^ 128) - 128) as i16;
    store<f32>(dst + (i << 2), (level as f32) * scale, 0, 1);
  }
  return n;
}

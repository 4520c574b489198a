import { SYMBOL } from "./status";

// Bytes in rows of `width` (the last may be shorter), parted by the class of their row or, with `columns`, of their column. map: a class
// 0..7 for each row or column. starts: eight u32, where the list of each class begins; the lists lie in the order of the classes, without
// gaps. work: 64 KB.

/** Counts of the n bytes by class, as eight u32 at dst. Returns 8, or SYMBOL if a class is not below `classes` <= 8. */
export function classCounts(map: usize, n: i32, width: i32, columns: i32, classes: i32, dst: usize): i32 {
  for (let k = 0; k < 8; k++) store<u32>(dst + (k << 2), 0, 0, 1);
  const rows = (n + width - 1) / width;
  const last = n - (rows - 1) * width;
  const entries = columns ? min(width, n) : rows;
  for (let i = 0; i < entries; i++) {
    const k = load<u8>(map + i) as i32;
    if (k >= classes) return SYMBOL;
    const count = columns ? rows - (i >= last ? 1 : 0) : i == rows - 1 ? last : width;
    const at = dst + (k << 2);
    store<u32>(at, load<u32>(at, 0, 1) + (count as u32), 0, 1);
  }
  return 8;
}

// The work area: where each list goes on, columns of each class, columns of each class before the block at hand; then what the blocks need,
// a block being sixteen neighbouring columns.
const PER_ROW: usize = 32;
const BEFORE: usize = 64;
const MASKS: usize = 96;
/** Columns whose blocks are made at a time, for 8 classes: masks of 16 bytes, and places of 4. */
const STRIPE: i32 = 2048;
const PLACES: usize = MASKS + 16 * 8 * 128;
/** Columns of all blocks of one class, of 24 bytes. Wider rows are gathered byte by byte. */
const WIDEST: i32 = 32768;

/**
 * The lists of the classes from n bytes at src, to dst. Reads up to 16 bytes behind its input, and spoils up to 16 behind its output.
 * Returns n.
 */
export function classGather(
  src: usize,
  n: i32,
  width: i32,
  columns: i32,
  map: usize,
  starts: usize,
  dst: usize,
  work: usize,
): i32 {
  memory.copy(work, starts, 32);
  let at = 0;
  if (ASC_FEATURE_SIMD) {
    if (columns && width <= min(n, WIDEST)) at = gatherColumns(src, n / width, width, map, dst, work);
  }
  for (let row = at / width; at < n; at += width, row++) {
    const length = min(width, n - at);
    if (columns) {
      for (let j = 0; j < length; j++) store<u8>(dst + next(work, map + j, 1), load<u8>(src + at + j));
    } else copy(dst + next(work, map + row, length), src + at, length);
  }
  return n;
}

/**
 * The mirror: n bytes at dst from the lists at src. Reads up to 16 bytes behind its input. Returns n.
 */
export function classScatter(
  src: usize,
  n: i32,
  width: i32,
  columns: i32,
  map: usize,
  starts: usize,
  dst: usize,
  work: usize,
): i32 {
  memory.copy(work, starts, 32);
  let at = 0;
  if (ASC_FEATURE_SIMD) {
    if (columns && width >= 16 && n / width >= 4) at = scatterColumns(src, n / width, width, map, dst, work);
  }
  for (let row = at / width; at < n; at += width, row++) {
    const length = min(width, n - at);
    if (columns) {
      for (let j = 0; j < length; j++) store<u8>(dst + at + j, load<u8>(src + next(work, map + j, 1)));
    } else copy(dst + at, src + next(work, map + row, length), length);
  }
  return n;
}

// Where the list of the class at `entry` goes on; moves it on by `count`.
// @ts-ignore: decorator
@inline
function next(work: usize, entry: usize, count: i32): usize {
  const at = work + ((load<u8>(entry) as usize) << 2);
  const start = load<u32>(at);
  store<u32>(at, start + (count as u32));
  return start as usize;
}

// Convolution kernels are rows of 9 bytes, for which memory.copy takes longer than the copy.
// @ts-ignore: decorator
@inline
function copy(dst: usize, src: usize, length: i32): void {
  if (length < 8 || length > 64) {
    memory.copy(dst, src, length);
    return;
  }
  for (let i = 0; i < length - 8; i += 8) store<u64>(dst + i, load<u64>(src + i, 0, 1), 0, 1);
  store<u64>(dst + length - 8, load<u64>(src + length - 8, 0, 1), 0, 1);
}

// Counts columns [from, to) by class into eight u32; `by` -1 takes them out again.
function countColumns(map: usize, from: i32, to: i32, by: i32, counts: usize): void {
  for (let j = from; j < to; j++) {
    const at = counts + ((load<u8>(map + j) as usize) << 2);
    store<i32>(at, load<i32>(at) + by);
  }
}

// Moves all lists on by `rows` rows.
function skip(work: usize, rows: i32): void {
  for (let k: usize = 0; k < 32; k += 4) {
    store<u32>(work + k, load<u32>(work + k) + rows * load<u32>(work + PER_ROW + k));
  }
}

// Sixteen columns of a row are sixteen bytes of each list, put into their places: a swizzle gives 0 where a mask says 128.
function scatterColumns(src: usize, rows: i32, width: i32, map: usize, dst: usize, work: usize): i32 {
  memory.fill(work + PER_ROW, 0, 64);
  countColumns(map, 0, width, 1, work + PER_ROW);
  let classes = 8;
  while (load<u32>(work + PER_ROW + ((classes - 1) << 2)) == 0) classes--;
  for (let first = 0; first < width; first += STRIPE) {
    const end = min(first + STRIPE, width);
    const blocks = (end - first + 15) >> 4;
    for (let b = 0; b < blocks; b++) makeBlock(map, first + (b << 4), end, classes, b, work);
    let at = 0;
    for (let row = 0; row < rows; row += 4) {
      // The last four may be in part those before once more.
      const begin = min(row, rows - 4);
      skip(work, begin - at);
      at = begin;
      const to = dst + begin * width;
      scatterRows(src, to + first, to + end - 16, width, blocks, classes, work);
    }
    skip(work, -at);
  }
  skip(work, rows);
  return rows * width;
}

// Masks and places of the block at `from`; the last one of a stripe ends with it, and may begin in the one before.
function makeBlock(map: usize, from: i32, end: i32, classes: i32, block: i32, work: usize): void {
  const before = work + BEFORE;
  const start = min(from, end - 16);
  countColumns(map, start, from, -1, before);
  const masks = work + MASKS + ((block * classes) << 4);
  memory.fill(masks, 128, classes << 4);
  const places = work + PLACES + ((block * classes) << 2);
  memory.copy(places, before, classes << 2);
  for (let i = 0; i < 16; i++) {
    const k = load<u8>(map + start + i) as i32;
    const at = before + (k << 2);
    const seen = load<i32>(at);
    store<u8>(masks + (k << 4) + i, seen - load<i32>(places + (k << 2)));
    store<i32>(at, seen + 1);
  }
}

// The blocks of four rows, from `to` on, the last at `last`. Four, because a block's masks and places are then looked up once for four.
// @ts-ignore: decorator
@inline
function scatterRows(src: usize, to: usize, last: usize, width: i32, blocks: i32, classes: i32, work: usize): void {
  let mask = work + MASKS;
  let place = work + PLACES;
  const lists = work + (classes << 2);
  for (let b = 0; b < blocks; b++, to += 16) {
    let v0 = i8x16.splat(0);
    let v1 = v0;
    let v2 = v0;
    let v3 = v0;
    for (let list = work; list < lists; list += 4, place += 4, mask += 16) {
      const step = load<u32>(list, PER_ROW) as usize;
      const from = src + load<u32>(list) + load<u32>(place);
      const lanes = v128.load(mask);
      v0 = v128.or(v0, v128.swizzle(v128.load(from), lanes));
      v1 = v128.or(v1, v128.swizzle(v128.load(from + step), lanes));
      v2 = v128.or(v2, v128.swizzle(v128.load(from + 2 * step), lanes));
      v3 = v128.or(v3, v128.swizzle(v128.load(from + 3 * step), lanes));
    }
    const at = min(to, last);
    v128.store(at, v0);
    v128.store(at + width, v1);
    v128.store(at + 2 * width, v2);
    v128.store(at + 3 * width, v3);
  }
}

// Class by class, so that what a store of sixteen bytes spoils behind a list is written later.
function gatherColumns(src: usize, rows: i32, width: i32, map: usize, dst: usize, work: usize): i32 {
  for (let k = 0; k < 8; k++) {
    const end = packBlocks(map, width, k, work + MASKS);
    let to = dst + load<u32>(work + (k << 2));
    for (let row = 0; row < rows; row++) {
      const from = src + row * width;
      for (let block = work + MASKS; block < end; block += 24) {
        v128.store(to, v128.swizzle(v128.load(from + load<u32>(block, 16)), v128.load(block)));
        to += load<u32>(block, 20);
      }
    }
    store<u32>(work + (k << 2), to - dst);
  }
  return rows * width;
}

// The blocks that have columns of class k, at `to`: which of the sixteen, the first one, and how many. Returns where they end.
function packBlocks(map: usize, width: i32, k: i32, to: usize): usize {
  for (let first = 0; first < width; first += 16) {
    const length = min(16, width - first);
    let count = 0;
    for (let i = 0; i < length; i++) {
      if (load<u8>(map + first + i) == k) store<u8>(to + count++, i);
    }
    store<u32>(to, first, 16);
    store<u32>(to, count, 20);
    if (count > 0) to += 24;
  }
  return to;
}

import { SYMBOL } from "./status";

// Bytes in rows of `width` (the last may be shorter), parted by the class of their row or, with `columns`, of their column. map: a class
// 0..7 for each row or column. starts: eight u32, where the list of each class goes on; moved on by what is taken or put there.

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

/** The lists of the classes from n bytes at src, to dst. Returns n. */
export function classGather(src: usize, n: i32, width: i32, columns: i32, map: usize, starts: usize, dst: usize): i32 {
  for (let at = 0, row = 0; at < n; at += width, row++) {
    const length = min(width, n - at);
    if (columns) {
      for (let j = 0; j < length; j++) store<u8>(dst + next(starts, map + j, 1), load<u8>(src + at + j));
    } else memory.copy(dst + next(starts, map + row, length), src + at, length);
  }
  return n;
}

/** The mirror: n bytes at dst from the lists at src. Returns n. */
export function classScatter(src: usize, n: i32, width: i32, columns: i32, map: usize, starts: usize, dst: usize): i32 {
  for (let at = 0, row = 0; at < n; at += width, row++) {
    const length = min(width, n - at);
    if (columns) {
      for (let j = 0; j < length; j++) store<u8>(dst + at + j, load<u8>(src + next(starts, map + j, 1)));
    } else memory.copy(dst + at, src + next(starts, map + row, length), length);
  }
  return n;
}

// Where the list of the class at `entry` goes on; moves it on by `count`.
// @ts-ignore: decorator
@inline
function next(starts: usize, entry: usize, count: i32): usize {
  const at = starts + ((load<u8>(entry) as usize) << 2);
  const start = load<u32>(at, 0, 1);
  store<u32>(at, start + (count as u32), 0, 1);
  return start as usize;
}

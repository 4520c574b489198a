import { BITS, COUNT, LEVEL, PADDING, RUN, SYMBOL } from "./status";

// zrl: sets of (zeros before a value, level category), the end of a group, an escape for long runs; magnitudes and
// signs as raw bits apart from the symbols. docs/FORMAT.md is the specification, test/reference the literal twin.

// Symbols for runs and categories; two more are left for escape and end.
const PAIRS: i32 = 254;

// First non-zero byte in [at, end), or end.
// @ts-ignore: decorator
@inline
function nextValue(at: usize, end: usize): usize {
  if (ASC_FEATURE_SIMD) {
    for (; at + 16 <= end; at += 16) {
      const mask = i8x16.bitmask(i8x16.ne(v128.load(at), i8x16.splat(0)));
      if (mask) return at + ctz(mask);
    }
  } else {
    for (; at + 8 <= end; at += 8) {
      const word = load<u64>(at, 0, 1);
      if (word) return at + ((ctz(word) >> 3) as usize);
    }
  }
  while (at < end && load<u8>(at) == 0) at++;
  return at;
}

// Per byte: category | raw field << 8. The raw field is the magnitude below its leading one, with the sign above it.
const LEVELS = memory.data(1024, 16);

function buildLevels(): void {
  for (let byte = 1; byte < 256; byte++) {
    const value = ((byte << 24) >> 24) as i32;
    const magnitude = abs(value);
    const category = 32 - clz(magnitude);
    const field = (magnitude ^ (1 << (category - 1))) | ((value >>> 31) << (category - 1));
    store<u32>(LEVELS + (byte << 2), category | (field << 8));
  }
}

/**
 * Turns n signed bytes at src into symbols (one byte each) and raw bits. categories: 1..8, at least the largest present.
 * Writes at most n + 64 bytes to each of symbols and raw. Returns the count of symbols.
 */
export function zrlTokens(src: usize, n: i32, group: i32, categories: i32, symbols: usize, raw: usize): i32 {
  assert(group > 0 && categories > 0 && categories <= 8);
  buildLevels();
  const runs: u32 = PAIRS / categories;
  const escape = runs * categories;
  const first = symbols;
  const end = src + n;
  let acc: u64 = 0;
  let bits: u64 = 0;
  let groupEnd = src;
  while (src < end) {
    groupEnd = min(groupEnd + group, end);
    let run: u32 = 0;
    while (src < groupEnd) {
      // Without a branch per value: a zero writes a symbol too, but the next one takes its place. Up to four values go
      // between two flushes: 7 + 4 * 8 bits fit.
      for (const stop = min(src + 4, groupEnd); src < stop; src++) {
        const level = load<u32>(LEVELS + ((load<u8>(src) as usize) << 2));
        const category = level & 0xff;
        store<u8>(symbols, (run * categories + category - 1) as u8);
        symbols += (category != 0) as usize;
        run = category ? 0 : run + 1;
        acc |= ((level >> 8) as u64) << bits;
        bits += category as u64;
      }
      store<u64>(raw, acc, 0, 1);
      raw += (bits >> 3) as usize;
      acc >>= bits & 0x38;
      bits &= 7;
      if (run < 4) continue;
      // Four zeros in a row: from here on look for values in larger steps, until one is not followed by a zero.
      while (run) {
        const value = nextValue(src, groupEnd);
        run += (value - src) as u32;
        src = value;
        if (value == groupEnd) break;
        for (; run >= runs; run -= runs) store<u8>(symbols++, escape as u8);
        const level = load<u32>(LEVELS + ((load<u8>(src++) as usize) << 2));
        store<u8>(symbols++, (run * categories + (level & 0xff) - 1) as u8);
        acc |= ((level >> 8) as u64) << bits;
        bits += (level & 0xff) as u64;
        store<u64>(raw, acc, 0, 1);
        raw += (bits >> 3) as usize;
        acc >>= bits & 0x38;
        bits &= 7;
        run = (src < groupEnd && load<u8>(src) == 0) as u32;
        src += run;
      }
    }
    if (run) store<u8>(symbols++, (escape + 1) as u8);
  }
  return (symbols - first) as i32;
}

// Per symbol below the escape: run | (category - 1) << 8 | mask of the raw field << 16.
const SETS = memory.data(1024, 16);

function buildSets(categories: i32): void {
  const runs = PAIRS / categories;
  let at = SETS;
  for (let run = 0; run < runs; run++) {
    for (let top = 0; top < categories; top++, at += 4) store<u32>(at, run | (top << 8) | (((2 << top) - 1) << 16));
  }
}

/**
 * Turns m symbols and rawSize bytes of raw bits back into n signed bytes at dst, exactly n.
 * Reads up to 64 bytes beyond raw + rawSize. Returns n, or SYMBOL, RUN, COUNT, LEVEL, BITS or PADDING.
 */
export function zrlValues(
  symbols: usize, m: i32, raw: usize, rawSize: i32, group: i32, categories: i32, n: i32, dst: usize,
): i32 {
  assert(group > 0 && categories > 0 && categories <= 8);
  memory.fill(dst, 0, n);
  const runs = PAIRS / categories;
  const escape = runs * categories;
  buildSets(categories);
  const rawBits = (rawSize as u32) << 3;
  const last = dst + n;
  const start = dst;
  let bit: u32 = 0;
  let groupEnd = dst + min(group, n);
  let over: i32 = 0;
  for (const stop = symbols + m; symbols < stop; symbols++) {
    const symbol = load<u8>(symbols) as i32;
    if (symbol < escape) {
      const set = load<u32>(SETS + (symbol << 2));
      dst += set & 0xff;
      if (dst >= groupEnd) return dst >= last ? COUNT : RUN;
      const field = (load<u32>(raw + (bit >> 3), 0, 1) >> (bit & 7)) & (set >> 16);
      const top = (set >> 8) & 0xff;
      bit += top + 1;
      if (bit > rawBits) return BITS;
      const sign = -((field >> top) as i32);
      const value = ((field | (1 << top)) ^ sign) - sign;
      over |= (value + 128) & ~0xff;
      store<i8>(dst++, value as i8);
    } else if (symbol == escape) {
      dst += runs;
      if (dst >= groupEnd) return RUN;
    } else {
      if (symbol > escape + 1) return SYMBOL;
      if (dst >= groupEnd) return COUNT;
      if (dst > start && load<u8>(symbols - 1) == escape) return RUN;
      dst = groupEnd;
    }
    if (dst == groupEnd) groupEnd = min(groupEnd + group, last);
  }
  if (over) return LEVEL;
  if (dst != last) return COUNT;
  if (rawBits - bit > 7) return BITS;
  if (bit < rawBits && load<u8>(raw + (bit >> 3)) >> ((bit & 7) as u8) != 0) return PADDING;
  return n;
}

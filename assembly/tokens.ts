import { wordAtLeast } from "./split";
import { BITS, COUNT, LEVEL, PADDING, RUN, SYMBOL } from "./status";

// zrl: sets of (zeros before a value, level category), the end of a group, an escape for long runs; magnitudes and
// signs as raw bits apart from the symbols. docs/FORMAT.md is the specification, test/reference the literal twin.

// Symbols for runs and categories; two more are left for escape and end.
const PAIRS: i32 = 254;

// A bit for each of the 64 bytes at `at` that is not zero.
// @ts-ignore: decorator
@inline
function valuesIn(at: usize): u64 {
  let word: u64 = 0;
  if (ASC_FEATURE_SIMD) {
    word = valueBits(at) | (valueBits(at + 16) << 16) | ((valueBits(at + 32) | (valueBits(at + 48) << 16)) << 32);
  } else {
    for (let k = 0; k < 64; k += 8) word |= wordAtLeast(load<u64>(at + k, 0, 1), 1) << k;
  }
  return word;
}

// @ts-ignore: decorator
@inline
function valueBits(at: usize): u64 {
  return i8x16.bitmask(i8x16.ne(v128.load(at), i8x16.splat(0))) as u64;
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
 * Reads up to 64 bytes beyond src, writes at most n + 64 bytes to each of symbols and raw. Returns the count of symbols.
 */
export function zrlTokens(src: usize, n: i32, group: i32, categories: i32, symbols: usize, raw: usize): i32 {
  assert(group > 0 && categories > 0 && categories <= 8);
  buildLevels();
  const runs = PAIRS / categories;
  const escape = runs * categories;
  const first = symbols;
  let acc: u64 = 0;
  let bits: u64 = 0;
  for (const end = src + n; src < end; ) {
    const groupEnd = min(src + group, end);
    // The first byte behind the latest value.
    let from = src;
    for (; src < groupEnd; src += 64) {
      let values = valuesIn(src);
      if (groupEnd - src < 64) values &= ((1 as u64) << (groupEnd - src)) - 1;
      for (; values; values &= values - 1) {
        const at = src + (ctz(values) as usize);
        let run = (at - from) as i32;
        from = at + 1;
        for (; run >= runs; run -= runs) store<u8>(symbols++, escape as u8);
        const level = load<u32>(LEVELS + ((load<u8>(at) as usize) << 2));
        store<u8>(symbols++, (run * categories + (level & 0xff) - 1) as u8);
        acc |= ((level >> 8) as u64) << bits;
        bits += level & 0xff;
        store<u64>(raw, acc, 0, 1);
        raw += (bits >> 3) as usize;
        acc >>= bits & 0x38;
        bits &= 7;
      }
    }
    if (from < groupEnd) store<u8>(symbols++, (escape + 1) as u8);
    src = groupEnd;
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

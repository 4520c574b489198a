// One table would serialise on equal neighbours (store-to-load forwarding), so counts go to four.
const EXTRA = memory.data(3 * 1024, 16);

// @ts-ignore: decorator
@inline
function bump(table: usize, symbol: u32): void {
  const at = table + (symbol << 2);
  store<u32>(at, load<u32>(at) + 1);
}

// @ts-ignore: decorator
@inline
function bumpWord(word: u32, dst: usize): void {
  bump(dst, word & 0xff);
  bump(EXTRA, (word >> 8) & 0xff);
  bump(EXTRA + 1024, (word >> 16) & 0xff);
  bump(EXTRA + 2048, word >> 24);
}

/** Counts of the n bytes at src as 256 u32 at dst. Returns 256. */
export function histogram(src: usize, n: i32, dst: usize): i32 {
  memory.fill(dst, 0, 1024);
  memory.fill(EXTRA, 0, 3072);
  const end = src + n;
  for (const wide = end - (n & 15); src < wide; src += 16) {
    const a = load<u64>(src, 0, 1);
    const b = load<u64>(src, 8, 1);
    bumpWord(a as u32, dst);
    bumpWord((a >> 32) as u32, dst);
    bumpWord(b as u32, dst);
    bumpWord((b >> 32) as u32, dst);
  }
  for (; src < end; src++) bump(dst, load<u8>(src));
  for (let i: usize = 0; i < 1024; i += 4) {
    const extra = load<u32>(EXTRA + i) + load<u32>(EXTRA + i, 1024) + load<u32>(EXTRA + i, 2048);
    store<u32>(dst + i, load<u32>(dst + i, 0, 1) + extra, 0, 1);
  }
  return 256;
}

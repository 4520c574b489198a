// The fields of a flat: groups of 128 in sixteen lanes, then packed ones (docs/FORMAT.md, pivot).

const GROUP = 128;
const LANES = 16;

/** Looks up n fields of `width` bits (0..8) at src in the bytes of a table of 2^width, and writes those to dst. */
export function unpack(b: Uint8Array, src: number, n: number, width: number, table: Uint8Array, dst: number): number {
  if (width === 0) b.fill(table[0] as number, dst, dst + n);
  else if (width === 8) lookUp(b, src, n, table, dst);
  else {
    const grouped = n - (n % GROUP);
    const groups = width === 4 ? groupsOfFour : width === 5 ? groupsOfFive : groupsOfAny;
    groups(b, src, grouped, width, table, dst);
    unpackRest(b, src + (grouped / 8) * width, n - grouped, width, table, dst + grouped);
  }
  return n;
}

function lookUp(b: Uint8Array, src: number, n: number, table: Uint8Array, dst: number): void {
  var d = dst;
  var p = src;
  var t = table;
  var end = dst + n;
  for (; d < end; ++d, ++p) b[d] = t[b[p] as number] as number;
}

// Two widths that are most of what quantized weights have, without loops over rows.
function groupsOfFour(b: Uint8Array, src: number, n: number, _width: number, table: Uint8Array, dst: number): void {
  var d = dst;
  var p = src;
  var t = table;
  var x = 0;
  var end = 0;
  for (const last = dst + n; d < last; d += GROUP / 2) {
    for (end = d + GROUP / 2; d < end; d += 4, p += 4) {
      x = b[p] as number;
      b[d] = t[x & 15] as number;
      b[d + 64] = t[x >> 4] as number;
      x = b[p + 1] as number;
      b[d + 1] = t[x & 15] as number;
      b[d + 65] = t[x >> 4] as number;
      x = b[p + 2] as number;
      b[d + 2] = t[x & 15] as number;
      b[d + 66] = t[x >> 4] as number;
      x = b[p + 3] as number;
      b[d + 3] = t[x & 15] as number;
      b[d + 67] = t[x >> 4] as number;
    }
  }
}

function groupsOfFive(b: Uint8Array, src: number, n: number, _width: number, table: Uint8Array, dst: number): void {
  var d = dst;
  var p = src;
  var t = table;
  var x = 0;
  var high = 0;
  var end = 0;
  for (const last = dst + n; d < last; d += GROUP - LANES, p += 4 * LANES) {
    for (end = d + LANES; d < end; ++d, ++p) {
      x = b[p] as number;
      b[d] = t[x & 31] as number;
      high = x >> 5;
      x = b[p + 16] as number;
      b[d + 16] = t[x & 31] as number;
      high |= (x >> 5) << 3;
      x = b[p + 32] as number;
      b[d + 32] = t[x & 31] as number;
      high |= (x >> 5) << 6;
      x = b[p + 48] as number;
      b[d + 48] = t[x & 31] as number;
      high |= (x >> 5) << 9;
      x = b[p + 64] as number;
      b[d + 64] = t[x & 31] as number;
      high |= (x >> 5) << 12;
      b[d + 80] = t[high & 31] as number;
      b[d + 96] = t[(high >> 5) & 31] as number;
      b[d + 112] = t[high >> 10] as number;
    }
  }
}

function groupsOfAny(b: Uint8Array, src: number, n: number, width: number, table: Uint8Array, dst: number): void {
  var d = 0;
  var p = 0;
  var t = table;
  var x = 0;
  var w = width;
  var mask = (1 << w) - 1;
  var high = 0;
  var at = 0;
  var end = 0;
  for (let group = 0; group < n; group += GROUP) {
    for (let lane = 0; lane < LANES; lane++) {
      d = dst + group + lane;
      p = src + (group / 8) * w + lane;
      high = 0;
      at = 0;
      for (end = d + LANES * w; d < end; d += LANES, p += LANES) {
        x = b[p] as number;
        b[d] = t[x & mask] as number;
        high |= (x >> w) << at;
        at += 8 - w;
      }
      for (end = d + LANES * (8 - w); d < end; d += LANES) {
        b[d] = t[high & mask] as number;
        high >>= w;
      }
    }
  }
}

function unpackRest(b: Uint8Array, src: number, n: number, width: number, table: Uint8Array, dst: number): void {
  const mask = (1 << width) - 1;
  for (let i = 0, at = 0; i < n; i++, at += width) {
    const p = src + (at >> 3);
    const x = (b[p] as number) | ((b[p + 1] as number) << 8);
    b[dst + i] = table[(x >> (at & 7)) & mask] as number;
  }
}

/** Looks up n fields of `width` bits (0..8), packed from the lowest bit on at src, in the bytes at table, to dst. */
export function unpack(b: Uint8Array, src: number, n: number, width: number, table: Uint8Array, dst: number): void {
  if (width === 0) b.fill(table[0] as number, dst, dst + n);
  else if (width === 8) unpack8(b, src, n, table, dst);
  else if (width === 4) unpack4(b, src, n, table, dst);
  else unpackFours(b, src, n, width, table, dst);
}

function unpack8(b: Uint8Array, src: number, n: number, table: Uint8Array, dst: number): void {
  var d = dst;
  var p = src;
  var t = table;
  var end = dst + n;
  for (; d < end; ++d, ++p) b[d] = t[b[p] as number] as number;
}

function unpack4(b: Uint8Array, src: number, n: number, table: Uint8Array, dst: number): void {
  var d = dst;
  var t = table;
  var x = 0;
  var p = src;
  var end = dst + (n & -2);
  while (d < end) {
    x = b[p] as number;
    ++p;
    b[d] = t[x & 15] as number;
    ++d;
    b[d] = t[x >> 4] as number;
    ++d;
  }
  if (n & 1) b[d] = t[(b[p] as number) & 15] as number;
}

// Four fields take half as many bytes as a field has bits, so every second four begins within a byte.
function unpackFours(b: Uint8Array, src: number, n: number, width: number, table: Uint8Array, dst: number): void {
  var d = dst;
  var t = table;
  var x = 0;
  var w = width;
  var mask = (1 << w) - 1;
  var at = 0;
  var p = 0;
  var end = dst + (n & -4);
  while (d < end) {
    p = src + (at >> 3);
    x = (b[p] as number) | ((b[p + 1] as number) << 8);
    if (w > 3) x |= ((b[p + 2] as number) << 16) | ((b[p + 3] as number) << 24);
    x >>= at & 4;
    at += 4 * w;
    b[d] = t[x & mask] as number;
    x >>= w;
    ++d;
    b[d] = t[x & mask] as number;
    x >>= w;
    ++d;
    b[d] = t[x & mask] as number;
    x >>= w;
    ++d;
    b[d] = t[x & mask] as number;
    ++d;
  }
  for (let i = 0; i < (n & 3); i++, at += w) {
    p = src + (at >> 3);
    x = ((b[p] as number) | ((b[p + 1] as number) << 8)) >> (at & 7);
    b[d + i] = t[x & mask] as number;
  }
}

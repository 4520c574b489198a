// The inner loops of pivot and mask, each twice: interpreters run those with branches up to twice as fast, because every
// operation costs the same; compiled code runs those without nearly three times as fast, because nobody can predict the bits.
// `var`, because QuickJS tests at every use of a `let` or `const` whether it has a value yet.

/** Merges the list at `left` and the one at `right` into n bytes at dst: bit i at bits says from which byte i comes. */
export type Merge = (b: Uint8Array, bits: number, n: number, left: number, right: number, dst: number) => void;

/** As Merge, where the bytes that bit 0 stands for are all the same. Returns the end of the list `right`. */
export type Expand = (b: Uint8Array, bits: number, n: number, byte: number, right: number, dst: number) => number;

export interface Loops {
  readonly merge: Merge;
  readonly expand: Expand;
}

const mergeCompiled: Merge = (b, bits, n, left, right, dst) => {
  var d = dst;
  var r = right;
  var l = left;
  var p = bits;
  var m = 0;
  var x = 0;
  for (const end = dst + (n & -8); d < end; d += 8, p++) {
    m = b[p] as number;
    x = (m << 31) >> 31;
    b[d] = b[l ^ ((l ^ r) & x)] as number;
    l = (l + 1 + x) | 0;
    r = (r - x) | 0;
    x = (m << 30) >> 31;
    b[d + 1] = b[l ^ ((l ^ r) & x)] as number;
    l = (l + 1 + x) | 0;
    r = (r - x) | 0;
    x = (m << 29) >> 31;
    b[d + 2] = b[l ^ ((l ^ r) & x)] as number;
    l = (l + 1 + x) | 0;
    r = (r - x) | 0;
    x = (m << 28) >> 31;
    b[d + 3] = b[l ^ ((l ^ r) & x)] as number;
    l = (l + 1 + x) | 0;
    r = (r - x) | 0;
    x = (m << 27) >> 31;
    b[d + 4] = b[l ^ ((l ^ r) & x)] as number;
    l = (l + 1 + x) | 0;
    r = (r - x) | 0;
    x = (m << 26) >> 31;
    b[d + 5] = b[l ^ ((l ^ r) & x)] as number;
    l = (l + 1 + x) | 0;
    r = (r - x) | 0;
    x = (m << 25) >> 31;
    b[d + 6] = b[l ^ ((l ^ r) & x)] as number;
    l = (l + 1 + x) | 0;
    r = (r - x) | 0;
    x = (m << 24) >> 31;
    b[d + 7] = b[l ^ ((l ^ r) & x)] as number;
    l = (l + 1 + x) | 0;
    r = (r - x) | 0;
  }
  mergeRest(b, p, n & 7, l, r, d);
};

const mergeInterpreted: Merge = (bytes, bits, n, left, right, dst) => {
  var d = dst;
  var b = bytes;
  var r = right;
  var l = left;
  var m = 0;
  var p = bits;
  var end = dst + (n & -8);
  while (d < end) {
    m = b[p] as number;
    ++p;
    if (m & 1) {
      b[d] = b[r] as number;
      ++r;
    } else {
      b[d] = b[l] as number;
      ++l;
    }
    ++d;
    if (m & 2) {
      b[d] = b[r] as number;
      ++r;
    } else {
      b[d] = b[l] as number;
      ++l;
    }
    ++d;
    if (m & 4) {
      b[d] = b[r] as number;
      ++r;
    } else {
      b[d] = b[l] as number;
      ++l;
    }
    ++d;
    if (m & 8) {
      b[d] = b[r] as number;
      ++r;
    } else {
      b[d] = b[l] as number;
      ++l;
    }
    ++d;
    if (m & 16) {
      b[d] = b[r] as number;
      ++r;
    } else {
      b[d] = b[l] as number;
      ++l;
    }
    ++d;
    if (m & 32) {
      b[d] = b[r] as number;
      ++r;
    } else {
      b[d] = b[l] as number;
      ++l;
    }
    ++d;
    if (m & 64) {
      b[d] = b[r] as number;
      ++r;
    } else {
      b[d] = b[l] as number;
      ++l;
    }
    ++d;
    if (m & 128) {
      b[d] = b[r] as number;
      ++r;
    } else {
      b[d] = b[l] as number;
      ++l;
    }
    ++d;
  }
  mergeRest(b, p, n & 7, l, r, d);
};

function mergeRest(b: Uint8Array, bits: number, n: number, left: number, right: number, dst: number): void {
  let l = left;
  let r = right;
  for (let i = 0; i < n; i++) b[dst + i] = b[((b[bits] as number) >> i) & 1 ? r++ : l++] as number;
}

const expandCompiled: Expand = (b, bits, n, byte, right, dst) => {
  var d = dst;
  var r = right;
  var p = bits;
  var m = 0;
  var x = 0;
  for (const end = dst + (n & -8); d < end; d += 8, p++) {
    m = b[p] as number;
    x = (m << 31) >> 31;
    b[d] = byte ^ ((byte ^ (b[r] as number)) & x);
    r = (r - x) | 0;
    x = (m << 30) >> 31;
    b[d + 1] = byte ^ ((byte ^ (b[r] as number)) & x);
    r = (r - x) | 0;
    x = (m << 29) >> 31;
    b[d + 2] = byte ^ ((byte ^ (b[r] as number)) & x);
    r = (r - x) | 0;
    x = (m << 28) >> 31;
    b[d + 3] = byte ^ ((byte ^ (b[r] as number)) & x);
    r = (r - x) | 0;
    x = (m << 27) >> 31;
    b[d + 4] = byte ^ ((byte ^ (b[r] as number)) & x);
    r = (r - x) | 0;
    x = (m << 26) >> 31;
    b[d + 5] = byte ^ ((byte ^ (b[r] as number)) & x);
    r = (r - x) | 0;
    x = (m << 25) >> 31;
    b[d + 6] = byte ^ ((byte ^ (b[r] as number)) & x);
    r = (r - x) | 0;
    x = (m << 24) >> 31;
    b[d + 7] = byte ^ ((byte ^ (b[r] as number)) & x);
    r = (r - x) | 0;
  }
  return expandRest(b, p, n & 7, byte, r, d);
};

const expandInterpreted: Expand = (bytes, bits, n, byte, right, dst) => {
  var d = dst;
  var b = bytes;
  var r = right;
  var m = 0;
  var p = bits;
  var end = dst + (n & -8);
  b.fill(byte, d, end);
  while (d < end) {
    m = b[p] as number;
    ++p;
    if (m === 0) {
      d += 8;
      continue;
    }
    if (m & 1) {
      b[d] = b[r] as number;
      ++r;
    }
    ++d;
    if (m & 2) {
      b[d] = b[r] as number;
      ++r;
    }
    ++d;
    if (m & 4) {
      b[d] = b[r] as number;
      ++r;
    }
    ++d;
    if (m & 8) {
      b[d] = b[r] as number;
      ++r;
    }
    ++d;
    if (m & 16) {
      b[d] = b[r] as number;
      ++r;
    }
    ++d;
    if (m & 32) {
      b[d] = b[r] as number;
      ++r;
    }
    ++d;
    if (m & 64) {
      b[d] = b[r] as number;
      ++r;
    }
    ++d;
    if (m & 128) {
      b[d] = b[r] as number;
      ++r;
    }
    ++d;
  }
  return expandRest(b, p, n & 7, byte, r, d);
};

function expandRest(b: Uint8Array, bits: number, n: number, byte: number, right: number, dst: number): number {
  let r = right;
  for (let i = 0; i < n; i++) b[dst + i] = ((b[bits] as number) >> i) & 1 ? (b[r++] as number) : byte;
  return r;
}

export const COMPILED: Loops = { merge: mergeCompiled, expand: expandCompiled };
export const INTERPRETED: Loops = { merge: mergeInterpreted, expand: expandInterpreted };

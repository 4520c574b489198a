// The inner loops of pivot and mask, each twice: interpreters run those with branches up to twice as fast, because every
// operation costs the same; compiled code runs those without nearly three times as fast, because nobody can predict the bits.
// `var`, because QuickJS tests at every use of a `let` or `const` whether it has a value yet.

/** Merges the list at `left` and the one at `right` into n bytes at dst: bit i at bits says from which byte i comes. Returns n. */
export type Merge = (b: Uint8Array, bits: number, n: number, left: number, right: number, dst: number) => number;

/** As Merge, where the left list is one byte again and again. Returns how many bytes of the right one were used. */
export type Expand = (b: Uint8Array, bits: number, n: number, right: number, leaf: number, dst: number) => number;

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
  return n;
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
  return n;
};

function mergeRest(b: Uint8Array, bits: number, n: number, left: number, right: number, dst: number): void {
  let l = left;
  let r = right;
  for (let i = 0; i < n; i++) b[dst + i] = b[((b[bits] as number) >> i) & 1 ? r++ : l++] as number;
}

const expandCompiled: Expand = (b, bits, n, right, leaf, dst) => {
  var d = dst;
  var r = right;
  var p = bits;
  var m = 0;
  var x = 0;
  for (const end = dst + (n & -8); d < end; d += 8, p++) {
    m = b[p] as number;
    x = (m << 31) >> 31;
    b[d] = leaf ^ ((leaf ^ (b[r] as number)) & x);
    r = (r - x) | 0;
    x = (m << 30) >> 31;
    b[d + 1] = leaf ^ ((leaf ^ (b[r] as number)) & x);
    r = (r - x) | 0;
    x = (m << 29) >> 31;
    b[d + 2] = leaf ^ ((leaf ^ (b[r] as number)) & x);
    r = (r - x) | 0;
    x = (m << 28) >> 31;
    b[d + 3] = leaf ^ ((leaf ^ (b[r] as number)) & x);
    r = (r - x) | 0;
    x = (m << 27) >> 31;
    b[d + 4] = leaf ^ ((leaf ^ (b[r] as number)) & x);
    r = (r - x) | 0;
    x = (m << 26) >> 31;
    b[d + 5] = leaf ^ ((leaf ^ (b[r] as number)) & x);
    r = (r - x) | 0;
    x = (m << 25) >> 31;
    b[d + 6] = leaf ^ ((leaf ^ (b[r] as number)) & x);
    r = (r - x) | 0;
    x = (m << 24) >> 31;
    b[d + 7] = leaf ^ ((leaf ^ (b[r] as number)) & x);
    r = (r - x) | 0;
  }
  return expandRest(b, p, n & 7, r, leaf, d) - right;
};

const expandInterpreted: Expand = (bytes, bits, n, right, leaf, dst) => {
  var d = dst;
  var b = bytes;
  var r = right;
  var m = 0;
  var p = bits;
  var end = dst + (n & -8);
  b.fill(leaf, d, end);
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
  return expandRest(b, p, n & 7, r, leaf, d) - right;
};

function expandRest(b: Uint8Array, bits: number, n: number, right: number, leaf: number, dst: number): number {
  let r = right;
  for (let i = 0; i < n; i++) b[dst + i] = ((b[bits] as number) >> i) & 1 ? (b[r++] as number) : leaf;
  return r;
}

export const COMPILED: Loops = { merge: mergeCompiled, expand: expandCompiled };
export const INTERPRETED: Loops = { merge: mergeInterpreted, expand: expandInterpreted };

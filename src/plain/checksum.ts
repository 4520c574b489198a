import { add, multiply, rotateLeft, shiftRight, type Wide, wide, xor } from "./wide.ts";

const P1 = wide(0x9e3779b1, 0x85ebca87);
const P2 = wide(0xc2b2ae3d, 0x27d4eb4f);
const P3 = wide(0x165667b1, 0x9e3779f9);
const P4 = wide(0x85ebca77, 0xc2b2ae63);
const P5 = wide(0x27d4eb2f, 0x165667c5);
const ZERO = wide(0, 0);

/** XXH64 with seed 0 of the n bytes at src, as 8 bytes at dst. Algorithm: the xxHash specification. Returns 8. */
export function xxh64(b: Uint8Array, src: number, n: number, dst: number): number {
  const whole = n & -4;
  const words =
    src % 4 === 0 ? new Int32Array(b.buffer, src, whole / 4) : new Int32Array(b.slice(src, src + whole).buffer);
  const stripes = (n & -32) / 4;
  let hash = P5;
  if (n >= 32) {
    const lanes = [add(P1, P2), P2, ZERO, add(xor(P1, wide(-1, -1)), wide(0, 1))].map((start, k) =>
      runLane(words, k * 2, stripes, start),
    );
    const [a, b, c, d] = lanes as [Wide, Wide, Wide, Wide];
    hash = add(add(rotateLeft(a, 1), rotateLeft(b, 7)), add(rotateLeft(c, 12), rotateLeft(d, 18)));
    for (const lane of lanes) hash = add(multiply(xor(hash, round(ZERO, lane)), P1), P4);
  }
  const [high, low] = finish(add(hash, wide(0, n)), words, stripes, b.subarray(src + whole, src + n));
  for (let k = 0; k < 4; k++) {
    b[dst + k] = low >> (8 * k);
    b[dst + 4 + k] = high >> (8 * k);
  }
  return 8;
}

function round(acc: Wide, input: Wide): Wide {
  return multiply(rotateLeft(add(acc, multiply(input, P2)), 31), P1);
}

function finish(seed: Wide, words: Int32Array, start: number, rest: Uint8Array): Wide {
  let hash = seed;
  let at = start;
  for (; at + 2 <= words.length; at += 2) {
    const input = wide(words[at + 1] as number, words[at] as number);
    hash = add(multiply(rotateLeft(xor(hash, round(ZERO, input)), 27), P1), P4);
  }
  if (at < words.length) {
    hash = add(multiply(rotateLeft(xor(hash, multiply(wide(0, words[at] as number), P1)), 23), P2), P3);
    at++;
  }
  for (let i = 0; i < rest.length; i++) {
    hash = multiply(rotateLeft(xor(hash, multiply(wide(0, rest[i] as number), P5)), 11), P1);
  }
  hash = multiply(xor(hash, shiftRight(hash, 33)), P2);
  hash = multiply(xor(hash, shiftRight(hash, 29)), P3);
  return xor(hash, shiftRight(hash, 32));
}

// Every fourth 64-bit word from word `first` on through `round`, written out: this is where the time goes. Of the product of
// two halves, x * c, the high half is x1 c1 + (q >>> 16) + (p >>> 16) with p = x1 c0 + (x0 c0 >>> 16), q = x0 c1 + (p & 0xffff):
// none of these sums leaves 32 bits.
function runLane(words: Int32Array, first: number, end: number, [startHigh, startLow]: Wide): Wide {
  var w = words;
  var x = 0;
  var i = first;
  var imul = Math.imul;
  var high = startHigh;
  var low = startLow;
  var x0 = 0;
  var x1 = 0;
  var p = 0;
  var q = 0;
  var t = 0;
  var sum = 0;
  for (; i < end; i += 8) {
    x = w[i] as number;
    x0 = x & 0xffff;
    x1 = x >>> 16;
    p = (imul(x1, 0xeb4f) + (imul(x0, 0xeb4f) >>> 16)) | 0;
    q = (imul(x0, 0x27d4) + (p & 0xffff)) | 0;
    high = (high + imul(x1, 0x27d4) + (p >>> 16) + (q >>> 16)) | 0;
    high = (high + imul(w[i + 1] as number, 0x27d4eb4f) + imul(x, 0xc2b2ae3d)) | 0;
    t = imul(x, 0x27d4eb4f);
    sum = (low + t) | 0;
    high = (high + (((low & t) | ((low | t) & ~sum)) >>> 31)) | 0;
    // Rotated by 31: the halves change places, and one bit goes back.
    t = (sum >>> 1) | (high << 31);
    x = (high >>> 1) | (sum << 31);
    x0 = x & 0xffff;
    x1 = x >>> 16;
    p = (imul(x1, 0xca87) + (imul(x0, 0xca87) >>> 16)) | 0;
    q = (imul(x0, 0x85eb) + (p & 0xffff)) | 0;
    high = (imul(x1, 0x85eb) + (p >>> 16) + (q >>> 16)) | 0;
    high = (high + imul(t, 0x85ebca87) + imul(x, 0x9e3779b1)) | 0;
    low = imul(x, 0x85ebca87);
  }
  return [high, low];
}

// Fractions of the cube roots of the first 64 primes (FIPS 180-4, 4.2.2).
const ROUNDS = Int32Array.of(
  0x428a2f98,
  0x71374491,
  0xb5c0fbcf,
  0xe9b5dba5,
  0x3956c25b,
  0x59f111f1,
  0x923f82a4,
  0xab1c5ed5,
  0xd807aa98,
  0x12835b01,
  0x243185be,
  0x550c7dc3,
  0x72be5d74,
  0x80deb1fe,
  0x9bdc06a7,
  0xc19bf174,
  0xe49b69c1,
  0xefbe4786,
  0x0fc19dc6,
  0x240ca1cc,
  0x2de92c6f,
  0x4a7484aa,
  0x5cb0a9dc,
  0x76f988da,
  0x983e5152,
  0xa831c66d,
  0xb00327c8,
  0xbf597fc7,
  0xc6e00bf3,
  0xd5a79147,
  0x06ca6351,
  0x14292967,
  0x27b70a85,
  0x2e1b2138,
  0x4d2c6dfc,
  0x53380d13,
  0x650a7354,
  0x766a0abb,
  0x81c2c92e,
  0x92722c85,
  0xa2bfe8a1,
  0xa81a664b,
  0xc24b8b70,
  0xc76c51a3,
  0xd192e819,
  0xd6990624,
  0xf40e3585,
  0x106aa070,
  0x19a4c116,
  0x1e376c08,
  0x2748774c,
  0x34b0bcb5,
  0x391c0cb3,
  0x4ed8aa4a,
  0x5b9cca4f,
  0x682e6ff3,
  0x748f82ee,
  0x78a5636f,
  0x84c87814,
  0x8cc70208,
  0x90befffa,
  0xa4506ceb,
  0xbef9a3f7,
  0xc67178f2,
);

/** SHA-256 compression (FIPS 180-4, 6.2.2) of `blocks` 64-byte blocks into the 8 u32 at state. Returns blocks. */
export function sha256(b: Uint8Array, state: number, src: number, blocks: number): number {
  const view = new DataView(b.buffer, b.byteOffset, b.byteLength);
  const hash = new Int32Array(8);
  const schedule = new Int32Array(64);
  for (let k = 0; k < 8; k++) hash[k] = view.getInt32(state + 4 * k, true);
  for (let block = 0; block < blocks; block++) {
    for (let t = 0; t < 16; t++) schedule[t] = view.getInt32(src + 64 * block + 4 * t);
    extend(schedule);
    compress(hash, schedule);
  }
  for (let k = 0; k < 8; k++) view.setInt32(state + 4 * k, hash[k] as number, true);
  return blocks;
}

function extend(schedule: Int32Array): void {
  var w = schedule;
  var t = 16;
  var x = 0;
  var y = 0;
  for (; t < 64; ++t) {
    x = w[t - 15] as number;
    y = w[t - 2] as number;
    x = ((x >>> 7) | (x << 25)) ^ ((x >>> 18) | (x << 14)) ^ (x >>> 3);
    y = ((y >>> 17) | (y << 15)) ^ ((y >>> 19) | (y << 13)) ^ (y >>> 10);
    w[t] = (x + y + (w[t - 16] as number) + (w[t - 7] as number)) | 0;
  }
}

function compress(hash: Int32Array, schedule: Int32Array): void {
  var w = schedule;
  var k = ROUNDS;
  var a = hash[0] as number;
  var b = hash[1] as number;
  var c = hash[2] as number;
  var d = hash[3] as number;
  var e = hash[4] as number;
  var f = hash[5] as number;
  var g = hash[6] as number;
  var h = hash[7] as number;
  var t = 0;
  var x = 0;
  var y = 0;
  for (; t < 64; ++t) {
    x = ((e >>> 6) | (e << 26)) ^ ((e >>> 11) | (e << 21)) ^ ((e >>> 25) | (e << 7));
    x = (h + x + ((e & f) ^ (~e & g)) + (k[t] as number) + (w[t] as number)) | 0;
    y = ((a >>> 2) | (a << 30)) ^ ((a >>> 13) | (a << 19)) ^ ((a >>> 22) | (a << 10));
    y = (y + ((a & b) ^ (a & c) ^ (b & c))) | 0;
    h = g;
    g = f;
    f = e;
    e = (d + x) | 0;
    d = c;
    c = b;
    b = a;
    a = (x + y) | 0;
  }
  const words = [a, b, c, d, e, f, g, h];
  for (let i = 0; i < 8; i++) hash[i] = (hash[i] as number) + (words[i] as number);
}

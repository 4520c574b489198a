const P1: u64 = 0x9e3779b185ebca87;
const P2: u64 = 0xc2b2ae3d27d4eb4f;
const P3: u64 = 0x165667b19e3779f9;
const P4: u64 = 0x85ebca77c2b2ae63;
const P5: u64 = 0x27d4eb2f165667c5;

// @ts-ignore: decorator
@inline
function lane(acc: u64, input: u64): u64 {
  return rotl<u64>(acc + input * P2, 31) * P1;
}

// @ts-ignore: decorator
@inline
function fold(hash: u64, acc: u64): u64 {
  return (hash ^ lane(0, acc)) * P1 + P4;
}

/** XXH64 with seed 0 of the n bytes at src, as 8 bytes at dst. Algorithm: the xxHash specification. Returns 8. */
export function xxh64(src: usize, n: i32, dst: usize): i32 {
  const end = src + n;
  let hash: u64 = P5;
  if (n >= 32) {
    let a: u64 = P1 + P2;
    let b: u64 = P2;
    let c: u64 = 0;
    let d: u64 = 0 - P1;
    for (const wide = end - 32; src <= wide; src += 32) {
      a = lane(a, load<u64>(src, 0, 1));
      b = lane(b, load<u64>(src, 8, 1));
      c = lane(c, load<u64>(src, 16, 1));
      d = lane(d, load<u64>(src, 24, 1));
    }
    hash = rotl<u64>(a, 1) + rotl<u64>(b, 7) + rotl<u64>(c, 12) + rotl<u64>(d, 18);
    hash = fold(fold(fold(fold(hash, a), b), c), d);
  }
  store<u64>(dst, finish(hash + (n as u64), src, end), 0, 1);
  return 8;
}

function finish(seed: u64, src: usize, end: usize): u64 {
  let hash = seed;
  for (; src + 8 <= end; src += 8) hash = rotl<u64>(hash ^ lane(0, load<u64>(src, 0, 1)), 27) * P1 + P4;
  if (src + 4 <= end) {
    hash = rotl<u64>(hash ^ ((load<u32>(src, 0, 1) as u64) * P1), 23) * P2 + P3;
    src += 4;
  }
  for (; src < end; src++) hash = rotl<u64>(hash ^ ((load<u8>(src) as u64) * P5), 11) * P1;
  hash = (hash ^ (hash >> 33)) * P2;
  hash = (hash ^ (hash >> 29)) * P3;
  return hash ^ (hash >> 32);
}

const SCHEDULE = memory.data(256, 16);

/** SHA-256 compression (FIPS 180-4, 6.2.2) of `blocks` 64-byte blocks into the 8 u32 at state. Returns blocks. */
export function sha256(state: usize, src: usize, blocks: i32): i32 {
  for (let block = 0; block < blocks; block++, src += 64) {
    for (let t: usize = 0; t < 64; t += 4) store<u32>(SCHEDULE + t, bswap<u32>(load<u32>(src + t, 0, 1)));
    for (let t: usize = 64; t < 256; t += 4) {
      const early = load<u32>(SCHEDULE + t - 60);
      const late = load<u32>(SCHEDULE + t - 8);
      const s0 = rotr<u32>(early, 7) ^ rotr<u32>(early, 18) ^ (early >> 3);
      const s1 = rotr<u32>(late, 17) ^ rotr<u32>(late, 19) ^ (late >> 10);
      store<u32>(SCHEDULE + t, load<u32>(SCHEDULE + t - 64) + s0 + load<u32>(SCHEDULE + t - 28) + s1);
    }
    compress(state);
  }
  return blocks;
}

function compress(state: usize): void {
  // Fractions of the cube roots of the first 64 primes (FIPS 180-4, 4.2.2). In here, so that modules without SHA-256 do not carry them.
  const ROUNDS = memory.data<u32>([
    0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4, 0xab1c5ed5,
    0xd807aa98, 0x12835b01, 0x243185be, 0x550c7dc3, 0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174,
    0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc, 0x2de92c6f, 0x4a7484aa, 0x5cb0a9dc, 0x76f988da,
    0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7, 0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967,
    0x27b70a85, 0x2e1b2138, 0x4d2c6dfc, 0x53380d13, 0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85,
    0xa2bfe8a1, 0xa81a664b, 0xc24b8b70, 0xc76c51a3, 0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070,
    0x19a4c116, 0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f, 0x682e6ff3,
    0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208, 0x90befffa, 0xa4506ceb, 0xbef9a3f7, 0xc67178f2,
  ]);
  let a = load<u32>(state, 0, 1);
  let b = load<u32>(state, 4, 1);
  let c = load<u32>(state, 8, 1);
  let d = load<u32>(state, 12, 1);
  let e = load<u32>(state, 16, 1);
  let f = load<u32>(state, 20, 1);
  let g = load<u32>(state, 24, 1);
  let h = load<u32>(state, 28, 1);
  for (let t: usize = 0; t < 256; t += 4) {
    const s1 = rotr<u32>(e, 6) ^ rotr<u32>(e, 11) ^ rotr<u32>(e, 25);
    const t1 = h + s1 + ((e & f) ^ (~e & g)) + load<u32>(ROUNDS + t) + load<u32>(SCHEDULE + t);
    const s0 = rotr<u32>(a, 2) ^ rotr<u32>(a, 13) ^ rotr<u32>(a, 22);
    const t2 = s0 + ((a & b) ^ (a & c) ^ (b & c));
    h = g;
    g = f;
    f = e;
    e = d + t1;
    d = c;
    c = b;
    b = a;
    a = t1 + t2;
  }
  add(state, a);
  add(state + 4, b);
  add(state + 8, c);
  add(state + 12, d);
  add(state + 16, e);
  add(state + 20, f);
  add(state + 24, g);
  add(state + 28, h);
}

// @ts-ignore: decorator
@inline
function add(at: usize, x: u32): void {
  store<u32>(at, load<u32>(at, 0, 1) + x, 0, 1);
}

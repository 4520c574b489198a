/** Numbers that a seed decides, the same on every engine: xoshiro128** (Blackman and Vigna, 2018). Uniform in [0, 1), steps of 2^-32. */
export function random(seed: number): () => number {
  const state = spread(seed);
  return () => {
    const [a, b, c, d] = state as unknown as [number, number, number, number];
    const mixed = Math.imul(rotated(Math.imul(b, 5), 7), 9) >>> 0;
    state[2] = c ^ a;
    state[3] = d ^ b;
    state[1] = b ^ (c ^ a);
    state[0] = a ^ (d ^ b);
    state[2] = c ^ a ^ (b << 9);
    state[3] = rotated(d ^ b, 11);
    return mixed / 2 ** 32;
  };
}

// Seeds that differ in a bit must not give states that are alike: the finalizer of MurmurHash3 over a counter.
function spread(seed: number): Uint32Array {
  return Uint32Array.from({ length: 4 }, (_, i) => {
    let h = (Math.floor(seed) + Math.imul(i + 1, 0x9e3779b9)) | 0;
    h = Math.imul(h ^ (h >>> 16), 0x85ebca6b);
    h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35);
    // All four zero would stay zero.
    return (h ^ (h >>> 16)) >>> 0 || i + 1;
  });
}

function rotated(x: number, by: number): number {
  return (x << by) | (x >>> (32 - by));
}

/** 0 .. count - 1 in an order that the seed decides (Fisher and Yates). */
export function shuffled(count: number, seed: number): number[] {
  const order = Array.from({ length: count }, (_, i) => i);
  const next = random(seed);
  for (let i = count - 1; i > 0; i--) {
    const j = Math.floor(next() * (i + 1));
    [order[i], order[j]] = [order[j] as number, order[i] as number];
  }
  return order;
}

function bit(bytes: Uint8Array, at: number): number {
  return (bytes[at >> 3] >> (at & 7)) & 1;
}

/** n bytes, each the next one of the left list (bit 0) or of the right (bit 1). */
export function merge(bits: Uint8Array, n: number, left: Uint8Array, right: Uint8Array): Uint8Array {
  const merged = new Uint8Array(n);
  let ones = 0;
  for (let i = 0; i < n; i++) {
    merged[i] = bit(bits, i) ? right[ones] : left[i - ones];
    ones += bit(bits, i);
  }
  return merged;
}

/** n fields of `depth` bits, looked up. */
export function unpack(bytes: Uint8Array, n: number, depth: number, symbols: Uint8Array): Uint8Array {
  return new Uint8Array(n).map((_, i) => {
    let place = 0;
    for (let b = 0; b < depth; b++) place |= bit(bytes, i * depth + b) << b;
    return symbols[place];
  });
}

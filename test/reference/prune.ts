/** The bits of |x|: for finite floats these order like the magnitudes. */
export function magnitudeBits(x: Float32Array): Uint32Array {
  const bits = new Uint32Array(x.slice().buffer);
  return bits.map((b) => b & 0x7fffffff);
}

/** Twin of the kernel's counting pass: the upper 16 magnitude bits, or the lower 15 of those with that prefix. */
export function magnitudes(x: Float32Array, prefix: number): Uint32Array {
  if (!x.every(Number.isFinite)) throw new Error("NOT_FINITE");
  const bins = new Uint32Array(prefix < 0 ? 65536 : 32768);
  for (const bits of magnitudeBits(x)) {
    if (prefix < 0) bins[bits >>> 15]++;
    else if (bits >>> 15 === prefix) bins[bits & 0x7fff]++;
  }
  return bins;
}

/** Zeroes exactly round(sparsity * N) elements of least magnitude; among equals the earlier ones go first. */
export function prune(x: Float32Array, sparsity: number): Float32Array {
  const order = Array.from(x.keys()).sort((a, b) => Math.abs(x[a]) - Math.abs(x[b]) || a - b);
  const result = x.slice();
  for (const i of order.slice(0, Math.round(sparsity * x.length))) result[i] = 0;
  return result;
}

/**
 * Of every `group` neighbours along the middle axis of [outer, axis, inner] keeps the `keep` of largest magnitude; among equals the
 * earlier go first.
 */
export function prunePattern(
  x: Float32Array,
  [outer, axis, inner]: readonly [number, number, number],
  keep: number,
  group: number,
): Float32Array {
  if (!x.every(Number.isFinite)) throw new Error("NOT_FINITE");
  const result = x.slice();
  for (let o = 0; o < outer; o++) {
    for (let first = 0; first < axis; first += group) {
      for (let c = 0; c < inner; c++) {
        const rows = Array.from({ length: Math.min(group, axis - first) }, (_, i) => first + i);
        const places = rows.map((row) => (o * axis + row) * inner + c);
        const order = places.sort((a, b) => Math.abs(x[a]) - Math.abs(x[b]) || a - b);
        for (const i of order.slice(0, Math.max(order.length - keep, 0))) result[i] = 0;
      }
    }
  }
  return result;
}

/** The sum of squares of each row: four partial sums in f64, added as (0 + 1) + (2 + 3). */
export function squares(x: Float32Array, rows: number, cols: number): Float64Array {
  return new Float64Array(rows).map((_, row) => {
    const sums = [0, 0, 0, 0];
    for (let i = 0; i < cols; i++) sums[i % 4] += x[row * cols + i] ** 2;
    const sum = sums[0] + sums[1] + (sums[2] + sums[3]);
    if (!Number.isFinite(sum)) throw new Error("NOT_FINITE");
    return sum;
  });
}

/** The channels (rows of `size` elements) of least norm, round(sparsity * channels) of them but not all; the earlier of equals. */
export function leastChannels(x: Float32Array, channels: number, size: number, sparsity: number): number[] {
  const norms = squares(x, channels, size);
  const order = Array.from(norms.keys()).sort((a, b) => norms[a] - norms[b] || a - b);
  const count = Math.min(Math.round(sparsity * channels), channels - 1);
  return order.slice(0, Math.max(count, 0)).sort((a, b) => a - b);
}

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

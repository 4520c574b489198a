/**
 * Divides n f32 in place by the factors of their channels: see assembly/smooth.ts. A quotient of f32 in f64, rounded to f32, is the f32
 * quotient. Returns n.
 */
export function unsmooth(
  b: Uint8Array,
  values: number,
  n: number,
  start: number,
  channels: number,
  inner: number,
  factors: number,
): number {
  const x =
    values % 4 === 0 ? new Float32Array(b.buffer, values, n) : new Float32Array(b.slice(values, values + 4 * n).buffer);
  const s = new Float32Array(b.slice(factors, factors + 4 * channels).buffer);
  let channel = Math.floor(start / inner);
  let left = inner - (start % inner);
  for (let i = 0; i < n; i++) {
    x[i] = (x[i] as number) / (s[channel] as number);
    if (--left === 0) {
      left = inner;
      if (++channel === channels) channel = 0;
    }
  }
  if (values % 4 !== 0) b.set(new Uint8Array(x.buffer), values);
  return n;
}

/**
 * n elements of `width` bytes from their planes at src (plane k at src + k * n) to dst. `rotate` turns each back to the
 * right by one bit: every byte takes the lowest bit of the next one, the last that of the first.
 * Returns n * width.
 */
export function mergePlanes(b: Uint8Array, src: number, n: number, width: number, rotate: number, dst: number): number {
  for (let k = 0; k < width; k++) {
    const plane = src + k * n;
    const above = src + ((k + 1) % width) * n;
    let out = dst + k;
    if (rotate)
      for (let i = 0; i < n; i++, out += width)
        b[out] = ((b[plane + i] as number) >> 1) | ((b[above + i] as number) << 7);
    else for (let i = 0; i < n; i++, out += width) b[out] = b[plane + i] as number;
  }
  return n * width;
}

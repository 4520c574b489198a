const LEVELS = [
  -1, -0.6961928009986877, -0.5250730514526367, -0.39491748809814453, -0.28444138169288635, -0.18477343022823334,
  -0.09105003625154495, 0, 0.07958029955625534, 0.16093020141124725, 0.24611230194568634, 0.33791524171829224,
  0.44070982933044434, 0.5626170039176941, 0.7229568362236023, 1,
];

/** x = level[code + 8] * scale, one f32 scale per row. The product is exact in f64, so that storing it rounds once. Returns rows * cols. */
export function dequantizeNormal(
  b: Uint8Array,
  src: number,
  rows: number,
  cols: number,
  scales: number,
  dst: number,
): number {
  const view = new DataView(b.buffer);
  let at = src;
  let to = dst;
  for (let row = 0; row < rows; row++) {
    const scale = view.getFloat32(scales + 4 * row, true);
    for (const end = at + cols; at < end; at++, to += 4) {
      view.setFloat32(to, (LEVELS[((b[at] as number) + 8) & 15] as number) * scale, true);
    }
  }
  return rows * cols;
}

/** Codes (rows of cols) that equal their row's zero point; without any, those that are 0. */
export function zeroCodes(codes: Int8Array, cols: number, zeroPoints: Int8Array | null): number {
  return codes.filter((code, i) => code === (zeroPoints ? zeroPoints[Math.floor(i / cols)] : 0)).length;
}

/** Elements of `width` bytes that are 0; floats of either sign. */
export function zeroElements(bytes: Uint8Array, width: number, float: boolean): number {
  let zeros = 0;
  for (let at = 0; at < bytes.length; at += width) {
    const element = Uint8Array.from(bytes.subarray(at, at + width));
    if (float) element[width - 1] &= 127;
    if (element.every((byte) => byte === 0)) zeros++;
  }
  return zeros;
}

/** Fields that lie across the lanes of a vector: 8 rows of 16. */
const GROUP = 128;
const LANES = 16;

/** Where bit `bit` of field `i` lies, of `count` fields of `width` bits. */
export function placeOfBit(count: number, width: number, i: number, bit: number): number {
  const start = GROUP * Math.floor(i / GROUP);
  if (start + GROUP > count) return i * width + bit;
  const row = Math.floor((i - start) / LANES);
  const lane = (i - start) % LANES;
  if (row < width) return placeInGroup(start, width, row, lane, bit);
  // What the first fields leave of their bytes, taken as one string.
  const at = (row - width) * width + bit;
  const spare = 8 - width;
  return placeInGroup(start, width, Math.floor(at / spare), lane, width + (at % spare));
}

function placeInGroup(start: number, width: number, row: number, lane: number, bit: number): number {
  return start * width + 8 * (LANES * row + lane) + bit;
}

export function packFields(fields: Uint8Array, width: number): Uint8Array {
  const bytes = new Uint8Array(Math.ceil((fields.length * width) / 8));
  fields.forEach((field, i) => {
    for (let b = 0; b < width; b++) {
      const at = placeOfBit(fields.length, width, i, b);
      bytes[at >> 3] |= ((field >> b) & 1) << (at & 7);
    }
  });
  return bytes;
}

/** Field i of the `count` fields that begin at byte `start`. */
export function fieldAt(bytes: Uint8Array, start: number, count: number, width: number, i: number): number {
  let field = 0;
  for (let b = 0; b < width; b++) {
    const at = 8 * start + placeOfBit(count, width, i, b);
    field |= ((bytes[at >> 3] >> (at & 7)) & 1) << b;
  }
  return field;
}

/** n fields, looked up. */
export function unpack(bytes: Uint8Array, n: number, width: number, symbols: Uint8Array): Uint8Array {
  return new Uint8Array(n).map((_, i) => symbols[fieldAt(bytes, 0, n, width, i)]);
}

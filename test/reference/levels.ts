const BINS = 65536;

/** The bin of a value: floor of an f32 product, moved to the middle, kept inside. */
export function binOf(x: number, inverse: number): number {
  const bin = Math.floor(Math.fround(x * inverse)) + BINS / 2;
  return Math.min(Math.max(bin, 0), BINS - 1);
}

export function countBins(x: Float32Array, inverse: number, before: Uint32Array): Uint32Array {
  const counts = Uint32Array.from(before);
  for (const value of x) counts[binOf(value, inverse)]++;
  return counts;
}

export function binLevels(x: Float32Array, inverse: number, table: Int16Array): Int16Array {
  return Int16Array.from(x, (value) => table[binOf(value, inverse)]);
}

/** int16 as a file has it: the low byte is that of the level, the high byte the rest beyond -128..127. */
export function toWide(levels: Int16Array): Uint8Array {
  return Uint8Array.from(
    [...levels].flatMap((level) => {
      const low = (level << 24) >> 24;
      return [low & 255, ((level - low) >> 8) & 255];
    }),
  );
}

export function fromWide(bytes: Uint8Array): Int16Array {
  return Int16Array.from({ length: bytes.length / 2 }, (_, i) => {
    const low = (bytes[2 * i] << 24) >> 24;
    return bytes[2 * i + 1] * 256 + low;
  });
}

export function dequantize16(bytes: Uint8Array, scale: number): Float32Array {
  return Float32Array.from(fromWide(bytes), (level) => level * scale);
}

export function binError(x: Float32Array, inverse: number, table: Int16Array, scale: number): number {
  let sum = 0;
  for (const value of x) sum += (value - Math.fround(table[binOf(value, inverse)] * scale)) ** 2;
  return sum;
}

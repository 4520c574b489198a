export function pack4(codes: Int8Array): Uint8Array {
  const bytes = new Uint8Array(Math.ceil(codes.length / 2));
  codes.forEach((code, i) => {
    bytes[i >> 1] |= (code & 15) << (i % 2 === 0 ? 0 : 4);
  });
  return bytes;
}

export function unpack4(bytes: Uint8Array, n: number): Int8Array {
  return new Int8Array(n).map((_, i) => {
    const nibble = i % 2 === 0 ? bytes[i >> 1] & 15 : bytes[i >> 1] >> 4;
    return nibble < 8 ? nibble : nibble - 16;
  });
}

/** Bits into bytes, each filled from its least significant bit on; zero bits fill up the last. */
export function bytesOfBits(bits: number[]): Uint8Array {
  const bytes = new Uint8Array(Math.ceil(bits.length / 8));
  bits.forEach((bit, i) => {
    bytes[i >> 3] |= bit << (i & 7);
  });
  return bytes;
}

/** One bit after another; nothing is left but zero bits of a last byte when `end` is reached. */
export function bitReader(bytes: Uint8Array): { next(): number; end(): void } {
  let position = 0;
  return {
    next() {
      if (position === 8 * bytes.length) throw new Error("BITS");
      const bit = (bytes[position >> 3] >> (position & 7)) & 1;
      position++;
      return bit;
    },
    end() {
      if (Math.ceil(position / 8) !== bytes.length) throw new Error("BITS");
      for (; position < 8 * bytes.length; position++) {
        if ((bytes[position >> 3] >> (position & 7)) & 1) throw new Error("PADDING");
      }
    },
  };
}

export function u24(value: number): number[] {
  return [value & 255, (value >> 8) & 255, (value >> 16) & 255];
}

export function readU24(bytes: Uint8Array, offset: number): number {
  return bytes[offset] | (bytes[offset + 1] << 8) | (bytes[offset + 2] << 16);
}

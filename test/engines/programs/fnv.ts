/** FNV-1a of bytes, 32 bits, in hexadecimal: the smallest hash there is, and none of the code under test. */
export function fnv(bytes: Uint8Array): string {
  let hash = 0x811c9dc5;
  for (let i = 0; i < bytes.length; i++) hash = Math.imul(hash ^ (bytes[i] as number), 0x01000193);
  return (hash >>> 0).toString(16);
}

/** The same of floats, by their bits: a quarter of the steps, for engines that take their time. */
export function fnvOfFloats(floats: Float32Array): string {
  const bits = new Uint32Array(floats.buffer, floats.byteOffset, floats.length);
  let hash = 0x811c9dc5;
  for (let i = 0; i < bits.length; i++) hash = Math.imul(hash ^ (bits[i] as number), 0x01000193);
  return (hash >>> 0).toString(16);
}

export function bytesOfHex(hex: string): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(hex.length / 2);
  for (let i = 0; i < bytes.length; i++) bytes[i] = Number.parseInt(hex.slice(2 * i, 2 * i + 2), 16);
  return bytes;
}

import { hex } from "../bytes.ts";
import { demand } from "../errors.ts";
import { CHUNK_BYTES, type Kernels } from "../kernels.ts";

// Checksums of stored bytes: XXH64 against damage, SHA-256 against forgery.

/** The two checksums that the chunk table has of a chunk. */
export interface Checksums {
  readonly xxh64: Uint8Array;
  /** First 16 bytes. */
  readonly sha256: Uint8Array;
}

/** SHA-256 as a platform computes it. */
export type Sha256 = (bytes: Uint8Array) => Uint8Array | Promise<Uint8Array>;

/** Both checksums of a stored chunk. @param platform - what computes SHA-256; default: WebCrypto, or else the kernel */
export async function checksums(kernels: Kernels, chunk: Uint8Array, platform?: Sha256): Promise<Checksums> {
  const { stored } = kernels.arena(chunk.length, "decode");
  kernels.bytes().set(chunk, stored);
  const fast = xxh64(kernels, stored, chunk.length);
  const sha256 = platform ? await platform(chunk) : await webSha256(kernels, chunk);
  return { xxh64: fast, sha256: sha256.slice(0, 16) };
}

// The platform's SHA-256 is some eight times faster than the kernel, but pages without a secure context and small engines lack it.
async function webSha256(kernels: Kernels, bytes: Uint8Array): Promise<Uint8Array> {
  const subtle = globalThis.crypto?.subtle;
  if (!subtle) return sha256(kernels, bytes);
  return new Uint8Array(await subtle.digest("SHA-256", bytes as Uint8Array<ArrayBuffer>));
}

/** XXH64 of n bytes of the kernels' memory, as 8 bytes. */
export function xxh64(kernels: Kernels, src: number, n: number): Uint8Array {
  const at = kernels.arena(0, "decode").scratch;
  kernels.run.xxh64(src, n, at);
  return kernels.bytes().slice(at, at + 8);
}

// Fractions of the square roots of the first 8 primes (FIPS 180-4, 5.3.3).
const SHA256_START = [0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a, 0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19];

/** SHA-256 of byte strings taken as one, as 32 bytes, by the kernel. */
export function sha256(kernels: Kernels, ...parts: readonly Uint8Array[]): Uint8Array {
  const { scratch: state, plain, capacity } = kernels.arena(CHUNK_BYTES, "decode");
  const memory = kernels.bytes();
  const view = kernels.view();
  SHA256_START.forEach((word, i) => {
    view.setUint32(state + 4 * i, word, true);
  });
  let pending = 0;
  let total = 0;
  const digest = (part: Uint8Array): void => {
    for (let at = 0; at < part.length; ) {
      const take = Math.min(part.length - at, capacity - pending);
      memory.set(part.subarray(at, at + take), plain + pending);
      at += take;
      pending += take;
      const blocks = kernels.run.sha256(state, plain, Math.floor(pending / 64));
      memory.copyWithin(plain, plain + 64 * blocks, plain + pending);
      pending -= 64 * blocks;
    }
    total += part.length;
  };
  for (const part of parts) digest(part);
  digest(sha256Padding(total));
  return Uint8Array.from({ length: 32 }, (_, i) => memory[state + (i ^ 3)] as number);
}

function sha256Padding(length: number): Uint8Array {
  const padding = new Uint8Array(((119 - (length % 64)) % 64) + 9);
  padding[0] = 0x80;
  const view = new DataView(padding.buffer, padding.length - 8);
  view.setUint32(0, Math.floor(length / 0x20000000));
  view.setUint32(4, (length * 8) >>> 0);
  return padding;
}

/** Throws a FormatError unless two hashes are equal. */
export function demandHash(
  actual: Uint8Array,
  expected: Uint8Array,
  kind: string,
  offset: number,
  field: string,
): void {
  // The text is only made for an error: this runs once a chunk.
  if (actual.length === expected.length && actual.every((byte, i) => byte === expected[i])) return;
  demand(false, "checksum", offset, field, `${kind} ${hex(expected)}`, hex(actual));
}

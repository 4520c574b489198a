import { demand } from "../errors.ts";

// What was deflated is inflated whole, into memory of a size that is known before. Bombs say a size above the limit, or are found out at the end of
// that memory.

/** 256 MiB; larger arrays are to be stored. */
export const MAX_INFLATED = 2 ** 28;
/** Deflate makes at most 1032 bytes of one. */
const MAX_RATIO = 1032;

export interface Deflated {
  readonly bytes: Uint8Array;
  /** Bytes that come out, and their CRC-32. */
  readonly size: number;
  readonly crc: number;
  /** Where it lies, and what to call it. */
  readonly offset: number;
  readonly field: string;
}

/** @throws FormatError for other bytes than were promised */
export async function inflated({ bytes, size, crc, offset, field }: Deflated): Promise<Uint8Array> {
  const most = Math.min(MAX_INFLATED, MAX_RATIO * bytes.length);
  demand(size <= most, "inflated-size", offset, `inflated size of ${field}`, `at most ${most}`, size);
  const { inflateSync } = await import("fflate");
  const into = new Uint8Array(size);
  let out: Uint8Array;
  try {
    out = inflateSync(bytes, { out: into });
  } catch (error) {
    demand(false, "deflate", offset, field, "deflated bytes", (error as Error).message);
  }
  demand(out.length === size, "inflated-size", offset, `inflated size of ${field}`, size, out.length);
  const found = crc32(out);
  demand(found === crc, "checksum", offset, `CRC-32 of ${field}`, crc.toString(16), found.toString(16));
  return out;
}

const TABLE = /* @__PURE__ */ Uint32Array.from({ length: 256 }, (_, byte) => {
  let crc = byte;
  for (let bit = 0; bit < 8; bit++) crc = (crc >>> 1) ^ (crc & 1 ? 0xedb88320 : 0);
  return crc;
});

export function crc32(bytes: Uint8Array): number {
  let crc = -1;
  for (const byte of bytes) crc = (crc >>> 8) ^ (TABLE[(crc ^ byte) & 255] as number);
  return ~crc >>> 0;
}

/** The bytes of a .gz file of one member. @throws FormatError */
export async function gunzipped(file: Uint8Array): Promise<Uint8Array> {
  demand(file.length >= 18, "truncated", 0, "gzip header", "18 bytes or more", file.length);
  const flags = file[3] as number;
  demand(
    file[2] === 8 && (flags & 0xe0) === 0,
    "gzip",
    2,
    "gzip method and flags",
    "8 and below 32",
    `${file[2]}, ${flags}`,
  );
  const view = new DataView(file.buffer, file.byteOffset, file.byteLength);
  let at = 10;
  if (flags & 4) at += 2 + view.getUint16(10, true);
  // Name and comment end with a zero each.
  for (const flag of [8, 16]) if (flags & flag) at = file.indexOf(0, at) + 1 || file.length;
  if (flags & 2) at += 2;
  const end = file.length - 8;
  demand(at <= end, "truncated", 10, "gzip header", `at most ${end} bytes`, at);
  const [crc, size] = [view.getUint32(end, true), view.getUint32(end + 4, true)];
  return inflated({ bytes: file.subarray(at, end), size, crc, offset: at, field: "gzip member" });
}

import type { DecodedPng } from "fast-png";
import { demand } from "../errors.ts";
import { MAX_PIXELS } from "./limits.ts";
import type { Picture } from "./pixels.ts";

// PNG by fast-png, which gets only the chunks that pixels come from: what else may be deflated in a file is never inflated.

const SIGNATURE = [0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a];
const KEPT = ["IHDR", "PLTE", "tRNS", "IDAT", "IEND"];
const CHANNELS: Record<number, number> = { 0: 1, 2: 3, 3: 1, 4: 2, 6: 4 };
/** Deflate makes at most 1032 bytes of one, so short streams need not be counted. */
const MAX_RATIO = 1032;
const MAX_UNCOUNTED = 2 ** 26;

export function looksLikePng(head: Uint8Array): boolean {
  return SIGNATURE.every((byte, i) => head[i] === byte);
}

/** @throws FormatError */
export async function readPng(file: Uint8Array): Promise<Picture> {
  const { pieces, rowBytes, height } = chunksOf(file);
  const idat = pieces.filter(({ type }) => type === "IDAT");
  const stored = idat.reduce((sum, { bytes }) => sum + bytes.length - 12, 0);
  // Interlaced pictures have up to seven times as many rows, each with a byte in front.
  const most = (rowBytes + 16) * height + 64;
  if (stored * MAX_RATIO > MAX_UNCOUNTED)
    await count(
      idat.map(({ bytes }) => bytes.subarray(8, -4)),
      most,
    );
  const { decode, convertIndexedToRgb } = await import("fast-png");
  try {
    const png = decode(joinedPieces(pieces.map(({ bytes }) => bytes)), { checkCrc: true });
    if (png.palette) return { ...sizeOf(png), channels: png.palette[0]?.length ?? 3, data: convertIndexedToRgb(png) };
    return { ...sizeOf(png), channels: png.channels, data: scaled(png) };
  } catch (error) {
    demand(false, "png", 8, "png", "a picture", (error as Error).message);
  }
}

function sizeOf({ height, width }: { height: number; width: number }): { height: number; width: number } {
  return { height, width };
}

// To 0 .. 255, whatever the bits of a sample. fast-png leaves those below 8 bits as they lie in the file: rows of whole bytes, the first pixel highest.
function scaled({ data, depth, width, height, channels }: DecodedPng): Float32Array {
  const factor = 255 / (2 ** depth - 1);
  if (depth >= 8) return Float32Array.from(data, (value) => value * factor);
  const rowBytes = Math.ceil((width * channels * depth) / 8);
  return Float32Array.from({ length: height * width * channels }, (_, i) => {
    const [row, bit] = [Math.floor(i / (width * channels)), depth * (i % (width * channels))];
    const byte = data[row * rowBytes + (bit >> 3)] as number;
    return ((byte >> (8 - depth - (bit & 7))) & (2 ** depth - 1)) * factor;
  });
}

interface Piece {
  readonly type: string;
  /** With length and checksum. */
  readonly bytes: Uint8Array;
}

function chunksOf(file: Uint8Array): { pieces: Piece[]; rowBytes: number; height: number } {
  demand(looksLikePng(file), "magic", 0, "png signature", SIGNATURE.join(" "), file.subarray(0, 8).join(" "));
  const view = new DataView(file.buffer, file.byteOffset, file.byteLength);
  const pieces: Piece[] = [];
  for (let at = 8; pieces.at(-1)?.type !== "IEND"; ) {
    demand(at + 12 <= file.length, "truncated", at, "png chunk", "12 bytes or more", file.length - at);
    const length = view.getUint32(at);
    const type = String.fromCharCode(...file.subarray(at + 4, at + 8));
    demand(length <= file.length - at - 12, "truncated", at, `png ${type}`, `${length} bytes`, file.length - at - 12);
    if (KEPT.includes(type)) pieces.push({ type, bytes: file.subarray(at, at + 12 + length) });
    if (at === 8)
      demand(type === "IHDR" && length === 13, "png", 8, "png chunk", "IHDR of 13 bytes", `${type} of ${length}`);
    at += 12 + length;
  }
  const [width, height, depth, colour] = [
    view.getUint32(16),
    view.getUint32(20),
    file[24] as number,
    file[25] as number,
  ];
  const fits = width > 0 && height > 0 && width * height <= MAX_PIXELS;
  demand(fits, "size", 16, "png size", `1 to ${MAX_PIXELS} pixels`, `${width} x ${height}`);
  const channels = CHANNELS[colour];
  demand(
    channels !== undefined && depth <= 16,
    "png",
    24,
    "png colour",
    "a type that there is",
    `${colour}, ${depth} bits`,
  );
  return { pieces, height, rowBytes: Math.ceil((width * channels * depth) / 8) };
}

async function count(streams: readonly Uint8Array[], most: number): Promise<void> {
  const { Unzlib } = await import("fflate");
  let total = 0;
  const inflate = new Unzlib((bytes) => {
    total += bytes.length;
    demand(total <= most, "inflated-size", 8, "png IDAT", `at most ${most} bytes inflated`, `${total} or more`);
  });
  // Pieces, because a push is inflated whole.
  for (const stream of streams)
    for (let at = 0; at < stream.length; at += 65536) inflate.push(stream.subarray(at, at + 65536));
}

function joinedPieces(pieces: readonly Uint8Array[]): Uint8Array {
  const size = pieces.reduce((sum, piece) => sum + piece.length, SIGNATURE.length);
  const out = new Uint8Array(size);
  out.set(SIGNATURE);
  let at = SIGNATURE.length;
  for (const piece of pieces) {
    out.set(piece, at);
    at += piece.length;
  }
  return out;
}

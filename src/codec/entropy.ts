import { demand } from "../errors.ts";
import type { Kernels } from "../kernels.ts";
import { readHuffman } from "./huffman.ts";
import { readPivot } from "./pivot.ts";
import {
  type Candidate,
  type CodeName,
  fileOffset,
  HEADER_BYTES,
  type OnPart,
  type Place,
  readHeader,
  STEPS,
} from "./stream.ts";

// The codes that hold no other streams: raw, constant, huffman, pivot.

/** Codes that may stand inside zrl and mask. */
export const SIMPLE: readonly CodeName[] = ["raw", "constant", "huffman", "pivot"];
/** All that an empty stream may have. */
export const EMPTY: readonly CodeName[] = ["raw"];

export function rawCandidate(kernels: Kernels, src: number, n: number): Candidate {
  const write = (dst: number): number => {
    kernels.bytes().copyWithin(dst, src, src + n);
    return n;
  };
  return { code: "raw", bytes: n, steps: STEPS.raw * n, write };
}

export function constantCandidate(kernels: Kernels, byte: number, n: number): Candidate {
  const write = (dst: number): number => {
    kernels.bytes()[dst] = byte;
    return 1;
  };
  return { code: "constant", bytes: 1, steps: STEPS.constant * n, write };
}

/** Reads a payload of one of these codes into n bytes at dst. @throws FormatError */
export function readSimplePayload(
  kernels: Kernels,
  code: CodeName,
  at: number,
  size: number,
  n: number,
  dst: number,
  place: Place,
  onPart: OnPart,
): void {
  if (code === "pivot") {
    readPivot(kernels, at, size, n, dst, place, onPart);
    return;
  }
  if (code === "huffman") readHuffman(kernels, at, size, n, dst, place);
  else readPlain(kernels, code === "raw", at, size, n, dst, place);
  onPart(0, n);
}

function readPlain(
  kernels: Kernels,
  raw: boolean,
  at: number,
  size: number,
  n: number,
  dst: number,
  place: Place,
): void {
  const wanted = raw ? n : 1;
  const offset = fileOffset(place, kernels.arena(0, "decode"), at) - 3;
  const field = `${place.field}, ${raw ? "raw" : "constant"} payload length`;
  demand(size === wanted, "length", offset, field, wanted, size);
  const bytes = kernels.bytes();
  if (raw) bytes.copyWithin(dst, at, at + n);
  else bytes.fill(bytes[at] as number, dst, dst + n);
}

const IGNORE: OnPart = () => {};

/** Reads a stream of one of these codes and returns the address behind it, at most `end`. @throws FormatError */
export function readSimple(kernels: Kernels, at: number, end: number, n: number, dst: number, place: Place): number {
  const { code, size } = readHeader(kernels, at, end, n === 0 ? EMPTY : SIMPLE, place);
  readSimplePayload(kernels, code, at + HEADER_BYTES, size, n, dst, place, IGNORE);
  return at + HEADER_BYTES + size;
}

import { demand } from "../errors.ts";
import { checked, type Kernels } from "../kernels.ts";
import { constantCandidate, rawCandidate, readSimple } from "./entropy.ts";
import { blocksOf, measurePivot } from "./pivot.ts";
import {
  type Candidate,
  cheapest,
  fileOffset,
  HEADER_BYTES,
  LAMBDA,
  type OnPart,
  type Place,
  STEPS,
  within,
  writeCandidate,
} from "./stream.ts";

// Sparse bytes to a mask payload and back (docs/FORMAT.md): which bytes are not zero as a bitmap, and these bytes, each a stream.

/** Measures n >= 1 bytes at src. What it needs to write lies in arena.mask and arena.kept. */
export function measureMask(kernels: Kernels, src: number, n: number, lambda = LAMBDA): Candidate {
  const { mask, kept } = kernels.arena(0, "encode");
  const count = kernels.run.maskSplit(src, n, mask, kept);
  const parts = [bestSimple(kernels, mask, Math.ceil(n / 8), lambda), bestSimple(kernels, kept, count, lambda)];
  const bytes = parts.reduce((sum, part) => sum + HEADER_BYTES + part.bytes, 0);
  const steps = parts.reduce((sum, part) => sum + part.steps, STEPS.maskByte * n);
  const write = (dst: number): number =>
    parts.reduce((at, part) => at + writeCandidate(kernels, part, at).bytes, dst) - dst;
  return { code: "mask", bytes, steps, write };
}

/** The cheapest of the codes that hold no other streams, huffman aside, for n bytes at src. */
export function bestSimple(kernels: Kernels, src: number, n: number, lambda = LAMBDA): Candidate {
  const raw = rawCandidate(kernels, src, n);
  if (n === 0) return raw;
  const pivot = measurePivot(kernels, src, n, lambda);
  return pivot.only >= 0 ? constantCandidate(kernels, pivot.only, n) : cheapest([raw, pivot], lambda);
}

/** Reads the payload of `size` bytes at `at` into n >= 1 bytes at dst. @throws FormatError */
export function readMask(
  kernels: Kernels,
  at: number,
  size: number,
  n: number,
  dst: number,
  place: Place,
  onPart: OnPart,
): void {
  const { run } = kernels;
  const arena = kernels.arena(0, "decode");
  const end = at + size;
  const values = readSimple(kernels, at, end, Math.ceil(n / 8), arena.mask, within(place, "mask"));
  const offset = fileOffset(place, arena, at);
  const count = checked(run.maskCount(arena.mask, n), offset, `${place.field}, mask`);
  const next = readSimple(kernels, values, end, count, arena.kept, within(place, "kept bytes"));
  const rest = end - next;
  demand(rest === 0, "trailing", fileOffset(place, arena, next), place.field, "the end of the mask", `${rest} bytes`);
  let kept = arena.kept;
  for (const { start, count } of blocksOf(n)) {
    kept += run.maskExpand(arena.mask + start / 8, count, kept, dst + start);
    onPart(start, count);
  }
}

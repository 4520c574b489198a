import { expect } from "vitest";
import { FormatError, open } from "../src/index.ts";
import { BOTH, modelOf, packed, partsOf, readAll, sealed, tensorOf } from "./files.ts";
import { bytesOf } from "./helpers.ts";
import { u24 } from "./reference/bits.ts";

// Files of one tensor whose only chunk is made by hand, and what readers make of them.

export interface Target {
  readonly dtype: "U8" | "F32" | "BF16";
  readonly shape: number[];
  readonly plan: string;
}

export function bytesTarget(n: number): Target {
  return { dtype: "U8", shape: [n], plan: "lossless" };
}

export function int4Target(n: number): Target {
  return { dtype: "F32", shape: [n], plan: "w=int4 tensor > raw; raw" };
}

/** A file of one tensor with the given chunk. */
export async function fileOf({ dtype, shape, plan }: Target, bytes: Uint8Array, code = bytes[0]): Promise<Uint8Array> {
  const width = dtype === "F32" ? 4 : dtype === "BF16" ? 2 : 1;
  const size = width * shape.reduce((a, b) => a * b, 1);
  const base = await packed(modelOf([tensorOf("w", dtype, shape, new Uint8Array(size))]), plan);
  return sealed({ ...partsOf(base.bytes), chunks: [{ code, bytes: bytesOf(bytes) }] });
}

export async function problem(target: Target, bytes: Uint8Array, code?: number): Promise<FormatError> {
  const file = await fileOf(target, bytes, code);
  const errors = await Promise.all(
    BOTH.map((kernels) =>
      readAll(file, kernels).then(
        () => new Error("it was taken"),
        (error: unknown) => error,
      ),
    ),
  );
  expect(errors[1]).toEqual(errors[0]);
  if (!(errors[0] instanceof FormatError)) throw errors[0];
  expect(errors[0].offset).toBeGreaterThanOrEqual(88);
  expect(errors[0].offset).toBeLessThanOrEqual(file.length);
  expect(errors[0].field).toContain('chunk 0 of tensor "w"');
  return errors[0];
}

export async function taken(target: Target, bytes: Uint8Array, code?: number): Promise<Uint8Array> {
  const file = await fileOf(target, bytes, code);
  const all = BOTH.map(async (kernels) => (await open(file, { kernels })).tensor("w", { as: "stored" }));
  const [simd, scalar] = await Promise.all(all);
  expect(scalar).toEqual(simd);
  return simd.bytes;
}

export function stream(code: number, payload: ArrayLike<number>, length = payload.length): Uint8Array {
  return Uint8Array.from([code, ...u24(length), ...Array.from(payload)]);
}

import { readFileSync } from "node:fs";
import { expect } from "vitest";
import { bytesSource, DataError, type FormatError, type Model, memorySink, readGguf, writeGguf } from "../src/index.ts";
import { bytesOf } from "./helpers.ts";
import { refused } from "./hostile.ts";
import { concat } from "./reference/huffman.ts";

// GGUF files: the one that test/vectors/gguf_file.c made, and others made by hand.

export const VECTOR = bytesOf(readFileSync(new URL("vectors/file.gguf", import.meta.url)));

export const TYPES = { u8: 0, u32: 4, f32: 6, bool: 7, string: 8, array: 9, u64: 10 } as const;

export function u32(value: number): Uint8Array {
  return bytesOf(Uint32Array.of(value));
}

export function u64(value: number | bigint): Uint8Array {
  return bytesOf(BigUint64Array.of(BigInt(value)));
}

export function text(value: string): Uint8Array {
  const bytes = new TextEncoder().encode(value);
  return concat(u64(bytes.length), bytes);
}

export interface Parts {
  magic?: string;
  version?: number;
  tensors?: Uint8Array[];
  tensorCount?: number | bigint;
  keys?: Uint8Array[];
  keyCount?: number | bigint;
  data?: number;
}

/** A file of parts that need not fit together. */
export function fileOf(parts: Parts = {}): Uint8Array<ArrayBuffer> {
  const { magic = "GGUF", version = 3, tensors = [], keys = [], data = 0 } = parts;
  const { tensorCount = tensors.length, keyCount = keys.length } = parts;
  const head = [Buffer.from(magic), u32(version), u64(tensorCount), u64(keyCount), ...keys, ...tensors];
  const header = concat(...head);
  return bytesOf(concat(header, new Uint8Array((32 - (header.length % 32)) % 32), new Uint8Array(data)));
}

export function key(name: string, type: number, ...value: Uint8Array[]): Uint8Array {
  return concat(text(name), u32(type), ...value);
}

/** @param shape - innermost first, as in the file */
export function info(name: string, type: number, shape: (number | bigint)[], offset: number | bigint = 0): Uint8Array {
  return concat(text(name), u32(shape.length), ...shape.map(u64), u32(type), u64(offset));
}

export function read(bytes: Uint8Array): Promise<Model> {
  return readGguf(bytesSource(bytes));
}

export async function written(model: Model): Promise<Uint8Array<ArrayBuffer>> {
  const sink = memorySink();
  const length = await writeGguf(model, sink);
  expect(length).toBe(sink.bytes().length);
  return bytesOf(sink.bytes());
}

export function refusal(bytes: Uint8Array, what = ""): Promise<FormatError> {
  return refused(read(bytes), what);
}

export async function cannotWrite(model: Model, message: RegExp): Promise<void> {
  const error = await writeGguf(model, memorySink()).catch((e: unknown) => e);
  expect(error).toBeInstanceOf(DataError);
  expect((error as Error).message).toMatch(message);
}

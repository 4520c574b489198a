import { expect } from "vitest";
import {
  bytesSource,
  type FormatError,
  type Model,
  memorySink,
  readSafetensors,
  writeSafetensors,
} from "../src/index.ts";
import { refused } from "./hostile.ts";

// safetensors files made by hand, and what the reader makes of them.

/** A file by hand: length, header text, data. */
export function fileOf(header: string | Uint8Array, data: Uint8Array = new Uint8Array(0)): Uint8Array<ArrayBuffer> {
  const text = typeof header === "string" ? new TextEncoder().encode(header) : header;
  const length = new Uint8Array(8);
  new DataView(length.buffer).setBigUint64(0, BigInt(text.length), true);
  return Uint8Array.from([...length, ...text, ...data]);
}

/** The header of one tensor "a" of four bytes, with other fields. */
export function header(fields: object): string {
  return JSON.stringify({ a: { dtype: "F32", shape: [1], data_offsets: [0, 4], ...fields } });
}

export const FOUR = Uint8Array.of(1, 2, 3, 4);

export function read(bytes: Uint8Array): Promise<Model> {
  return readSafetensors(bytesSource(bytes));
}

export async function written(model: Model): Promise<Uint8Array> {
  const sink = memorySink();
  const length = await writeSafetensors(model, sink);
  expect(length).toBe(sink.bytes().length);
  return sink.bytes();
}

export function refusal(bytes: Uint8Array, what = ""): Promise<FormatError> {
  return refused(read(bytes), what);
}

import { createHash } from "node:crypto";
import type { ByteSource } from "../src/bytes.ts";
import {
  type DType,
  type Kernels,
  type LazyTensor,
  lazyTensor,
  loadKernels,
  type Model,
  memorySink,
  open,
  type PackOptions,
  type PackReport,
  type Plan,
  pack,
} from "../src/index.ts";
import { dtypeWidth, elementCount, narrow } from "../src/tensor.ts";
import { bytesOf, codes, random, randomBytes } from "./helpers.ts";
import { concat } from "./reference/huffman.ts";

// Models and .quern files for the tests above the kernels: made, taken apart by hand, and put together again.

/** Both builds of the kernels; each file of tests gets its own pair. */
export const BOTH: readonly Kernels[] = [await loadKernels({ tier: "simd" }), await loadKernels({ tier: "scalar" })];
export const [SIMD, SCALAR] = BOTH;
/** All that decode: plain JavaScript as well. */
export const DECODERS: readonly Kernels[] = [
  ...BOTH,
  await loadKernels({ tier: "simd", encode: false }),
  await loadKernels({ tier: "js" }),
];

export const DTYPES: readonly DType[] = ["F64", "F32", "F16", "BF16", "I64", "I32", "I16", "I8", "U8", "BOOL"];
export const FLOATS: readonly DType[] = ["F64", "F32", "F16", "BF16"];

export function tensorOf(name: string, dtype: DType, shape: readonly number[], data: ArrayBufferView): LazyTensor {
  return lazyTensor({ name, dtype, shape, bytes: bytesOf(data) });
}

/** Values in a floating-point dtype. */
export function floatsAs(dtype: DType, values: Float32Array): Uint8Array {
  return bytesOf(narrow(dtype, values));
}

/** A tensor of any bits at all: of a float dtype that means NaN payloads and infinities too. */
export function noise(name: string, dtype: DType, shape: readonly number[], seed = 1): LazyTensor {
  const bytes = randomBytes(elementCount(shape) * dtypeWidth(dtype), seed);
  return tensorOf(name, dtype, shape, dtype === "BOOL" ? bytes.map((byte) => byte & 1) : bytes);
}

export function modelOf(tensors: readonly LazyTensor[], metadata: Record<string, string> | null = null): Model {
  return { tensors, metadata };
}

export function elementBytes(tensor: LazyTensor): Promise<Uint8Array> {
  return tensor.read(0, elementCount(tensor.shape));
}

/** A model as plain data, for comparison. */
export async function contentOf({ tensors, metadata }: Model) {
  const plain = [];
  // One after the other, so that the first error is the first in the file.
  for (const tensor of tensors) {
    const bytes = Buffer.from(await elementBytes(tensor)).toString("hex");
    plain.push({ name: tensor.name, dtype: tensor.dtype, shape: [...tensor.shape], bytes });
  }
  return { metadata, tensors: plain };
}

export interface Packed {
  bytes: Uint8Array<ArrayBuffer>;
  report: PackReport;
}

export async function packed(model: Model, plan: Plan | string, options: PackOptions = {}): Promise<Packed> {
  const sink = memorySink();
  const report = await pack(model, plan, sink, { kernels: SIMD, ...options });
  return { report, bytes: bytesOf(sink.bytes()) };
}

/** A source that notes which ranges are asked for. */
export function counting(bytes: Uint8Array): ByteSource & { ranges: [start: number, end: number][] } {
  const ranges: [number, number][] = [];
  const slice = async (start: number, end: number) => {
    ranges.push([start, end]);
    return bytes.slice(start, end);
  };
  return { byteLength: bytes.length, ranges, slice };
}

/** A .quern file taken apart as docs/FORMAT.md says, without the reader of the package. */
export interface Parts {
  /** The 88 bytes of the prelude. */
  readonly prelude: Uint8Array<ArrayBuffer>;
  readonly json: string;
  readonly records: Uint8Array;
  readonly chunks: readonly { readonly code: number; readonly bytes: Uint8Array<ArrayBuffer> }[];
}

export const PRELUDE = 88;
export const ENTRY = 32;

export function partsOf(file: Uint8Array): Parts {
  const view = new DataView(file.buffer, file.byteOffset, file.length);
  const [jsonBytes, recordBytes, count] = [20, 24, 28].map((at) => view.getUint32(at, true));
  const table = PRELUDE + jsonBytes + recordBytes;
  let end = table + ENTRY * count;
  const chunks = Array.from({ length: count }, (_, i) => {
    const start = end;
    end += view.getUint32(table + ENTRY * i, true);
    return { code: file[table + ENTRY * i + 4], bytes: bytesOf(file.subarray(start, end)) };
  });
  return {
    prelude: bytesOf(file.subarray(0, PRELUDE)),
    json: Buffer.from(file.subarray(PRELUDE, PRELUDE + jsonBytes)).toString("latin1"),
    records: file.slice(PRELUDE + jsonBytes, table),
    chunks,
  };
}

export function sha256(...parts: Uint8Array[]): Uint8Array {
  const hash = createHash("sha256");
  for (const part of parts) hash.update(part);
  return Uint8Array.from(hash.digest());
}

/**
 * The parts as a file again, with all lengths and hashes made anew, so that nothing stands between a forged part and the
 * code that has to deal with it. `lie` edits the header before it is hashed.
 */
export function sealed(parts: Parts, lie: (header: DataView) => void = () => {}): Uint8Array<ArrayBuffer> {
  const json = Buffer.from(parts.json.padEnd(8 * Math.ceil(parts.json.length / 8)), "latin1");
  const table = concat(...parts.chunks.map(({ code, bytes }) => entryOf(code, bytes)));
  const header = bytesOf(concat(parts.prelude, json, parts.records, table));
  const view = new DataView(header.buffer);
  const stored = parts.chunks.map(({ bytes }) => bytes.length);
  view.setUint32(20, json.length, true);
  view.setUint32(24, parts.records.length, true);
  view.setUint32(28, stored.length, true);
  view.setUint32(
    32,
    stored.reduce((a, b) => Math.max(a, b), 0),
    true,
  );
  view.setBigUint64(40, BigInt(stored.reduce((a, b) => a + b, header.length)), true);
  lie(view);
  header.set(sha256(header.subarray(0, 56), header.subarray(PRELUDE)), 56);
  return bytesOf(concat(header, ...parts.chunks.map(({ bytes }) => bytes)));
}

function entryOf(code: number, bytes: Uint8Array<ArrayBuffer>): Uint8Array {
  const entry = new Uint8Array(ENTRY);
  const view = new DataView(entry.buffer);
  view.setUint32(0, bytes.length, true);
  view.setUint8(4, code);
  entry.set(xxh64Bytes(bytes), 8);
  entry.set(sha256(bytes).subarray(0, 16), 16);
  return entry;
}

/** By the kernel, for speed; its agreement with the twin has a test of its own. */
function xxh64Bytes(bytes: Uint8Array): Uint8Array {
  const { stored, scratch } = SCALAR.arena(bytes.length, "decode");
  SCALAR.bytes().set(bytes, stored);
  SCALAR.run.xxh64(stored, bytes.length, scratch);
  return SCALAR.bytes().slice(scratch, scratch + 8);
}

/** Reads everything that there is in a file, each tensor both ways. */
export async function readAll(bytes: Uint8Array, kernels: Kernels) {
  const file = await open(bytes, { kernels });
  for (let index = 0; index < file.totals.chunks; index++) await file.check(index);
  const hash = createHash("sha256");
  for await (const { data } of file.stream({ as: "f32" })) hash.update(bytesOf(data));
  for await (const tensor of file.stream({ as: "stored" })) {
    hash.update(tensor.bytes);
    if (tensor.quantization) hash.update(bytesOf(tensor.quantization.scales));
    if (tensor.quantization?.zeroPoints) hash.update(bytesOf(tensor.quantization.zeroPoints));
  }
  return hash.digest("hex");
}

/** Rows of signed bytes whose spread is 1, 20 or 50 as `kind` says. */
export function spread(rows: number, columns: number, kind: (row: number, column: number) => number, seed = 3) {
  const bell = codes(rows * columns, 40, seed);
  return bell.map((code, i) => Math.round(code * [0.02, 0.5, 1.25][kind(Math.floor(i / columns), i % columns)]));
}

/** Small files, one per code and per way of quantization, for everything that tries every bit of a file. */
export async function specimens(): Promise<[name: string, file: Uint8Array<ArrayBuffer>][]> {
  const next = random(77);
  const skewed = (n: number) => new Uint8Array(n).map(() => Math.floor(-9 * Math.log(1 - next())));
  const bell = (n: number) => new Uint8Array(codes(n, 9, 41).buffer);
  const sparse = (n: number, kept: Uint8Array) =>
    new Uint8Array(n).map((_, i) => (i % 5 === 2 || i % 17 === 0 ? kept[i] : 0));
  const twoBlocks = new Uint8Array(32768 + 120);
  twoBlocks.set(bell(120), 32768);
  const normal = (n: number, pruned = 0) => Float32Array.from(codes(n, 40, 9, pruned), (code) => code / 64);
  const cases: [string, string, LazyTensor][] = [
    ["raw", "raw", noise("w", "U8", [5, 8])],
    ["constant", "constant", tensorOf("w", "U8", [50], new Uint8Array(50).fill(7))],
    ["huffman", "huffman", tensorOf("w", "U8", [200], skewed(200))],
    ["huffman of six streams", "huffman", tensorOf("w", "U8", [1100], skewed(1100))],
    ["zrl", "small 0=raw; int8 channel > zrl", tensorOf("w", "F32", [4, 8, 3, 3], normal(288, 0.8))],
    ["planes", "huffman", tensorOf("w", "BF16", [20, 10], floatsAs("BF16", normal(200)))],
    ["int4", "small 0=raw; int4 group 33 > zrl", tensorOf("w", "F32", [5, 61], normal(305, 0.7))],
    ["pivot", "pivot", tensorOf("w", "U8", [310], bell(310))],
    ["pivot of two blocks", "pivot", tensorOf("w", "U8", [32768 + 120], twoBlocks)],
    ["mask", "mask", tensorOf("w", "U8", [203], sparse(203, randomBytes(203, 5)))],
    ["mask over pivot", "mask", tensorOf("w", "U8", [1300], sparse(1300, skewed(1300)))],
    ["zrl over pivot", "zrl", tensorOf("w", "I8", [1500], codes(1500, 9, 42, 0.8))],
    [
      "classes of rows",
      "smallest",
      tensorOf(
        "w",
        "I8",
        [20, 40],
        spread(20, 40, (row) => row % 3),
      ),
    ],
    [
      "classes of columns",
      "smallest",
      tensorOf(
        "w",
        "I8",
        [30, 24],
        spread(30, 24, (_, column) => column % 2),
      ),
    ],
    ["int16", "small 0=raw; int16 step 0.003 > smallest", tensorOf("w", "F32", [6, 50], normal(300))],
    ["asymmetric", "small 0=raw; int8 asymmetric > auto", tensorOf("w", "F32", [4, 75], normal(300, 0.6))],
  ];
  return Promise.all(
    cases.map(async ([name, plan, tensor]): Promise<[string, Uint8Array<ArrayBuffer>]> => {
      const { bytes } = await packed(modelOf([tensor], { made: "for tests" }), plan);
      return [name, bytes];
    }),
  );
}

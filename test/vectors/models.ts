import { type DType, type LazyTensor, lazyTensor, type Model } from "../../src/index.ts";
import { dtypeWidth, elementCount } from "../../src/tensor.ts";

// What the frozen files hold. The numbers come from integers alone: Math.log and its like differ between engines.

export interface Vector {
  /** Of the files, without extension. */
  readonly name: string;
  readonly plan: string;
  readonly model: Model;
}

/** Symbols in a block of pivot. */
const BLOCK = 32768;
const DTYPES: DType[] = ["F64", "F32", "F16", "BF16", "I64", "I32", "I16", "I8", "U8", "BOOL"];

/** xorshift32: the same integers everywhere. */
function integers(seed: number): () => number {
  let x = seed;
  return () => {
    x ^= x << 13;
    x ^= x >>> 17;
    x ^= x << 5;
    return x >>> 0;
  };
}

function noise(n: number, seed: number): Uint8Array {
  const next = integers(seed);
  return new Uint8Array(n).map(() => next() >>> 24);
}

/** Sums of three bytes, which lie around a middle as weights do; of these, `zeros` per cent become zero. */
function bell(n: number, seed: number, zeros = 0): Float32Array {
  const next = integers(seed);
  return new Float32Array(n).map(() => {
    const sum = (next() >>> 24) + (next() >>> 24) + (next() >>> 24) - 382.5;
    return next() % 100 < zeros ? 0 : sum / 4096;
  });
}

function skewed(n: number, seed: number): Uint8Array {
  const next = integers(seed);
  return new Uint8Array(n).map(() => Math.clz32(next() | 1) + 100);
}

function tensor(name: string, dtype: DType, shape: number[], data: ArrayBufferView): LazyTensor {
  const bytes = new Uint8Array(data.buffer, data.byteOffset, data.byteLength).slice();
  if (bytes.length !== elementCount(shape) * dtypeWidth(dtype)) throw new Error(`${name}: ${bytes.length} bytes`);
  return lazyTensor({ name, dtype, shape, bytes });
}

function floats(name: string, shape: number[], seed: number, zeros = 0): LazyTensor {
  return tensor(name, "F32", shape, bell(elementCount(shape), seed, zeros));
}

/** Every dtype with any bits at all, NaN payloads among them. */
function dtypes(): Vector {
  const tensors = DTYPES.flatMap((dtype, i) =>
    [[3, 5], [], [2, 0]].map((shape, k) => {
      const bytes = noise(elementCount(shape) * dtypeWidth(dtype), 10 * i + k + 1);
      return tensor(`${dtype} [${shape}]`, dtype, shape, dtype === "BOOL" ? bytes.map((byte) => byte & 1) : bytes);
    }),
  );
  const metadata = JSON.parse('{"__proto__":"kept","task":"gr\u00fc\u00dfe \ud83d\ude00","\\n\\u007f":""}');
  return { name: "dtypes", plan: "* []=raw; lossless", model: { metadata, tensors } };
}

/** Every code on bytes and on planes of bytes. */
function codes(): Vector {
  const all = noise(1300, 4).map((byte, i) => (i < 256 ? i : byte & 31));
  const brain = new Uint16Array(128).map((_, i) => 0x3e00 + ((i * 37) % 256) + ((i % 2) << 15));
  const tensors = [
    tensor("raw", "U8", [30], noise(30, 1)),
    tensor("huffman small", "U8", [300], skewed(300, 2)),
    tensor("huffman six streams", "U8", [1030], skewed(1030, 3)),
    tensor("huffman one symbol", "U8", [2000], new Uint8Array(2000).fill(200)),
    tensor("huffman all symbols", "U8", [1300], all),
    tensor("huffman planes 2", "BF16", [128], brain),
    tensor("huffman planes 4", "F32", [256], bell(256, 5)),
    tensor("huffman planes 8", "F64", [64], Float64Array.from(bell(64, 6))),
    tensor("zrl bytes", "I8", [400], new Int8Array(400).map((_, i) => (i % 37 === 0 ? i - 200 : 0))),
    tensor("zrl planes", "I16", [200], new Int16Array(200).map((_, i) => (i % 50 === 9 ? -i : 0))),
    tensor("constant", "I32", [40], new Int32Array(40).fill(-7)),
    tensor("auto one byte", "U8", [1], noise(1, 7)),
  ];
  const plan = "raw=raw; huffman*=huffman; zrl*=zrl; constant=constant; lossless";
  return { name: "codes", plan, model: { metadata: null, tensors } };
}

function int8(): Vector {
  const subnormal = bell(60, 8).map((x) => x * 2 ** -130);
  const tensors = [
    floats("channel", [6, 50], 1),
    floats("tensor", [6, 50], 2),
    floats("group 32", [6, 50], 3),
    floats("asymmetric channel", [6, 50], 4),
    floats("asymmetric group 33", [7, 20], 5),
    tensor("channel F64", "F64", [4, 30], Float64Array.from(bell(120, 6), (x) => x / 3)),
    tensor("channel BF16", "BF16", [4, 30], new Uint16Array(120).map((_, i) => 0x3d80 + ((i * 29) % 200))),
    tensor("channel subnormal", "F32", [2, 30], subnormal),
    tensor("asymmetric channel zeros", "F32", [3, 10], new Float32Array(30).fill(-0)),
    floats("channel 0", [5, 0], 1),
    floats("tensor scalar", [], 9),
  ];
  const plan =
    "asymmetric group*=int8 group 33 asymmetric > huffman; asymmetric*=int8 channel asymmetric > auto; " +
    "channel*=int8 channel > huffman; tensor*=int8 tensor > raw; group*=int8 group 32 > auto; raw";
  return { name: "int8", plan, model: { metadata: {}, tensors } };
}

function int4(): Vector {
  const tensors = [
    floats("channel", [5, 61], 1),
    floats("group 33", [5, 61], 2, 60),
    floats("asymmetric group 8", [3, 17], 3),
    floats("tensor", [31], 4),
    tensor("channel F16", "F16", [3, 35], new Uint16Array(105).map((_, i) => 0x2c00 + ((i * 97) % 1500))),
    floats("group 33 one", [1], 5),
  ];
  const plan =
    "asymmetric*=int4 group 8 asymmetric > auto; group*=int4 group 33 > zrl; channel*=int4 channel > huffman; " +
    "tensor=int4 tensor > raw; raw";
  return { name: "int4", plan, model: { metadata: null, tensors } };
}

/** Every way to group, an escape, the least value -128, and groups that end in zeros. */
function zrl(): Vector {
  const sparse = new Float32Array(900).map((_, i) => (i % 300 === 299 ? 1 - i / 1000 : 0));
  const least = new Float32Array(300).map((_, i) => (i % 40 === 0 ? (i % 80 === 0 ? -1.28 : 1.27) : 0));
  const tensors = [
    floats("kernel", [8, 6, 3, 3], 1),
    floats("kernel 4", [8, 6, 3, 3], 1),
    floats("values 7", [8, 6, 3, 3], 1),
    floats("values 64", [8, 6, 3, 3], 1),
    floats("chunk", [8, 6, 3, 3], 1),
    tensor("chunk long runs", "F32", [3, 300], sparse),
    tensor("least", "F32", [1, 300], least),
  ];
  const plan =
    "kernel=prune 0.8 > int8 > zrl kernel; kernel 4=prune 0.8 > int8 > zrl kernel 4; " +
    "values 7=prune 0.8 > int8 > zrl 7; values 64=prune 0.8 > int4 group 32 > zrl 64; " +
    "chunk*=prune 0.8 > int8 > zrl; least=int8 tensor asymmetric > zrl; raw";
  return { name: "zrl", plan, model: { metadata: null, tensors } };
}

/** Small tensors that share chunks, of two dtypes in turn and two plans, with names that begin alike; and some that do not. */
function shared(): Vector {
  const kinds = ["weight", "bias", "running_mean", "batches"] as const;
  const blocks = Array.from({ length: 6 }, (_, i) =>
    kinds.map((kind, k) => {
      const name = `block${i}.\ud83d\ude00.${kind}`;
      if (kind === "batches") return tensor(name, "I64", [], noise(8, 7 * i + 1).fill(0, 1));
      return floats(name, kind === "weight" ? [3 + i, 2] : [5 + i], 9 * i + k + 1);
    }),
  );
  const pair = ["\ud83d\ude00", "\ud83d\ude01"].map((name, i) => tensor(name, "U8", [i + 3], noise(i + 3, i + 1)));
  const alone = [floats("large", [1024], 5, 90), floats("", [7, 0], 6), floats("quantized", [4, 9], 7)];
  const tensors = [...blocks.flat(), ...pair, ...alone, floats("last", [1], 8)];
  return { name: "shared", plan: "quantized=int8 > raw; *bias=raw; lossless", model: { metadata: null, tensors } };
}

/** Tensors of several chunks, with rows across their borders, and chunks of several blocks of every kind; almost all zero, to be small. */
function chunks(): Vector {
  const few = (n: number) => skewed(n, 3).map((byte) => (byte < 108 ? 0 : byte));
  const blocks = new Uint8Array(3 * BLOCK + 100);
  blocks.set(few(BLOCK), BLOCK);
  blocks.set(few(100), 3 * BLOCK);
  const rough = new Uint8Array(BLOCK + 50).fill(5);
  rough.set(noise(50, 9), BLOCK);
  const sparse = (n: number, by: number) => new Float32Array(n).map((_, i) => (i % by === 7 ? (i % 127) - 63 : 0));
  const tensors = [
    tensor("int8", "F32", [3, 100_003], sparse(300_009, 1511)),
    tensor("int4", "F32", [2, 262_145], sparse(524_290, 3001)),
    tensor("lossless", "F32", [140_000], new Float32Array(140_000).fill(0.5)),
    tensor("raw", "U8", [10], noise(10, 1)),
    tensor("pivot blocks", "U8", [blocks.length], blocks),
    tensor("pivot raw block", "U8", [rough.length], rough),
  ];
  const plan = "int8=int8 > zrl; int4=int4 tensor > zrl; raw=raw; pivot*=pivot; lossless";
  return { name: "chunks", plan, model: { metadata: null, tensors } };
}

/** Trees from a pair of leaves to one of all symbols. Blocks are in `chunks`. */
function pivot(): Vector {
  const all = noise(1300, 4).map((byte, i) => (i < 256 ? i : byte & 31));
  const brain = new Uint16Array(600).map((_, i) => 0x3e00 + ((i * 37) % 256) + ((i % 2) << 15));
  const tensors = [
    tensor("pivot two symbols", "U8", [300], noise(300, 1).map((byte) => byte & 128)),
    tensor("pivot bell", "I8", [900], Int8Array.from(bell(900, 2), (x) => 500 * x)),
    tensor("pivot all symbols", "U8", [1300], all),
    tensor("pivot one symbol", "U8", [2000], new Uint8Array(2000).fill(200)),
    tensor("pivot planes", "BF16", [600], brain),
    floats("int8", [6, 90], 5, 40),
    floats("int4", [5, 121], 6, 60),
    tensor("auto", "U8", [700], skewed(700, 7)),
  ];
  const plan = "pivot*=pivot; int8=int8 channel > pivot; int4=int4 channel > pivot; lossless";
  return { name: "pivot", plan, model: { metadata: null, tensors } };
}

/** Masks and stored bytes under each code that may stand there: raw, constant, pivot, and nothing stored. */
function mask(): Vector {
  const sparse = (seed: number, share: number, values: Uint8Array) => {
    const next = integers(seed);
    return values.map((byte) => (next() % 100 < share ? byte : 0));
  };
  const ones = new Uint8Array(600).map((_, i) => (i % 8 === 3 ? 1 + ((i * 29) % 255) : 0));
  const tensors = [
    tensor("mask raw", "U8", [401], sparse(1, 50, noise(401, 2))),
    tensor("mask pivot", "U8", [2000], sparse(3, 12, skewed(2000, 4))),
    tensor("mask of a constant", "U8", [500], sparse(5, 40, new Uint8Array(500).fill(9))),
    tensor("mask constant", "U8", [600], ones),
    tensor("mask zeros", "U8", [90], new Uint8Array(90)),
    tensor("mask planes", "I16", [300], new Int16Array(300).map((_, i) => (i % 7 === 2 ? (i * 31) % 256 : 0))),
    floats("int8", [6, 90], 5, 85),
    floats("int4", [5, 121], 6, 70),
    floats("auto", [10, 121], 8, 60),
  ];
  const plan = "mask*=mask; int8=int8 channel > mask; int4=int4 channel > mask; auto=int8 tensor > auto; lossless";
  return { name: "mask", plan, model: { metadata: null, tensors } };
}

/** Pruned before and behind quantizing, without some of the channels, and smoothed. */
function pruned(): Vector {
  const tensors = [
    floats("first", [5, 24], 1),
    floats("last", [5, 24], 2),
    floats("pattern", [7, 24], 3),
    floats("pattern last", [7, 24], 4),
    floats("channels", [9, 4, 3], 5),
    floats("channels last", [9, 16], 6),
    floats("smooth", [6, 5, 3], 7),
    floats("smooth pattern", [4, 24], 8),
  ];
  const plan =
    "first=prune 0.6 > int8 > mask; last=int8 channel asymmetric > prune 0.6; pattern=prune 2:4 > int4 group 8; " +
    "pattern last=int8 > prune 4:8; channels=prune channels 0,3-5,8 > int8 > raw; " +
    "channels last=int4 group 8 asymmetric > prune channels 2,4; smooth=smooth 0.5 pow2 > int8; " +
    "smooth pattern=smooth 0.5 pow2 > prune 2:4 > int8; raw";
  return { name: "pruned", plan, model: { metadata: null, tensors } };
}

/** Rows and columns (of 1024 elements, so that none share a chunk) under tables of their own, among bytes, planes and codes, and the targets of the step size. */
function classes(): Vector {
  const spread = (rows: number, columns: number, seed: number, kind: (row: number, column: number) => number) =>
    bell(rows * columns, seed).map((x, i) => x * kind(Math.floor(i / columns), i % columns));
  const byRow = spread(27, 40, 1, (row) => [100, 400, 1300][row % 3]);
  const byColumn = spread(44, 24, 2, (_, column) => [80, 1200][column % 2]);
  const wide = spread(44, 24, 3, (_, column) => [100, 9000][column % 2]);
  const weights = spread(30, 32, 4, (_, column) => [1, 16, 4][column % 3]);
  const tensors = [
    tensor("rows", "I8", [27, 40], Int8Array.from(byRow)),
    tensor("columns", "I8", [44, 24], Int8Array.from(byColumn)),
    tensor("planes", "I16", [44, 24], Int16Array.from(wide)),
    tensor("int8", "F32", [30, 32], weights),
    tensor("int8 step", "F32", [30, 32], weights),
    tensor("int16 step", "F32", [30, 32], weights),
    tensor("int16 step zeros", "F32", [30, 32], new Float32Array(960)),
    floats("int8 step one", [1], 5),
  ];
  const plan =
    "int8=int8 channel > smallest; int8 step*=int8 step 0.02 dead 0.1 > smallest; int16 step*=int16 step 0.004 dead 0 > smallest; smallest";
  return { name: "classes", plan, model: { metadata: null, tensors } };
}

export function vectors(): readonly Vector[] {
  return [dtypes(), codes(), int8(), int4(), zrl(), chunks(), shared(), pivot(), mask(), pruned(), classes()];
}

import { readFileSync } from "node:fs";
import { instantiateSync } from "@assemblyscript/loader";
import fc from "fast-check";
import { expect } from "vitest";
import { plainExports, plainMemory } from "../src/plain/index.ts";
import { random } from "./random.ts";
import { STATUS } from "./status.ts";

export { random } from "./random.ts";
export { nameOf, STATUS } from "./status.ts";

// The same examples on every run and machine: a failure found once can be found again.
fc.configureGlobal({ seed: 20240229, numRuns: 60 });

/** Lengths around the places where kernels change their step: lanes, the six Huffman streams, chunks. */
export const SIZES = [0, 1, 2, 31, 33, 1023, 1024, 1025, 65535, 65537, 262144];

const PAGES = 128;
/** What a kernel may read behind an input, and what is watched around all it may write. */
const ZONE = 64;
/** What the ABI lets some encoders write behind their output. */
export const SLACK = 64;
/** Room for the tree and lists of pivot. */
export const WORK = 81920;

type Kernels = Record<string, (...args: number[]) => number>;

export interface Tier {
  name: "simd" | "scalar" | "debug" | "js" | "js, interpreted";
  exports: Kernels;
  memory: { readonly buffer: ArrayBuffer };
  call(kernel: string, ...args: number[]): number;
}

let loaded: Tier[] | undefined;

/** Every build of the kernels; they are interchangeable, so every test runs on each. */
export function tiers(): Tier[] {
  loaded ??= [tier("simd", direct), tier("scalar", direct), tier("debug", throughLoader)];
  return loaded;
}

/** The same, and the plain kernels with the loops of either kind of engine: tests of decoding run on each of these. */
export function decodeTiers(): Tier[] {
  return [...tiers(), plainTier("js", true), plainTier("js, interpreted", false)];
}

/** Whether a tier has the kernel. The plain ones only decode: a test that also encodes leaves that part out. */
export function has(tier: Tier, kernel: string): boolean {
  return kernel in tier.exports;
}

function plainTier(name: Tier["name"], compiled: boolean): Tier {
  const memory = plainMemory();
  memory.grow(PAGES - 1);
  const exports = plainExports(memory, compiled) as unknown as Kernels;
  return { name, exports, memory, call: (kernel, ...args) => exports[kernel](...args) };
}

type Instantiate = (module: WebAssembly.Module, memory: WebAssembly.Memory) => Kernels;

function tier(name: Tier["name"], instantiate: Instantiate): Tier {
  const file = new URL(`../build/quern.${name}.wasm`, import.meta.url);
  const memory = new WebAssembly.Memory({ initial: PAGES });
  const exports = instantiate(new WebAssembly.Module(readFileSync(file)), memory);
  const call = (kernel: string, ...args: number[]) => exports[kernel](...args);
  return { name, exports, memory, call };
}

function direct(module: WebAssembly.Module, memory: WebAssembly.Memory): Kernels {
  return new WebAssembly.Instance(module, { env: { memory } }).exports as Kernels;
}

/** The debug build asserts; the loader turns its aborts into errors with a message and a place. */
function throughLoader(module: WebAssembly.Module, memory: WebAssembly.Memory): Kernels {
  return instantiateSync<Kernels>(module, { env: { memory } }).exports;
}

interface Output {
  initial: Uint8Array | number;
  slack: number;
}

interface Alias {
  argument: number;
}

type Argument = number | ArrayBufferView | Output | Alias;

/** A buffer the kernel fills, behind which it may spoil `slack` bytes. Scratch is one as well. */
export function out(size: number, slack = 0): Output {
  return { initial: size, slack };
}

/** A buffer the kernel changes. */
export function inout(data: ArrayBufferView): Output {
  return { initial: bytesOf(data), slack: 0 };
}

/** The pointer of another argument once more. */
export function alias(argument: number): Alias {
  return { argument };
}

interface Block {
  argument: number;
  offset: number;
  bytes: number;
  slack: number;
  content?: Uint8Array | undefined;
  writable: boolean;
}

export interface Run {
  status: number;
  /** The outputs in the order of the arguments, as copies. */
  out: Uint8Array<ArrayBuffer>[];
}

let turn = 0;

/**
 * Calls a kernel on buffers laid out anew: at changing alignment, in memory full of rubbish, up against the end of
 * memory (reading further than allowed behind the last one traps). Fails if anything else than the outputs changed.
 */
export function run(tier: Tier, kernel: string, ...args: Argument[]): Run {
  turn++;
  const blocks = layOut(tier, blocksOf(args));
  const memory = new Uint8Array(tier.memory.buffer);
  const start = blocks.length > 0 ? blocks[0].offset - ZONE : memory.length;
  memory.fill(1 + (turn % 255), start);
  for (const block of blocks) if (block.content) memory.set(block.content, block.offset);
  const before = memory.slice(start);
  const pointers = args.map((argument, i) => pointer(blocks, argument, i));
  const status = tier.call(kernel, ...pointers);
  expect(spoiled(memory, before, start, blocks), `${kernel} on ${tier.name}: canaries and inputs`).toBe("");
  const outputs = blocks.filter((block) => block.writable).sort((a, b) => a.argument - b.argument);
  return { status, out: outputs.map((block) => memory.slice(block.offset, block.offset + block.bytes)) };
}

function blocksOf(args: Argument[]): Block[] {
  const blocks: Block[] = [];
  args.forEach((value, argument) => {
    if (ArrayBuffer.isView(value)) {
      const content = bytesOf(value);
      blocks.push({ argument, offset: 0, bytes: content.length, slack: 0, content, writable: false });
    } else if (typeof value === "object" && "initial" in value) {
      const content = typeof value.initial === "number" ? undefined : value.initial;
      const bytes = content?.length ?? Number(value.initial);
      blocks.push({ argument, offset: 0, bytes, slack: value.slack, content, writable: true });
    }
  });
  return blocks;
}

/** Downward from the end of memory; which block comes to lie there changes with every run. */
function layOut(tier: Tier, blocks: Block[]): Block[] {
  const first = turn % Math.max(1, blocks.length);
  const order = [...blocks.slice(first), ...blocks.slice(0, first)];
  let end = tier.memory.buffer.byteLength;
  order.forEach((block, i) => {
    const shift = (turn * (i + 3)) % 16;
    block.offset = end - shift - ZONE - block.slack - block.bytes;
    end = block.offset - ZONE;
  });
  if (end < tier.exports.heapBase()) throw new Error("the buffers of this test do not fit into memory");
  return order.reverse();
}

function pointer(blocks: Block[], value: Argument, argument: number): number {
  if (typeof value === "number") return value;
  const wanted = "argument" in value ? value.argument : argument;
  const block = blocks.find((b) => b.argument === wanted);
  if (!block) throw new Error(`argument ${wanted} is no buffer`);
  return block.offset;
}

/** Compares memory with what it was, leaving out what the kernel may write. */
function spoiled(memory: Uint8Array, before: Uint8Array, start: number, blocks: Block[]): string {
  let from = start;
  for (const block of [...blocks.filter((b) => b.writable), undefined]) {
    const to = block ? block.offset : start + before.length;
    const where = difference(memory.subarray(from, to), before.subarray(from - start, to - start));
    if (where) return `${where}, from ${from}; outputs ${JSON.stringify(blocks.filter((b) => b.writable))}`;
    if (block) from = block.offset + block.bytes + block.slack;
  }
  return "";
}

/** readLengths, and what it leaves behind. */
export function readTable(tier: Tier, bytes: Uint8Array, limit = 11) {
  const result = run(tier, "readLengths", bytes, bytes.length, limit, out(260));
  const onlySymbol = new DataView(result.out[0].buffer).getInt32(256, true);
  return { status: result.status, lengths: result.out[0].slice(0, 256), onlySymbol };
}

/** pivotNodes under the tree of these lengths, which are to give `size` bytes. */
export function encodeNodes(tier: Tier, symbols: Uint8Array, lengths: Uint8Array, size: number): Run {
  const tree = treeFor(tier, lengths);
  return run(tier, "pivotNodes", symbols, symbols.length, out(size, SLACK), inout(tree));
}

/** What pivotTree leaves in `work`. */
export function treeFor(tier: Tier, lengths: Uint8Array): Uint8Array {
  const { status, out: work } = run(tier, "pivotTree", lengths, out(WORK));
  expect(status, `levels of ${lengths}`).toBeLessThanOrEqual(12);
  return work[0];
}

export function bytesOf(data: ArrayBufferView): Uint8Array<ArrayBuffer> {
  return new Uint8Array(data.buffer.slice(data.byteOffset, data.byteOffset + data.byteLength) as ArrayBuffer);
}

/** Where two arrays first differ, bit by bit (so -0 is not 0), or nothing. */
export function difference(actual: ArrayBufferView, expected: ArrayBufferView): string {
  const [a, b] = [actual, expected].map((v) => Buffer.from(v.buffer, v.byteOffset, v.byteLength));
  if (a.equals(b)) return "";
  if (a.length !== b.length) return `${a.length} bytes instead of ${b.length}`;
  const at = a.findIndex((byte, i) => byte !== b[i]);
  return `byte ${at} of ${a.length} is ${a[at]} instead of ${b[at]}`;
}

export function expectSame(actual: ArrayBufferView, expected: ArrayBufferView, what = ""): void {
  expect(difference(actual, expected), what).toBe("");
}

/** What a strict function gives, or undefined if it refuses; any other fault of it stays one. */
export function accepted<T>(decode: () => T): T | undefined {
  try {
    return decode();
  } catch (error) {
    if (error instanceof Error && error.message in STATUS) return undefined;
    throw error;
  }
}

/** What a strict function gives, or the status it refuses with. */
export function outcome<T>(decode: () => T): T | number {
  try {
    return decode();
  } catch (error) {
    if (error instanceof Error && error.message in STATUS) return STATUS[error.message as keyof typeof STATUS];
    throw error;
  }
}

export function f32(bytes: Uint8Array<ArrayBuffer>): Float32Array<ArrayBuffer> {
  return new Float32Array(bytes.buffer);
}

export function u32(bytes: Uint8Array<ArrayBuffer>): Uint32Array<ArrayBuffer> {
  return new Uint32Array(bytes.buffer);
}

export function randomBytes(n: number, seed: number): Uint8Array<ArrayBuffer> {
  const next = random(seed);
  return new Uint8Array(n).map(() => 256 * next());
}

/** Box and Muller's normal distribution. */
function gauss(seed: number): () => number {
  const next = random(seed);
  return () => Math.sqrt(-2 * Math.log(1 - next())) * Math.cos(2 * Math.PI * next());
}

/** Fibonacci counts make the deepest tree for their sum: 24 levels here, so that the limit of 11 bits bites. */
export function fibonacci(): Uint8Array<ArrayBuffer> {
  const counts = [1, 1];
  while (counts.length < 25) counts.push(counts[counts.length - 1] + counts[counts.length - 2]);
  return Uint8Array.from(counts.flatMap((count, symbol) => new Array<number>(count).fill(symbol * 9)));
}

/** Codes as quantized weights have them, of which the part `pruned` is zero. */
export function codes(n: number, sigma: number, seed: number, pruned = 0): Int8Array<ArrayBuffer> {
  const [level, keep] = [gauss(seed), random(seed + 1)];
  return new Int8Array(n).map(() => {
    const code = Math.max(-128, Math.min(127, Math.round(sigma * level())));
    return keep() < pruned ? 0 : code;
  });
}

/** Weights of a trained layer: small, with one in a thousand far out. */
export function weights(n: number, seed: number): Float32Array<ArrayBuffer> {
  const [level, far] = [gauss(seed), random(seed + 1)];
  return new Float32Array(n).map(() => 0.05 * level() * (far() < 0.001 ? 40 : 1));
}

/** What real weights seldom look like, but may. */
export function degenerate(n: number): [string, Float32Array<ArrayBuffer>][] {
  const filled = (value: number) => new Float32Array(n).fill(value);
  return [
    ["zeros", filled(0)],
    ["negative zeros", filled(-0)],
    ["a constant", filled(-1.5)],
    ["one outlier", weights(n, 5).fill(1e30, n >> 1, (n >> 1) + 1)],
    ["subnormals", weights(n, 6).map((x) => x * 2 ** -126)],
    ["the largest floats", weights(n, 7).map((x) => Math.sign(x) * 3.4028234663852886e38)],
    ["zeros of both signs", filled(0).map((_, i) => (i % 3 === 0 ? -0 : 0))],
  ];
}

export const NOT_FINITE = [Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY];

/** Bytes as a coder meets them, from incompressible to empty of information. */
export function byteCases(n: number): [string, Uint8Array<ArrayBuffer>][] {
  return int8Cases(n).map(([name, values]) => [name, new Uint8Array(values.buffer)]);
}

export function int8Cases(n: number): [string, Int8Array<ArrayBuffer>][] {
  return [
    ["noise", new Int8Array(randomBytes(n, 1).buffer)],
    ["wide codes", codes(n, 30, 2)],
    ["narrow codes", codes(n, 1.5, 3)],
    ["pruned codes", codes(n, 20, 4, 0.9)],
    ["almost empty", codes(n, 40, 5, 0.999)],
    ["zeros", new Int8Array(n)],
    ["least values", new Int8Array(n).fill(-128)],
    ["one value at the end", new Int8Array(n).fill(-7, n - 1)],
  ];
}

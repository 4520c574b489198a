import { plainKernels } from "../../../src/plain.ts";
import { bytesOfHex } from "./fnv.ts";

// Times the plain kernels on one chunk of dense int8 codes: MB/s of output, of input for the hash. The best of several
// runs, because what else the machine does can only slow one down.

export interface BenchInput {
  readonly n: number;
  readonly huffman: string;
  readonly pivot: string;
  /** Milliseconds for each kernel. */
  readonly budget: number;
}

export type Speeds = Record<"huffman" | "pivot" | "xxh64" | "dequantize", number>;

declare const INPUT: BenchInput;
declare const print: (text: string) => void;
declare const now: () => number;

const BLOCK = 32768;
const PIECE = 16384;
const { n, budget } = INPUT;
const kernels = plainKernels();
const arena = kernels.arena(1 << 20, "decode");
const { run } = kernels;
const at = arena.stored;
const dst = arena.plain;
const work = arena.work;

/** MB/s of `bytes` a run. */
function speed(bytes: number, task: () => number): number {
  let best = Number.POSITIVE_INFINITY;
  for (let spent = 0; spent < budget; ) {
    const start = now();
    if (task() < 0) throw new Error("refused");
    const time = now() - start;
    best = Math.min(best, time);
    spent += Math.max(time, 0.01);
  }
  return bytes / 1000 / best;
}

function load(hex: string): number {
  const bytes = bytesOfHex(hex);
  kernels.bytes().set(bytes, at);
  return bytes.length;
}

function huffman(size: number): number {
  const table = run.readLengths(at, size, 11, arena.lengths);
  return run.huffmanDecode(at + table, size - table, n, arena.lengths, dst);
}

function pivot(size: number): number {
  let used = 0;
  for (let done = 0; done < n; done += BLOCK) {
    const left = Math.min(BLOCK, n - done);
    const block = run.pivotBlock(at + used, size - used, left, done === 0 ? 1 : 0, dst + done, work);
    if (block < 0) return block;
    used += block;
  }
  return used;
}

function dequantize(): number {
  for (let done = 0; done < n; done += PIECE) run.dequantize(dst + done, 1, PIECE, arena.scratch, 0, arena.floats);
  return n;
}

const table = load(INPUT.huffman);
const speeds: Speeds = {
  huffman: speed(n, () => huffman(table)),
  xxh64: speed(table, () => run.xxh64(at, table, arena.scratch)),
  dequantize: speed(4 * n, dequantize),
  pivot: 0,
};
const tree = load(INPUT.pivot);
speeds.pivot = speed(n, () => pivot(tree));
print(JSON.stringify(speeds));

import { readFileSync } from "node:fs";

// What clients have in common: their arguments, their last line, and what their process took.

export function args<T>(): T {
  return JSON.parse(process.argv[2] as string);
}

export function report(result: object): void {
  process.stdout.write(`${JSON.stringify(result)}\n`);
}

/** The most resident memory of this process since it began, in bytes. (maxRSS would count the process that it was forked from, too.) */
export function mostResident(): number {
  const [, kilobytes] = /^VmHWM:\s*(\d+) kB$/m.exec(readFileSync("/proc/self/status", "utf8")) ?? [];
  return kilobytes ? 1024 * Number(kilobytes) : 1024 * process.resourceUsage().maxRSS;
}

/** What fetch takes at its first use, which everybody pays. */
export async function warm(url: string): Promise<void> {
  await (await fetch(url, { headers: { Range: "bytes=0-0" } })).arrayBuffer();
}

/** Memory that the caller owns, all of it resident. */
export function held(elements: number): Float32Array {
  return new Float32Array(elements).fill(1);
}

/** Bytes in use: objects, array buffers, and what else V8 knows of, such as the memory of WebAssembly. */
export interface Live {
  readonly all: number;
  readonly heap: number;
  readonly buffers: number;
  readonly other: number;
}

/** Only with this flag of Node can be told what is in use from what is garbage. */
const collect = (globalThis as { gc?: () => void }).gc;
/** A collection takes as long as many chunks do. */
const EVERY = 5;

/** What is in use now or was before, whichever is more; not looked at every time. */
export function live(nth = 0, before?: Live): Live {
  if (before && (!collect || nth % EVERY !== 0)) return before;
  collect?.();
  const { heapUsed: heap, external, arrayBuffers: buffers } = process.memoryUsage();
  const now = { all: heap + external, heap, buffers, other: external - buffers };
  return before && before.all > now.all ? before : now;
}

/** Milliseconds of each run. Each gives something that depends on its work. */
export async function times(repeat: number, run: () => Promise<number>): Promise<number[]> {
  const ms: number[] = [];
  for (let i = 0; i < repeat; i++) {
    const start = performance.now();
    if (!((await run()) > 0)) throw new Error("a run without a result");
    ms.push(performance.now() - start);
  }
  return ms;
}

/** To compare what was loaded in different ways. */
export function sumOf(values: Float32Array): number {
  let sum = 0;
  for (let i = 0; i < values.length; i++) sum = (Math.imul(sum, 31) + (values[i] as number)) | 0;
  return sum;
}

import { stat } from "node:fs/promises";
import { availableParallelism } from "node:os";
import type { Workers } from "../container/workers.ts";
import type { Tier } from "../kernels.ts";
import { nodeWorkers } from "../node.ts";
import { UsageError } from "./terminal.ts";

// How many threads a verb uses.

/** Below this many bytes of input the start of a worker takes longer than it saves. */
const TINY = 16e6;

/** The option's description, for --help. */
export const THREADS_HELP = `worker threads; 1 works in-process (default: to pack ${TINY / 1e6} MB and more one per core, else 1)`;

interface Options {
  readonly threads?: string;
  readonly tier?: Tier;
}

/**
 * Workers for as many threads as the options say, undefined for one, closed after use. By default one, but one per core where the inputs
 * named are large: those of pack, because decoding takes less time than to hand its result from thread to thread.
 */
export async function withWorkers<T>(
  options: Options,
  inputs: readonly string[],
  use: (workers: Workers | undefined) => Promise<T>,
): Promise<T> {
  const threads = await threadsFor(options.threads, inputs);
  if (threads === 1) return use(undefined);
  const workers = await nodeWorkers(threads, { tier: options.tier, onWorkerLost });
  try {
    return await use(workers);
  } finally {
    await workers.close();
  }
}

async function threadsFor(option: string | undefined, inputs: readonly string[]): Promise<number> {
  if (option === undefined) {
    const sizes = await Promise.all(inputs.map(async (path) => (await stat(path).catch(() => null))?.size ?? 0));
    return Math.max(...sizes) < TINY ? 1 : availableParallelism();
  }
  if (/^[1-9]\d{0,2}$/.test(option)) return Number(option);
  throw new UsageError(`--threads expected a whole number from 1 to 999, got "${option}"`);
}

function onWorkerLost(error: Error): void {
  process.stderr.write(`quern: a worker died, its chunk is tried once more: ${error.message}\n`);
}

import { availableParallelism } from "node:os";
import type { Piscina } from "piscina";
import type { Answer } from "../container/answer.ts";
import { workersOver } from "../container/queue.ts";
import { WorkerLost } from "../container/remote.ts";
import type { Workers } from "../container/workers.ts";
import { argument } from "../errors.ts";
import type { KernelOptions } from "../kernels.ts";

// Worker threads of Node, in a pool of Piscina: it starts threads, hands them tasks, and replaces those that die.

/** Options of nodeWorkers; those of the kernels are for every worker's own. */
export interface NodeWorkersOptions extends KernelOptions {
  /** Hears of every worker that died while it had a task. The task is tried once more. */
  onWorkerLost?: ((error: Error) => void) | undefined;
  /** The worker's file, where a bundler has moved it: `quern/node-worker`. */
  file?: URL | undefined;
}

/** Starts worker threads. They do not keep the process alive while they have nothing to do. */
export async function nodeWorkers(size = availableParallelism(), options: NodeWorkersOptions = {}): Promise<Workers> {
  argument(Number.isSafeInteger(size) && size >= 1, "size", "a whole number >= 1", size);
  const { tier, module, onWorkerLost, file = new URL("./worker.js", import.meta.url) } = options;
  // Here, so that reading and writing files does not load it.
  const { Piscina } = await import("piscina");
  const pool = new Piscina({
    filename: file.href,
    minThreads: size,
    maxThreads: size,
    concurrentTasksPerWorker: 2,
    workerData: { tier, module },
  });
  let ended = false;
  const report = reporter(onWorkerLost);
  const lost = (error: Error): void => {
    // Threads that close() ends are not lost.
    if (!ended) report(error);
  };
  const failures = new Set<(error: Error) => void>();
  // A worker that has not come up has no task: those that wait for it would wait for ever.
  pool.on("error", (error: Error) => {
    lost(error);
    for (const fail of failures) fail(new WorkerLost(error.message, error));
  });
  const post = (task: unknown, transfer: ArrayBuffer[]) =>
    new Promise<Answer>((resolve, reject) => {
      failures.add(reject);
      answerOf(pool, task, transfer, lost)
        .then(resolve, reject)
        .finally(() => failures.delete(reject));
    });
  const end = (): Promise<void> => {
    ended = true;
    return pool.destroy();
  };
  return workersOver(size, { post, end });
}

async function answerOf(
  pool: Piscina,
  task: unknown,
  transferList: ArrayBuffer[],
  lost: (error: Error) => void,
): Promise<Answer> {
  try {
    return await pool.run(task, { transferList });
  } catch (error) {
    // The worker's function never throws, and what cannot be cloned never gets there.
    if ((error as Error).name === "DataCloneError") throw error;
    lost(error as Error);
    throw new WorkerLost((error as Error).message, error);
  }
}

// All tasks of a worker are given the same error.
function reporter(onWorkerLost: ((error: Error) => void) | undefined): (error: Error) => void {
  const seen = new WeakSet<Error>();
  return (error) => {
    if (seen.has(error)) return;
    seen.add(error);
    onWorkerLost?.(new WorkerLost(error.message, error));
  };
}

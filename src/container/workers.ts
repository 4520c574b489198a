import type { Kernels } from "../kernels/arena.ts";
import type { Ranges, Step } from "../plan.ts";
import type { TensorInfo } from "../tensor.ts";
import { commonTask } from "./common.ts";
import type { DecodeKind, Gives, Kind, Span, Task } from "./tasks.ts";

// Tasks on workers, where there are any.

/** Threads that decode and encode chunks: nodeWorkers of `quern/node`, webWorkers of `quern/workers`. */
export interface Workers {
  readonly size: number;
  /**
   * Does a task on a worker. Rejects with the task's error, with the signal's reason, after close, and with an Error that names the chunk if
   * its worker died and the second one too.
   */
  run<K extends Kind>(task: Task<K>, signal?: AbortSignal): Promise<Gives<K>>;
  /** Takes a buffer back that came with a result and is not needed any more. */
  recycle(buffer: ArrayBuffer): void;
  /** Ends all workers; what is under way rejects. A second call does nothing more. */
  close(): Promise<void>;
}

/** Where tasks are done. */
export interface Place {
  readonly kernels: Kernels;
  readonly workers?: Workers | undefined;
}

/** Where tasks of decoding are done. */
export interface ReadPlace extends Place {
  /** Loads what does tasks that are not common. */
  whole(): Promise<{
    performAny<K extends DecodeKind, T>(kernels: Kernels, task: Task<K>, use: (result: Gives<K>) => T): Promise<T>;
    demandPinned(kernels: Kernels, span: Span): Promise<void>;
    expand(data: Float32Array, tensor: TensorInfo, removed: Ranges): void;
    removedChannels(steps: readonly Step[]): Ranges;
  }>;
}

/** Tasks that are under way at once: one at each worker, one that waits there, and two done or begun beyond. */
export function tasksAhead(threads: number | undefined): number {
  return threads ? 2 * threads + 2 : 1;
}

/**
 * Does a task of decoding, here or on a worker, and hands its result to `use` in the same turn.
 * @throws the task's error, and what Workers.run throws
 */
export async function perform<K extends DecodeKind, T>(
  { kernels, workers, whole }: ReadPlace,
  task: Task<K>,
  signal: AbortSignal | undefined,
  use: (result: Gives<K>) => T,
): Promise<T> {
  if (workers) return use(await workers.run(task, signal));
  const result = commonTask(kernels, task);
  return result ? use(result) : (await whole()).performAny(kernels, task, use);
}

/**
 * Results of jobs in order, with jobs begun and not yet taken until they weigh `ahead` together (each 1 by default). An error comes at the
 * place of its job, after the results before it. Jobs that are under way when this ends are aborted by the signal they were given.
 */
export async function* inOrder<J, R>(
  jobs: Iterable<J> | AsyncIterable<J>,
  ahead: number,
  signal: AbortSignal | undefined,
  run: (job: J, signal: AbortSignal | undefined) => Promise<R>,
  weigh: (job: J) => number = () => 1,
): AsyncGenerator<R> {
  const stop = linkedTo(signal);
  const source = Symbol.asyncIterator in jobs ? jobs[Symbol.asyncIterator]() : jobs[Symbol.iterator]();
  const begun: { result: Promise<R>; weight: number }[] = [];
  let weight = 0;
  const begin = (result: Promise<R>, own: number): void => {
    // It is awaited later, or never.
    result.catch(() => {});
    begun.push({ result, weight: own });
    weight += own;
  };
  const beginNext = async (): Promise<boolean> => {
    try {
      const next = await source.next();
      if (!next.done) begin(run(next.value, stop.signal), weigh(next.value));
      return !next.done;
    } catch (error) {
      begin(Promise.reject(error), 0);
      return false;
    }
  };
  const oldest = async (): Promise<R> => {
    const { result, weight: own } = begun.shift() as (typeof begun)[number];
    weight -= own;
    const value = await result;
    signal?.throwIfAborted();
    return value;
  };
  try {
    while (await beginNext()) while (begun.length > 0 && weight >= ahead) yield await oldest();
    while (begun.length > 0) yield await oldest();
  } finally {
    stop.end();
    await source.return?.();
  }
}

function linkedTo(signal: AbortSignal | undefined) {
  // Small engines have none; nor have they anything that it would end.
  if (typeof AbortController === "undefined") return { signal, end: () => {} };
  const controller = new AbortController();
  const abort = (): void => controller.abort(signal?.reason);
  if (signal?.aborted) abort();
  signal?.addEventListener("abort", abort);
  const end = (): void => {
    signal?.removeEventListener("abort", abort);
    controller.abort(new Error("not wanted any more"));
  };
  return { signal: controller.signal, end };
}

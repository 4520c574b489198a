import type { Kernels } from "../kernels/arena.ts";
import type { Ranges, Step } from "../plan.ts";
import type { TensorInfo } from "../tensor.ts";
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
  /** Does a task; null: with these kernels it cannot. */
  decode<K extends DecodeKind>(kernels: Kernels, task: Task<K>): Gives<K> | Promise<Gives<K>> | null;
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
  { kernels, workers, decode, whole }: ReadPlace,
  task: Task<K>,
  signal: AbortSignal | undefined,
  use: (result: Gives<K>) => T,
): Promise<T> {
  if (workers) return use(await workers.run(task, signal));
  const result = decode(kernels, task);
  if (result) return use(result instanceof Promise ? await result : result);
  return (await whole()).performAny(kernels, task, use);
}

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

/** Does any task of decoding. */
export type Decode = <K extends DecodeKind>(task: Task<K>) => Gives<K> | Promise<Gives<K>>;

/** Where tasks of decoding are done. */
export interface ReadPlace extends Place {
  /** Does a task; null: `learn` has to come first. */
  decode<K extends DecodeKind>(task: Task<K>): Gives<K> | Promise<Gives<K>> | null;
  /** Loads what does any task, which `decode` is from then on. */
  learn(): Promise<Decode>;
  /** Loads what few files need. */
  whole(): Promise<{
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
  place: ReadPlace,
  task: Task<K>,
  signal: AbortSignal | undefined,
  use: (result: Gives<K>) => T,
): Promise<T> {
  if (place.workers) return use(await place.workers.run(task, signal));
  const result = place.decode(task) ?? (await place.learn())(task);
  return use(result instanceof Promise ? await result : result);
}

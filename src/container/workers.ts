import type { Kernels } from "../kernels.ts";
import { type Answer, taken } from "./answer.ts";
import { type DecodeKind, decodeTask, type Gives, type Kind, type Task, taskName } from "./tasks.ts";

// Tasks on workers, where there are any.

/** Threads that decode and encode chunks: nodeWorkers of `quern/node`, webWorkers of `quern/workers`. */
export interface Workers {
  readonly size: number;
  /**
   * Does a task on a worker; the buffers are gone then. Rejects with a WorkerLost if its worker dies, with the signal's
   * reason on abort, and after close. @param alone - while no other task is under way
   */
  run(task: Task, transfer: ArrayBuffer[], signal?: AbortSignal, alone?: boolean): Promise<Answer>;
  /** Ends all workers; what is under way rejects. A second call does nothing more. */
  close(): Promise<void>;
}

/** A worker died while it had a task: it exited, crashed, ran out of memory, or was terminated. */
export class WorkerLost extends Error {
  constructor(message: string, cause?: unknown) {
    super(message, { cause });
    this.name = "WorkerLost";
  }
}

/** Where tasks are done. */
export interface Place {
  readonly kernels: Kernels;
  readonly workers?: Workers | undefined;
}

/** Tasks that are under way at once: one at each worker, one that waits there, and two done or begun beyond. */
export function tasksAhead(threads: number | undefined): number {
  return threads ? 2 * threads + 2 : 1;
}

/**
 * Does a task of decoding, here or on a worker, and hands its result to `use` in the same turn.
 * @throws the task's error, and what `remote` throws
 */
export async function perform<K extends DecodeKind, T>(
  { kernels, workers }: Place,
  task: Task<K>,
  signal: AbortSignal | undefined,
  use: (result: Gives<K>) => T,
): Promise<T> {
  if (workers) return use(await remote(workers, task, signal));
  const result = decodeTask(kernels, task);
  return use(result instanceof Promise ? await result : result);
}

/**
 * Does a task on a worker.
 * @throws the task's error; the signal's reason; Error if the task's worker died, and the second one too
 */
export async function remote<K extends Kind>(
  workers: Workers,
  task: Task<K>,
  signal: AbortSignal | undefined,
): Promise<Gives<K>> {
  return taken(await attempt(workers, task as unknown as Task, signal)) as Gives<K>;
}

// What was transferred dies with a worker. So every attempt gets copies, made of what the task holds until it is done:
// a source need not be read twice, and a copy takes a small part of the time that the task does.
async function attempt(workers: Workers, task: Task, signal: AbortSignal | undefined): Promise<Answer> {
  const run = async (alone: boolean): Promise<Answer> => {
    const [copy, transfer] = outgoing(workers, task);
    const answer = await workers.run(copy, transfer, signal, alone);
    recycle(workers, answer.spent);
    return answer;
  };
  try {
    return await run(false);
  } catch (error) {
    if (!(error instanceof WorkerLost)) throw error;
  }
  try {
    // Alone, so that a task which kills its worker takes no other with it, and is the one that the error names.
    return await run(true);
  } catch (error) {
    if (!(error instanceof WorkerLost)) throw error;
    throw new Error(`${taskName(task)}: two workers died with it: ${error.message}`, { cause: error });
  }
}

// The task with its large inputs copied, and a place for its result where that is copied again.
function outgoing(workers: Workers, task: Task): [task: Task, transfer: ArrayBuffer[]] {
  if (task.kind === "encode") {
    const { elements } = task.input;
    const copy = copyOf(workers, elements);
    const values = elements instanceof Float32Array ? new Float32Array(copy.buffer, 0, elements.length) : copy;
    return [{ ...task, input: { ...task.input, elements: values } }, [copy.buffer]];
  }
  const { span } = task;
  const bytes = copyOf(workers, span.bytes);
  // Hashes are views of the chunk table, all of which would be cloned with each.
  const chunks = span.chunks.map((chunk) => ({ ...chunk, xxh64: chunk.xxh64.slice(), sha256: chunk.sha256.slice() }));
  const into = task.kind === "floats" && task.copied ? spareFloats(workers, task.copied) : null;
  const copy = { ...task, span: { ...span, bytes, chunks }, ...(into && { into }) };
  return [copy, into ? [bytes.buffer, into.buffer] : [bytes.buffer]];
}

function copyOf(workers: Workers, view: Uint8Array | Float32Array): Uint8Array<ArrayBuffer> {
  const copy = new Uint8Array(spareBuffer(workers, view.byteLength), 0, view.byteLength);
  copy.set(new Uint8Array(view.buffer, view.byteOffset, view.byteLength));
  return copy;
}

const spares = new WeakMap<Workers, ArrayBuffer[]>();
const SPARE_UNIT = 128 * 1024;

// Large buffers go to and fro: to map and unmap memory stops all threads of the process.
function spareBuffer(workers: Workers, size: number): ArrayBuffer {
  const held = spares.get(workers) ?? [];
  const at = held.findIndex(({ byteLength }) => byteLength >= size && byteLength <= 2 * size + SPARE_UNIT);
  const [found] = at < 0 ? [] : held.splice(at, 1);
  return found ?? new ArrayBuffer(Math.ceil(size / SPARE_UNIT) * SPARE_UNIT);
}

/** Takes buffers back that came with an answer and are not needed any more. */
export function recycle(workers: Workers, buffers: readonly ArrayBuffer[]): void {
  const held = spares.get(workers) ?? [];
  held.push(...buffers.filter(({ byteLength }) => byteLength > 0));
  // The oldest go first: they are of a size that is not asked for.
  spares.set(workers, held.slice(-tasksAhead(workers.size)));
}

// A place for a result that will be copied out of it and recycled.
function spareFloats(workers: Workers, count: number): Float32Array<ArrayBuffer> {
  return new Float32Array(spareBuffer(workers, 4 * count), 0, count);
}

/**
 * Results of jobs in order, with up to `ahead` jobs begun and not yet taken. An error comes at the place of its job, after
 * the results before it. Jobs that are under way when this ends are aborted by the signal they were given.
 */
export async function* inOrder<J, R>(
  jobs: Iterable<J> | AsyncIterable<J>,
  ahead: number,
  signal: AbortSignal | undefined,
  run: (job: J, signal: AbortSignal | undefined) => Promise<R>,
): AsyncGenerator<R> {
  const stop = ahead > 1 ? linkedTo(signal) : null;
  const source = Symbol.asyncIterator in jobs ? jobs[Symbol.asyncIterator]() : jobs[Symbol.iterator]();
  const begun: Promise<R>[] = [];
  const begin = (result: Promise<R>): void => {
    // It is awaited later, or never.
    result.catch(() => {});
    begun.push(result);
  };
  const beginNext = async (): Promise<boolean> => {
    try {
      const next = await source.next();
      if (!next.done) begin(run(next.value, stop ? stop.signal : signal));
      return !next.done;
    } catch (error) {
      begin(Promise.reject(error));
      return false;
    }
  };
  const oldest = async (): Promise<R> => {
    const result = await (begun.shift() as Promise<R>);
    if (stop) signal?.throwIfAborted();
    return result;
  };
  try {
    while (await beginNext()) if (begun.length >= ahead) yield await oldest();
    while (begun.length > 0) yield await oldest();
  } finally {
    stop?.end();
    await source.return?.();
  }
}

function linkedTo(signal: AbortSignal | undefined) {
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

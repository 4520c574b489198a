import { type Answer, taken } from "./answer.ts";
import { type Gives, type Kind, type Task, taskName } from "./tasks.ts";
import { tasksAhead, type Workers } from "./workers.ts";

// A task on a worker, from this side: what it needs is copied for it, and it is tried again where its worker dies.

/** A worker died while it had a task: it exited, crashed, ran out of memory, or was terminated. */
export class WorkerLost extends Error {
  constructor(message: string, cause?: unknown) {
    super(message, { cause });
    this.name = "WorkerLost";
  }
}

/** Gives a task to a worker; the buffers are gone then. @param alone - while no other task is under way */
export type Turn = (
  task: Task,
  transfer: ArrayBuffer[],
  signal: AbortSignal | undefined,
  alone: boolean,
) => Promise<Answer>;

/** Workers.run and Workers.recycle over the turns of a pool of `size`. */
export function remoteOver(size: number, turn: Turn): Pick<Workers, "run" | "recycle"> {
  const spares = sparesOf(size);
  return {
    run: async <K extends Kind>(task: Task<K>, signal?: AbortSignal) =>
      taken(await attempt(turn, spares, task as unknown as Task, signal)) as Gives<K>,
    recycle: (buffer) => spares.give([buffer]),
  };
}

// What was transferred dies with a worker. So every attempt gets copies, made of what the task holds until it is done:
// a source need not be read twice, and a copy takes a small part of the time that the task does.
async function attempt(turn: Turn, spares: Spares, task: Task, signal: AbortSignal | undefined): Promise<Answer> {
  const run = async (alone: boolean): Promise<Answer> => {
    const [copy, transfer] = outgoing(spares, task);
    const answer = await turn(copy, transfer, signal, alone);
    spares.give(answer.spent);
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
function outgoing(spares: Spares, task: Task): [task: Task, transfer: ArrayBuffer[]] {
  if (task.kind === "encode") {
    const { elements } = task.input;
    const copy = copyOf(spares, elements);
    const values = elements instanceof Float32Array ? new Float32Array(copy.buffer, 0, elements.length) : copy;
    return [{ ...task, input: { ...task.input, elements: values } }, [copy.buffer]];
  }
  const { span } = task;
  const bytes = copyOf(spares, span.bytes);
  // Hashes are views of the chunk table, all of which would be cloned with each.
  const chunks = span.chunks.map((chunk) => ({ ...chunk, xxh64: chunk.xxh64.slice(), sha256: chunk.sha256.slice() }));
  const into =
    task.kind === "floats" && task.copied ? new Float32Array(spares.take(4 * task.copied), 0, task.copied) : null;
  const copy = { ...task, span: { ...span, bytes, chunks }, ...(into && { into }) };
  return [copy, into ? [bytes.buffer, into.buffer] : [bytes.buffer]];
}

function copyOf(spares: Spares, view: Uint8Array | Float32Array): Uint8Array<ArrayBuffer> {
  const copy = new Uint8Array(spares.take(view.byteLength), 0, view.byteLength);
  copy.set(new Uint8Array(view.buffer, view.byteOffset, view.byteLength));
  return copy;
}

/** Buffers that go to and fro: to map and unmap memory stops all threads of the process. */
interface Spares {
  /** A buffer of at least `size` bytes. */
  take(size: number): ArrayBuffer;
  give(buffers: readonly ArrayBuffer[]): void;
}

const SPARE_UNIT = 128 * 1024;

function sparesOf(threads: number): Spares {
  let held: ArrayBuffer[] = [];
  return {
    take(size) {
      const at = held.findIndex(({ byteLength }) => byteLength >= size && byteLength <= 2 * size + SPARE_UNIT);
      const [found] = at < 0 ? [] : held.splice(at, 1);
      return found ?? new ArrayBuffer(Math.ceil(size / SPARE_UNIT) * SPARE_UNIT);
    },
    give(buffers) {
      held.push(...buffers.filter(({ byteLength }) => byteLength > 0));
      // The oldest go first: they are of a size that is not asked for.
      held = held.slice(-tasksAhead(threads));
    },
  };
}

import type { Answer } from "./answer.ts";
import { remoteOver, type Turn } from "./remote.ts";
import type { Task } from "./tasks.ts";
import type { Workers } from "./workers.ts";

// What pools of threads have in common, in Node and in browsers: turns, abort and close.

/** A second task waits at each worker, so that none stands idle until this thread hears that it is done. */
const PER_WORKER = 2;

/** How a pool does one task, and ends. */
export interface Pool {
  /** Rejects with a WorkerLost if the worker dies. At most twice `size` are under way. */
  post(task: Task, transfer: ArrayBuffer[]): Promise<Answer>;
  end(): Promise<void>;
}

interface Waiting {
  start(): Promise<void>;
  readonly alone: boolean;
}

/** Workers over a pool. Tasks start in order; those that are aborted before their turn are dropped, later their answer is. */
export function workersOver(size: number, { post, end }: Pool): Workers {
  const turns = turnsFor(PER_WORKER * size);
  /** What ends each task that has not been answered yet. */
  const open = new Set<(reason: unknown) => void>();
  let closed: Promise<void> | undefined;
  const begin: Turn = (task, transfer, signal, alone) =>
    new Promise((resolve, reject) => {
      const turn = { start: () => post(task, transfer).then(resolve, reject).finally(leave), alone };
      const leave = (): void => {
        open.delete(stop);
        signal?.removeEventListener("abort", abort);
      };
      const stop = (reason: unknown): void => {
        leave();
        reject(reason);
        turns.drop(turn);
      };
      const abort = (): void => stop(signal?.reason);
      if (closed) return reject(closedError());
      if (signal?.aborted) return abort();
      signal?.addEventListener("abort", abort);
      open.add(stop);
      turns.add(turn);
    });
  const close = (): Promise<void> => {
    if (!closed) {
      closed = end();
      for (const stop of open) stop(closedError());
    }
    return closed;
  };
  return { size, ...remoteOver(size, begin), close };
}

// At most `most` turns at a time, in order; one that wants to be alone comes first, and has no other beside it.
function turnsFor(most: number) {
  const waiting: Waiting[] = [];
  let busy = 0;
  let solitary = false;
  const next = (): void => {
    const [turn] = waiting;
    if (!turn || solitary || busy >= (turn.alone ? 1 : most)) return;
    waiting.shift();
    busy++;
    solitary = turn.alone;
    turn.start().finally(() => {
      busy--;
      solitary = false;
      next();
    });
    next();
  };
  const add = (turn: Waiting): void => {
    if (turn.alone) waiting.unshift(turn);
    else waiting.push(turn);
    next();
  };
  const drop = (turn: Waiting): void => {
    const at = waiting.indexOf(turn);
    if (at >= 0) waiting.splice(at, 1);
    // It may have kept others waiting.
    next();
  };
  return { add, drop };
}

function closedError(): Error {
  return new Error("the workers were closed");
}

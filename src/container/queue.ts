import type { Answer } from "./answer.ts";
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

/** Workers over a pool. Tasks start in order; those that are aborted before their turn are dropped, later their answer is. */
export function workersOver(size: number, { post, end }: Pool): Workers {
  let free = PER_WORKER * size;
  const waiting = new Set<() => void>();
  const closing = new AbortController();
  let closed: Promise<void> | undefined;
  const release = (): void => {
    free++;
    const [next] = waiting;
    next?.();
  };
  return {
    size,
    run(task, transfer, signal) {
      return new Promise((resolve, reject) => {
        const signals = signal ? [closing.signal, signal] : [closing.signal];
        const start = (): void => {
          waiting.delete(start);
          free--;
          post(task, transfer).then(resolve, reject).finally(release).finally(leave);
        };
        const stop = (event: { target: unknown }): void => {
          waiting.delete(start);
          leave();
          reject((event.target as AbortSignal).reason);
        };
        const leave = (): void => {
          for (const each of signals) each.removeEventListener("abort", stop);
        };
        for (const each of signals) {
          if (each.aborted) return stop({ target: each });
          each.addEventListener("abort", stop);
        }
        if (free > 0) start();
        else waiting.add(start);
      });
    },
    close() {
      if (!closed) {
        closing.abort(new Error("the workers were closed"));
        closed = end();
      }
      return closed;
    },
  };
}

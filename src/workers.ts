import type { Answer } from "./container/answer.ts";
import { workersOver } from "./container/queue.ts";
import { WorkerLost } from "./container/remote.ts";
import type { Task } from "./container/tasks.ts";
import type { Workers } from "./container/workers.ts";
import { argument } from "./errors.ts";
import type { KernelOptions } from "./kernels.ts";

// Entry `quern/workers`: Web Workers as threads for chunks. Buffers are transferred: pages need not be cross-origin isolated.
export type { Workers };

/** Options of webWorkers; those of the kernels are for every worker's own. */
export interface WebWorkersOptions extends KernelOptions {
  /** Makes a module worker of `quern/worker`, where a bundler has moved the file. */
  create?: (() => Worker) | undefined;
  /** Hears of every worker that died while it had a task. The task is tried once more. */
  onWorkerLost?: ((error: Error) => void) | undefined;
}

/** A worker and who waits for its answers. */
interface Lane {
  readonly worker: Worker;
  readonly waiting: Map<number, Waiting>;
}

interface Waiting {
  resolve(answer: Answer): void;
  reject(error: Error): void;
}

/** Starts Web Workers. Close them when no file needs them any more. */
export function webWorkers(size = defaultSize(), options: WebWorkersOptions = {}): Workers {
  argument(Number.isSafeInteger(size) && size >= 1, "size", "a whole number >= 1", size);
  const { create = ownWorker, tier, module, onWorkerLost } = options;
  const lanes = new Set<Lane>();
  let posted = 0;
  const start = (): void => {
    const lane: Lane = { worker: create(), waiting: new Map() };
    lanes.add(lane);
    listen(lane, (error) => {
      // A worker that was replaced or closed is heard of once more, by its lock.
      if (!lanes.delete(lane)) return;
      lane.worker.terminate();
      if (lane.waiting.size > 0) onWorkerLost?.(error);
      for (const { reject } of lane.waiting.values()) reject(error);
    });
    lane.worker.postMessage({ kernels: { tier, module }, lock: `quern worker ${Math.random()}` });
  };
  const post = (task: Task, transfer: ArrayBuffer[]): Promise<Answer> => {
    while (lanes.size < size) start();
    const [lane] = [...lanes].sort((a, b) => a.waiting.size - b.waiting.size) as [Lane];
    const id = posted++;
    return new Promise((resolve, reject) => {
      lane.worker.postMessage({ id, task }, transfer);
      lane.waiting.set(id, { resolve, reject });
    });
  };
  const end = async (): Promise<void> => {
    for (const { worker } of lanes) worker.terminate();
    lanes.clear();
  };
  while (lanes.size < size) start();
  return workersOver(size, { post, end });
}

function defaultSize(): number {
  return globalThis.navigator?.hardwareConcurrency ?? 2;
}

function ownWorker(): Worker {
  return new Worker(new URL("./worker.js", import.meta.url), { type: "module" });
}

function listen({ worker, waiting }: Lane, lost: (error: WorkerLost) => void): void {
  worker.onmessage = ({ data }: MessageEvent<{ id: number; answer: Answer } | { held: string }>) => {
    if ("held" in data) {
      // A worker that is terminated or closes itself says nothing, but lets go of its lock.
      void navigator.locks.request(data.held, () => lost(new WorkerLost("the worker ended")));
      return;
    }
    waiting.get(data.id)?.resolve(data.answer);
    waiting.delete(data.id);
  };
  worker.onerror = (event) => {
    event.preventDefault?.();
    lost(new WorkerLost(event.message || "the worker's file could not be loaded"));
  };
  worker.onmessageerror = () => lost(new WorkerLost("an answer of the worker could not be read"));
}

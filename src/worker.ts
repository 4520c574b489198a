import { answerTo } from "./container/answer.ts";
import type { Task } from "./container/tasks.ts";
import { type KernelOptions, type Kernels, loadKernels } from "./kernels.ts";

// What runs in each Web Worker of webWorkers. The first message sets it up, every other is a task.

type Message =
  | { readonly kernels: KernelOptions; readonly lock: string }
  | { readonly id: number; readonly task: Task };

let kernels: Promise<Kernels>;

globalThis.onmessage = async ({ data }: MessageEvent<Message>) => {
  if ("kernels" in data) {
    kernels = loadKernels(data.kernels);
    // The first task says what went wrong.
    kernels.catch(() => {});
    holdLock(data.lock);
    return;
  }
  const { answer, transfer } = await answerTo(kernels, data.task);
  postMessage({ id: data.id, answer }, { transfer });
};

// Held until the worker is gone, however it goes. Pages that are not served securely have no locks.
function holdLock(lock: string): void {
  void navigator.locks?.request(lock, () => {
    postMessage({ held: lock });
    return new Promise(() => {});
  });
}

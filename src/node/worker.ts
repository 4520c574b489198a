import { createHash } from "node:crypto";
import { workerData } from "node:worker_threads";
import { move, transferableSymbol, valueSymbol } from "piscina";
import { answerTo } from "../container/answer.ts";
import type { Task } from "../container/tasks.ts";
import { type Kernels, loadKernels } from "../kernels.ts";

// What runs in each worker thread of nodeWorkers.

let kernels: Promise<Kernels> | undefined;

/** Does a task, and hands the buffers of its result over. */
export default async function (task: Task): Promise<unknown> {
  kernels ??= loadKernels(workerData);
  const { answer, transfer } = await answerTo(kernels, task, sha256);
  return move({ [transferableSymbol]: transfer, [valueSymbol]: answer });
}

// In this thread: WebCrypto hands each chunk to another one, and the cores have their work already.
function sha256(bytes: Uint8Array): Uint8Array {
  return createHash("sha256").update(bytes).digest();
}

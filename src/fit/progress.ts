import type { ProgressListener } from "../read.ts";

// Progress as callbacks of transformers.js expect it (huggingface/transformers.js, utils/core.js: ProgressInfo).

/** What is told of a file. */
export type ProgressInfo =
  | { status: "initiate" | "download" | "done"; name: string; file: string }
  /** Bytes; `progress` is in percent, 0..100. */
  | { status: "progress"; name: string; file: string; progress: number; loaded: number; total: number }
  | { status: "ready"; name: string; file: string; task: string; model: string };

/**
 * An `onProgress` for a `progress_callback`: "initiate" and "download" with the first event, "progress" of stored bytes, "done" once all are
 * here, "ready" once all is decoded, each but "progress" once.
 * @param callback - also a pipeline's own
 * @param of - the names to tell: of the model and of the file; a task for "ready"
 */
export function progressCallback(
  callback: (info: ProgressInfo) => void,
  { name, file, task = "" }: { name: string; file: string; task?: string },
): ProgressListener {
  const told = new Set<string>();
  const once = (info: ProgressInfo): void => {
    if (told.has(info.status)) return;
    told.add(info.status);
    callback(info);
  };
  return ({ fraction, stored: { done, total } }) => {
    once({ status: "initiate", name, file });
    once({ status: "download", name, file });
    if (!told.has("done")) {
      callback({ status: "progress", name, file, progress: (100 * done) / total, loaded: done, total });
    }
    if (done === total) once({ status: "done", name, file });
    if (fraction === 1) once({ status: "ready", name, file, task, model: name });
  };
}

// Progress as callbacks of transformers.js expect it (huggingface/transformers.js, utils/core.js: ProgressInfo).

/** What is told of a file. */
export type ProgressInfo =
  | { status: "initiate" | "download" | "done"; name: string; file: string }
  /** Bytes; `progress` is in percent, 0..100. */
  | { status: "progress"; name: string; file: string; progress: number; loaded: number; total: number }
  | { status: "ready"; name: string; file: string; task: string; model: string };

/** What `onProgress` of `open` tells, as far as it is of use here. */
interface LoadProgress {
  readonly fraction: number;
  readonly stored: { readonly done: number; readonly total: number };
}

/**
 * An `onProgress` for a `progress_callback`: "initiate" and "download" with the first event, "progress" of stored bytes, "done" once all are
 * here, "ready" once all is decoded, each but "progress" once.
 * @param callback - also a pipeline's own
 * @param of - the names to tell: of the model and of the file; a task for "ready"
 */
export function progressCallback(
  callback: (info: ProgressInfo) => void,
  { name, file, task = "" }: { name: string; file: string; task?: string },
): (progress: LoadProgress) => void {
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
      const progress = total > 0 ? (100 * done) / total : 100 * fraction;
      callback({ status: "progress", name, file, progress, loaded: done, total });
    }
    // Before the header is read no total is known.
    if (fraction >= 1 || (total > 0 && done >= total)) once({ status: "done", name, file });
    if (fraction >= 1) once({ status: "ready", name, file, task, model: name });
  };
}

import { byId } from "./dom.ts";
import type { PackAsked, PackTold } from "./pack.worker.ts";

// Files that the user picks or drops.

/** Hears of files, however they come. */
export function onFiles(use: (files: File[]) => void): void {
  const input = byId<HTMLInputElement>("files");
  input.addEventListener("change", () => {
    if (input.files?.length) use([...input.files]);
  });
  const over = (event: DragEvent): void => {
    event.preventDefault();
    document.body.classList.toggle("over", event.type === "dragover");
  };
  document.addEventListener("dragover", over);
  document.addEventListener("dragleave", over);
  document.addEventListener("drop", (event) => {
    over(event);
    if (event.dataTransfer?.files.length) use([...event.dataTransfer.files]);
  });
}

/** A .quern file of what the user gave. @throws what is wrong with it or with the plan, the signal's reason */
export async function quernOf(asked: PackAsked, signal: AbortSignal, progress: (fraction: number) => void) {
  const worker = new Worker("/pack.worker.js", { type: "module" });
  try {
    const told = await new Promise<Extract<PackTold, { kind: "packed" }>>((resolve, reject) => {
      signal.addEventListener("abort", () => reject(signal.reason));
      worker.onerror = ({ message }) => reject(new Error(message || "the worker that packs could not be started"));
      worker.onmessage = ({ data }: MessageEvent<PackTold>) => {
        if (data.kind === "progress") progress(data.fraction);
        else if (data.kind === "failed") reject(new Error(data.message));
        else resolve(data);
      };
      worker.postMessage(asked);
    });
    const own = asked.files.find(({ name }) => name === told.name) as File;
    return { name: told.name, blob: told.bytes ? new Blob([told.bytes]) : own, packed: told.bytes !== null };
  } finally {
    worker.terminate();
  }
}

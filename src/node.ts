import { type FileHandle, open, rename, rm } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import type { ByteSink, ByteSource } from "./bytes.ts";

export type { Workers } from "./container/workers.ts";
export { type NodeWorkersOptions, nodeWorkers } from "./node/workers.ts";

// Files in Node: the only ways that sources and sinks reach the disk.

/** A file as a source; close it when done. */
export async function fileSource(path: string): Promise<ByteSource & { close(): Promise<void> }> {
  const handle = await open(path, "r");
  const { size } = await handle.stat();
  return {
    byteLength: size,
    slice: (start, end) => readRange(handle, start, end),
    close: () => handle.close(),
  };
}

async function readRange(handle: FileHandle, start: number, end: number): Promise<Uint8Array> {
  const bytes = new Uint8Array(end - start);
  let filled = 0;
  while (filled < bytes.length) {
    const { bytesRead } = await handle.read(bytes, filled, bytes.length - filled, start + filled);
    if (bytesRead === 0) break;
    filled += bytesRead;
  }
  return bytes.subarray(0, filled);
}

/**
 * A file as a sink: written beside its place under a temporary name, and renamed by close. Without close, `discard` removes
 * what was written; the place itself is untouched until then.
 */
export async function fileSink(path: string): Promise<ByteSink & { discard(): Promise<void> }> {
  const aside = join(dirname(path), `.${basename(path)}.${process.pid}.part`);
  const handle = await open(aside, "w");
  let closed = false;
  return {
    async write(bytes, position) {
      for (let at = 0; at < bytes.length; ) {
        const { bytesWritten } = await handle.write(bytes, at, bytes.length - at, position + at);
        at += bytesWritten;
      }
    },
    async close() {
      await handle.sync();
      await handle.close();
      await rename(aside, path);
      closed = true;
    },
    async discard() {
      if (closed) return;
      await handle.close().catch(() => {});
      await rm(aside, { force: true });
    },
  };
}

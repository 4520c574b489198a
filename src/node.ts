import { open, realpath, rename, rm, stat } from "node:fs/promises";
import { basename, dirname, isAbsolute, join, relative } from "node:path";
import type { ByteSink, ByteSource, Folder } from "./bytes.ts";
import { demand } from "./errors.ts";
import { readRange } from "./node/range.ts";
import { targetOf } from "./node/target.ts";

export type { ChunkStore, StoredFile } from "./container/store.ts";
export type { Workers } from "./container/workers.ts";
export { addToLatencyFile, type LatencyFile, openLatencyFile } from "./node/latency.ts";
export { folderStore } from "./node/store.ts";
export { type NodeWorkersOptions, nodeWorkers } from "./node/workers.ts";

// Files in Node: the only ways that sources and sinks reach the disk.

/** A file as a source; close it when done. @throws FormatError if it is a folder, pipe or device */
export async function fileSource(path: string): Promise<ByteSource & { close(): Promise<void> }> {
  const handle = await open(path, "r");
  const found = await handle.stat();
  if (!found.isFile()) await handle.close();
  demand(found.isFile(), "path", 0, path, "a regular file", "a folder, pipe or device");
  return {
    byteLength: found.size,
    slice: (start, end) => readRange(handle, start, end),
    close: () => handle.close(),
  };
}

/**
 * A folder of which files can be read, but none outside it: not through "..", nor through links. A file is opened for every read, so
 * that hundreds of shards need no hundreds of handles, and has to stay the one that it was.
 */
export function fileFolder(path: string): Folder {
  return {
    async open(name) {
      const root = await realpath(path);
      const file = await realpath(join(root, name));
      const inside = relative(root, file);
      const field = `file ${JSON.stringify(name)}`;
      const within = inside !== "" && !isAbsolute(inside) && !/^\.\.(?:[\\/]|$)/.test(inside);
      demand(within, "path", 0, field, "a file in the model's folder", "a link or path that leaves it");
      const found = await stat(file);
      demand(found.isFile(), "path", 0, field, "a regular file", "a folder, pipe or device");
      return { byteLength: found.size, slice: (start, end) => readAgain(file, found, start, end) };
    },
  };
}

async function readAgain(path: string, was: { dev: number; ino: number }, start: number, end: number) {
  const handle = await open(path, "r");
  try {
    const { dev, ino } = await handle.stat();
    if (dev !== was.dev || ino !== was.ino) throw new Error(`${path} was exchanged for another file while it was read`);
    return await readRange(handle, start, end);
  } finally {
    await handle.close();
  }
}

/**
 * A file as a sink: written beside its place under a temporary name, and renamed by close. Without close, `discard` removes
 * what was written; the place itself is untouched until then.
 */
export async function fileSink(path: string): Promise<ByteSink & { discard(): Promise<void> }> {
  // Renaming would put a file in the place of a device, or of a link to where the file is.
  const target = await targetOf(path);
  const aside = join(dirname(target), `.${basename(target)}.${process.pid}.part`);
  const handle = await open(aside, "w").catch((error: NodeJS.ErrnoException) => {
    // The name aside is no name that the caller knows.
    throw Object.assign(error, { path: dirname(path) });
  });
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
      await rename(aside, target);
      closed = true;
    },
    async discard() {
      if (closed) return;
      await handle.close().catch(() => {});
      await rm(aside, { force: true });
    },
  };
}

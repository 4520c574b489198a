import { readFile } from "node:fs/promises";
import { dirname, resolve } from "node:path";
import type { ByteSource } from "../bytes.ts";
import type { QuernFile } from "../container/reader.ts";
import type { Workers } from "../container/workers.ts";
import { type Kernels, loadKernels, type Tier } from "../kernels.ts";
import { open } from "../load/open.ts";
import { urlSource } from "../load/url.ts";
import { readModel } from "../model/recognise.ts";
import { fileFolder, fileSink, fileSource } from "../node.ts";
import type { Model } from "../tensor.ts";
import { formatIn } from "./format.ts";
import { UsageError } from "./terminal.ts";
import { withWorkers } from "./threads.ts";

// Files that are open while something is done with them.

/** What opening takes from the command line. */
export interface OpenFlags {
  tier?: Tier;
  threads?: string;
}

// A tier that does not exist, or cannot run here, is the user's to mend: --tier and QUERN_TIER name it.
export async function kernelsFor({ tier }: OpenFlags): Promise<Kernels> {
  return loadKernels({ tier }).catch((error: Error) => {
    throw new UsageError(error.message);
  });
}

const ADDRESS = /^https?:\/\/(?:[^?#]*\/)?([^?#]*).*$/;

/** The input's path, or of an address the file's name: what is made of it goes into the current folder. */
export function localName(input: string): string {
  return input.replace(ADDRESS, "$1");
}

/** @throws UsageError where the input itself would be written */
export function outputPath(input: string, output: string | undefined, extension: string): string {
  const path = output ?? localName(input).replace(/\.(safetensors|gguf|onnx|json)$/, "") + extension;
  if (resolve(path) === resolve(input))
    throw new UsageError(`the output would replace the input ${input}: name another with -o`);
  return path;
}

/** A file, or what lies at an address, by ranges; to be closed. */
export function openSource(path: string): Promise<ByteSource & { close(): unknown }> {
  return ADDRESS.test(path) ? urlSource(path) : fileSource(path);
}

export async function withSource<T>(path: string, use: (source: ByteSource) => Promise<T>): Promise<T> {
  const source = await openSource(path);
  try {
    return await use(source);
  } finally {
    await source.close();
  }
}

type Sink = Awaited<ReturnType<typeof fileSink>>;

/** Makes sinks of files. After an error or Ctrl-C none of them is left half written. */
export async function withSinks<T>(use: (create: (path: string) => Promise<Sink>) => Promise<T>): Promise<T> {
  const sinks: Sink[] = [];
  try {
    return await use(async (path) => {
      const sink = await fileSink(path);
      sinks.push(sink);
      return sink;
    });
  } finally {
    // After close this does nothing.
    for (const sink of sinks) await sink.discard();
  }
}

/** A small file as a whole: what lies there makes way when all is written, or stays. */
export async function writeWhole(path: string, content: string | Uint8Array): Promise<void> {
  await withSinks(async (create) => {
    const sink = await create(path);
    await sink.write(typeof content === "string" ? new TextEncoder().encode(content) : content, 0);
    await sink.close();
  });
}

/** A small file of text. */
export async function readText(path: string): Promise<string> {
  return readFile(path, "utf8").catch((error: NodeJS.ErrnoException) => {
    // Of a folder the system does not say which.
    throw Object.assign(error, { path });
  });
}

export async function withFile<T>(path: string, flags: OpenFlags, use: (file: QuernFile) => Promise<T>): Promise<T> {
  const kernels = await kernelsFor(flags);
  return withSource(path, (source) =>
    withWorkers(flags, [], async (workers) => use(await open(source, { kernels, workers }))),
  );
}

/** A model in whatever format it is; a .quern file as f32. */
export async function withModel<T>(
  path: string,
  flags: OpenFlags,
  workers: Workers | undefined,
  use: (model: Model) => Promise<T>,
): Promise<T> {
  return withSource(path, async (source) => {
    if ((await formatIn(source, path)) !== "quern") return use(await readModel(source, fileFolder(dirname(path))));
    const file = await open(source, { kernels: await kernelsFor(flags), workers });
    return use(file.model("f32"));
  });
}

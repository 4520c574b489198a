import { load, type OpenInput, type OpenOptions, open, type QuernFile } from "../../../src/read.ts";
import type { Hashes } from "../cases.ts";
import { fnvOfFloats } from "./fnv.ts";

// Loads the model in each way, where the server does what each address says, and tells what came of it.

export interface Failure {
  readonly name: string;
  readonly code: unknown;
  readonly message: string;
}

export interface LoadReport {
  tier: string;
  /** What each way of loading gave: hashes of the f32 bytes of all tensors. */
  loaded: Record<string, Hashes>;
  /** Whether each call that was aborted rejected with the very reason. */
  aborted: Record<string, boolean>;
  /** How many requests were open after that, when the server was asked for as long as there were any. */
  left: number;
  /** How damaged files ended. */
  damaged: Record<string, Failure>;
}

export function emptyReport(): LoadReport {
  return { tier: "", loaded: {}, aborted: {}, left: 0, damaged: {} };
}

/** Everything that can be done with addresses. @param base - of the server; ends in "/" */
export async function byUrl(report: LoadReport, base: string, options: OpenOptions, ways: readonly string[]) {
  const all = { ...options, request: { backoff: 1, ...options.request } };
  for (const way of ways) await whole(report, way, `${base}${way}`, all);
  report.loaded.load = hashesOf(await load(`${base}whole`, all));
  await damaged(report, "URL", `${base}damaged`, all);
  report.aborted.opening = await abortedWith((signal) => open(`${base}silent`, { ...all, signal }));
  report.aborted.streaming = await abortedWith(async (signal) => {
    await streamed(await open(`${base}stalled`, { ...all, signal }), signal);
  });
  report.left = await openRequests(base, all.request.fetch ?? fetch);
}

/** Streams the file of an input. */
export async function whole(report: LoadReport, way: string, input: OpenInput, options: OpenOptions): Promise<void> {
  const file = await open(input, options);
  report.tier = file.tier;
  report.loaded[way] = await streamed(file);
  file.close();
}

/** The same for a file with a damaged chunk. */
export async function damaged(report: LoadReport, way: string, input: OpenInput, options: OpenOptions): Promise<void> {
  try {
    await streamed(await open(input, options));
  } catch (error) {
    const { name, code, message } = error as Error & { code: unknown };
    report.damaged[way] = { name, code, message };
  }
}

async function streamed(file: QuernFile, signal?: AbortSignal): Promise<Hashes> {
  const tensors = new Map<string, { data: Float32Array }>();
  for await (const tensor of file.stream({ signal })) tensors.set(tensor.name, tensor);
  return hashesOf(tensors);
}

function hashesOf(tensors: ReadonlyMap<string, { data: Float32Array }>): Hashes {
  const hashes: Hashes = {};
  for (const [name, { data }] of tensors) hashes[name] = fnvOfFloats(data);
  return hashes;
}

// The server never ends what is aborted here: time enough for requests to be under way.
async function abortedWith(task: (signal: AbortSignal) => Promise<unknown>): Promise<boolean> {
  const control = new AbortController();
  const reason = new Error("enough");
  const ended = task(control.signal).catch((error) => error);
  await sleep(100);
  control.abort(reason);
  return (await ended) === reason;
}

async function openRequests(base: string, fetch: typeof globalThis.fetch): Promise<number> {
  for (let tries = 1; ; tries++) {
    const { body } = await fetch(`${base}open/${tries}`);
    const { value } = (await body?.getReader().read()) ?? {};
    const count = Number(String.fromCharCode(...(value ?? [])));
    if (count === 0 || tries === 200) return count;
    await sleep(20);
  }
}

function sleep(milliseconds: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, milliseconds));
}

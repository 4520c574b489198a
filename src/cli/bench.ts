import { setImmediate } from "node:timers/promises";
import type { QuernFile } from "../container/reader.ts";
import { open } from "../load/open.ts";
import { kernelsFor, type OpenFlags, withSource } from "./files.ts";
import { size } from "./print.ts";
import { type Result, type Task, UsageError } from "./terminal.ts";
import { withWorkers } from "./threads.ts";

export interface BenchFlags extends OpenFlags {
  seconds?: string;
}

/** Decodes a file from memory again and again. */
export async function benchVerb(task: Task, options: BenchFlags, input = ""): Promise<Result> {
  const seconds = Number(options.seconds);
  if (!(seconds > 0)) throw new UsageError(`--seconds expected a number above 0, got "${options.seconds}"`);
  const bytes = await withSource(input, (source) => source.slice(0, source.byteLength));
  const kernels = await kernelsFor(options);
  return withWorkers(options, [], async (workers) =>
    benchFile(task, input, await open(bytes, { kernels, workers }), seconds),
  );
}

async function benchFile(task: Task, input: string, file: QuernFile, seconds: number): Promise<Result> {
  const runs: number[] = [];
  const until = performance.now() + 1000 * seconds;
  while (performance.now() < until || runs.length < 3) {
    // Decoding from memory never waits for anything: without this turn Ctrl-C would not be heard.
    await setImmediate();
    task.signal.throwIfAborted();
    const start = performance.now();
    for await (const _ of file.stream({ as: "stored" }));
    runs.push(performance.now() - start);
  }
  const median = runs.sort((x, y) => x - y)[runs.length >> 1] as number;
  const { decoded, file: stored } = file.totals;
  const result = {
    file: input,
    tier: file.tier,
    threads: file.threads || 1,
    runs: runs.length,
    ms: median,
    stored,
    decoded,
    gbps: decoded / median / 1e6,
  };
  const text = () =>
    `${input}: ${size(stored)} to ${size(decoded)} decoded in ${median.toFixed(2)} ms (median of ${runs.length} runs, ` +
    `${file.tier}, threads: ${result.threads}): ${result.gbps.toFixed(2)} GB/s with checksums`;
  return { json: result, text };
}

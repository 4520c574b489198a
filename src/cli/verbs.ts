import { resolve } from "node:path";
import { setImmediate } from "node:timers/promises";
import { type Command, Option } from "commander";
import type { ByteSource } from "../bytes.ts";
import { open, type QuernFile } from "../container/reader.ts";
import { verify } from "../container/verify.ts";
import type { Workers } from "../container/workers.ts";
import { pack } from "../container/writer.ts";
import { type Kernels, loadKernels, type Tier } from "../kernels.ts";
import { diffModels } from "../model/diff.ts";
import { readSafetensors, writeSafetensors } from "../model/safetensors.ts";
import { fileSink, fileSource } from "../node.ts";
import { parsePlan } from "../plan.ts";
import type { Model } from "../tensor.ts";
import { diffText, inspectText, packText, size } from "./print.ts";
import { type Result, runVerb, type Task, UsageError } from "./terminal.ts";
import { THREADS_HELP, withWorkers } from "./threads.ts";
import { costsOf, costsText } from "./verbose.ts";

const DEFAULT_PLAN = "int8 channel > auto";

interface Options {
  json?: boolean;
  output?: string;
  plan?: string;
  planFor?: string[];
  as?: "original" | "f32";
  tier?: Tier;
  threads?: string;
  seconds?: string;
  verbose?: boolean;
}

type Verb = (task: Task, options: Options, ...paths: string[]) => Promise<Result>;

/** Adds the verbs to the program. */
export function addVerbs(program: Command): void {
  const collect = (value: string, list: string[] = []): string[] => [...list, value];
  verb(program, "pack <in>", "packs a safetensors model into a .quern file", packVerb)
    .option("-o, --output <file>", "the file to write (default: the input's name with .quern)")
    .option("-p, --plan <plan>", "what is done to every tensor", DEFAULT_PLAN)
    .option(
      "--plan-for <glob=steps>",
      'other steps for tensors by name, such as "*.bias=raw"; may be repeated',
      collect,
    );
  verb(program, "unpack <in>", "turns a .quern file back into safetensors", unpackVerb)
    .option("-o, --output <file>", "the file to write (default: the input's name with .safetensors)")
    .addOption(
      new Option("--as <dtype>", "dtype of quantized tensors").choices(["original", "f32"]).default("original"),
    );
  verb(
    program,
    "inspect <file>",
    "shows the tensors, plans and sizes of a .quern file (reads only its header)",
    inspectVerb,
  ).option("-v, --verbose", "decodes it too, and shows every stream with what it costs in bytes and in decoding");
  verb(program, "verify <file>", "checks every byte of a .quern file: hashes, and that each chunk decodes", verifyVerb);
  verb(program, "diff <a> <b>", "error of b against a, per tensor; each a .quern or safetensors file", diffVerb);
  verb(
    program,
    "bench <file>",
    "decodes a .quern file from memory again and again and prints the speed",
    benchVerb,
  ).option("--seconds <n>", "how long to measure", "2");
}

const THREADED = ["pack", "unpack", "verify", "diff", "bench"];

function verb(program: Command, usage: string, description: string, action: Verb): Command {
  // The js tier only decodes.
  const tiers = action === packVerb ? ["simd", "scalar"] : ["simd", "scalar", "js"];
  const command = program
    .command(usage)
    .description(description)
    .option("--json", "one JSON object on stdout")
    .addOption(new Option("--tier <tier>", "kernels to use").choices(tiers));
  if (THREADED.includes(command.name())) command.option("--threads <n>", THREADS_HELP);
  return command.action(async (...args: unknown[]) => {
    const command = args.at(-1) as Command;
    const options: Options = command.opts();
    await runVerb(options.json === true, (task) => action(task, options, ...command.args));
  });
}

async function packVerb(task: Task, options: Options, input = ""): Promise<Result> {
  const output = outputPath(input, options.output, ".quern");
  const plan = parsePlan(options.plan ?? DEFAULT_PLAN, options.planFor);
  const kernels = await kernelsFor(options);
  if (kernels.tier === "js") throw new UsageError("pack needs WebAssembly: the js tier (QUERN_TIER) only decodes");
  const start = performance.now();
  const report = await withSource(input, async (source) => {
    if (await isQuern(source)) throw new UsageError(`${input} is packed already: unpack it first`);
    const model = await readSafetensors(source);
    return withSink(output, (sink) =>
      withWorkers(options, [input], (workers) =>
        pack(model, plan, sink, { kernels, workers, signal: task.signal, onProgress: task.progress }),
      ),
    );
  });
  const seconds = (performance.now() - start) / 1000;
  return { json: { output, seconds, ...report }, text: () => packText(report, output, seconds) };
}

async function unpackVerb(task: Task, options: Options, input = ""): Promise<Result> {
  const output = outputPath(input, options.output, ".safetensors");
  return withFile(input, options, async (file) => {
    const model = file.model(options.as);
    const write = { signal: task.signal, onProgress: task.progress };
    const bytes = await withSink(output, (sink) => writeSafetensors(model, sink, write));
    const json = { output, bytes, tensors: model.tensors.length };
    return { json, text: () => `${output}: ${model.tensors.length} tensors, ${size(bytes)}` };
  });
}

async function inspectVerb(task: Task, options: Options, input = ""): Promise<Result> {
  return withFile(input, options, async (file) => {
    const { index: tensors, metadata, plan, sha256, totals } = file;
    if (options.verbose && file.tier === "js")
      throw new UsageError("--verbose needs WebAssembly: the js tier does not know what decoding costs");
    const costs = options.verbose ? await costsOf(file, task.signal, task.progress) : undefined;
    const json = { file: input, plan, sha256, totals, metadata, tensors, ...(costs && { costs }) };
    return { json, text: () => [inspectText(file), ...(costs ? ["", costsText(costs)] : [])].join("\n") };
  });
}

async function verifyVerb(task: Task, options: Options, input = ""): Promise<Result> {
  return withFile(input, options, async (file) => {
    const report = await verify(file, { signal: task.signal, onProgress: task.progress });
    const text = () => `${input}: ${report.chunks} chunks, ${size(report.bytes)}, all good\nsha256 ${report.sha256}`;
    return { json: { file: input, ok: true, ...report }, text };
  });
}

async function diffVerb(task: Task, options: Options, a = "", b = ""): Promise<Result> {
  const how = { signal: task.signal, onProgress: task.progress };
  const diff = await withWorkers(options, [], (workers) =>
    withModel(a, options, workers, (first) =>
      withModel(b, options, workers, (second) => diffModels(first, second, how)),
    ),
  );
  return { json: diff, text: () => diffText(diff) };
}

async function benchVerb(task: Task, options: Options, input = ""): Promise<Result> {
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

// A tier that does not exist, or cannot run here, is the user's to mend: --tier and QUERN_TIER name it.
async function kernelsFor({ tier }: Options): Promise<Kernels> {
  return loadKernels({ tier }).catch((error: Error) => {
    throw new UsageError(error.message);
  });
}

function outputPath(input: string, output: string | undefined, extension: string): string {
  const path = output ?? input.replace(/\.(safetensors|quern)$/, "") + extension;
  if (resolve(path) === resolve(input))
    throw new UsageError(`the output would replace the input ${input}: name another with -o`);
  return path;
}

async function withSource<T>(path: string, use: (source: ByteSource) => Promise<T>): Promise<T> {
  const source = await fileSource(path);
  try {
    return await use(source);
  } finally {
    await source.close();
  }
}

async function withSink<T>(path: string, use: (sink: Awaited<ReturnType<typeof fileSink>>) => Promise<T>): Promise<T> {
  const sink = await fileSink(path);
  try {
    return await use(sink);
  } finally {
    // After close this does nothing; after an error or Ctrl-C it leaves no half-written file.
    await sink.discard();
  }
}

async function withFile<T>(path: string, options: Options, use: (file: QuernFile) => Promise<T>): Promise<T> {
  const kernels = await kernelsFor(options);
  return withSource(path, (source) =>
    withWorkers(options, [], async (workers) => use(await open(source, { kernels, workers }))),
  );
}

async function withModel<T>(
  path: string,
  options: Options,
  workers: Workers | undefined,
  use: (model: Model) => Promise<T>,
): Promise<T> {
  return withSource(path, async (source) => {
    if (!(await isQuern(source))) return use(await readSafetensors(source));
    const file = await open(source, { kernels: await kernelsFor(options), workers });
    return use(file.model("f32"));
  });
}

async function isQuern(source: ByteSource): Promise<boolean> {
  const head = await source.slice(0, Math.min(4, source.byteLength));
  return head[0] === 0x89 && head[1] === 0x51 && head[2] === 0x52 && head[3] === 0x4e;
}

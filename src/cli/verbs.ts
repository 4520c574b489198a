import { dirname } from "node:path";
import { type Command, Option } from "commander";
import { verify } from "../container/verify.ts";
import { pack } from "../container/writer.ts";
import { diffModels, type ModelDiff } from "../model/diff.ts";
import { modelGraph } from "../model/graph.ts";
import { readModel } from "../model/recognise.ts";
import { fileFolder } from "../node.ts";
import { parsePlan } from "../plan.ts";
import { isBlocks } from "../tensor.ts";
import { type BenchFlags, benchVerb } from "./bench.ts";
import { type BudgetFlags, budgetOf, IMPORTANCE_HELP, TOTAL_BITS_HELP, TOTAL_SIZE_HELP } from "./budget.ts";
import { addCalibrateOptions, type CalibrateFlags, calibrateVerb } from "./calibrate.ts";
import { addClassifyOptions, type ClassifyFlags, classifyVerb } from "./classify.ts";
import { COMPARE_HELP, type CompareFlags, compareVerb } from "./compare.ts";
import { addCompressOptions, type CompressFlags, compressVerb } from "./compress.ts";
import { addEnvironmentVerb } from "./environment.ts";
import { addEvaluateOptions, type EvaluateFlags, evaluateVerb } from "./evaluate.ts";
import { kernelsFor, type OpenFlags, outputPath, withFile, withModel, withSinks, withSource } from "./files.ts";
import { formatIn } from "./format.ts";
import { addLatencyVerbs } from "./latency.ts";
import { diffText, inspectText, packText, size, unpackText } from "./print.ts";
import { reportOf, reportText } from "./report.ts";
import { STAGE_HELP, stagesOf } from "./stages.ts";
import { type Result, runVerb, type Task, UsageError } from "./terminal.ts";
import { THREADS_HELP, withWorkers } from "./threads.ts";
import { addTuneOptions, type TuneFlags, tuneVerb } from "./tune.ts";
import { AS, TARGETS, type UnpackFlags, unpackingOf, writeUnpacked } from "./unpack.ts";
import { costsOf, costsText } from "./verbose.ts";

const DEFAULT_PLAN = "int8 channel > auto";
/** Of models that have blocks of GGUF: these are quantized already, and come back as they were. */
const BLOCKS_PLAN = `dtype Q*=lossless; ${DEFAULT_PLAN}`;

interface Options
  extends BenchFlags,
    UnpackFlags,
    BudgetFlags,
    Pick<CompareFlags, "points" | "tensors">,
    Omit<EvaluateFlags, "output" | "report">,
    Omit<CalibrateFlags, "output">,
    Omit<TuneFlags, "output" | "report">,
    Omit<ClassifyFlags, "graph">,
    Omit<CompressFlags, "output" | "report"> {
  json?: boolean;
  /** true: pack's own; or a file. */
  report?: boolean | string;
  stage?: string[];
  withGraph?: boolean;
  plan?: string;
  planFor?: string[];
  verbose?: boolean;
}

type Verb = (task: Task, options: Options, ...paths: string[]) => Promise<Result>;

/** Adds the verbs to the program. */
export function addVerbs(program: Command): void {
  addPack(program);
  addUnpack(program);
  verb(
    program,
    "inspect <file>",
    "shows the tensors, plans and sizes of a .quern file (reads only its header)",
    inspectVerb,
  ).option("-v, --verbose", "decodes it too, and shows every stream with what it costs in bytes and in decoding");
  verb(program, "verify <file>", "checks every byte of a .quern file: hashes, and that each chunk decodes", verifyVerb);
  verb(program, "diff <a> <b>", "error of b against a, per tensor; each of any format", diffVerb);
  verb(
    program,
    "compare <model>",
    "bits and error of a model as .quern and in other formats, as a table and a page",
    compareVerb,
  )
    .option("-o, --output <file>", COMPARE_HELP.output)
    .option("-p, --plan <plan>", COMPARE_HELP.plan)
    .option("--points <n>", COMPARE_HELP.points)
    .option("--tensors", COMPARE_HELP.tensors);
  addRunning(program);
  verb(
    program,
    "bench <file>",
    "decodes a .quern file from memory again and again and prints the speed",
    benchVerb,
  ).option("--seconds <n>", "how long to measure", "2");
  addEnvironmentVerb(program);
  addLatencyVerbs(program);
}

/** Verbs that run models. */
function addRunning(program: Command): void {
  addCompressOptions(
    verb(
      program,
      "compress <model>",
      "chooses how a model is compressed for the place where it is to run, by data and limits, and packs it",
      compressVerb,
    ),
  );
  addCalibrateOptions(
    verb(
      program,
      "calibrate <model>",
      "runs a model on data, and packs it so that weights and activations are integers",
      calibrateVerb,
    ),
  );
  addEvaluateOptions(
    verb(
      program,
      "evaluate <model> <packed>",
      "runs a model (ONNX, TensorFlow.js) on data with its own weights and with those of another file",
      evaluateVerb,
    ),
  );
  addTuneOptions(
    verb(
      program,
      "tune <model>",
      "trains a classifier (TensorFlow.js) as it is when it is packed, and packs it so",
      tuneVerb,
    ),
  );
  addClassifyOptions(
    verb(
      program,
      "classify <packed>",
      "runs a packed classifier on data, and tells the class of each sample",
      classifyVerb,
    ),
  );
}

function addPack(program: Command): void {
  const collect = (value: string, list: string[] = []): string[] => [...list, value];
  verb(program, "pack <in>", "packs a model (safetensors, GGUF, ONNX, TensorFlow.js) into a .quern file", packVerb)
    .option("-o, --output <file>", "the file to write (default: the input's name with .quern)")
    .option(
      "-p, --plan <plan>",
      `what is done to every tensor (default: "${DEFAULT_PLAN}", and GGUF's blocks as they are)`,
    )
    .option(
      "--plan-for <glob=steps>",
      'other steps for tensors by name, such as "*.bias=raw"; may be repeated',
      collect,
    )
    .option("--total-size <size>", TOTAL_SIZE_HELP)
    .option("--total-bits <n>", TOTAL_BITS_HELP)
    .option("--importance <glob=n>", IMPORTANCE_HELP, collect)
    .option("--stage <name=globs>", STAGE_HELP, collect)
    .option(
      "--with-graph",
      "keeps the graph of an ONNX or TensorFlow.js model in the file, for quern/onnx and quern/tfjs",
    )
    .option("--report", "reads the file back, and shows bits per weight and SNR of every tensor and in all");
}

function addUnpack(program: Command): void {
  verb(program, "unpack <in>", "turns a .quern file back into safetensors, GGUF, ONNX or TensorFlow.js", unpackVerb)
    .option("-o, --output <file>", "the file to write (default: the input's name with the format's extension)")
    .addOption(new Option("--to <format>", "default: by the output's extension, or safetensors").choices(TARGETS))
    .option(
      "--graph <file>",
      "the original .onnx file or model.json, for all that is not weights; not needed if packed --with-graph",
    )
    .addOption(
      new Option(
        "--as <dtype>",
        "dtype of quantized tensors; quantized: with DequantizeLinear in ONNX, as Q8_0, Q4_0 or Q4_1 in GGUF",
      )
        .choices(AS)
        .default("original"),
    )
    .option("--weights-only", "leaves codes of activations out that calibrate has found");
}

/** The js tier only decodes. */
const ENCODING: readonly Verb[] = [packVerb, compareVerb, compressVerb, calibrateVerb, tuneVerb];
const THREADED = ["pack", "unpack", "verify", "diff", "compare", "bench"];

function verb(program: Command, usage: string, description: string, action: Verb): Command {
  const tiers = ENCODING.includes(action) ? ["simd", "scalar"] : ["simd", "scalar", "js"];
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
  const asked = parsePlan(options.plan ?? DEFAULT_PLAN, options.planFor);
  const budget = budgetOf(options);
  const stages = stagesOf(options.stage);
  const kernels = await kernelsFor(options);
  if (kernels.tier === "js") throw new UsageError("pack needs WebAssembly: the js tier (QUERN_TIER) only decodes");
  const start = performance.now();
  const report = await withSource(input, async (source) => {
    if ((await formatIn(source, input)) === "quern")
      throw new UsageError(`${input} is packed already: unpack it first`);
    const folder = fileFolder(dirname(input));
    const model = await readModel(source, folder);
    const graph = options.withGraph ? await modelGraph(source, folder) : undefined;
    if (graph === null) throw new UsageError(`--with-graph is for ONNX and TensorFlow.js: ${input} has no graph`);
    const own = options.plan === undefined && model.tensors.some(({ dtype }) => isBlocks(dtype));
    const plan = own ? parsePlan(BLOCKS_PLAN, options.planFor) : asked;
    return withSinks(async (create) => {
      const sink = await create(output);
      return withWorkers(options, [input], (workers) =>
        pack(model, plan, sink, {
          kernels,
          workers,
          budget,
          graph,
          stages,
          signal: task.signal,
          onProgress: task.progress,
        }),
      );
    });
  });
  const seconds = (performance.now() - start) / 1000;
  const measured = options.report ? reportOf(report, await diffFiles(task, options, input, output)) : undefined;
  return {
    json: { output, seconds, ...report, ...(measured && { report: measured }) },
    text: () => [...(measured ? [reportText(measured), ""] : []), packText(report, output, seconds)].join("\n"),
  };
}

async function unpackVerb(task: Task, options: Options, input = ""): Promise<Result> {
  const unpacking = unpackingOf(input, options);
  const { output } = unpacking;
  return withFile(input, options, async (file) => {
    const written = await writeUnpacked(file, unpacking, { signal: task.signal, onProgress: task.progress });
    const tensors = file.index.length;
    return {
      json: { output, tensors, ...written },
      text: () => unpackText(output, tensors, unpacking.target, written),
    };
  });
}

async function inspectVerb(task: Task, options: Options, input = ""): Promise<Result> {
  return withFile(input, options, async (file) => {
    const { index: tensors, metadata, plan, sha256, totals } = file;
    if (options.verbose && file.tier === "js")
      throw new UsageError("--verbose needs WebAssembly: the js tier does not know what decoding costs");
    const costs = options.verbose ? await costsOf(file, task.signal, task.progress) : undefined;
    const graph = file.graph && { bytes: file.graph.length };
    const { integrity, stages } = file;
    const json = {
      file: input,
      plan,
      sha256,
      integrity,
      totals,
      metadata,
      stages,
      graph,
      tensors,
      ...(costs && { costs }),
    };
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
  const diff = await diffFiles(task, options, a, b);
  return { json: diff, text: () => diffText(diff) };
}

function diffFiles(task: Task, options: OpenFlags, a: string, b: string): Promise<ModelDiff> {
  const how = { signal: task.signal, onProgress: task.progress };
  return withWorkers(options, [], (workers) =>
    withModel(a, options, workers, (first) =>
      withModel(b, options, workers, (second) => diffModels(first, second, how)),
    ),
  );
}

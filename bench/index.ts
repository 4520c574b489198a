import { parseArgs } from "node:util";
import { loadKernels, type Tier } from "../src/index.ts";
import { activationsBench } from "./activations.ts";
import { bitsBench } from "./bits.ts";
import { blocksBench } from "./blocks.ts";
import { checksumBench } from "./checksum.ts";
import { classesBench } from "./classes.ts";
import { codecBench } from "./codec.ts";
import { containerBench } from "./container.ts";
import { costBench } from "./cost.ts";
import { CHUNK, readModels, SEED } from "./data.ts";
import { factorsBench } from "./factors.ts";
import { checkSink, copySpeed, kernelRows, newBench } from "./harness.ts";
import { histogramBench } from "./histogram.ts";
import { huffmanBench } from "./huffman.ts";
import { lengthsBench } from "./lengths.ts";
import { levelsBench } from "./levels.ts";
import { maskBench } from "./mask.ts";
import { mergeBench } from "./merge.ts";
import { normalBench } from "./normal.ts";
import { pivotBench } from "./pivot.ts";
import { planesBench } from "./planes.ts";
import { pruneBench } from "./prune.ts";
import { quantizeBench } from "./quantize.ts";
import { machine, printReport } from "./report.ts";
import { shapeBench } from "./shape.ts";
import { smoothBench } from "./smooth.ts";
import { splitBench } from "./split.ts";
import { tokensBench } from "./tokens.ts";
import { unpackBench } from "./unpack.ts";
import { zerosBench } from "./zeros.ts";

const USAGE = `npm run bench -- [options]: times kernels, codec and container beside other codecs

  --json             one JSON object on stdout instead of tables (npm run --silent keeps npm's own lines away)
  --quick            short runs on less data, and no int4 of real models: below two minutes
  --best             the best of many turns instead of medians: for machines that others use too
  --filter TEXT      only rows whose group or name contains the text
  --tier TIER        WebAssembly build: simd or scalar (default: the best there is)
  --help             this text

Groups: kernel, decode, encode, size, container. Real models are read from ../shared/data/models, or QUERN_DATA.
`;

const KERNEL_BENCHES = [
  histogramBench,
  quantizeBench,
  blocksBench,
  normalBench,
  levelsBench,
  pruneBench,
  activationsBench,
  factorsBench,
  smoothBench,
  tokensBench,
  huffmanBench,
  lengthsBench,
  mergeBench,
  splitBench,
  unpackBench,
  pivotBench,
  costBench,
  shapeBench,
  maskBench,
  classesBench,
  zerosBench,
  bitsBench,
  planesBench,
  checksumBench,
];

interface Options {
  json?: boolean;
  quick?: boolean;
  best?: boolean;
  filter?: string;
  tier?: string;
  help?: boolean;
}

function readOptions(): Options {
  const flag = { type: "boolean" } as const;
  const text = { type: "string" } as const;
  return parseArgs({ options: { json: flag, quick: flag, best: flag, filter: text, tier: text, help: flag } }).values;
}

async function main({ json, quick = false, best = false, filter = "", tier }: Options): Promise<void> {
  const bench = newBench({ quick, best, filter, tier: tier as Tier | undefined, status });
  const kernels = await loadKernels({ tier: bench.tier });
  const copy_gbps = await copySpeed(bench, CHUNK);
  for (const kernelBench of KERNEL_BENCHES) await kernelRows(bench, kernelBench);
  const models = await readModels();
  await codecBench(bench, models);
  await containerBench(bench, models);
  status("");
  checkSink();
  const about = { machine: machine(), date: new Date().toISOString(), tier: kernels.tier, seed: SEED, best, copy_gbps };
  const report = { ...about, rows: bench.rows };
  process.stdout.write(json ? `${JSON.stringify(report)}\n` : printReport(report));
}

function status(text: string): void {
  if (process.stderr.isTTY) process.stderr.write(`\r\x1b[2K${text}`);
}

function usageError(message: string): void {
  process.stderr.write(`bench: ${message}\n\n${USAGE}`);
  process.exitCode = 2;
}

try {
  const options = readOptions();
  if (options.help) process.stdout.write(USAGE);
  else if (!["simd", "scalar", undefined].includes(options.tier)) usageError("--tier expected simd or scalar");
  else await main(options);
} catch (error) {
  const usage = (error as NodeJS.ErrnoException).code?.startsWith("ERR_PARSE_ARGS");
  if (!usage) throw error;
  usageError((error as Error).message);
}

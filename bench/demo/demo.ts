// npm run demo: packs the bundled model under several plans, streams each file back and shows what it cost.
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { table } from "../../src/cli/print.ts";
import { diffModels, loadKernels, type Model, open, pack, readSafetensors } from "../../src/index.ts";
import { fileSink, fileSource } from "../../src/node.ts";
import { drawDigits } from "./draw.ts";
import { classify } from "./forward.ts";

const MODEL = fileURLToPath(new URL("digits-cnn.safetensors", import.meta.url));
// Unseen in training, and other than the seed of the accuracy that the model's metadata records.
const SEED = 77;
const IMAGES = 500;
const DECODE_RUNS = 30;
const PLANS = [
  "raw",
  "lossless",
  "int8 channel > auto",
  "int4 group 32 > auto",
  "prune 0.5 > int8 channel > auto",
  "prune 0.8 > int8 channel > zrl kernel",
];

const digits = drawDigits(SEED, IMAGES);

function accuracy(labels: Uint8Array): string {
  let right = 0;
  for (let i = 0; i < IMAGES; i++) if (labels[i] === digits.labels[i]) right++;
  return `${((100 * right) / IMAGES).toFixed(1)} %`;
}

async function weightsOf(model: Model): Promise<Map<string, Float32Array>> {
  const weights = new Map<string, Float32Array>();
  for (const { name, shape, read } of model.tensors) {
    const count = shape.reduce((a, b) => a * b, 1);
    weights.set(name, new Float32Array((await read(0, count)).slice().buffer));
  }
  return weights;
}

async function decodeSpeed(bytes: Uint8Array): Promise<string> {
  const file = await open(bytes);
  const times: number[] = [];
  for (let run = 0; run < DECODE_RUNS; run++) {
    const start = performance.now();
    for await (const _ of file.stream());
    times.push(performance.now() - start);
  }
  const median = times.sort((a, b) => a - b)[DECODE_RUNS >> 1] as number;
  const floats = file.index.reduce((sum, { elements }) => sum + 4 * elements, 0);
  return `${median.toFixed(2)} ms, ${(floats / median / 1e6).toFixed(2)} GB/s`;
}

// Packs under one plan into a file, streams the file back by ranges, and classifies with what came out.
async function row(model: Model, plan: string, path: string, sourceBytes: number): Promise<string[]> {
  const sink = await fileSink(path);
  const report = await pack(model, plan, sink);
  const source = await fileSource(path);
  const file = await open(source);
  const weights = new Map<string, Float32Array>();
  for await (const tensor of file.stream({ as: "f32" })) weights.set(tensor.name, tensor.data);
  const { total } = await diffModels(model, file.model("f32"));
  const cells = [
    plan,
    `${report.fileBytes}`,
    `${((100 * report.fileBytes) / sourceBytes).toFixed(1)} %`,
    total.identical ? "exact" : `${total.snr.toFixed(1)} dB`,
    total.maxAbs.toPrecision(3),
    accuracy(classify(weights, digits.images, IMAGES).labels),
    await decodeSpeed(await source.slice(0, source.byteLength)),
  ];
  await source.close();
  return cells;
}

async function main(): Promise<void> {
  const source = await fileSource(MODEL);
  const model = await readSafetensors(source);
  const folder = await mkdtemp(join(tmpdir(), "quern-demo-"));
  console.log(`model: ${model.metadata?.task}, ${source.byteLength} bytes of safetensors, f32`);
  console.log(`data:  ${IMAGES} digits drawn with seed ${SEED}, unseen in training`);
  const before = classify(await weightsOf(model), digits.images, IMAGES);
  console.log(`accuracy before packing: ${accuracy(before.labels)}\n`);
  const rows: string[][] = [];
  for (const [i, plan] of PLANS.entries()) {
    rows.push(await row(model, plan, join(folder, `${i}.quern`), source.byteLength));
  }
  const head = ["plan", "bytes", "of source", "SNR", "max error", "accuracy", "decode to f32"];
  console.log(table(head, rows, [1, 2, 3, 4, 5, 6]));
  console.log(`\ndecode: from memory, one thread, ${(await loadKernels()).tier} tier, checksums included,`);
  console.log(`median of ${DECODE_RUNS} runs. Biases and other small tensors stay lossless in every plan.`);
  await source.close();
  await rm(folder, { recursive: true });
}

await main();

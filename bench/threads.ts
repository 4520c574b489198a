// npm run bench:threads [-- MILLIONS [SIDE [PLAN]]]: a seeded model of that many million weights, in square tensors, encoded and
// decoded to f32 in-process, with one worker and with two. Needs `npm run build`: the worker's file is the built one.
import { lazyTensor, loadKernels, type Model, memorySink, open, pack } from "../src/index.ts";
import { nodeWorkers, type Workers } from "../src/node.ts";
import { gaussWeights } from "./data.ts";
import { mustEqual } from "./harness.ts";

const FILE = new URL("../dist/node/worker.js", import.meta.url);
const SECONDS = 20;
const NOWHERE = { write: async () => {}, close: async () => {} };

/** Tensors of side x side that share their values, a million of them. */
function seeded(weights: number, side: number): Model {
  const block = gaussWeights(1024 * 1024);
  const values = new Float32Array(side * side);
  for (let at = 0; at < values.length; at += block.length)
    values.set(block.subarray(0, Math.min(block.length, values.length - at)), at);
  const count = Math.max(Math.round(weights / values.length), 1);
  const bytes = new Uint8Array(values.buffer);
  const tensors = Array.from({ length: count }, (_, i) => ({
    ...lazyTensor({ name: `${i}.weight`, dtype: "F32", shape: [side, side], bytes }),
    read: async (start: number, end: number) => bytes.subarray(4 * start, 4 * end),
  }));
  return { metadata: null, tensors };
}

async function packedBytes(model: Model, plan: string, workers: Workers | undefined): Promise<Uint8Array> {
  const sink = memorySink();
  await pack(model, plan, sink, { workers });
  return sink.bytes();
}

async function main(millions = 64, side = 1024, plan = "int8 channel > huffman"): Promise<void> {
  const model = seeded(millions * 2 ** 20, side);
  const bytes = 4 * side * side * model.tensors.length;
  const kernels = await loadKernels();
  const packed = await packedBytes(model, plan, undefined);
  const places = [undefined, await nodeWorkers(1, { file: FILE }), await nodeWorkers(2, { file: FILE })];
  const best = new Map<string, number>();
  const time = async (key: string, run: () => Promise<unknown>): Promise<void> => {
    const start = performance.now();
    await run();
    best.set(key, Math.min(best.get(key) ?? Number.POSITIVE_INFINITY, performance.now() - start));
  };
  for (const workers of places) mustEqual(await packedBytes(model, plan, workers), packed, `${workers?.size} workers`);
  // Turns alternate, and the best of each counts, so that what else the machine does matters little.
  for (const until = performance.now() + 1000 * SECONDS; performance.now() < until; ) {
    for (const workers of places) {
      const file = await open(packed, { kernels, workers });
      await time(`decode ${file.threads}`, async () => {
        for await (const _ of file.stream());
      });
      await time(`encode ${file.threads}`, () => pack(model, plan, NOWHERE, { kernels, workers }));
    }
  }
  await Promise.all(places.map((workers) => workers?.close()));
  console.log(`${model.tensors.length} tensors of ${side} x ${side}, ${plan}; GB/s of f32, best run`);
  for (const task of ["decode", "encode"]) {
    const [alone, one, two] = [0, 1, 2].map((threads) => best.get(`${task} ${threads}`) as number) as [
      number,
      number,
      number,
    ];
    const [a, b, c] = [alone, one, two].map((ms) => (bytes / ms / 1e6).toFixed(2));
    const ratios = `two to one ${(one / two).toFixed(2)}, two to in-process ${(alone / two).toFixed(2)}`;
    console.log(`${task}: in-process ${a}, one worker ${b}, two workers ${c}; ${ratios}`);
  }
}

const [millions, side, plan] = process.argv.slice(2);
await main(Number(millions ?? 64), Number(side ?? 1024), plan);

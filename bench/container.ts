import { cutLayout } from "../src/codec/cut.ts";

import { codeRange } from "../src/codec/quantize.ts";
import {
  type Kernels,
  type LazyTensor,
  lazyTensor,
  loadKernels,
  type Model,
  memorySink,
  open,
  pack,
  parsePlan,
  stepsFor,
} from "../src/index.ts";
import { elementCount, toFloat32 } from "../src/tensor.ts";
import * as reference from "../test/reference.ts";
import { gaussWeights, type NamedModel } from "./data.ts";
import { type Bench, mustEqual } from "./harness.ts";

// Files in memory: packing, and opening with streaming every tensor out as f32. Both count the f32 of all elements.

const DEFAULT_PLAN = "int8 channel > auto";
const PLANS = [
  DEFAULT_PLAN,
  "int8 channel > huffman",
  "int4 group 32 > auto",
  "prune 0.9 > int8 channel > auto",
  "raw",
];
const PACK = "pack";
const STREAM = "stream to f32";

export async function containerBench(bench: Bench, models: readonly NamedModel[]): Promise<void> {
  if (!bench.wants("container", PACK) && !bench.wants("container", STREAM)) return;
  const kernels = await loadKernels({ tier: bench.tier });
  const seeded = seededModel(bench.quick ? 1 : 4);
  for (const plan of PLANS) await modelRows(bench, kernels, seeded, plan);
  for (const model of models) await modelRows(bench, kernels, model, DEFAULT_PLAN);
}

/** Layers of 512 x 1024 with their biases. */
function seededModel(layers: number): NamedModel {
  const values = gaussWeights(layers * 512 * 1024);
  const tensors = Array.from({ length: layers }, (_, i) => {
    const part = values.slice(i * 512 * 1024, (i + 1) * 512 * 1024);
    const bias = part.slice(0, 512);
    return [
      lazyTensor({ name: `${i}.weight`, dtype: "F32", shape: [512, 1024], bytes: new Uint8Array(part.buffer) }),
      lazyTensor({ name: `${i}.bias`, dtype: "F32", shape: [512], bytes: new Uint8Array(bias.buffer) }),
    ];
  });
  return { name: `seeded ${layers} layers`, model: { tensors: tensors.flat(), metadata: null } };
}

async function modelRows(bench: Bench, kernels: Kernels, { name, model }: NamedModel, plan: string): Promise<void> {
  const elements = model.tensors.reduce((sum, { shape }) => sum + elementCount(shape), 0);
  const data = `${name}, ${plan}`;
  bench.status(`container: ${data}`);
  const packed = await packBytes(kernels, model, plan);
  const counted = 4 * elements;
  const contenders = [
    { name: PACK, bytes: counted, run: async () => (await packBytes(kernels, model, plan)).length },
    { name: STREAM, bytes: counted, run: () => streamFloats(kernels, packed) },
  ].filter((contender) => bench.wants("container", contender.name));
  await checkStream(kernels, packed, model, plan);
  const speeds = await bench.race(contenders);
  const ratio_bits = (8 * packed.length) / elements;
  for (const [contender, gbps] of speeds) bench.add({ group: "container", name: contender, data, gbps, ratio_bits });
}

async function packBytes(kernels: Kernels, model: Model, plan: string): Promise<Uint8Array> {
  const sink = memorySink();
  await pack(model, plan, sink, { kernels });
  return sink.bytes();
}

async function streamFloats(kernels: Kernels, packed: Uint8Array): Promise<number> {
  const file = await open(packed, { kernels });
  let last = 0;
  for await (const { data } of file.stream()) last += data[data.length - 1];
  return last;
}

// What comes out must be, to the bit, what the plain twins of the kernels make of the model.
async function checkStream(kernels: Kernels, packed: Uint8Array, model: Model, plan: string): Promise<void> {
  const file = await open(packed, { kernels });
  const sources = model.tensors.values();
  for await (const { name, data } of file.stream()) {
    mustEqual(data, await expectedFloats(sources.next().value as LazyTensor, plan), `${name}, ${plan}`);
  }
}

async function expectedFloats(tensor: LazyTensor, plan: string): Promise<Float32Array> {
  const steps = stepsFor(parsePlan(plan), tensor);
  const { quantize, grid, elements } = cutLayout(tensor, steps);
  const source = toFloat32(tensor.dtype, await tensor.read(0, elements));
  const prune = steps.find((step) => step.op === "prune");
  const values = prune?.by === "magnitude" ? reference.prune(source, prune.sparsity) : source;
  if (quantize?.op !== "quantize") return values;
  const { cols } = grid;
  const rows = Math.ceil(elements / cols);
  const { scales } = reference.scales(reference.range(values, rows, cols), {
    bits: quantize.bits === 4 ? 4 : 8,
    asymmetric: false,
  });
  const codes = reference.quantize(values, rows, cols, scales, undefined, ...codeRange(quantize));
  return reference.dequantize(codes, rows, cols, scales, undefined);
}

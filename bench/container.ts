import { lazyTensor, loadKernels, type Kernels, memorySink, type Model, open, pack } from "../src/index.ts";
import { elementCount } from "../src/tensor.ts";
import { gaussWeights, type NamedModel, readModels } from "./data.ts";
import { type Bench, must } from "./harness.ts";

// Files in memory: packing, and opening with streaming every tensor out as f32. Both count the f32 of all elements.

const DEFAULT_PLAN = "int8 channel > auto";
const PLANS = [DEFAULT_PLAN, "int8 channel > huffman", "int4 group 32 > auto", "prune 0.9 > int8 channel > auto", "raw"];
const PACK = "pack";
const STREAM = "stream to f32";

export async function containerBench(bench: Bench): Promise<void> {
  if (!bench.wants("container", PACK) && !bench.wants("container", STREAM)) return;
  const kernels = await loadKernels({ tier: bench.tier });
  const seeded = seededModel(bench.quick ? 1 : 8);
  for (const plan of PLANS) await modelRows(bench, kernels, seeded, plan);
  for (const model of await readModels()) await modelRows(bench, kernels, model, DEFAULT_PLAN);
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
    { name: STREAM, bytes: counted, run: () => streamed(kernels, packed, elements) },
  ].filter((contender) => bench.wants("container", contender.name));
  await checkStream(kernels, packed, model);
  const speeds = await bench.race(contenders);
  const ratio_bits = (8 * packed.length) / elements;
  for (const [contender, gbps] of speeds) bench.add({ group: "container", name: contender, data, gbps, ratio_bits });
}

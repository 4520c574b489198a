import { createHash } from "node:crypto";
import { type LazyTensor, parsePlan, printSteps, type StoredTensor, stepsFor } from "../../src/index.ts";
import { elementCount, toFloat32 } from "../../src/tensor.ts";
import { binOf, pack4, prune, toWide } from "../reference.ts";
import { columns, quantizedTwin, wayOf } from "../twin.ts";
import type { Vector } from "./models.ts";

// What a reader must make of the frozen files, found without one: by the twins, from the source.

/** Bytes in hexadecimal; of more than LONG bytes only the SHA-256, so that the files stay small. */
export function digest(bytes: ArrayBufferView): string {
  const data = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  return data.length <= LONG ? data.toString("hex") : `sha256 ${createHash("sha256").update(data).digest("hex")}`;
}

const LONG = 512;

export interface ExpectedTensor {
  name: string;
  dtype: string;
  shape: readonly number[];
  plan: string;
  /** Elements, or codes. */
  stored: string;
  scales: string | null;
  zeroPoints: string | null;
  f32: string;
}

export interface ExpectedFile {
  plan: string;
  metadata: Readonly<Record<string, string>> | null;
  tensors: ExpectedTensor[];
}

export async function expectedFile({ plan, model }: Vector): Promise<ExpectedFile> {
  const rules = parsePlan(plan);
  const tensors = model.tensors.map((tensor) => expectedTensor(tensor, printSteps(stepsFor(rules, tensor))));
  return { plan, metadata: model.metadata, tensors: await Promise.all(tensors) };
}

async function expectedTensor(tensor: LazyTensor, plan: string): Promise<ExpectedTensor> {
  const { name, dtype, shape } = tensor;
  const bytes = await tensor.read(0, elementCount(shape));
  const head = { name, dtype, shape, plan };
  const values = toFloat32(dtype, bytes);
  if (!plan.includes("int")) {
    return { ...head, stored: digest(bytes), scales: null, zeroPoints: null, f32: digest(values) };
  }
  const target = /int(8|16) tensor step (\S+) dead (\S+)/.exec(plan);
  if (target) return { ...head, ...targetTwin(values, Number(target[1]), Number(target[2]), Number(target[3])) };
  const way = wayOf(plan);
  const sparsity = Number(/prune (\S+)/.exec(plan)?.[1] ?? 0);
  const twin = quantizedTwin(prune(values, sparsity), columns(shape, way.per), way);
  return {
    ...head,
    stored: digest(way.bits === 4 ? pack4(twin.codes) : twin.codes),
    scales: digest(twin.scales),
    zeroPoints: way.asymmetric ? digest(twin.zeroPoints) : null,
    f32: digest(twin.back),
  };
}

// Levels of bins, and their borders at whole bins, as docs/FORMAT.md says.
function targetTwin(values: Float32Array, bits: number, step: number, dead: number) {
  const most = values.reduce((a, x) => Math.max(a, Math.abs(x)), 0);
  const inverse = most > 0 ? Math.fround(32767 / most) : 0;
  const scale = most > 0 ? Math.fround(step) : 1;
  const border = (level: number) => Math.round((level + 0.5 + (level < 0 ? -dead : dead)) * scale * inverse) + 32768;
  const levels = Int16Array.from(values, (x) => {
    let level = -Math.ceil(most / step);
    while (level < Math.ceil(most / step) && binOf(x, inverse) >= border(level)) level++;
    return level;
  });
  return {
    stored: digest(bits === 8 ? Int8Array.from(levels) : toWide(levels)),
    scales: digest(Float32Array.of(scale)),
    zeroPoints: null,
    f32: digest(Float32Array.from(levels, (level) => level * scale)),
  };
}

/** The same of what a reader made. */
export function actualTensor(stored: StoredTensor, f32: Float32Array): ExpectedTensor {
  const { name, dtype, shape, plan, bytes, quantization } = stored;
  const zeroPoints = quantization?.zeroPoints;
  return {
    name,
    dtype,
    shape,
    plan,
    stored: digest(bytes),
    scales: quantization ? digest(quantization.scales) : null,
    zeroPoints: zeroPoints ? digest(zeroPoints) : null,
    f32: digest(f32),
  };
}

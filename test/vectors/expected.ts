import { createHash } from "node:crypto";
import { type LazyTensor, lazyTensor, parsePlan, printSteps, type StoredTensor, stepsFor } from "../../src/index.ts";
import { elementCount, toFloat32 } from "../../src/tensor.ts";
import { binOf, columnMax, pack4, prune, prunePattern, smooth, smoothFactor, unsmooth } from "../reference.ts";
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
  /** Where channels were removed: those that were not. */
  channels?: readonly number[];
  /** Where there are some: those of `smooth`. */
  factors?: string;
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
  const list = /prune channels (\S+)/.exec(plan)?.[1];
  if (list) return withoutChannels(tensor, plan, list);
  const bytes = await tensor.read(0, elementCount(shape));
  const head = { name, dtype, shape, plan };
  const values = toFloat32(dtype, bytes);
  if (!plan.includes("int")) {
    return { ...head, stored: digest(bytes), scales: null, zeroPoints: null, f32: digest(values) };
  }
  const target = /int(8|16) tensor step (\S+) dead (\S+)/.exec(plan);
  if (target) return { ...head, ...targetTwin(values, Number(target[1]), Number(target[2]), Number(target[3])) };
  const way = wayOf(plan);
  const cols = columns(shape, way.per);
  const factors = plan.startsWith("smooth") ? powersOf(values, shape) : null;
  const smoothed = factors ? smooth(values, factors, elementCount(shape.slice(2))) : values;
  const last = /int.*prune/.test(plan);
  const twin = quantizedTwin(last ? smoothed : pruned(smoothed, plan), cols, way);
  const back = last ? pruned(twin.back, plan) : twin.back;
  // Codes of what was pruned become the zero point of their row.
  const codes = twin.codes.map((code, i) =>
    last && back[i] === 0 ? (twin.zeroPoints[Math.floor(i / cols)] ?? 0) : code,
  );
  return {
    ...head,
    stored: digest(way.bits === 4 ? pack4(codes) : codes),
    scales: digest(twin.scales),
    zeroPoints: way.asymmetric ? digest(twin.zeroPoints) : null,
    f32: digest(factors ? unsmooth(back, factors, elementCount(shape.slice(2))) : back),
    ...(factors && { factors: digest(factors) }),
  };
}

function pruned(values: Float32Array, plan: string): Float32Array {
  const [, keep, of] = /prune (\d+):(\d+)/.exec(plan) ?? [];
  // The patterns of the frozen files run along rows of 24.
  if (keep) return prunePattern(values, [values.length / 24, 24, 1], Number(keep), Number(of));
  return prune(values, Number(/prune (\S+)/.exec(plan)?.[1] ?? 0));
}

/** Factors of `smooth 0.5 pow2`, without activations. */
function powersOf(values: Float32Array, shape: readonly number[]): Float32Array {
  const grid = [shape[0], shape[1], elementCount(shape.slice(2))] as const;
  const maxima = columnMax(values, grid, new Float32Array(shape[1]));
  return maxima.map((w) => 2 ** Math.round(Math.log2(smoothFactor(1, w, 0.5))));
}

/** The tensor without the channels that its plan removes, as if it were a tensor of its own, and then put back in its place. */
async function withoutChannels(tensor: LazyTensor, plan: string, list: string): Promise<ExpectedTensor> {
  const [channels, ...rest] = tensor.shape;
  const size = elementCount(rest);
  const removed = list.split(",").flatMap((run) => {
    const [first, last = first] = run.split("-").map(Number);
    return Array.from({ length: last - first + 1 }, (_, i) => first + i);
  });
  const kept = Array.from({ length: channels }, (_, i) => i).filter((i) => !removed.includes(i));
  const values = toFloat32(tensor.dtype, await tensor.read(0, channels * size));
  const rows = Float32Array.from(kept.flatMap((i) => [...values.subarray(i * size, (i + 1) * size)]));
  const own = lazyTensor({ ...tensor, shape: [kept.length, ...rest], dtype: "F32", bytes: new Uint8Array(rows.buffer) });
  const others = plan.replace(/(^prune[^>]*> )|( > prune[^>]*)/, "");
  const { f32, ...expected } = await expectedTensor(own, others);
  const way = wayOf(others);
  const { back } = quantizedTwin(rows, columns(own.shape, way.per), way);
  if (digest(back) !== f32) throw new Error(`${tensor.name}: removed channels go with quantizing alone`);
  const whole = new Float32Array(channels * size);
  kept.forEach((channel, i) => {
    whole.set(back.subarray(i * size, (i + 1) * size), channel * size);
  });
  const { name, dtype, shape } = tensor;
  return { ...expected, name, dtype, shape, plan, f32: digest(whole), channels: kept };
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
    stored: digest(bits === 8 ? Int8Array.from(levels) : levels),
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
    ...(stored.channels && { channels: [...stored.channels] }),
    ...(stored.smooth && { factors: digest(stored.smooth) }),
  };
}

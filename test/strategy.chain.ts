import { tensorOver } from "../src/codec/through.ts";
import type { Dataset } from "../src/data/dataset.ts";
import { openData } from "../src/data.ts";
import type { Description } from "../src/engine/engine.ts";
import { type Environment, newEnvironment, newTable } from "../src/latency.ts";
import type { Model } from "../src/tensor.ts";
import { memoryFiles, raw } from "./data.files.ts";
import { type Layer, mlpEngine } from "./mlp.engine.ts";
import { random } from "./random.ts";

// What tests of strategy choose for: a chain of dense layers that are unevenly sensitive, and a place that could run anything.

const WIDTHS = [24, 48, 32, 10];

export function layersOf(seed = 3): Layer[] {
  const next = random(seed);
  const normal = (): number => next() + next() + next() - 1.5;
  return WIDTHS.slice(1).map((wide, i) => {
    const deep = WIDTHS[i] as number;
    // Some columns are much larger than others, in some layers more than in others.
    const scales = Array.from({ length: wide }, () => (next() < 0.2 ? 1 + 3 * i : 1) / Math.sqrt(deep));
    const weight = Float32Array.from({ length: deep * wide }, (_, k) => normal() * (scales[k % wide] as number));
    const bias = Float32Array.from({ length: wide }, () => 0.1 * normal());
    const last = i === WIDTHS.length - 2;
    return { name: "abcd"[i] as string, weight, bias, activation: last ? "softmax" : "relu" } as const;
  });
}

export function modelOf(layers: readonly Layer[]): Model {
  const tensors = layers.flatMap(({ name, weight, bias }) => [
    tensorOver(`${name}.weight`, [weight.length / bias.length, bias.length], weight),
    tensorOver(`${name}.bias`, [bias.length], bias),
  ]);
  return { tensors, metadata: null };
}

export async function dataOf(count = 96, seed = 8): Promise<Dataset> {
  const next = random(seed);
  const samples = Float32Array.from({ length: count * 24 }, () => 2 * next() - 1);
  return openData(memoryFiles({ x: raw(samples) }), [{ path: "x" }], { shape: [24], dtype: "f32" });
}

export function place(bandwidth: number | null = 8e6): Environment {
  return newEnvironment({
    name: "a test",
    date: "2026-01-31T12:00:00Z",
    runtime: { name: "onnxruntime-web", version: "1.30.0", threads: 1 },
    host: { name: "node", version: "20.0.0" },
    os: { name: "linux", version: null, arch: "x64" },
    cpu: { model: null, cores: 2, features: null },
    wasm: { simd: true, relaxedSimd: false, threads: true },
    memory: null,
    line: { bandwidth, roundTrip: bandwidth === null ? null : 20 },
    storage: null,
  });
}

export async function given(open = { count: 0 }) {
  const layers = layersOf();
  const engine = mlpEngine(layers, { open });
  const options = { engine, environment: place(), table: newTable(), data: await dataOf() };
  return { model: modelOf(layers), options };
}

export async function described(): Promise<Description> {
  return mlpEngine(layersOf()).describe();
}

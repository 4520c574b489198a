import type { LayersModel } from "@tensorflow/tfjs-layers";
import type { Dataset } from "../../src/data/dataset.ts";
import { bytesSource, type Model, readTfjs } from "../../src/index.ts";
import { randomUniform } from "./random.ts";
import { sharedFile } from "./weights.ts";

// Small labelled sets, and nets as files.

export interface Samples {
  readonly x: Float32Array;
  readonly y: Uint8Array;
}

/** Pictures of 8x8 with noise: a bar across, a bar down, a diagonal, a blob; the same for the same seed. */
export function shapes(count: number, seed: number): Samples {
  const uniform = randomUniform(seed);
  const x = new Float32Array(64 * count);
  const y = Uint8Array.from({ length: count }, () => Math.floor(4 * uniform()));
  for (let n = 0; n < count; n++) {
    const [row, column] = [1 + Math.floor(6 * uniform()), 1 + Math.floor(6 * uniform())];
    const inside = [
      (i: number) => i === row,
      (_: number, j: number) => j === column,
      (i: number, j: number) => i - j === row - column,
      (i: number, j: number) => Math.abs(i - row) + Math.abs(j - column) < 2,
    ][y[n]];
    for (let i = 0; i < 64; i++)
      x[64 * n + i] = (inside(i >> 3, i & 7) ? 0.5 + 0.5 * uniform() : 0) + 0.6 * (uniform() - 0.5);
  }
  return { x, y };
}

/** The digits of the shared data; null where there are none. */
export function digits(): Samples | null {
  const [x, y] = [sharedFile("sets/digits-8x8.x.u8"), sharedFile("sets/digits-8x8.y.u8")];
  return x && y && { x: Float32Array.from(x, (value) => value / 16), y: Uint8Array.from(y) };
}

export function dataset({ x, y }: Samples, shape: readonly number[] = [8, 8, 1]): Dataset {
  const each = shape.reduce((a, b) => a * b, 1);
  return {
    count: y.length,
    shape,
    classes: null,
    labelled: true,
    async read(indices) {
      const data = new Float32Array(each * indices.length);
      indices.forEach((index, i) => {
        data.set(x.subarray(each * index, each * (index + 1)), each * i);
      });
      return {
        inputs: { shape: [indices.length, ...shape], data },
        labels: Int32Array.from(indices, (index) => y[index]),
      };
    },
  };
}

export interface Saved {
  readonly json: Uint8Array;
  readonly weights: Uint8Array;
}

/** A net as model.json and w.bin. */
export async function saved(net: LayersModel): Promise<Saved> {
  let files: Saved | undefined;
  await net.save({
    save: async ({ modelTopology, weightSpecs = [], weightData }) => {
      const manifest = [{ paths: ["w.bin"], weights: weightSpecs }];
      const json = new TextEncoder().encode(JSON.stringify({ modelTopology, weightsManifest: manifest }));
      files = { json, weights: new Uint8Array(weightData as ArrayBuffer) };
      return { modelArtifactsInfo: { dateSaved: new Date(0), modelTopologyType: "JSON" } };
    },
  });
  return files as Saved;
}

export async function modelOf(net: LayersModel): Promise<Model> {
  const { json, weights } = await saved(net);
  return readTfjs(bytesSource(json), { open: async () => bytesSource(weights) });
}

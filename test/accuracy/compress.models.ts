import type { Dataset } from "../../src/data/dataset.ts";
import { openData } from "../../src/data.ts";
import type { Engine } from "../../src/engine/engine.ts";
import { onnxEngine } from "../../src/engine/onnx.ts";
import { tfjsEngine } from "../../src/engine/tfjs.ts";
import { bytesSource, type Model, readOnnx, readTfjs } from "../../src/index.ts";
import { memoryFiles, npy, raw } from "../data.files.ts";
import { random } from "../random.ts";
import { onnxRuntimes } from "./runtimes.ts";
import { storiesGraph } from "./stories.ts";
import { sampled, storyTeller } from "./teller.ts";
import { safetensors, sharedFile } from "./weights.ts";

// Models that somebody has trained, with data: where there are any, see weights.ts.

export interface Real {
  readonly name: string;
  /** null: no ONNX. */
  readonly bytes: Uint8Array | null;
  readonly engine: Engine;
  readonly model: Model;
  readonly data: Dataset;
  /** Samples that candidates are told apart with, and that tensors are looked at with. */
  readonly samples: { readonly trial: number; readonly score: number };
}

/** The native package where it is there: it is the faster one. */
const ort = (onnxRuntimes.at(-1) as (typeof onnxRuntimes)[number])[1];

export async function doodlenet(): Promise<Real | null> {
  const [json, weights] = ["model.json", "group1-shard1of1.bin"].map((name) =>
    sharedFile(`models/doodlenet-tfjs/${name}`),
  );
  if (!json || !weights) return null;
  const { tfjs } = await import("./tensorflow.ts");
  const names = ["cat", "rainbow", "train"];
  const files = memoryFiles(
    Object.fromEntries(names.map((name) => [name, sharedFile(`sets/quickdraw-${name}s1000.bin`) as Uint8Array])),
  );
  const data = await openData(
    files,
    names.map((path) => ({ path })),
    { shape: [28, 28], scale: 1 / 255 },
  );
  const engine = await tfjsEngine({ modelJson: JSON.parse(new TextDecoder().decode(json)), weights }, tfjs);
  const model = await readTfjs(bytesSource(json), { open: async () => bytesSource(weights) });
  return { name: "doodlenet", bytes: null, engine, model, data, samples: { trial: 256, score: 64 } };
}

export async function stories(): Promise<Real | null> {
  const found = await safetensors("models/stories260k-llama.safetensors");
  if (!found) return null;
  const [texts, length] = [48, 32];
  const teller = await storyTeller(found);
  const tokens = Int32Array.from(
    Array.from({ length: texts }, (_, seed) => [...sampled(teller(), length, seed)]).flat(),
  );
  const data = await openData(memoryFiles({ x: npy("<i4", [texts, length], raw(tokens)) }), [{ path: "x" }]);
  const graph = await storiesGraph(found);
  const model = await readOnnx(bytesSource(graph));
  const engine = await onnxEngine(graph, { ort });
  return { name: "stories260k", bytes: graph, engine, model, data, samples: { trial: 24, score: 8 } };
}

/** Two seconds of tones that begin, have overtones and fade, instead of music. */
function music(count: number, seed: number): Float32Array {
  const [length, rate] = [43844, 22050];
  const next = random(seed);
  const out = new Float32Array(count * length);
  for (let n = 0; n < count; n++) {
    for (let note = 0; note < 8; note++) {
      const [hertz, start, loud] = [110 * 2 ** (Math.floor(36 * next()) / 12), Math.floor(next() * length), next()];
      for (let i = start; i < length; i++) {
        const t = (i - start) / rate;
        for (let k = 1; k <= 5; k++)
          out[n * length + i] += ((0.15 * loud) / k) * Math.exp(-3 * t) * Math.sin(2 * Math.PI * hertz * k * t);
      }
    }
  }
  return out;
}

export async function basicPitch(): Promise<Real | null> {
  const bytes = sharedFile("models/basic-pitch-nmp.onnx");
  if (!bytes) return null;
  const count = 12;
  const data = await openData(memoryFiles({ x: raw(music(count, 4)) }), [{ path: "x" }], {
    shape: [43844, 1],
    dtype: "f32",
  });
  const model = await readOnnx(bytesSource(bytes));
  return {
    ...{ name: "basic-pitch", bytes, model, data, samples: { trial: 6, score: 2 } },
    engine: await onnxEngine(bytes, { ort }),
  };
}

import { readFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import { bytesSource, lazyTensor, type Model, memorySink, open, pack, readSafetensors } from "../../src/index.ts";
import { gaussWeights } from "../data.ts";

// The models that the page offers: the bundled one, and a larger one made here, so that there is something to watch.

export interface Served {
  /** What it is called in addresses. */
  readonly id: string;
  readonly label: string;
  readonly bytes: Uint8Array;
  /** What `open` takes to insist on this very file. */
  readonly integrity: string;
  readonly chunks: number;
  readonly headerBytes: number;
  readonly tensors: number;
  /** Bytes of its weights before packing. */
  readonly sourceBytes: number;
}

const DIGITS = fileURLToPath(new URL("../demo/digits-cnn.safetensors", import.meta.url));
const PLAN = "int8 channel > auto";
const LAYERS = 12;
const WIDTH = 192;
const WORDS = 4096;

export async function servedModels(): Promise<Served[]> {
  const digits = await readSafetensors(bytesSource(await readFile(DIGITS)));
  return Promise.all([
    served("transformer", "Seeded transformer, 12 layers", transformer()),
    served("digits", "Digits CNN, trained", digits),
  ]);
}

async function served(id: string, label: string, model: Model): Promise<Served> {
  const sink = memorySink();
  const { sourceBytes } = await pack(model, PLAN, sink);
  const bytes = sink.bytes();
  const { totals, integrity, index } = await open(bytes);
  const { chunks, header: headerBytes } = totals;
  return { id, label, bytes, integrity, chunks, headerBytes, tensors: index.length, sourceBytes };
}

/** Some 24 MB of Gaussian weights with the shapes of a small transformer, the same at every start. */
export function transformer(): Model {
  const shapes = shapesOf();
  const values = gaussWeights(shapes.reduce((sum, [, shape]) => sum + countOf(shape), 0));
  let at = 0;
  const tensors = shapes.map(([name, shape]) => {
    const start = at;
    at += countOf(shape);
    const bytes = new Uint8Array(values.buffer, 4 * start, 4 * (at - start));
    return lazyTensor({ name, dtype: "F32", shape, bytes });
  });
  return { metadata: { origin: "seeded Gaussian weights, no trained model" }, tensors };
}

function shapesOf(): [name: string, shape: number[]][] {
  const shapes: [string, number[]][] = [["embed.weight", [WORDS, WIDTH]]];
  for (let layer = 0; layer < LAYERS; layer++) {
    const add = (name: string, ...shape: number[]) => shapes.push([`layers.${layer}.${name}`, shape]);
    for (const part of ["query", "key", "value", "out"]) add(`attention.${part}.weight`, WIDTH, WIDTH);
    add("attention.norm.weight", WIDTH);
    add("mlp.up.weight", 4 * WIDTH, WIDTH);
    add("mlp.down.weight", WIDTH, 4 * WIDTH);
    add("mlp.norm.weight", WIDTH);
  }
  shapes.push(["norm.weight", [WIDTH]]);
  return shapes;
}

function countOf(shape: readonly number[]): number {
  return shape.reduce((a, b) => a * b, 1);
}

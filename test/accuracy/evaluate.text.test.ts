import { describe, expect, test } from "vitest";
import { openData } from "../../src/data.ts";
import { onnxEngine } from "../../src/engine/onnx.ts";
import { evaluate } from "../../src/evaluate.ts";
import { bytesSource, readOnnx } from "../../src/index.ts";
import { memoryFiles, npy, raw } from "../data.files.ts";
import { onnxRuntimes } from "./runtimes.ts";
import { storiesGraph } from "./stories.ts";
import { sampled, softmax, storyTeller } from "./teller.ts";
import { readElementsOf, safetensors } from "./weights.ts";

const MODEL = safetensors("models/stories260k-llama.safetensors");
if (!MODEL) test.skip("no stories260k in the shared data: no text was evaluated", () => {});

const [TEXTS, LENGTH] = [6, 40];
const LINEAR = /\.(attention|feed_forward)\.w\w+\.weight$/;

describe.skipIf(!MODEL)("text of stories260k", () => {
  test("perplexity is that of the model in plain TypeScript; weights of 8 bits lose little, of 4 bits more", async () => {
    const model = await (MODEL as NonNullable<typeof MODEL>);
    const teller = await storyTeller(model);
    const texts = Array.from({ length: TEXTS }, (_, seed) => sampled(teller(), LENGTH, seed));
    const file = npy("<i4", [TEXTS, LENGTH], raw(Int32Array.from(texts.flatMap((text) => [...text]))));
    const data = await openData(memoryFiles({ x: file }), [{ path: "x" }]);
    const graph = await storiesGraph(model);
    const linear = [...(await readElementsOf(await readOnnx(bytesSource(graph))))].filter(([name]) =>
      LINEAR.test(name),
    );
    expect(linear).toHaveLength(35);
    const rounded = (bits: number) => ({
      weights: new Map(linear.map(([name, w]) => [name, coarse(w, 2 ** (bits - 1) - 1)])),
    });
    const engine = await onnxEngine(graph, { ort: onnxRuntimes[0][1] });
    try {
      const same = await evaluate(engine, {}, data, { batch: 4 });
      expect(same).toMatchObject({
        kind: "text",
        samples: TEXTS,
        loss: { value: 0 },
        figures: { perplexityRatio: { value: 1 } },
      });
      expect(same.figures.perplexityOriginal?.value).toBeCloseTo(perplexityOf(teller, texts), 2);
      const eight = await evaluate(engine, rounded(8), data, { perUnit: true });
      const four = await evaluate(engine, rounded(4), data);
      expect(eight.figures.perplexityRatio?.value).toBeLessThan(1.05);
      expect(eight.figures.agreement?.value).toBeGreaterThan(0.9);
      expect(four.loss.value).toBeGreaterThan(10 * (eight.loss.value ?? 0));
      const alone = new Map(eight.units?.map(({ name, snr }) => [name, snr.value ?? 0]));
      for (const [name] of linear) expect(alone.get(name.replace(/\.weight$/, "")), name).toBeGreaterThan(20);
    } finally {
      await engine.close();
    }
  });
});

function coarse(weight: Float32Array, levels: number): Float32Array {
  const scale = weight.reduce((most, x) => Math.max(most, Math.abs(x)), 0) / levels;
  return weight.map((x) => Math.round(x / scale) * scale);
}

function perplexityOf(teller: Awaited<ReturnType<typeof storyTeller>>, texts: readonly Int32Array[]): number {
  let sum = 0;
  for (const text of texts) {
    const tell = teller();
    for (let t = 0; t + 1 < text.length; t++) sum -= Math.log(softmax(tell(text[t]))[text[t + 1]]);
  }
  return Math.exp(sum / (texts.length * (LENGTH - 1)));
}

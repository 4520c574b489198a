import { expect, test } from "vitest";
import { tfjsRunner } from "../src/measure/tfjs.ts";

// What is timed of TensorFlow.js, by a module of layers that only keeps what is made.

test.each([
  ["a small layer, some times", 16, 12],
  ["a large one, once, as its weights fill caches", 768, 1],
])("%s, against a net that has nothing of it", async (_, outputs, copies) => {
  const models: string[][] = [];
  const layer = (name: string) => () => ({ apply: () => ({ name }) });
  const layers = {
    layers: new Proxy({}, { get: (_, name) => layer(String(name)) }),
    input: () => ({ name: "input" }),
    model({ outputs }: { outputs: readonly { name: string }[] }) {
      models.push(outputs.map(({ name }) => name));
      return { predict: () => [], dispose: () => {} };
    },
  };
  const core = {
    version_core: "4.22.0",
    getBackend: () => "wasm",
    tidy: <T>(work: () => T): T => work(),
    tensor: () => ({ dispose: () => {} }),
  };
  const runner = tfjsRunner({ core, layers: layers as never });
  const opened = await runner.open({
    ...{ type: "dense", form: "Dense+relu", precision: "f32", batch: 1 },
    attributes: { rows: 1, inputs: 256, outputs },
  });
  expect(opened?.copies).toBe(copies);
  expect(opened?.base).not.toBeNull();
  // What both have is read of both.
  expect(models).toEqual([["reLU", ...new Array(copies).fill("dense")], ["reLU"]]);
  await opened?.close();
});

import { expect, test } from "vitest";
import type { OnnxRuntime } from "../src/engine/onnx/runtime.ts";
import { openAsRun } from "../src/measure/asrun.ts";
import { relative } from "../src/measure/family.ts";
import { onnxRunner } from "../src/measure/ort.ts";

// Sessions of an ONNX Runtime that refuses some, and that are open afterwards.

function runtime(refuses: (session: number) => boolean = () => false, inputMetadata: object[] = []) {
  const on = { made: 0, open: 0 };
  const create = async () => {
    if (refuses(on.made++)) throw new Error("no memory");
    on.open++;
    return { inputMetadata, outputNames: ["y"], run: async () => ({}), release: async () => void on.open-- };
  };
  class Tensor {}
  const ort = { env: { versions: { web: "1.30.0" }, wasm: {} }, Tensor, InferenceSession: { create } };
  return { on, ort: ort as unknown as OnnxRuntime };
}

const DENSE = { type: "dense", form: "Gemm", attributes: { rows: 1, inputs: 8, outputs: 8 } };
const CALL = { type: "run", form: "run", attributes: { in: [16], out: [10] } };

test.each([DENSE, CALL])("of a unit of type $type none is left where the second is refused", async (unit) => {
  const { on, ort } = runtime((session) => session === 1);
  await expect(onnxRunner(ort).open({ ...unit, precision: "f32", batch: 1 })).rejects.toThrow("no memory");
  expect(on).toEqual({ made: 2, open: 0 });
});

test("of a model none is left where its inputs cannot be made", async () => {
  const { bytes, units, input } = relative(3);
  const inputs = new Map([["x", { shape: input.shape, data: new Float32Array(4) }]]);
  for (const type of ["string", "float32"]) {
    const { on, ort } = runtime(() => false, [{ name: "x", type }]);
    await expect(openAsRun(ort, { model: bytes, units, inputs }, () => "f32")).rejects.toThrow('"x"');
    expect(on).toEqual({ made: 1, open: 0 });
  }
});

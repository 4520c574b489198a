import * as ort from "onnxruntime-node";
import { expect, test } from "vitest";
import { onnxEngine } from "../../src/engine/onnx.ts";
import { partsOf } from "../../src/latency/parts.ts";
import type { UnitRun } from "../../src/latency/run.ts";
import type { UnitSpec } from "../../src/latency/spec.ts";
import { deployed } from "../../src/measure/deployed.ts";
import { relative } from "../../src/measure/family.ts";
import { givenTo } from "../../src/measure/unit.ts";
import { counted, operatorsIn } from "./graphs.written.ts";

// What units become, against what ONNX Runtime writes of the graphs that it runs.

/** What the runtime calls what a part is about. */
function nameOf({ type, form, precision }: UnitSpec): string {
  const conv = type === "conv" || type === "depthwise";
  if (conv) return precision === "int8" ? "QLinearConv" : "a convolution of floats";
  if (type === "dense" && precision === "int8") return "QGemm";
  return { "Div+Erf+Add+Mul+Mul": "Gelu", "Add+LayerNormalization": "SkipLayerNormalization" }[form] ?? form;
}

const INDICES = Array.from({ length: 28 }, (_, i) => i);

test.each(
  INDICES.flatMap((index) => (["f32", "int8", "int8 smooth"] as const).map((run) => [index, run] as [number, UnitRun])),
)("graph %i as %s", async (index, run) => {
  const { bytes, units } = relative(index);
  const parts = counted(partsOf(units, () => run).map(({ spec }) => nameOf(spec)));
  // Beyond it, native packages lay out channels of floats in blocks.
  const found = await operatorsIn(await deployed(bytes, units, () => run), "extended");
  const of = (name: string): number => found[name] ?? 0;
  const wanted = (name: string): number => parts[name] ?? 0;
  for (const name of ["QLinearConv", "QGemm", "QuantizeLinear", "Div", "Gelu", "SkipLayerNormalization"])
    expect([name, wanted(name)]).toEqual([name, of(name)]);
  expect(wanted("a convolution of floats")).toBe(of("FusedConv") + of("Conv"));
  expect(wanted("MatMul+Mul")).toBe(of("FusedMatMul"));
});

test.each(INDICES)("channels of graph %i in integers", async (index) => {
  const { bytes, units } = relative(index);
  const specs = partsOf(units, () => "int8").map(({ spec }) => spec);
  // A single channel is where it was, whatever a Transpose does with it.
  const isCopy = ({ form, attributes }: UnitSpec) => form === "Reshape" && `${attributes.in}` === `${attributes.out}`;
  const parts = counted(specs.map((spec) => `${isCopy(spec) ? "Transpose" : spec.form} ${spec.precision}`));
  const found = await operatorsIn(await deployed(bytes, units, () => "int8"), "all");
  const wanted = (name: string): number => parts[name] ?? 0;
  expect(wanted("NhwcMaxPool int8")).toBe(found.NhwcMaxPool ?? 0);
  expect(wanted("MaxPool int8") + wanted("MaxPool f32")).toBe(found.MaxPool ?? 0);
  expect(wanted("Transpose int8") + wanted("Transpose f32")).toBe(found.Transpose ?? 0);
  // Relu and Clip are nothing in codes, and are not in the form either.
  for (const { form, type, precision } of specs)
    if (precision === "int8" && (type === "conv" || type === "depthwise")) expect(form).toBe("Conv");
});

/** The least number that is normalized. */
const NORMAL = 2 ** -126;

// Processors may take ten times as long with others, so that models would be timed for weights that nobody has.
test.each([1, 13, 25, 37])("no number of graph %i is too small for its processor, whatever runs", async (index) => {
  const { bytes, units, input } = relative(index, 7);
  for (const run of ["f32", "int8", "w8"] as const) {
    const engine = await onnxEngine(await deployed(bytes, units, () => run), { ort });
    const described = await engine.describe();
    const shares = described.units.filter(({ operators }) => operators.includes("Softmax")).map(({ output }) => output);
    expect(shares.length).toBeGreaterThan(0);
    const inputs = new Map([["x", { data: givenTo(input.shape), shape: input.shape }]]);
    const values = await engine.run(inputs, shares);
    for (const name of shares) {
      const data = values.get(name)?.data as Float32Array;
      expect(data.filter((x) => x !== 0 && Math.abs(x) < NORMAL)).toHaveLength(0);
    }
    await engine.close();
  }
});

import * as web from "onnxruntime-web";
import { expect, test } from "vitest";
import { onnxEngine } from "../../src/engine/onnx.ts";
import { relative } from "../../src/measure/family.ts";

test.each([0, 1, 2, 3, 4, 5, 6, 7, 13, 14])("graph %i of the family is what its units say, in order", async (index) => {
  const { bytes, units } = relative(index);
  const engine = await onnxEngine(bytes, { ort: web });
  const described = (await engine.describe()).units.filter(({ operators }) => operators[0] !== "Identity");
  await engine.close();
  expect(described.map(({ scales: _, name, ...unit }) => ({ ...unit, name }))).toEqual(units);
});

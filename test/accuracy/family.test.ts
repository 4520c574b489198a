import * as web from "onnxruntime-web";
import { expect, test } from "vitest";
import type { Unit } from "../../src/engine/engine.ts";
import { onnxEngine } from "../../src/engine/onnx.ts";
import { tfjsEngine } from "../../src/engine/tfjs.ts";
import { relative } from "../../src/measure/family.ts";
import type { LayersModule } from "../../src/measure/layers.ts";
import { layersRelative } from "../../src/measure/whole.ts";
import { tfjs } from "./tensorflow.ts";

const INDICES = [0, 1, 2, 3, 4, 5, 6, 7, 10, 13, 14];

test.each(INDICES)("graph %i of the family is what its units say, in order", async (index) => {
  const { bytes, units } = relative(index);
  const engine = await onnxEngine(bytes, { ort: web });
  const described = (await engine.describe()).units.filter(({ operators }) => operators[0] !== "Identity");
  await engine.close();
  expect(described.map(({ scales: _, name, ...unit }) => ({ ...unit, name }))).toEqual(units);
});

const facts = ({ type, operators, inputShape, outputShape, attributes, macs, weight }: Unit) => {
  return { type, operators, inputShape, outputShape, attributes, macs, weight: weight?.shape };
};

test.each(INDICES)("so it is as a model of layers, unless it is a transformer: graph %i", async (index) => {
  const drawn = layersRelative(index, 1, tfjs.layers as unknown as LayersModule);
  const alone = layersRelative(index, 1, null);
  if (index % 4 === 1) expect([drawn, alone]).toEqual([null, null]);
  if (!drawn?.net || !alone) return;
  const engine = await tfjsEngine(drawn.net, tfjs);
  const { units } = await engine.describe();
  await engine.close();
  expect(units.map(facts)).toEqual(drawn.whole.units.map(facts));
  expect(alone.whole.units).toEqual(drawn.whole.units);
  drawn.net.dispose();
});

import { describe, expect, test } from "vitest";
import { quantizedTensor } from "../src/cli/quantized.ts";
import { open } from "../src/index.ts";
import { granularityOf, type QuantizedTensor, type Sharing } from "../src/model/onnx/dequantize.ts";
import { elementCount } from "../src/tensor.ts";
import { DECODERS, modelOf, packed, tensorOf } from "./files.ts";
import { expectSame, weights } from "./helpers.ts";
import { unpack4 } from "./reference.ts";

// What is given to a DequantizeLinear, and by its definition what comes out. ONNX Runtime's word on it: test/doors.

/** Codes as numbers. */
function numbersOf({ bits, unsigned }: QuantizedTensor, codes: Uint8Array, count: number): number[] {
  if (bits === 4) return [...unpack4(codes, count)];
  if (bits === 16) return [...new Int16Array(codes.slice().buffer)];
  return [...(unsigned ? codes : new Int8Array(codes.slice().buffer))];
}

/** onnx/onnx, docs/Operators.md: y = (x - zero point) * scale, scales of one, of an axis, or of blocks along an axis. */
async function dequantizeLinear(tensor: QuantizedTensor, shape: readonly number[], sharing: Sharing) {
  const { codes, scales, zeroPoints } = await tensor.load();
  const { axis, block, scaleShape } = granularityOf(shape, sharing, tensor.bits);
  expect(scales.length).toBe(elementCount(scaleShape));
  expect(zeroPoints?.length ?? scales.length).toBe(scales.length);
  expect(zeroPoints !== null).toBe(tensor.asymmetric);
  return Float32Array.from(numbersOf(tensor, codes, elementCount(shape)), (code, i) => {
    let [index, rest] = [0, i];
    const coordinates = shape.map((_, k) => {
      const size = elementCount(shape.slice(k + 1));
      const at = Math.floor(rest / size);
      rest %= size;
      return at;
    });
    if (axis !== undefined && block === undefined) index = coordinates[axis];
    else if (axis !== undefined && block !== undefined) {
      index = scaleShape.reduce((sum, extent, k) => {
        return sum * extent + (k === axis ? Math.floor(coordinates[k] / block) : coordinates[k]);
      }, 0);
    }
    const zero = zeroPoints?.[index] ?? 0;
    return Math.fround(code - (tensor.unsigned ? zero & 255 : zero)) * scales[index];
  });
}

const CASES: [plan: string, shape: number[], sharing: Sharing | null][] = [
  ["int8 tensor", [16, 64], {}],
  ["int8 channel", [16, 4, 3, 3], { axis: 0 }],
  ["int8 channel", [], {}],
  ["uint8 tensor", [16, 64], {}],
  ["uint8 channel", [16, 64], { axis: 0 }],
  ["uint8 group 16", [16, 64], { axis: 1, block: 16 }],
  ["int8 group 2048", [16, 64], {}],
  ["int8 group 24", [10, 100], null],
  ["int8 channel axis 1", [6, 10, 3, 3], { axis: 1 }],
  ["uint8 channel axis -1", [16, 5, 12], { axis: 2 }],
  ["int8 group 12 axis 0 asymmetric", [40, 10], { axis: 0, block: 12 }],
  ["uint8 group 16 axis -1", [10, 50], { axis: 1, block: 16 }],
  ["uint8 group 64 axis 1", [16, 24, 2], { axis: 1, block: 24 }],
  ["int4 group 16 axis -1 asymmetric", [7, 50], { axis: 1, block: 16 }],
  ["int8 snr 20dB", [16, 64], {}],
  ["int16 rmse 0.0003", [16, 64], {}],
  ["q8_0", [16, 64], { axis: 1, block: 32 }],
  ["q4_0", [4, 4, 64], { axis: 2, block: 32 }],
  ["q4_0", [1, 75], { axis: 1, block: 32 }],
  ["q4_0", [2, 10], {}],
  ["q8_0", [10, 100], null],
  ["q4_1", [16, 64], null],
  ["nf4 group 64", [16, 64], null],
  ["nbits4 group 32 asymmetric", [16, 80], { axis: 1, block: 32 }],
  ["nbits4 group 64", [16, 6, 5], { axis: 0 }],
  ["nbits4 group 16", [16, 6, 5], null],
  ["prune 2:4 > q4_0", [16, 64], { axis: 1, block: 32 }],
  ["prune channels 0.25 > int8 channel", [16, 64], null],
  ["smooth 0.5 > int8 channel", [16, 64], null],
];

describe("a tensor for DequantizeLinear", () => {
  test.each(CASES)("%s of %j", async (plan, shape, sharing) => {
    const values = weights(elementCount(shape), 51);
    const { bytes } = await packed(modelOf([tensorOf("w", "F32", shape, values)]), `*=${plan}; raw`);
    for (const kernels of DECODERS) {
      const file = await open(bytes, { kernels });
      const tensor = quantizedTensor(file, "w");
      expect(tensor?.sharing).toEqual(sharing);
      if (!tensor || !sharing) continue;
      expectSame(await dequantizeLinear(tensor, shape, sharing), (await file.tensor("w")).data, kernels.tier);
    }
  });

  test("is none where nothing is quantized", async () => {
    const { bytes } = await packed(modelOf([tensorOf("w", "F32", [8], weights(8, 1))]), "lossless");
    expect(quantizedTensor(await open(bytes), "w")).toBeNull();
    expect(quantizedTensor(await open(bytes), "x")).toBeNull();
  });
});

test("levels of int16 are stored in their own way, and given as plain little-endian integers", async () => {
  const step = Math.fround(0.001);
  const levels = Int16Array.from({ length: 3000 }, (_, i) => (i % 2 ? -1 : 1) * Math.floor(i * 5.4));
  const values = Float32Array.from(levels, (level) => level * step);
  const { bytes } = await packed(modelOf([tensorOf("w", "F32", [30, 100], values)]), "int8 step 0.001 dead 0");
  for (const kernels of DECODERS) {
    const file = await open(bytes, { kernels });
    expect(file.index[0].plan).toBe("int16 tensor step 0.001 dead 0 > auto");
    const { bytes: stored, quantization } = await file.tensor("w", { as: "stored" });
    expect(quantization).toMatchObject({ bits: 16, zeroPoints: null, scales: Float32Array.of(step) });
    expectSame(new Int16Array(stored.slice().buffer), levels);
  }
});

import { scalesOf } from "../src/codec/quantize.ts";
import * as reference from "../test/reference.ts";
import { CHUNK, gaussWeights } from "./data.ts";
import { type KernelBench, type KernelCase, mustEqual, type Room } from "./harness.ts";

// Rows as per-channel and as per-group quantization have them.
const ROWS = [1024, 32];
const STEP = { bits: 8, asymmetric: false } as const;

export const quantizeBench: KernelBench = { kernels: ["range", "quantize", "dequantize"], casesOf: quantizeCases };

function quantizeCases(room: Room): KernelCase[] {
  const values = gaussWeights(CHUNK);
  return ROWS.flatMap((cols) => casesOf(room, values, cols));
}

function casesOf({ run, arena, put, take }: Room, values: Float32Array, cols: number): KernelCase[] {
  const { floats, planes: ranges, values: scaleAt, plain: codes, symbols: back } = arena;
  const rows = CHUNK / cols;
  const pairs = reference.range(values, rows, cols);
  const { scales } = scalesOf(pairs, STEP);
  const expected = reference.quantize(values, rows, cols, scales, undefined, -127, 127);
  const shared = { data: `f32 rows of ${cols}`, bytes: 4 * CHUNK };
  const layOut = () => {
    put(floats, values);
    put(scaleAt, scales);
    put(codes, expected);
  };
  return [
    {
      ...shared,
      name: "range",
      prepare: layOut,
      run: () => run.range(floats, rows, cols, ranges),
      check: () => mustEqual(take(ranges, 8 * rows), pairs, "range"),
    },
    {
      ...shared,
      name: "quantize",
      prepare: layOut,
      run: () => run.quantize(floats, rows, cols, scaleAt, 0, -127, 127, codes),
      check: () => mustEqual(take(codes, CHUNK), expected, "quantize"),
    },
    {
      ...shared,
      name: "dequantize",
      prepare: layOut,
      run: () => run.dequantize(codes, rows, cols, scaleAt, 0, back),
      check: () => {
        const floatsBack = reference.dequantize(expected, rows, cols, scales, undefined);
        mustEqual(take(back, 4 * CHUNK), floatsBack, "dequantize");
      },
    },
  ];
}

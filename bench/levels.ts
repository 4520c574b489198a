import * as reference from "../test/reference.ts";
import { CHUNK, gaussWeights } from "./data.ts";
import { type KernelBench, type KernelCase, mustEqual, type Room } from "./harness.ts";

export const levelsBench: KernelBench = {
  kernels: ["countBins", "binCodes", "binError", "dequantize16"],
  casesOf: levelsCases,
};

const BINS = 65536;

function levelsCases({ run, arena, put, take }: Room): KernelCase[] {
  const values = gaussWeights(CHUNK);
  const inverse = Math.fround(32767 / values.reduce((most, x) => Math.max(most, Math.abs(x)), 0));
  // Some twenty levels of equal width.
  const table = new Int16Array(BINS).map((_, bin) => Math.round((bin - BINS / 2) / 3000));
  const scale = Math.fround(3000 / inverse);
  const { floats, planes: counts, values: tableAt, plain: codes, scratch, work } = arena;
  const levels = reference.binLevels(values, inverse, table);
  const narrow = Int8Array.from(levels);
  const half = CHUNK / 2;
  const wide = reference.toWide(levels.subarray(0, half));
  const shared = { data: "f32 sigma 0.05", bytes: 4 * CHUNK };
  const layOut = () => {
    put(floats, values);
    put(tableAt, new Uint8Array(table.buffer));
    put(scratch, new Uint8Array(8));
    put(work, new Uint8Array(Float32Array.of(scale).buffer));
  };
  const none = new Uint32Array(BINS);
  return [
    {
      ...shared,
      name: "countBins",
      prepare: layOut,
      run: () => run.countBins(floats, CHUNK, inverse, counts),
      check: () => {
        put(counts, new Uint8Array(none.buffer));
        run.countBins(floats, CHUNK, inverse, counts);
        mustEqual(take(counts, 4 * BINS), reference.countBins(values, inverse, none), "countBins");
      },
    },
    {
      ...shared,
      name: "binCodes",
      prepare: layOut,
      run: () => run.binCodes(floats, CHUNK, inverse, tableAt, 1, codes),
      check: () => mustEqual(take(codes, CHUNK), narrow, "binCodes"),
    },
    {
      ...shared,
      name: "binError",
      prepare: layOut,
      run: () => run.binError(floats, CHUNK, inverse, tableAt, scale, scratch),
      check: () => {
        put(scratch, new Uint8Array(8));
        run.binError(floats, CHUNK, inverse, tableAt, scale, scratch);
        const sum = Float64Array.of(reference.binError(values, inverse, table, scale));
        mustEqual(take(scratch, 8), sum, "binError");
      },
    },
    {
      name: "dequantize16",
      data: "int16 codes",
      bytes: 4 * half,
      prepare: () => {
        layOut();
        put(codes, wide);
      },
      run: () => run.dequantize16(codes, half, work, floats),
      check: () => mustEqual(take(floats, 4 * half), reference.dequantize16(wide, scale), "dequantize16"),
    },
  ];
}

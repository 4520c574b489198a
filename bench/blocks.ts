import * as reference from "../test/reference.ts";
import { CHUNK, gaussWeights } from "./data.ts";
import { type KernelBench, type KernelCase, mustEqual, type Room } from "./harness.ts";

// Blocks of 32, as GGUF has them, and MatMulNBits. Bytes counted are those of the f32, as for quantize.

export const blocksBench: KernelBench = {
  kernels: [
    "quantizeQ80",
    "quantizeQ40",
    "quantizeQ41",
    "quantizeAway",
    "halves",
    "dequantizeMinimum",
    "splitBlocks",
    "joinBlocks",
  ],
  casesOf: blockCases,
};

const GROUPS = CHUNK / 32;
const DATA = "f32 groups of 32";

function blockCases(room: Room): KernelCase[] {
  const values = gaussWeights(CHUNK);
  return [...quantizers(room, values), away(room, values), minimum(room, values), ...joins(room, values)];
}

function quantizers({ run, arena, put, take }: Room, values: Float32Array): KernelCase[] {
  const { floats, planes: scales, values: minima, plain: codes } = arena;
  const kernels = {
    q8_0: ["quantizeQ80", () => run.quantizeQ80(floats, CHUNK, scales, codes)],
    q4_0: ["quantizeQ40", () => run.quantizeQ40(floats, CHUNK, scales, codes)],
    q4_1: ["quantizeQ41", () => run.quantizeQ41(floats, CHUNK, scales, minima, codes)],
  } as const;
  return (["q8_0", "q4_0", "q4_1"] as const).map((format): KernelCase => {
    const expected = reference.quantizeBlocks(format, values);
    return {
      name: kernels[format][0],
      data: DATA,
      bytes: 4 * CHUNK,
      prepare: () => put(floats, values),
      run: kernels[format][1],
      check: () => {
        mustEqual(take(scales, 2 * GROUPS), expected.scales, `${format} scales`);
        mustEqual(take(codes, CHUNK), expected.codes, `${format} codes`);
      },
    };
  });
}

function away({ run, arena, put, take }: Room, values: Float32Array): KernelCase {
  const { floats, values: scaleAt, plain: codes } = arena;
  const { scales } = reference.blockScales(reference.range(values, GROUPS, 32), false);
  return {
    name: "quantizeAway",
    data: DATA,
    bytes: 4 * CHUNK,
    prepare: () => {
      put(floats, values);
      put(scaleAt, scales);
    },
    run: () => run.quantizeAway(floats, GROUPS, 32, scaleAt, 0, codes),
    check: () => mustEqual(take(codes, CHUNK), reference.quantizeAway(values, GROUPS, 32, scales, undefined), "nbits4"),
  };
}

function minimum({ run, arena, put, take }: Room, values: Float32Array): KernelCase {
  const { planes: scaleAt, values: minimaAt, plain: codes, floats: back } = arena;
  const blocks = reference.quantizeBlocks("q4_1", values);
  const widened = (bits: Uint16Array) => Float32Array.from(bits, reference.fromHalf);
  return {
    name: "dequantizeMinimum",
    data: DATA,
    bytes: 4 * CHUNK,
    prepare: () => {
      put(scaleAt, widened(blocks.scales));
      put(minimaAt, widened(blocks.minima));
      put(codes, blocks.codes);
    },
    run: () => run.dequantizeMinimum(codes, GROUPS, 32, scaleAt, minimaAt, back),
    check: () => mustEqual(take(back, 4 * CHUNK), reference.dequantizeBlocks("q4_1", blocks), "q4_1 back"),
  };
}

function joins({ run, arena, put, take }: Room, values: Float32Array): KernelCase[] {
  const { planes: scales, values: minima, plain: codes, floats: joined } = arena;
  return (
    [
      ["q8_0", 0],
      ["q4_0", 1],
    ] as const
  ).flatMap(([format, kind]): KernelCase[] => {
    const blocks = reference.quantizeBlocks(format, values);
    const bytes = reference.joinBlocks(format, blocks);
    const streamed = kind === 0 ? new Uint8Array(blocks.codes.buffer) : reference.pack4(blocks.codes);
    const shared = { data: `${format} blocks`, bytes: bytes.length };
    const prepare = () => {
      put(scales, blocks.scales);
      put(codes, streamed);
      put(joined, bytes);
    };
    return [
      {
        ...shared,
        name: "splitBlocks",
        prepare,
        run: () => run.splitBlocks(joined, GROUPS, kind, scales, minima, codes),
        check: () => mustEqual(take(codes, streamed.length), streamed, "codes of blocks"),
      },
      {
        ...shared,
        name: "joinBlocks",
        prepare,
        run: () => run.joinBlocks(scales, minima, codes, GROUPS, kind, joined),
        check: () => mustEqual(take(joined, bytes.length), bytes, "blocks"),
      },
    ];
  });
}

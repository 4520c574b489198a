import * as reference from "../test/reference.ts";
import { SEED } from "./data.ts";
import { type KernelBench, type KernelCase, mustEqual, type Room } from "./harness.ts";

export const unpackBench: KernelBench = { kernels: ["unpack", "packFields"], casesOf: unpackCases };

// A flat that all symbols of a block reach.
const N = 32768;

// Symbols of a flat. Up to sixteen are one table; 256 are all there are, so one run.
const SYMBOLS: readonly [name: string, widths: readonly number[], symbolOf: (i: number, count: number) => number][] = [
  ["one run", [1, 2, 3, 4, 5, 6, 7, 8], (i) => 128 + i],
  ["two runs", [5, 6, 7], (i, count) => (i < count / 2 ? 150 + i : 70 + i)],
  ["a table", [5, 6, 7], (i, count) => (i < count / 2 ? 129 + 2 * i - (i % 4 === 3 ? 1 : 0) : i)],
];

function unpackCases(room: Room): KernelCase[] {
  const unpacking = SYMBOLS.flatMap(([name, widths, symbolOf]) =>
    widths.map((width) => {
      const symbols = new Uint8Array(1 << width).map((_, i) => symbolOf(i, 1 << width));
      return unpackCase(room, width, symbols, `${width} bits, ${name}`);
    }),
  );
  return [...unpacking, ...[1, 2, 3, 4, 5, 6, 7, 8].map((width) => packCase(room, width))];
}

function fieldsOf(width: number): Uint8Array {
  let state = SEED;
  return new Uint8Array(N).map(() => {
    state = (Math.imul(state, 1664525) + 1013904223) | 0;
    return state >>> (32 - width);
  });
}

function unpackCase({ run, arena, put, take }: Room, width: number, symbols: Uint8Array, data: string): KernelCase {
  const { plain: packed, histogram: table, values: back } = arena;
  const fields = fieldsOf(width);
  return {
    name: "unpack",
    data,
    bytes: N,
    prepare: () => {
      put(packed, reference.packFields(fields, width));
      put(table, symbols);
    },
    run: () => run.unpack(packed, N, width, table, back),
    check: () => {
      const expected = fields.map((field) => symbols[field]);
      mustEqual(take(back, N), expected, `unpack, ${data}`);
    },
  };
}

function packCase({ run, arena, put, take }: Room, width: number): KernelCase {
  const { plain, values: packed } = arena;
  const fields = fieldsOf(width);
  const first = width < 8 ? 100 : 0;
  const expected = reference.packFields(fields, width);
  return {
    name: "packFields",
    data: `${width} bits`,
    bytes: N,
    prepare: () =>
      put(
        plain,
        fields.map((field) => first + field),
      ),
    run: () => run.packFields(plain, N, width, first, packed),
    check: () => mustEqual(take(packed, expected.length), expected, `packFields, ${width} bits`),
  };
}

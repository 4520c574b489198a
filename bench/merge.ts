import * as reference from "../test/reference.ts";
import { gaussCodes } from "./data.ts";
import { type KernelBench, type KernelCase, mustEqual, type Room } from "./harness.ts";

export const mergeBench: KernelBench = { kernels: ["merge", "expand"], casesOf: mergeCases };

// The lists of a block, which fit into cache as they do when a payload is decoded.
export const N = 32768;
export const PIVOTS = [
  ["half to the right", 0],
  ["a sixth to the right", 29],
] as const;

function mergeCases(room: Room): KernelCase[] {
  return PIVOTS.flatMap(([data, least]) => casesOf(room, data, least + 128));
}

function casesOf({ run, arena, put, take }: Room, data: string, pivot: number): KernelCase[] {
  const { plain, mask: bits, symbols: left, kept: right, values: back } = arena;
  const bytes = new Uint8Array(gaussCodes(N, 30)).map((byte) => byte ^ 128);
  const map = reference.compareBits(bytes, pivot);
  const lists = reference.split(map, bytes);
  const leaf = 77;
  const prepare = () => {
    put(plain, bytes);
    put(bits, map);
    put(left, lists.left);
    put(right, lists.right);
  };
  const shared = { data, bytes: N, prepare };
  const leaves = new Uint8Array(lists.left.length).fill(leaf);
  return [
    {
      ...shared,
      name: "merge",
      run: () => run.merge(bits, N, left, right, back),
      check: () => mustEqual(take(back, N), bytes, "merge"),
    },
    {
      ...shared,
      name: "expand",
      run: () => run.expand(bits, N, right, leaf, back),
      check: () => mustEqual(take(back, N), reference.merge(map, N, leaves, lists.right), "expand"),
    },
  ];
}

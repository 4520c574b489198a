import * as reference from "../test/reference.ts";
import { gaussCodes } from "./data.ts";
import { type KernelBench, type KernelCase, must, mustEqual, type Room } from "./harness.ts";
import { N, PIVOTS } from "./merge.ts";

export const splitBench: KernelBench = { kernels: ["compareBits", "rangeBits", "split"], casesOf: splitCases };

function splitCases(room: Room): KernelCase[] {
  return PIVOTS.flatMap(([data, least]) => casesOf(room, data, least + 128));
}

function casesOf({ run, arena, put, take }: Room, data: string, pivot: number): KernelCase[] {
  const { plain, mask: bits, symbols: left, kept: right, lengths: at } = arena;
  const bytes = new Uint8Array(gaussCodes(N, 30)).map((byte) => byte ^ 128);
  const map = reference.compareBits(bytes, pivot);
  const lists = reference.split(map, bytes);
  const ones = lists.right.length;
  // The same bits, as bytes from pivot to 255 are all but the least signed ones.
  const ends = pivot === 128 ? Uint8Array.of(255, 127, 127, 127) : Uint8Array.of(pivot - 1, 255, 127, 127);
  const prepare = () => {
    put(plain, bytes);
    put(bits, map);
    put(at, ends);
  };
  const shared = { data, bytes: N, prepare };
  const find = (name: string, bitsOf: () => number): KernelCase => {
    const check = () => {
      must(bitsOf() === ones, `${name}: count of ones`);
      mustEqual(take(bits, map.length), map, name);
    };
    return { ...shared, name, run: bitsOf, check };
  };
  const checkLists = () => {
    mustEqual(take(left, N - ones), lists.left, "split, left");
    mustEqual(take(right, ones), lists.right, "split, right");
  };
  return [
    find("compareBits", () => run.compareBits(plain, N, pivot, bits)),
    find("rangeBits", () => run.rangeBits(plain, N, at, 2, pivot === 128 ? 1 : 0, bits)),
    { ...shared, name: "split", run: () => run.split(bits, plain, N, left, right), check: checkLists },
  ];
}

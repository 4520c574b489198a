import * as reference from "../test/reference.ts";
import { CHUNK, kernelCodes } from "./data.ts";
import { type KernelBench, type KernelCase, must, mustEqual, type Room } from "./harness.ts";

export const pivotBench: KernelBench = { kernels: ["pivotBlock", "pivotNodes", "pivotTree"], casesOf: pivotCases };

const BLOCKS = Array.from({ length: CHUNK / reference.BLOCK }, (_, i) => i * reference.BLOCK);

// All blocks of a chunk, under the lengths that an encoder gives them.
function pivotCases(room: Room): KernelCase[] {
  return kernelCodes().flatMap(([data, codes]) => casesOf(room, codes, data));
}

/** Lengths that an encoder gives to the symbols of a chunk. */
export function lengthsOf({ run, arena, put, take }: Room, counts: Uint32Array): Uint8Array {
  const { histogram, lengths, scratch, work } = arena;
  put(histogram, counts);
  must(run.pivotLengths(histogram, BLOCKS.length, lengths, scratch, work) > 1, "pivotLengths: count of symbols");
  return take(lengths, 256);
}

function casesOf(room: Room, codes: Int8Array, data: string): KernelCase[] {
  const { run, arena, put, take } = room;
  const { plain, planes: coded, values: back, lengths: at, work } = arena;
  const bytes = new Uint8Array(codes.buffer);
  const lengths = lengthsOf(room, reference.histogram(bytes));
  const payload = reference.pivotEncode(bytes, lengths);
  const nodes = BLOCKS.map((start) => reference.writeNodes(bytes.subarray(start, start + reference.BLOCK), lengths));
  const prepare = () => {
    put(plain, codes);
    put(at, lengths);
    put(coded, payload);
  };
  const shared = { data, bytes: CHUNK, prepare };
  const decode = () => {
    let used = 0;
    for (const start of BLOCKS) {
      const size = payload.length - used;
      const more = run.pivotBlock(coded + used, size, reference.BLOCK, start === 0 ? 1 : 0, back + start, work);
      if (more < 0) return more;
      used += more;
    }
    return used;
  };
  const encode = () => {
    let size = 0;
    run.pivotTree(at, work);
    for (const start of BLOCKS) size += run.pivotNodes(plain + start, reference.BLOCK, coded + size, work);
    return size;
  };
  return [
    { ...shared, name: "pivotBlock", run: decode, check: () => mustEqual(take(back, CHUNK), codes, "pivotBlock") },
    {
      ...shared,
      name: "pivotNodes",
      run: encode,
      check: () => {
        let from = coded;
        for (const expected of nodes) {
          mustEqual(take(from, expected.length), expected, "pivotNodes");
          from += expected.length;
        }
      },
    },
  ];
}

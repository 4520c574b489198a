import * as reference from "../test/reference.ts";
import { kernelCodes } from "./data.ts";
import { type KernelBench, type KernelCase, must, type Room } from "./harness.ts";
import { lengthsOf } from "./pivot.ts";

export const shapeBench: KernelBench = { kernels: ["pivotLengths"], casesOf: shapeCases };

// Once per chunk; what counts are the bytes of the counts.
function shapeCases(room: Room): KernelCase[] {
  const { run, arena, put, take } = room;
  const { histogram, lengths, scratch, work } = arena;
  return kernelCodes().map(([data, codes]) => {
    const counts = reference.histogram(new Uint8Array(codes.buffer));
    return {
      name: "pivotLengths",
      data: `counts, ${data}`,
      bytes: counts.byteLength,
      prepare: () => put(histogram, counts),
      run: () => run.pivotLengths(histogram, 8, lengths, scratch, work),
      check: () => checkLengths(room, counts, take(lengths, 256)),
    };
  });
}

// Complete, and about as cheap as the lengths of Huffman at the least; test/shape.test.ts is stricter.
function checkLengths(room: Room, counts: Uint32Array, lengths: Uint8Array): void {
  const kraft = lengths.reduce((sum, length) => sum + (length > 0 ? 2 ** -length : 0), 0);
  must(kraft === 1, "pivotLengths: a code that is not complete");
  const huffman = reference.codeLengths(counts, reference.PIVOT_LIMIT);
  const [mine, other] = [lengths, huffman].map((some) => reference.pivotCost(counts, some).cost);
  must(mine <= 1.001 * other, "pivotLengths: dearer than Huffman");
  must(Buffer.compare(lengths, lengthsOf(room, counts)) === 0, "pivotLengths: not the same again");
}

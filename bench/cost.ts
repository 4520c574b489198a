import * as reference from "../test/reference.ts";
import { kernelCodes } from "./data.ts";
import { type KernelBench, type KernelCase, must, type Room } from "./harness.ts";
import { lengthsOf } from "./pivot.ts";

export const costBench: KernelBench = { kernels: ["pivotSize", "pivotSteps", "blockSteps"], casesOf: costCases };

// Once per block (pivotSize) or chunk; what counts are the bytes of the counts.
function costCases(room: Room): KernelCase[] {
  return kernelCodes().flatMap(([data, codes]) => casesOf(room, codes, `counts, ${data}`));
}

function casesOf(room: Room, codes: Int8Array, data: string): KernelCase[] {
  const { run, arena, put } = room;
  const { histogram, lengths: at, work } = arena;
  const counts = reference.histogram(new Uint8Array(codes.buffer));
  const lengths = lengthsOf(room, counts);
  const { bytes, steps } = reference.pivotCost(counts, lengths);
  const time = () => run.pivotSteps(histogram, work);
  const prepare = () => {
    put(histogram, counts);
    put(at, lengths);
    run.pivotTree(at, work);
    time();
  };
  const shared = { data, bytes: counts.byteLength, prepare };
  const size = () => run.pivotSize(histogram, work);
  const ofBlock = () => run.blockSteps(work);
  return [
    { ...shared, name: "pivotSize", run: size, check: () => must(size() === bytes, "pivotSize") },
    // Of the tree that pivotSteps leaves there, as pivotBlock does.
    { ...shared, name: "blockSteps", run: ofBlock, check: () => must(ofBlock() === time(), "blockSteps") },
    { ...shared, name: "pivotSteps", run: time, check: () => must(Math.abs(time() - steps) < 1, "pivotSteps") },
  ];
}

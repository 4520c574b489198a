import * as reference from "../test/reference.ts";
import { CHUNK, gaussCodes, SIGMAS } from "./data.ts";
import { type KernelBench, type KernelCase, mustEqual, type Room } from "./harness.ts";

export const lengthsBench: KernelBench = {
  kernels: ["codeLengths", "writeLengths", "readLengths"],
  casesOf: lengthsCases,
};

// Once per chunk each; what counts are the few bytes that the kernel itself reads or, when decoding, writes.
function lengthsCases(room: Room): KernelCase[] {
  return SIGMAS.flatMap((sigma) => casesOf(room, gaussCodes(CHUNK, sigma), `a table, int8 sigma ${sigma}`));
}

function casesOf({ run, arena, put, take }: Room, codes: Int8Array, data: string): KernelCase[] {
  const { histogram, planes: written, scratch } = arena;
  const at = arena.lengths;
  const counts = reference.histogram(new Uint8Array(codes.buffer));
  const lengths = reference.codeLengths(counts);
  const table = reference.writeLengths(lengths, -1);
  const prepare = () => {
    put(histogram, counts);
    put(at, lengths);
    put(written, table);
  };
  const shared = { data, bytes: lengths.length, prepare };
  const checkLengths = () => mustEqual(take(at, 256), lengths, "code lengths");
  return [
    {
      ...shared,
      name: "codeLengths",
      bytes: counts.byteLength,
      run: () => run.codeLengths(histogram, 11, at, scratch),
      check: checkLengths,
    },
    {
      ...shared,
      name: "writeLengths",
      run: () => run.writeLengths(at, -1, 11, written),
      check: () => mustEqual(take(written, table.length), table, "writeLengths"),
    },
    { ...shared, name: "readLengths", run: () => run.readLengths(written, table.length, 11, at), check: checkLengths },
  ];
}

import * as reference from "../test/reference.ts";
import { CHUNK, gaussCodes, SIGMAS } from "./data.ts";
import { type KernelBench, type KernelCase, mustEqual, type Room } from "./harness.ts";

// In a small chunk the building of the table shows.
const SMALL = 4096;

export const huffmanBench: KernelBench = { kernels: ["huffmanEncode", "huffmanDecode"], casesOf: huffmanCases };

function huffmanCases(room: Room): KernelCase[] {
  const whole = SIGMAS.flatMap((sigma) => casesOf(room, gaussCodes(CHUNK, sigma), `int8 sigma ${sigma}`));
  return [...whole, ...casesOf(room, gaussCodes(SMALL, 30), `int8 sigma 30, ${SMALL} bytes`)];
}

function casesOf({ run, arena, put, take }: Room, codes: Int8Array, data: string): KernelCase[] {
  const { plain, planes: coded, values: back, scratch } = arena;
  const n = codes.length;
  const at = arena.lengths;
  const bytes = new Uint8Array(codes.buffer);
  const { lengths } = reference.tableOf(bytes);
  const expected = reference.writeStreams(bytes, lengths);
  const prepare = () => {
    put(plain, codes);
    put(at, lengths);
    put(coded, expected);
  };
  const shared = { data, bytes: n, prepare };
  return [
    {
      ...shared,
      name: "huffmanEncode",
      run: () => run.huffmanEncode(plain, n, at, coded, scratch),
      check: () => mustEqual(take(coded, expected.length), expected, "huffmanEncode"),
    },
    {
      ...shared,
      name: "huffmanDecode",
      run: () => run.huffmanDecode(coded, expected.length, n, at, back),
      check: () => mustEqual(take(back, n), codes, "huffmanDecode"),
    },
  ];
}

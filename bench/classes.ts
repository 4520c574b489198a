import * as reference from "../test/reference.ts";
import { CHUNK, gaussCodes } from "./data.ts";
import { type KernelBench, type KernelCase, mustEqual, type Room } from "./harness.ts";

export const classesBench: KernelBench = {
  kernels: ["classCounts", "classGather", "classScatter"],
  casesOf: (room) => [false, true].flatMap((columns) => casesOf(room, columns)),
};

const WIDTH = 512;
const CLASSES = 8;

function casesOf({ run, arena, put, take }: Room, columns: boolean): KernelCase[] {
  const { plain, symbols: mapAt, scratch: starts, values: lists, planes: back } = arena;
  const bytes = new Uint8Array(gaussCodes(CHUNK, 30).buffer);
  const entries = reference.entriesOf(CHUNK, WIDTH, columns);
  const parted = { width: WIDTH, columns, map: new Uint8Array(entries).map((_, i) => (i * 5) % CLASSES) };
  const counts = reference.classCounts(CHUNK, parted, CLASSES);
  const first = counts.map((_, k) => counts.slice(0, k).reduce((sum, n) => sum + n, 0));
  const way = [CHUNK, WIDTH, Number(columns)] as const;
  const gathered = reference.classGather(bytes, parted);
  const shared = { data: `${columns ? "columns" : "rows"} of ${WIDTH}`, bytes: CHUNK };
  const prepare = () => {
    put(plain, bytes);
    put(mapAt, parted.map);
    put(lists, gathered);
  };
  const begin = () => put(starts, new Uint8Array(first.buffer));
  return [
    {
      ...shared,
      name: "classCounts",
      bytes: entries,
      prepare,
      run: () => run.classCounts(mapAt, ...way, CLASSES, starts),
      check: () => mustEqual(take(starts, 4 * CLASSES), counts, "classCounts"),
    },
    {
      ...shared,
      name: "classGather",
      prepare,
      run: () => {
        begin();
        return run.classGather(plain, ...way, mapAt, starts, lists);
      },
      check: () => mustEqual(take(lists, CHUNK), gathered, "classGather"),
    },
    {
      ...shared,
      name: "classScatter",
      prepare,
      run: () => {
        begin();
        return run.classScatter(lists, ...way, mapAt, starts, back);
      },
      check: () => mustEqual(take(back, CHUNK), bytes, "classScatter"),
    },
  ];
}

import * as reference from "../test/reference.ts";
import { CHUNK, gaussCodes } from "./data.ts";
import { type KernelBench, type KernelCase, mustEqual, type Room } from "./harness.ts";

export const classesBench: KernelBench = {
  kernels: ["classCounts", "classGather", "classScatter"],
  casesOf: (room) =>
    [false, true].flatMap((columns) => [512, columns ? 4000 : 9].flatMap((width) => casesOf(room, width, columns))),
};

const CLASSES = 8;

function casesOf({ run, arena, put, take }: Room, width: number, columns: boolean): KernelCase[] {
  const { plain, symbols: mapAt, scratch: starts, values: lists, planes: back, work } = arena;
  const bytes = new Uint8Array(gaussCodes(CHUNK, 30).buffer);
  const entries = reference.entriesOf(CHUNK, width, columns);
  const parted = { width, columns, map: new Uint8Array(entries).map((_, i) => (i * 5) % CLASSES) };
  const counts = reference.classCounts(CHUNK, parted, CLASSES);
  const first = counts.map((_, k) => counts.slice(0, k).reduce((sum, n) => sum + n, 0));
  const way = [CHUNK, width, Number(columns)] as const;
  const gathered = reference.classGather(bytes, parted);
  const shared = { data: `${columns ? "columns" : "rows"} of ${width}`, bytes: CHUNK };
  const prepare = () => {
    put(plain, bytes);
    put(mapAt, parted.map);
    put(lists, gathered);
    put(starts, new Uint8Array(first.buffer));
  };
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
      run: () => run.classGather(plain, ...way, mapAt, starts, lists, work),
      check: () => mustEqual(take(lists, CHUNK), gathered, "classGather"),
    },
    {
      ...shared,
      name: "classScatter",
      prepare,
      run: () => run.classScatter(lists, ...way, mapAt, starts, back, work),
      check: () => mustEqual(take(back, CHUNK), bytes, "classScatter"),
    },
  ];
}

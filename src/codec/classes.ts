import { demand } from "../errors.ts";
import type { Kernels } from "../kernels.ts";
import { readSimple } from "./entropy.ts";
import { bestSimple } from "./mask.ts";
import { chooseClasses, MOST_CLASSES, type Partition } from "./partition.ts";
import { type Candidate, fileOffset, HEADER_BYTES, type Place, STEPS, within, writeCandidate } from "./stream.ts";

// Bytes in rows whose rows or columns differ to a classes payload and back (docs/FORMAT.md): a class for each, and a stream for each class.

const HEAD_BYTES = 4;
const COLUMNS = 128;

/**
 * Measures n >= 1 bytes at src, in rows of one of the widths; undefined if there is nothing to gain. Spoils arena.symbols and arena.values,
 * and again when it is written.
 */
export function measureClasses(
  kernels: Kernels,
  src: number,
  n: number,
  widths: readonly number[],
): Candidate | undefined {
  const partition = chooseClasses(kernels.bytes().slice(src, src + n), widths);
  if (!partition) return undefined;
  const { columns, classes, width } = partition;
  const parts = partsOf(kernels, src, n, partition);
  const bytes = parts.reduce((sum, part) => sum + HEADER_BYTES + part.bytes, HEAD_BYTES);
  const steps = parts.reduce((sum, part) => sum + part.steps, (columns ? STEPS.classColumn : STEPS.classRow) * n);
  const write = (dst: number): number => {
    kernels.view().setUint32(dst, width | ((classes | (columns ? COLUMNS : 0)) << 24), true);
    let end = dst + HEAD_BYTES;
    // Another candidate's symbols may lie in the arena by now.
    for (const part of partsOf(kernels, src, n, partition)) end += writeCandidate(kernels, part, end).bytes;
    return end - dst;
  };
  return { code: "classes", bytes, steps, write };
}

// The map and the lists of the classes, gathered and measured.
function partsOf(kernels: Kernels, src: number, n: number, partition: Partition): Candidate[] {
  const { map, width, columns } = partition;
  const { symbols, values, scratch, work } = kernels.arena(0, "encode");
  kernels.bytes().set(map, symbols);
  const counts = startsOf(kernels, partition, n, symbols, scratch);
  kernels.run.classGather(src, n, width, Number(columns), symbols, scratch, values, work);
  const lists = counts.map(({ start, count }) => bestSimple(kernels, values + start, count, 0));
  return [bestSimple(kernels, symbols, map.length, 0), ...lists];
}

// Where the list of each class begins, also as eight u32 at `starts`.
function startsOf(
  kernels: Kernels,
  { width, columns, classes }: Omit<Partition, "map">,
  n: number,
  map: number,
  starts: number,
): { start: number; count: number }[] {
  const status = kernels.run.classCounts(map, n, width, Number(columns), classes, starts);
  if (status < 0) return [];
  const view = kernels.view();
  let start = 0;
  return Array.from({ length: MOST_CLASSES }, (_, k) => {
    const count = view.getUint32(starts + 4 * k, true);
    view.setUint32(starts + 4 * k, start, true);
    start += count;
    return { start: start - count, count };
  }).slice(0, classes);
}

/** Reads the payload of `size` bytes at `at` into n >= 1 bytes at dst. @throws FormatError */
export function readClasses(kernels: Kernels, at: number, size: number, n: number, dst: number, place: Place): void {
  const arena = kernels.arena(0, "decode");
  const end = at + size;
  const map = readMap(kernels, at, end, n, arena.symbols, place);
  let next = map.next;
  map.counts.forEach(({ start, count }, k) => {
    next = readSimple(kernels, next, end, count, arena.values + start, within(place, `class ${k}`));
  });
  const rest = end - next;
  demand(
    rest === 0,
    "trailing",
    fileOffset(place, arena, next),
    place.field,
    "the end of the classes",
    `${rest} bytes`,
  );
  // The streams may have used the scratch.
  map.counts.forEach(({ start }, k) => void kernels.view().setUint32(arena.scratch + 4 * k, start, true));
  const { width, columns } = map;
  kernels.run.classScatter(arena.values, n, width, Number(columns), arena.symbols, arena.scratch, dst, arena.work);
}

/** Reads the head of a payload and its map, to `into`; `next` is where the streams of the classes begin. @throws FormatError */
export function readMap(kernels: Kernels, at: number, end: number, n: number, into: number, place: Place) {
  const arena = kernels.arena(0, "decode");
  const offset = fileOffset(place, arena, at);
  const named = (name: string) => `${place.field}, ${name}`;
  demand(end - at >= HEAD_BYTES, "truncated", offset, named("classes header"), `${HEAD_BYTES} bytes`, end - at);
  const word = kernels.view().getUint32(at, true);
  const width = word & 0xffffff;
  const columns = word >>> 31 === 1;
  const classes = (word >>> 24) & (COLUMNS - 1);
  demand(width >= 1 && width <= n, "width", offset, named("row width"), `1..${n}`, width);
  const known = classes >= 2 && classes <= MOST_CLASSES;
  demand(known, "classes", offset + 3, named("count of classes"), `2..${MOST_CLASSES}`, classes);
  const entries = columns ? width : Math.ceil(n / width);
  const next = readSimple(kernels, at + HEAD_BYTES, end, entries, into, within(place, "classes of rows"));
  const counts = startsOf(kernels, { width, columns, classes }, n, into, arena.scratch);
  const field = named("classes of rows");
  demand(counts.length > 0, "symbol", offset + HEAD_BYTES, field, `below ${classes}`, "a larger one");
  return { width, columns, entries, counts, next };
}

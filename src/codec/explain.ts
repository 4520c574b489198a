import type { Kernels } from "../kernels.ts";
import { readMap } from "./classes.ts";
import { readSimple } from "./entropy.ts";
import { chunkShape, type Layout } from "./layout.ts";
import { blocksOf, TABLE } from "./pivot.ts";
import { BYTES, type Content, SCALES } from "./planes.ts";
import { CODE_NAMES, type CodeName, HEADER_BYTES, LAMBDA, type Place, readHeader, STEPS, within } from "./stream.ts";
import { contentOf, decodeChunk } from "./tensor.ts";
import { HEAD_BYTES } from "./tokens.ts";

// What the streams of a chunk are and what decoding them costs, found by decoding them. For people, not for the read path.

/** A stream, and those inside it. */
export interface StreamReport {
  readonly part: string;
  readonly code: CodeName;
  /** Bytes decoded. */
  readonly decoded: number;
  /** Bytes stored, with the header. */
  readonly stored: number;
  /** Steps of decoding, with those of the streams inside. A step is the merge of a byte. */
  readonly steps: number;
  /** stored + LAMBDA * steps: what `auto` looks at, in bytes. */
  readonly cost: number;
  readonly inside: readonly StreamReport[];
}

interface Where {
  readonly kernels: Kernels;
  readonly place: Place;
  readonly end: number;
}

/** The streams of the chunk whose bytes lie at arena.stored. @throws FormatError */
export function explainChunk(
  kernels: Kernels,
  layout: Layout,
  index: number,
  size: number,
  place: Place,
): StreamReport[] {
  // The walk below takes for granted what this checks.
  decodeChunk(kernels, layout, index, size, place);
  const shape = chunkShape(layout, index);
  const arena = kernels.arena(shape.room, "decode");
  const where = { kernels, place, end: arena.stored + size };
  const parts: [name: string, n: number, content: Content][] = [];
  if (layout.smooth) parts.push(["factors", shape.factorBytes, SCALES]);
  if (layout.quantize) parts.push(["scales", shape.scaleBytes, SCALES]);
  if (layout.quantize?.asymmetric) parts.push(["zero points", shape.zeroBytes, BYTES]);
  parts.push([layout.quantize ? "codes" : "elements", shape.codeBytes, contentOf(layout, shape)]);
  let at = arena.stored;
  return parts.map(([name, n, content]) => {
    const report = explain(where, at, n, content, name);
    at += report.stored;
    return report;
  });
}

function explain(where: Where, at: number, n: number, content: Content, part: string): StreamReport {
  const { kernels, end, place } = where;
  const { code, size } = readHeader(kernels, at, end, CODE_NAMES, within(place, part));
  const payload = at + HEADER_BYTES;
  const inside = insideOf({ ...where, end: payload + size }, code, payload, n, content);
  const own = ownSteps({ ...where, end: payload + size }, code, payload, n, inside);
  const steps = inside.reduce((sum, stream) => sum + stream.steps, own);
  const stored = HEADER_BYTES + size;
  return { part, code, decoded: n, stored, steps, cost: stored + LAMBDA * steps, inside };
}

function insideOf(where: Where, code: CodeName, at: number, n: number, content: Content): StreamReport[] {
  const { kernels, place, end } = where;
  const view = kernels.view();
  if (code === "planes") {
    const { width } = content;
    let next = at;
    return Array.from({ length: width }, (_, k) => {
      const report = explain(where, next, n / width, BYTES, `plane ${k}`);
      next += report.stored;
      return report;
    });
  }
  if (code === "zrl") return [explain(where, at + HEAD_BYTES, view.getUint32(at + 3, true) >>> 8, BYTES, "symbols")];
  if (code === "classes") return classesInside(where, at, n);
  if (code !== "mask") return [];
  const { mask } = kernels.arena(0, "decode");
  const first = explain(where, at, Math.ceil(n / 8), BYTES, "mask");
  readSimple(kernels, at, end, Math.ceil(n / 8), mask, within(place, "mask"));
  return [first, explain(where, at + first.stored, kernels.run.maskCount(mask, n), BYTES, "kept bytes")];
}

function classesInside(where: Where, at: number, n: number): StreamReport[] {
  const { kernels } = where;
  const { symbols } = kernels.arena(0, "decode");
  const { width, columns, entries, counts } = readMap(kernels, at, where.end, n, symbols, where.place);
  let next = at + 4;
  const report = (count: number, name: string): StreamReport => {
    const found = explain(where, next, count, BYTES, name);
    next += found.stored;
    return found;
  };
  return [
    report(entries, `classes of ${columns ? "columns" : "rows"} of ${width}`),
    ...counts.map(({ count }, k) => report(count, `class ${k}`)),
  ];
}

function ownSteps(
  { kernels, end }: Where,
  code: CodeName,
  at: number,
  n: number,
  inside: readonly StreamReport[],
): number {
  if (code === "pivot") return pivotSteps(kernels, at, end, n);
  if (code === "zrl") return STEPS.zrlSymbol * (inside[0]?.decoded ?? 0) + STEPS.zrlByte * n;
  if (code === "mask") return STEPS.maskByte * n;
  if (code === "classes") return (kernels.bytes()[at + 3] as number) & 128 ? STEPS.classColumn * n : STEPS.classRow * n;
  return STEPS[code === "planes" ? "plane" : code] * n;
}

function pivotSteps(kernels: Kernels, at: number, end: number, n: number): number {
  const { run } = kernels;
  const { work, plain } = kernels.arena(0, "decode");
  let steps = 0;
  for (const { start, count } of blocksOf(n)) {
    const kind = kernels.bytes()[at] as number;
    at += run.pivotBlock(at, end - at, count, start === 0 ? 1 : 0, plain, work);
    steps += kind < TABLE ? STEPS.raw * count : run.blockSteps(work);
  }
  return steps;
}

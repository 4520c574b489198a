import { elementCount } from "../src/tensor.ts";
import * as reference from "./reference.ts";

// What a whole tensor must become under the formats of other software: which elements share a scale is told by their coordinates.

export interface ExpectedFormat {
  readonly codes: Int8Array<ArrayBuffer>;
  /** f16 are widened. */
  readonly scales: Float32Array;
  readonly zeroPoints: Int8Array | null;
  readonly minima: Float32Array | null;
  readonly back: Float32Array;
}

/** For each element its scale; scales count up in the order in which coordinates first meet them, outermost first. */
export function scaleIndices(shape: readonly number[], text: string): number[] {
  const n = elementCount(shape);
  const every = (size: number) => Array.from({ length: n }, (_, i) => Math.floor(i / size));
  const [, per, group, axis] = /(tensor|channel|group)(?: (\d+))?(?: axis (-?\d+))?/.exec(text) ?? [];
  if (/^q/.test(text)) return every(32);
  if (/^nf4/.test(text)) return every(Number(group));
  if (/^nbits4/.test(text)) return inLines(n, shape.length > 1 ? n / shape[0] : n, Number(group));
  if (axis === undefined) return every(per === "tensor" ? n : per === "group" ? Number(group) : n / (shape[0] ?? 1));
  const k = Number(axis) < 0 ? shape.length + Number(axis) : Number(axis);
  const inner = elementCount(shape.slice(k + 1));
  const blocks = per === "group" ? Math.ceil(shape[k] / Number(group)) : shape[k];
  return Array.from({ length: n }, (_, i) => {
    const at = Math.floor(i / inner) % shape[k];
    if (per === "channel") return at;
    const outer = Math.floor(i / (inner * shape[k]));
    return (outer * blocks + Math.floor(at / Number(group))) * inner + (i % inner);
  });
}

function inLines(n: number, line: number, group: number): number[] {
  const each = Math.ceil(line / group);
  return Array.from({ length: n }, (_, i) => Math.floor(i / line) * each + Math.floor((i % line) / group));
}

/** What the printed step makes of the values. */
export function formatTwin(values: Float32Array, shape: readonly number[], text: string): ExpectedFormat {
  const indices = scaleIndices(shape, text);
  const groups: number[][] = [];
  indices.forEach((scale, i) => {
    groups[scale] ??= [];
    groups[scale].push(i);
  });
  const codes = new Int8Array(values.length);
  const back = new Float32Array(values.length);
  const [scales, minima] = [new Float32Array(groups.length), new Float32Array(groups.length)];
  const zeros = new Int8Array(groups.length);
  groups.forEach((members, g) => {
    const part = groupTwin(
      Float32Array.from(members, (i) => values[i]),
      text,
    );
    [scales[g], minima[g], zeros[g]] = [part.scale, part.minimum, part.zero];
    members.forEach((i, k) => {
      codes[i] = part.codes[k];
      back[i] = part.back[k];
    });
  });
  const asymmetric = text.startsWith("uint8") || text.includes("asymmetric");
  return {
    codes,
    scales,
    zeroPoints: asymmetric ? zeros : null,
    minima: text.startsWith("q4_1") ? minima : null,
    back,
  };
}

function groupTwin(x: Float32Array, text: string) {
  const n = x.length;
  const [format] = text.split(" ");
  if (format === "q8_0" || format === "q4_0" || format === "q4_1") {
    const blocks = reference.quantizeBlocks(format, x);
    const [scale, minimum] = [reference.fromHalf(blocks.scales[0]), reference.fromHalf(blocks.minima[0])];
    return { scale, minimum, zero: 0, codes: blocks.codes, back: reference.dequantizeBlocks(format, blocks) };
  }
  const pairs = reference.range(x, 1, n);
  if (format === "nf4") {
    const scales = Float32Array.of(Math.max(-pairs[0], pairs[1]));
    const codes = reference.quantizeNormal(x, 1, n, scales);
    return { scale: scales[0], minimum: 0, zero: 0, codes, back: reference.dequantizeNormal(codes, 1, n, scales) };
  }
  const asymmetric = format === "uint8" || text.includes("asymmetric");
  const bits = format.endsWith("4") ? 4 : 8;
  const nbits = format === "nbits4";
  const { scales, zeroPoints } = nbits
    ? reference.blockScales(pairs, asymmetric)
    : reference.scales(pairs, { bits, asymmetric, unsigned: format === "uint8" });
  const zeros = asymmetric ? zeroPoints : undefined;
  const half = 2 ** (bits - 1);
  const codes = nbits
    ? reference.quantizeAway(x, 1, n, scales, zeros)
    : reference.quantize(x, 1, n, scales, zeros, asymmetric ? -half : 1 - half, half - 1);
  const back = reference.dequantize(codes, 1, n, scales, zeros);
  return { scale: scales[0], minimum: 0, zero: zeros?.[0] ?? 0, codes, back };
}

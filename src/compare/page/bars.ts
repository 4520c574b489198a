import { all, element, type Markup, nameOf } from "../../page/markup.ts";
import { bitsText, bytesText, legend, shapeText, snrText, tableOf } from "../../page/words.ts";
import type { Comparison, TensorEqual, TensorFigures } from "../comparison.ts";

// Where the bytes of a file go: a bar for each tensor, the largest first.

/** Tensors with a bar of their own. */
const ROWS = 40;

const KINDS = [
  ["bar-codes", "codes with their tables"],
  ["bar-scales", "scales"],
  ["bar-kept", "tensors kept without loss"],
  ["bar-header", "header: names, shapes, hashes"],
] as const;

interface Row {
  readonly name: string | Markup;
  readonly what: string;
  readonly bits: string;
  readonly snr: string;
  /** Bytes by kind, which is a class of the style sheet. */
  readonly parts: readonly (readonly [kind: string, bytes: number])[];
}

/** The bars of the file that is as good as the reference; null if there is none. */
export function byteBars({ tensors, headerBytes, reference }: Comparison): Markup | null {
  if (reference === null) return null;
  const followed = tensors.flatMap((tensor) => (tensor.equal ? [{ ...tensor, equal: tensor.equal }] : []));
  const coded = followed.filter(({ quantized }) => quantized).sort((a, b) => b.equal.bytes - a.equal.bytes);
  const kept = followed.filter(({ quantized }) => !quantized);
  const rows = coded.slice(0, ROWS).map(rowOf);
  const more = coded.slice(ROWS);
  if (more.length > 0) rows.push(sumRow(`${more.length} smaller tensors`, more, "codes"));
  if (kept.length > 0) rows.push(sumRow(`${kept.length} tensors without loss`, kept, "kept"));
  rows.push({ name: "header of the file", what: "", bits: "", snr: "", parts: [["header", headerBytes]] });
  const most = Math.max(...rows.map(bytesOfRow), 1);
  const cells = rows.map((row) => [
    row.name,
    bytesText(bytesOfRow(row)),
    barOf(row, most),
    row.bits,
    row.snr,
    row.what,
  ]);
  const head = ["tensor", "bytes", "", "bits per weight", "SNR, dB", "shape"];
  return all([tableOf("Bytes by tensor", head, cells), legend(KINDS)]);
}

type Followed = TensorFigures & { readonly equal: TensorEqual };

function rowOf({ name, shape, equal: { bytes, codes, bits, snr } }: Followed): Row {
  const parts = [
    ["codes", codes],
    ["scales", bytes - codes],
  ] as const;
  return { name: nameOf(name), what: shapeText(shape), bits: bitsText(bits), snr: snrText(snr), parts };
}

function sumRow(name: string, tensors: readonly Followed[], kind: string): Row {
  const bytes = tensors.reduce((sum, { equal }) => sum + equal.bytes, 0);
  const codes = kind === "codes" ? tensors.reduce((sum, { equal }) => sum + equal.codes, 0) : bytes;
  const elements = tensors.reduce((sum, tensor) => sum + tensor.elements, 0);
  const bits = elements === 0 ? "" : bitsText((8 * bytes) / elements);
  const parts = [
    [kind, codes],
    ["scales", bytes - codes],
  ] as const;
  return { name, what: "", bits, snr: "", parts };
}

function bytesOfRow({ parts }: Row): number {
  return parts.reduce((sum, [, bytes]) => sum + bytes, 0);
}

function barOf({ parts }: Row, most: number): Markup {
  let x = 0;
  const rects = parts.map(([kind, bytes]) => {
    const width = (1000 * bytes) / most;
    x += width;
    const title = element("title", {}, `${kind}: ${bytesText(bytes)} bytes`);
    return element("g", {}, title, element("rect", { x: x - width, y: 0, width, height: 10, class: `bar-${kind}` }));
  });
  const label = parts.map(([kind, bytes]) => `${kind} ${bytesText(bytes)} bytes`).join(", ");
  const attributes = { viewBox: "0 0 1000 10", preserveAspectRatio: "none", role: "img", "aria-label": label };
  return element("svg", { ...attributes, class: "bar" }, ...rects);
}

import { scaleLinear } from "d3-scale";
import type { Evaluation } from "../evaluate/evaluate.ts";
import { all, element, type Markup } from "../page/markup.ts";
import { bytesText, section, tableOf } from "../page/words.ts";
import { isTold, type Told, toldFigures } from "./figures.ts";
import { across } from "./scale.ts";

// The model as a whole, before and after: its bytes, and what its outputs are worth.

export interface Bytes {
  readonly before: number;
  readonly after: number;
}

/** Figures that are drawn over one axis. */
const AXES = [
  ["top1Original", "top1Compressed"],
  ["top5Original", "top5Compressed"],
  ["top1Change", "top5Change"],
  ["perplexityOriginal", "perplexityCompressed"],
] as const;
const CHANGES: readonly string[] = AXES[2];

export function beforeAfter(bytes: Bytes | undefined, evaluation: Evaluation | undefined): Markup | null {
  if (!bytes && !evaluation) return null;
  return section(
    "before",
    "Before and after",
    bytes ? byteBars(bytes) : null,
    evaluation ? figureTable(evaluation) : null,
  );
}

function byteBars(bytes: Bytes): Markup {
  const most = Math.max(bytes.before, bytes.after, 1);
  const rows = (["before", "after"] as const).map((when) => {
    const width = across(bytes[when] / most);
    const rect = element("rect", { x: 0, y: "12%", width, height: "76%", class: when, rx: 2 });
    const label = `${bytesText(bytes[when])} bytes ${when}`;
    return [when, bytesText(bytes[when]), element("svg", { class: "bar", role: "img", "aria-label": label }, rect)];
  });
  return tableOf("Bytes of the files", ["files", "bytes", "share"], rows);
}

function figureTable({ figures, samples, notFinite, kind }: Evaluation): Markup {
  const told = toldFigures(figures);
  const rows = told.map((one) => [one.label, one.value, rangeOf(one, told), one.interval.replace("..", "–")]);
  const caption = `Outputs as ${kind}, over ${bytesText(samples)} samples`;
  const trouble =
    notFinite > 0
      ? element("p", { class: "trouble" }, `Samples with outputs that are not finite: ${bytesText(notFinite)}.`)
      : null;
  if (rows.length === 0) return all([trouble, element("p", {}, `${caption}: there are no figures.`)]);
  return all([trouble, tableOf(caption, ["figure", "value", "drawn", "95 % interval"], rows)]);
}

/** A figure with its interval, beside the others of its axis. */
function rangeOf({ name, value, interval, figure }: Told, told: readonly Told[]): string | Markup {
  const axis = AXES.find((names) => names.some((one) => one === name));
  if (!axis || !isTold(figure.value)) return "";
  const ends = told
    .filter((one) => axis.some((other) => other === one.name))
    .flatMap((one) => [one.figure.value, one.figure.low, one.figure.high])
    .filter(isTold);
  if (CHANGES.includes(name)) ends.push(0);
  const [low, high] = [Math.min(...ends), Math.max(...ends)];
  const room = high > low ? 0.08 * (high - low) : Math.abs(high) || 1;
  const at = scaleLinear([low - room, high + room], [0, 1]);
  const place = (x: number): string => across(at(x));
  const { low: from, high: to } = figure;
  const zero = { x1: place(0), x2: place(0), y1: 0, y2: "100%", class: "zero" };
  const middle = { y1: "50%", y2: "50%", class: "whisker" };
  return element(
    "svg",
    {
      class: "bar range",
      role: "img",
      "aria-label": interval ? `${value}, from ${interval.replace("..", "to")}` : value,
    },
    CHANGES.includes(name) ? element("line", zero) : null,
    isTold(from) && isTold(to) ? element("line", { x1: place(from), x2: place(to), ...middle }) : null,
    element("circle", {
      cx: place(figure.value),
      cy: "50%",
      r: 4.5,
      class: name.endsWith("Original") ? "dot-before" : "dot",
    }),
  );
}

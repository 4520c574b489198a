import { scaleLinear } from "d3-scale";
import { line } from "d3-shape";
import { all, element, type Markup } from "../page/markup.ts";
import { isTold } from "./figures.ts";

const [WIDTH, HEIGHT] = [360, 210];
const PLOT = { left: 46, right: 350, top: 12, bottom: 172 };

export interface Curve {
  readonly title: string;
  /** Before the first epoch, and after each. Those that are no numbers are left out. */
  readonly values: readonly number[];
  /** Index of the value that is taken. */
  readonly best: number;
  /** What there was before. */
  readonly original: number | undefined;
  readonly format: (x: number) => string;
}

/** A curve over epochs, and the one that is taken. */
export function curve({ title, values, best, original, format }: Curve): Markup {
  const sound = [...values, original].filter(isTold);
  const low = sound.reduce((a, b) => Math.min(a, b), Number.POSITIVE_INFINITY);
  const high = sound.reduce((a, b) => Math.max(a, b), Number.NEGATIVE_INFINITY);
  const domain = sound.length === 0 ? [0, 1] : high > low ? [low, high] : [low - 0.5, high + 0.5];
  const x = scaleLinear([0, Math.max(values.length - 1, 1)], [PLOT.left, PLOT.right]);
  const y = scaleLinear(domain, [PLOT.bottom, PLOT.top]).nice(4);
  const draw = line<number>(
    (_, i) => x(i),
    (value) => y(value),
  )
    .defined(isTold)
    .digits(1);
  const chosen = values[best];
  const label = `${title} by epoch, ${values.length - 1} epochs, the best is ${best}; the table has the numbers`;
  const svg = element(
    "svg",
    { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, role: "img", "aria-label": label },
    ...y.ticks(4).map((tick) => yTick(y(tick), format(tick))),
    ...x
      .ticks(6)
      .filter(Number.isInteger)
      .map((tick) => {
        return element("text", { x: x(tick), y: PLOT.bottom + 18, "text-anchor": "middle" }, `${tick}`);
      }),
    element("text", { x: (PLOT.left + PLOT.right) / 2, y: HEIGHT - 4, "text-anchor": "middle" }, "epoch"),
    isTold(original) ? level(y(original)) : null,
    element("line", { x1: x(best), x2: x(best), y1: PLOT.top, y2: PLOT.bottom, class: "zero" }),
    element("path", { d: draw(values) ?? "", class: "curve" }),
    values.length > 30 ? null : all(values.map((value, i) => mark(x(i), y(value), 2.5, "dot"))),
    chosen === undefined ? null : mark(x(best), y(chosen), 7, "ring"),
    bestLabel(x(best), y(chosen ?? 0), best),
  );
  return element("figure", {}, element("figcaption", {}, title), svg);
}

function yTick(y: number, text: string): Markup {
  return all([
    element("line", { x1: PLOT.left, x2: PLOT.right, y1: y, y2: y, class: "grid" }),
    element("text", { x: PLOT.left - 5, y: y + 4, "text-anchor": "end" }, text),
  ]);
}

function level(y: number): Markup {
  return element("line", { x1: PLOT.left, x2: PLOT.right, y1: y, y2: y, class: "level" });
}

function mark(x: number, y: number, r: number, kind: string): Markup | null {
  return isTold(y) ? element("circle", { cx: x, cy: y, r, class: kind }) : null;
}

/** Where the curve, which is at (x, y), is not. */
function bestLabel(x: number, y: number, best: number): Markup {
  const left = x > (PLOT.left + PLOT.right) / 2;
  const low = y > (PLOT.top + PLOT.bottom) / 2;
  const at = {
    x: left ? x - 6 : x + 6,
    y: low ? PLOT.top + 14 : PLOT.bottom - 6,
    "text-anchor": left ? "end" : "start",
    class: "label",
  };
  return element("text", at, best === 0 ? "taken: before" : `taken: epoch ${best}`);
}

import { type ScaleLinear, scaleLinear } from "d3-scale";
import { curveMonotoneX, line } from "d3-shape";
import { all, element, type Markup } from "../../page/markup.ts";
import { bitsText, bytesText, legend, scrolled, snrText } from "../../page/words.ts";
import type { Comparison, Figures } from "../comparison.ts";
import { placeLabels } from "./labels.ts";

// Rate against distortion: bits per weight to the right, dB upwards.

const [WIDTH, HEIGHT] = [760, 460];
const MARGIN = { left: 52, right: 16, top: 12, bottom: 46 };
const RIGHT = WIDTH - MARGIN.right;
const BOTTOM = HEIGHT - MARGIN.bottom;

interface Scales {
  readonly x: ScaleLinear<number, number>;
  readonly y: ScaleLinear<number, number>;
}

/** The plot, or null where there is no point of a finite error. */
export function ratePlot({ curve, formats }: Comparison): Markup | null {
  const ours = curve.filter(isLossy);
  const others = formats.flatMap(({ label, own, same, equal }) => {
    return own && isLossy(own) ? [{ label, own, same, equal: equal && isLossy(equal) ? equal : null }] : [];
  });
  const points = [...ours, ...others.flatMap(({ own, same, equal }) => [own, same, equal])].filter((p) => p !== null);
  if (points.length === 0) return null;
  const scales = scalesFor(points);
  const spots = others.map(({ label, own }) => ({ ...at(scales, own), text: label }));
  const labels = placeLabels(spots, RIGHT).flatMap(({ x, y, text, from }) => [
    element("line", { x1: from.x, y1: from.y, x2: x - 4, y2: y, class: "leader" }),
    element("text", { x, y: y + 4, class: "label" }, text),
  ]);
  const svg = element(
    "svg",
    {
      viewBox: `0 0 ${WIDTH} ${HEIGHT}`,
      role: "img",
      "aria-label": `Signal-to-noise ratio by bits per weight: a curve of ${ours.length} .quern files, and ${others.length} other formats. The table below has the figures.`,
      class: "plot",
    },
    axes(scales),
    ...others.map(({ own, equal }) => (equal ? gap(scales, own, equal) : null)),
    ...labels,
    curveLine(scales, ours),
    ...ours.map((point) => dot(scales, point, "ours", 4, "quern, budget")),
    ...others.flatMap(({ label, own, same, equal }) => [
      same && dot(scales, same, "same", 4, `codes of ${label} in a .quern file`),
      equal && dot(scales, equal, "equal", 4, `quern, error of ${label} or less`),
      dot(scales, own, "other", 6, label),
    ]),
  );
  return scrolled("Rate-distortion plot", svg);
}

function isLossy({ snr }: Figures): boolean {
  return Number.isFinite(snr);
}

function scalesFor(points: readonly Figures[]): Scales {
  const snrs = points.map(({ snr }) => snr);
  const most = Math.max(...points.map(({ bits }) => bits));
  const x = scaleLinear([0, most * 1.15], [MARGIN.left, RIGHT]).nice();
  const y = scaleLinear([Math.min(...snrs) - 2, Math.max(...snrs) + 2], [BOTTOM, MARGIN.top]).nice();
  return { x, y };
}

function at({ x, y }: Scales, { bits, snr }: Figures): { x: number; y: number } {
  return { x: x(bits), y: y(snr) };
}

function axes({ x, y }: Scales): Markup {
  const xs = x.ticks(9).map((tick) => {
    return all([
      element("line", { x1: x(tick), x2: x(tick), y1: MARGIN.top, y2: BOTTOM, class: "grid" }),
      element("text", { x: x(tick), y: BOTTOM + 17, "text-anchor": "middle" }, `${tick}`),
    ]);
  });
  const ys = y.ticks(7).map((tick) => {
    return all([
      element("line", { x1: MARGIN.left, x2: RIGHT, y1: y(tick), y2: y(tick), class: "grid" }),
      element("text", { x: MARGIN.left - 7, y: y(tick) + 4, "text-anchor": "end" }, `${tick}`),
    ]);
  });
  const middle = (MARGIN.top + BOTTOM) / 2;
  return all([
    ...xs,
    ...ys,
    element(
      "text",
      { x: (MARGIN.left + RIGHT) / 2, y: HEIGHT - 8, "text-anchor": "middle" },
      "bits per weight, whole file",
    ),
    element("text", { transform: `translate(13 ${middle}) rotate(-90)`, "text-anchor": "middle" }, "SNR in dB"),
  ]);
}

function curveLine(scales: Scales, ours: readonly Figures[]): Markup | null {
  const draw = line<Figures>(
    (point) => at(scales, point).x,
    (point) => at(scales, point).y,
  )
    .curve(curveMonotoneX)
    .digits(1);
  const d = draw(ours);
  return d === null ? null : element("path", { d, class: "curve" });
}

function dot(scales: Scales, point: Figures, kind: string, r: number, what: string): Markup {
  const { x, y } = at(scales, point);
  const figures = `${bitsText(point.bits)} bits per weight, ${snrText(point.snr)} dB, ${bytesText(point.bytes)} bytes`;
  const title = element("title", {}, `${what}: ${figures}`);
  return element("g", {}, title, element("circle", { cx: x, cy: y, r, class: kind }));
}

// From a format to the file that is as good: what is saved.
function gap(scales: Scales, own: Figures, equal: Figures): Markup {
  const [from, to] = [at(scales, own), at(scales, equal)];
  return element("line", { x1: from.x, y1: from.y, x2: to.x, y2: to.y, class: "gap" });
}

/** What the marks of the plot mean. */
export function plotLegend(): Markup {
  return legend([
    ["ours", "quern under a budget (curve)"],
    ["other", "another format's own file"],
    ["same", "its codes in a .quern file"],
    ["equal", "quern with no more error than it on any tensor"],
  ]);
}

import { scaleLinear } from "d3-scale";
import { line } from "d3-shape";
import { all, element, type Markup } from "../page/markup.ts";
import { section, tableOf } from "../page/words.ts";
import type { Score } from "../tune/score.ts";
import type { TuneResult } from "../tune/tune.ts";
import { isTold, shareText } from "./figures.ts";

// How tuning went: what each epoch made of the validation samples.

export type ReportedTuning = Pick<TuneResult, "scores" | "best" | "early">;

const [WIDTH, HEIGHT] = [360, 210];
const PLOT = { left: 46, right: 350, top: 12, bottom: 172 };
/** Epochs in the table, about. */
const ROWS = 100;

const loss = (x: number): string => (isTold(x) ? x.toFixed(4) : "–");

export function tuningOf({ scores, best, early }: ReportedTuning): Markup {
  const [first, chosen] = [scores[0], scores[best]];
  if (!first || !chosen) return section("tuning", "Tuning", element("p", {}, "No epoch was measured."));
  const words = `Accuracy on the validation samples went from ${shareText(first.accuracy)} to ${shareText(chosen.accuracy)}, their loss from ${loss(first.loss)} to ${loss(chosen.loss)} nats: epoch ${best} of ${scores.length - 1} is taken${early ? ", and tuning ended early" : ""}.`;
  return section(
    "tuning",
    "Tuning",
    element("p", {}, words),
    element(
      "div",
      { class: "curves" },
      curve(
        "loss, nats",
        scores.map((score) => score.loss),
        best,
        (x) => `${x}`,
      ),
      curve(
        "accuracy",
        scores.map(({ accuracy }) => accuracy),
        best,
        (x) => `${Number((100 * x).toPrecision(4))} %`,
      ),
    ),
    element("details", {}, element("summary", {}, "Every epoch as a table"), scoreTable(scores, best)),
  );
}

function scoreTable(scores: readonly Score[], best: number): Markup {
  const each = Math.ceil(scores.length / ROWS);
  const shown = scores.flatMap((score, epoch) => {
    const name = epoch === 0 ? "before" : `${epoch}`;
    const row = [epoch === best ? `${name}, taken` : name, loss(score.loss), shareText(score.accuracy)];
    return epoch % each === 0 || epoch === best || epoch === scores.length - 1 ? [row] : [];
  });
  return tableOf("Scores on the validation samples", ["epoch", "loss, nats", "accuracy"], shown);
}

function curve(title: string, values: readonly number[], best: number, format: (x: number) => string): Markup {
  const sound = values.filter(isTold);
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

import type { Interval } from "../../latency/interval.ts";
import { element, type Markup, nameOf } from "../../page/markup.ts";
import { section, tableOf } from "../../page/words.ts";
import { isTold } from "../figures.ts";
import { markOf } from "./marks.ts";
import { numberOf, type Point, pointsOf, type ReportedChoice, soundOf } from "./points.ts";
import { spanOf } from "./span.ts";
import { clipped, rangeText, sizeText, timeText } from "./words.ts";

// What was predicted of models, beside what came of them.

interface Pair {
  readonly point: Point;
  readonly predicted: Interval;
  readonly measured: Interval;
}

const SIDE = 240;
const PLOT = { left: 52, right: 230, top: 10, bottom: 188 };
/** Trials in the table: the answer, then those that meet the limits, the best for the goal first. */
const FINALISTS = 10;

export function checkedOf(choice: ReportedChoice): Markup | null {
  const points = pointsOf(choice);
  const expected = new Map((choice.expected ?? []).map((one) => [one.plan, one]));
  const own = new Map((choice.measured ?? []).map((one) => [one.plan, one]));
  const kinds = [
    {
      ...{ name: "bytes of the file", text: sizeText },
      of: (point: Point) => [exactly(expected.get(point.plan)?.bytes), exactly(point.bytes)] as const,
    },
    { name: "time of a run", text: timeText, of: (point: Point) => [point.latency, point.measured] as const },
    {
      ...{ name: "time of loading", text: timeText },
      of: (point: Point) => [point.load, soundOf(own.get(point.plan)?.load)] as const,
    },
  ]
    .map((kind): Kind => ({ ...kind, pairs: pairsOf(points, kind.of) }))
    .filter(({ pairs }) => pairs.length > 0);
  if (kinds.length === 0) return null;
  const timed = kinds.some(({ name }) => name === "time of a run");
  const without = !timed ? " Times were not measured here: their intervals are what the table tells." : "";
  const errors = kinds.map(({ name, pairs }) => `${name} ${withinText(pairs)}`).join(", ");
  return section(
    "checked",
    "Predicted and measured",
    element("p", {}, `Of the models that were run: ${errors}.${without}`),
    tableOf(
      "Finalists",
      ["plan", ...kinds.flatMap(({ name }) => [name, "measured", "off by"])],
      rowsOf(points, kinds, choice.goal),
    ),
    element("div", { class: "identities" }, ...kinds.map(({ name, pairs, text }) => identity(name, pairs, text))),
  );
}

interface Kind {
  readonly name: string;
  readonly text: (amount: number) => string;
  readonly of: (point: Point) => readonly [predicted: Interval | null, measured: Interval | null];
  readonly pairs: readonly Pair[];
}

function rowsOf(points: readonly Point[], kinds: readonly Kind[], goal: ReportedChoice["goal"]): (string | Markup)[][] {
  const amount = ({ latency, bytes, load }: Point): number =>
    (goal === "latency" ? latency?.ms : goal === "load" ? load?.ms : bytes) ?? Number.MAX_VALUE;
  const finalists = [...points]
    .sort((a, b) => rankOf(b) - rankOf(a) || amount(a) - amount(b) || a.number - b.number)
    .slice(0, FINALISTS);
  return finalists.map((point) => [
    element("span", {}, `${point.number}. `, nameOf(clipped(point.plan)), point.taken ? " ✓ answer" : ""),
    ...kinds.flatMap(({ pairs, of, text }) => {
      const pair = pairs.find((one) => one.point === point);
      const predicted = of(point)[0];
      const shown = predicted === null ? "–" : text === sizeText ? sizeText(predicted.ms) : rangeText(predicted);
      return pair ? [shown, text(pair.measured.ms), errorText(errorOf(pair), true)] : [shown, "–", "–"];
    }),
  ]);
}

function rankOf({ taken, ok }: Point): number {
  return taken ? 2 : ok ? 1 : 0;
}

function pairsOf(points: readonly Point[], of: Kind["of"]): Pair[] {
  return points.flatMap((point) => {
    const [predicted, measured] = of(point);
    return predicted && measured && predicted.ms > 0 && measured.ms > 0 ? [{ point, predicted, measured }] : [];
  });
}

function exactly(amount: number | null | undefined): Interval | null {
  const ms = numberOf(amount);
  return ms === null ? null : { ms, low: ms, high: ms };
}

/** By what was measured. */
function errorOf({ predicted, measured }: Pair): number {
  return predicted.ms / measured.ms - 1;
}

function worstOf(pairs: readonly Pair[]): number {
  return pairs.reduce((most, pair) => Math.max(most, Math.abs(errorOf(pair))), 0);
}

function withinText(pairs: readonly Pair[]): string {
  const worst = worstOf(pairs);
  return worst === 0 ? "exactly as predicted" : `within ${errorText(worst)}`;
}

function errorText(error: number, signed = false): string {
  const percent = Math.abs(100 * error);
  if (!isTold(percent)) return "–";
  if (error === 0) return "exact";
  if (percent < 0.01) return "< 0.01 %";
  return `${signed ? (error < 0 ? "−" : "+") : ""}${Number(percent.toPrecision(2))} %`;
}

/** On the line what was predicted came true. */
function identity(name: string, pairs: readonly Pair[], text: Kind["text"]): Markup {
  const { left, right, top, bottom } = PLOT;
  const amounts = pairs.flatMap(({ predicted, measured }) => [predicted.low, predicted.high, measured.ms]);
  const [x, y] = [spanOf(amounts, [left, right]), spanOf(amounts, [bottom, top])];
  const whiskers = pairs.map(({ predicted, measured }) => {
    const at = x.at(measured.ms).toFixed(1);
    return predicted.low < predicted.high
      ? `M${at} ${y.at(predicted.low).toFixed(1)}V${y.at(predicted.high).toFixed(1)}`
      : "";
  });
  const ticks = x.ticks.length > 3 ? [x.ticks[0] as number, x.ticks.at(-1) as number] : x.ticks;
  const texts = ticks.flatMap((tick) => {
    const half = 3.2 * text(tick).length;
    const middle = Math.min(x.at(tick), SIDE - half - 2);
    return [
      element("text", { x: middle, y: bottom + 15, "text-anchor": "middle" }, text(tick)),
      element("text", { x: left - 5, y: y.at(tick) + 4, "text-anchor": "end" }, text(tick)),
    ];
  });
  const grid = ticks.map(
    (tick) => `M${x.at(tick).toFixed(1)} ${top}V${bottom}M${left} ${y.at(tick).toFixed(1)}H${right}`,
  );
  const label = `${name}: predicted upwards, measured to the right, ${pairs.length} models; ${withinText(pairs)}`;
  const svg = element(
    "svg",
    { viewBox: `0 0 ${SIDE} ${bottom + 36}`, role: "img", "aria-label": label },
    element("path", { d: grid.join(""), class: "grid" }),
    element("line", { x1: left, y1: bottom, x2: right, y2: top, class: "zero" }),
    element("path", { d: whiskers.join(""), class: "whiskers" }),
    ...pairs.map(({ point, predicted, measured }) =>
      markOf(point.from, { x: x.at(measured.ms), y: y.at(predicted.ms) }, 4, point.ok),
    ),
    ...texts,
    element("text", { x: (left + right) / 2, y: bottom + 31, "text-anchor": "middle" }, "measured"),
  );
  return element("figure", {}, element("figcaption", {}, `${name}, predicted (upwards) and measured`), svg);
}

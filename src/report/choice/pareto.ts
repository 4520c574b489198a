import { curveStepAfter, line } from "d3-shape";
import type { Interval } from "../../latency/interval.ts";
import { all, element, type Markup } from "../../page/markup.ts";
import { axesOf, type Frame, frameOf, LEFT, RIGHT, WIDTH } from "./frame.ts";
import { type Box, boxAround, placeLabels, type Spot, spotsAround, type Wanted } from "./labels.ts";
import { markOf, type Place } from "./marks.ts";
import { frontOf, type Point, type Waiting } from "./points.ts";
import { type Span, spanOf } from "./span.ts";
import { clipped, lossText } from "./words.ts";

// What models lose, over what they cost.

export interface Cost {
  /** Below the drawing. */
  readonly title: string;
  readonly of: (one: Pick<Waiting, "bytes" | "latency">) => Interval | null;
  /** Of a point, where it was measured. */
  readonly measured: (point: Point) => Interval | null;
  readonly text: (amount: number) => string;
  readonly limit: number | null;
}

export interface Drawn {
  readonly points: readonly Point[];
  readonly waiting: readonly Waiting[];
  /** Of losses. */
  readonly limit: number | null;
}

interface Plot extends Drawn {
  readonly cost: Cost;
  readonly frame: Frame;
  readonly span: Span;
}

/** Marks are smaller where there are more of them. */
const MANY = 60;
/** What costs so many times less or more than all that was run is far from it. */
const REACH = 2;
/** Points of the front with numbers. */
const NUMBERED = 12;

export function paretoPlot({ points, waiting, limit }: Drawn, cost: Cost): Markup {
  const shown = points.filter((point) => cost.of(point) !== null);
  const aside = waiting.filter((one) => cost.of(one) !== null);
  const frame = frameOf(
    shown.map(({ loss }) => loss),
    limit,
    aside.length > 0,
  );
  const span = focused(cost, shown, aside);
  const plot = { points: shown, waiting: aside, limit, cost, frame, span };
  const r = shown.length > MANY ? 2.5 : 4;
  const last = shown.filter(({ taken }) => taken);
  const label = `Loss by ${cost.title}: ${shown.length} models that were run, and ${aside.length} candidates that were not; the table of trials has the figures`;
  const ticks = { title: cost.title, at: span.ticks.map((tick) => ({ x: span.at(tick), text: cost.text(tick) })) };
  const svg = element(
    "svg",
    { viewBox: `0 0 ${WIDTH} ${frame.height}`, role: "img", "aria-label": label },
    axesOf(frame, ticks),
    limits(plot),
    waitingOf(plot),
    element("path", { d: whiskers(plot), class: shown.length > MANY ? "whiskers faint-lines" : "whiskers" }),
    frontLine(plot),
    ...shown.filter(({ taken }) => !taken).map((point) => drawn(plot, point, r)),
    ...last.map((point) => drawn(plot, point, Math.max(r, 4))),
    labels(plot, r),
  );
  return element("figure", {}, element("figcaption", {}, `loss by ${cost.title}`), svg);
}

/** The models that were run, and of limits and others those that are not far from them: what is far would leave no room. */
function focused(cost: Cost, shown: readonly Point[], waiting: readonly Waiting[]): Span {
  const ends = (interval: Interval | null): number[] => (interval ? [interval.low, interval.ms, interval.high] : []);
  const run = shown.flatMap((point) => [...ends(cost.of(point)), ...ends(cost.measured(point))]).filter((x) => x > 0);
  const others = [...(cost.limit === null ? [] : [cost.limit]), ...waiting.map((one) => cost.of(one)?.ms ?? 0)];
  if (run.length === 0) return spanOf(others, [LEFT, RIGHT]);
  const [low, high] = [run.reduce((a, b) => Math.min(a, b)) / REACH, run.reduce((a, b) => Math.max(a, b)) * REACH];
  return spanOf([...run, ...others.filter((x) => x >= low && x <= high)], [LEFT, RIGHT]);
}

function placeOf({ span, frame, cost }: Plot, point: Point): Place {
  return { x: span.at(cost.of(point)?.ms ?? 0), y: frame.y(point.loss) };
}

function drawn(plot: Plot, point: Point, r: number): Markup {
  const { cost, span } = plot;
  const place = placeOf(plot, point);
  const measured = cost.measured(point);
  const amount = cost.of(point)?.ms ?? 0;
  const words = `${point.number}. ${clipped(point.plan, 100)}: loss ${lossText(point.loss)}, ${cost.text(amount)}`;
  const x = measured && span.at(measured.ms);
  return element(
    "g",
    {},
    element("title", {}, measured ? `${words}, measured ${cost.text(measured.ms)}` : words),
    x === null ? null : element("rect", { x: x - r, y: place.y - r, width: 2 * r, height: 2 * r, class: "measured" }),
    markOf(point.from, place, r, point.ok),
    point.taken ? element("circle", { cx: place.x, cy: place.y, r: r + 4, class: "ring" }) : null,
  );
}

/** From end to end of what is predicted, and of what was measured. */
function whiskers(plot: Plot): string {
  const { points, cost, span } = plot;
  return points
    .flatMap((point) => [cost.of(point), cost.measured(point)].map((interval) => ({ point, interval })))
    .map(({ point, interval }) => {
      if (!interval || interval.low === interval.high) return "";
      const [from, to] = [span.at(interval.low), span.at(interval.high)];
      return `M${from.toFixed(1)} ${placeOf(plot, point).y.toFixed(1)}H${to.toFixed(1)}`;
    })
    .join("");
}

function frontLine(plot: Plot): Markup | null {
  const front = frontOf(plot.points, (point) => plot.cost.of(point)?.ms ?? null);
  if (front.length < 2) return null;
  const draw = line<Point>(
    (point) => placeOf(plot, point).x,
    (point) => placeOf(plot, point).y,
  )
    .curve(curveStepAfter)
    .digits(1);
  return element("path", { d: draw(front) ?? "", class: "front" });
}

function limits({ frame, span, cost, limit }: Plot): Markup {
  const x = cost.limit === null || !span.holds(cost.limit) ? null : span.at(cost.limit);
  const y = limit === null || limit <= 0 ? null : frame.y(limit);
  return all([
    x === null ? null : element("line", { x1: x, x2: x, y1: frame.top, y2: frame.bottom, class: "level" }),
    y === null ? null : element("line", { x1: LEFT, x2: RIGHT, y1: y, y2: y, class: "level" }),
  ]);
}

function waitingOf({ waiting, frame, span, cost }: Plot): Markup | null {
  if (frame.waiting === null) return null;
  const y = frame.waiting;
  const amounts = waiting.map((one) => ({ ...one, ms: (cost.of(one) as Interval).ms }));
  const marks = amounts
    .filter(({ ms }) => span.holds(ms))
    .map(({ plan, ms }) => {
      const title = element("title", {}, `not run: ${clipped(plan, 100)}: ${cost.text(ms)}`);
      const d = `M${span.at(ms).toFixed(1)} ${y - 6}v12`;
      return element("g", {}, title, element("path", { d, class: "waiting" }));
    });
  const beyond = amounts.filter(({ ms }) => !span.holds(ms)).map(({ ms }) => span.at(ms) > (LEFT + RIGHT) / 2);
  const [more, less] = [beyond.filter((is) => is).length, beyond.filter((is) => !is).length];
  const count = (x: number, anchor: string, text: string): Markup =>
    element("text", { x, y: y + 4, "text-anchor": anchor, class: "number" }, text);
  return all([
    ...marks,
    less > 0 ? count(LEFT + 3, "start", `← ${less}`) : null,
    more > 0 ? count(RIGHT - 2, "end", `${more} →`) : null,
  ]);
}

function labels(plot: Plot, r: number): Markup {
  const { points, frame } = plot;
  const row = frame.waiting === null ? [] : [{ ...boxAround({ x: 0, y: frame.waiting }, 11), right: RIGHT }];
  const marks = [...row, ...limitLines(plot), ...points.flatMap((point) => inTheWay(plot, point, r))];
  const wanted = [...answerLabel(plot, r), ...limitLabels(plot), ...frontLabels(plot, r)];
  const found = placeLabels(wanted, marks, { left: LEFT, top: 2, right: RIGHT, bottom: frame.height - 40 });
  const texts = found.map(({ x, y, anchor, text, kind }) =>
    element("text", { x, y: y + 4, "text-anchor": anchor, class: kind }, text),
  );
  return all(texts);
}

function limitLines({ frame, cost, span, limit }: Plot): Box[] {
  const { top, bottom } = frame;
  const x = cost.limit === null || !span.holds(cost.limit) ? null : span.at(cost.limit);
  const y = limit === null || limit <= 0 ? null : frame.y(limit);
  return [
    ...(x === null ? [] : [{ left: x - 1, right: x + 1, top, bottom }]),
    ...(y === null ? [] : [{ left: LEFT, right: RIGHT, top: y - 1, bottom: y + 1 }]),
  ];
}

/** A mark, that of what was measured, and their intervals. */
function inTheWay(plot: Plot, point: Point, r: number): Box[] {
  const { y, ...place } = placeOf(plot, point);
  const measured = plot.cost.measured(point);
  const lines = [plot.cost.of(point), measured].flatMap((interval): Box[] => {
    const [left, right] = interval ? [plot.span.at(interval.low), plot.span.at(interval.high)] : [0, 0];
    return right > left ? [{ left, right, top: y - 1, bottom: y + 1 }] : [];
  });
  const marks = [boxAround({ ...place, y }, point.taken ? r + 4 : r)];
  if (measured) marks.push(boxAround({ x: plot.span.at(measured.ms), y }, r));
  return [...marks, ...lines];
}

function answerLabel(plot: Plot, r: number): Wanted[] {
  const taken = plot.points.filter((point) => point.taken);
  return taken.map((point) => {
    return { text: "answer", spots: spotsAround(placeOf(plot, point), r + 5, false), needed: true, kind: "label" };
  });
}

/** Down its line, or along it. */
function limitLabels({ frame, cost, span, limit }: Plot): Wanted[] {
  const wanted: Wanted[] = [];
  if (cost.limit !== null && !span.holds(cost.limit)) {
    const [x, anchor] =
      span.at(cost.limit) > (LEFT + RIGHT) / 2 ? ([RIGHT - 2, "end"] as const) : ([LEFT + 4, "start"] as const);
    const text = `≤ ${cost.text(cost.limit)}`;
    const spots = [8, 22, 36, 50, 160].map((down): Spot => ({ x, y: frame.top + down, anchor }));
    wanted.push({ text: anchor === "end" ? `${text} →` : `← ${text}`, spots, needed: true, kind: "limit" });
  } else if (cost.limit !== null) {
    const x = span.at(cost.limit);
    const spots = [8, 22, 36, 50, 160].flatMap((down): Spot[] => [
      { x: x - 4, y: frame.top + down, anchor: "end" },
      { x: x + 4, y: frame.top + down, anchor: "start" },
    ]);
    wanted.push({ text: `≤ ${cost.text(cost.limit)}`, spots, needed: true, kind: "limit" });
  }
  if (limit !== null && limit > 0) {
    const spots = [-8, 9].flatMap((down): Spot[] => [
      { x: RIGHT - 2, y: frame.y(limit) + down, anchor: "end" },
      { x: LEFT + 4, y: frame.y(limit) + down, anchor: "start" },
      { x: (LEFT + RIGHT) / 2, y: frame.y(limit) + down, anchor: "middle" },
    ]);
    wanted.push({ text: `≤ ${lossText(limit)}`, spots, needed: true, kind: "limit" });
  }
  return wanted;
}

function frontLabels(plot: Plot, r: number): Wanted[] {
  const front = frontOf(plot.points, (point) => plot.cost.of(point)?.ms ?? null).filter(({ taken }) => !taken);
  const each = Math.ceil(front.length / NUMBERED);
  const some = front.filter((_, i) => i % each === 0);
  return some.map((point) => {
    return {
      text: `${point.number}`,
      spots: spotsAround(placeOf(plot, point), r, true),
      needed: false,
      kind: "number",
    };
  });
}

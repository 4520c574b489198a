import { all, element, type Markup } from "../../page/markup.ts";
import { logScale } from "../scale.ts";
import type { Place } from "./marks.ts";
import { lossText } from "./words.ts";

// The frame of a plot of losses: rows for losses that no logarithm has, and for candidates whose loss is not known, around the ones that it has.

export const WIDTH = 360;
export const LEFT = 48;
export const RIGHT = 352;
const [TOP, PLOT, ROW, AXIS] = [16, 196, 22, 40];
/** Of losses, at most. */
const DECADES = 6;
/** Between the ends of the scale and those of the plot. */
const ROOM = 8;

export interface Frame {
  readonly top: number;
  readonly bottom: number;
  readonly height: number;
  /** Of losses; null: not finite. */
  y(loss: number | null): number;
  readonly ticks: readonly { readonly y: number; readonly text: string }[];
  /** Rows beside the plot, by their middle. */
  readonly rows: readonly { readonly y: number; readonly text: string }[];
  /** The middle of the row of those that were not run; null: there are none. */
  readonly waiting: number | null;
}

/** @param limit - of losses, which has its place, too */
export function frameOf(losses: readonly (number | null)[], limit: number | null, hasWaiting: boolean): Frame {
  const finite = losses.filter((loss) => loss !== null);
  const scale = logScale([...finite, limit ?? 0], DECADES, false);
  const top = TOP + (losses.includes(null) ? ROW : 0);
  const bottom = top + PLOT;
  const hasExact = finite.some((loss) => loss <= 0);
  const exact = bottom + ROW / 2;
  const waiting = hasWaiting ? bottom + (hasExact ? ROW : 0) + ROW / 2 : null;
  const y = (loss: number): number => bottom - ROOM - (PLOT - 2 * ROOM) * scale.at(loss);
  return {
    ...{ top, bottom, waiting },
    height: bottom + (hasExact ? ROW : 0) + (hasWaiting ? ROW : 0) + AXIS,
    y: (loss) => (loss === null ? top - ROW / 2 : loss <= 0 ? exact : y(loss)),
    ticks: scale.ticks.map((tick) => ({ y: y(tick), text: lossText(tick) })),
    rows: [
      ...(losses.includes(null) ? [{ y: top - ROW / 2, text: "infinite" }] : []),
      ...(hasExact ? [{ y: exact, text: "0 %" }] : []),
      ...(waiting === null ? [] : [{ y: waiting, text: "not run" }]),
    ],
  };
}

export interface Ticks {
  readonly title: string;
  readonly at: readonly { readonly x: number; readonly text: string }[];
}

export function axesOf({ top, bottom, height, ticks, rows }: Frame, across: Ticks): Markup {
  const floor = height - AXIS;
  const lines = ticks.map(({ y }) => `M${LEFT} ${y.toFixed(1)}H${RIGHT}`);
  const columns = across.at.map(({ x }) => `M${x.toFixed(1)} ${top}V${floor}`);
  const parts = rows.map(({ y }) => (y < top ? top : y - ROW / 2)).map((y) => `M${LEFT} ${y.toFixed(1)}H${RIGHT}`);
  return all([
    element("path", { d: [...lines, ...columns].join(""), class: "grid" }),
    element("path", { d: `M${LEFT} ${bottom}H${RIGHT}M${LEFT} ${floor}H${RIGHT}${parts.join("")}`, class: "rows" }),
    element(
      "g",
      { class: "values" },
      ...[...ticks, ...rows].map(({ y, text }) => element("text", { x: LEFT - 5, y: y + 4 }, text)),
    ),
    ...across.at.map(({ x, text }) => tickText({ x, y: floor + 15 }, text)),
    element("text", { x: (LEFT + RIGHT) / 2, y: height - 6, "text-anchor": "middle" }, across.title),
  ]);
}

/** Below its line, but within the drawing. */
function tickText({ x, y }: Place, text: string): Markup {
  const half = 3.2 * text.length;
  const near = Math.min(Math.max(x, half + 2), WIDTH - half - 2);
  return element("text", { x: near, y, "text-anchor": "middle" }, text);
}

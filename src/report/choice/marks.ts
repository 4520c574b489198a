import { all, element, type Markup } from "../../page/markup.ts";
import type { Point } from "./points.ts";

// Marks of models in drawings: how they came about by shape and colour, whether limits are met by what is inside.

const SHAPES = {
  /** A circle. */
  space: null,
  refined: "m0 -1.3l1.3 1.3l-1.3 1.3l-1.3 -1.3z",
  tuned: "m0 -1.3l1.25 2.2h-2.5z",
} as const;

export interface Place {
  readonly x: number;
  readonly y: number;
}

export function markOf(from: Point["from"], { x, y }: Place, r: number, ok: boolean): Markup {
  const kind = `mark mark-${from}${ok ? "" : " hollow"}`;
  const shape = SHAPES[from];
  if (shape === null) return element("circle", { cx: x, cy: y, r, class: kind });
  const d = shape.replace(/-?\d+(\.\d+)?/g, (number) => `${Number((Number(number) * r).toFixed(1))}`);
  return element("path", { d: `M${x.toFixed(1)} ${y.toFixed(1)}${d}`, class: kind });
}

const WORDS: readonly (readonly [from: Point["from"], words: string])[] = [
  ["space", "as it was proposed"],
  ["refined", "refined, tensor by tensor"],
  ["tuned", "with trained weights"],
];

interface Kinds {
  readonly waiting: boolean;
  readonly measured: boolean;
  readonly front: boolean;
}

/** What marks mean, of those that there are. */
export function marksLegend(points: readonly Point[], { waiting, measured, front }: Kinds): Markup {
  const middle = { x: 8, y: 8 };
  const own = WORDS.filter(([from]) => points.some((point) => point.from === from)).map(
    ([from, words]) => [markOf(from, middle, 4.5, true), words] as const,
  );
  const missing = points.find(({ ok }) => !ok);
  const entries: (readonly [Markup, string] | null)[] = [
    ...own,
    missing ? [markOf(missing.from, middle, 4.5, false), "hollow: misses a limit"] : null,
    points.some(({ taken }) => taken)
      ? [element("circle", { cx: 8, cy: 8, r: 6.5, class: "ring" }), "the answer"]
      : null,
    front
      ? [element("path", { d: "M0 4h8v8h8", class: "front" }), "front: nothing loses less and costs no more"]
      : null,
    measured ? [element("rect", { x: 3.5, y: 3.5, width: 9, height: 9, class: "measured" }), "measured time"] : null,
    waiting
      ? [element("path", { d: "M8 2v12", class: "waiting" }), "priced, and not run: its loss is not known"]
      : null,
    [element("path", { d: "M0 8h16", class: "level" }), "limit"],
  ];
  const items = entries.flatMap((entry) => {
    if (entry === null) return [];
    const svg = element("svg", { viewBox: "0 0 16 16", "aria-hidden": "true", class: "key" }, entry[0]);
    return [element("li", {}, svg, entry[1])];
  });
  return element("ul", { class: "legend" }, all(items));
}

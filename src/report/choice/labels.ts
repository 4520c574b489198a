import type { Place } from "./marks.ts";

// Labels of a drawing where nothing else is.

export interface Box {
  readonly left: number;
  readonly top: number;
  readonly right: number;
  readonly bottom: number;
}

/** Where a label may stand: its end at x, the middle of its line at y. */
export interface Spot {
  readonly x: number;
  readonly y: number;
  readonly anchor: "start" | "middle" | "end";
}

export interface Wanted {
  readonly text: string;
  /** The best first. */
  readonly spots: readonly Spot[];
  /** Whether it is written where there is no room, too: over as little as can be. */
  readonly needed: boolean;
  readonly kind: string;
}

export interface Label extends Spot {
  readonly text: string;
  readonly kind: string;
}

/** Of a character of 11 pixels in a wide font, bold, and of a line. */
const [WIDTH, HEIGHT] = [8, 13];

/**
 * Labels that overlap neither each other nor what is in the way, as far as they are not needed. Those that are wanted first have the choice.
 * @param all - where the drawing ends
 */
export function placeLabels(wanted: readonly Wanted[], inTheWay: readonly Box[], all: Box): Label[] {
  const taken: Box[] = [];
  const labels: Label[] = [];
  for (const { text, spots, needed, kind } of wanted) {
    const places = spots.map((spot) => ({ spot, box: boxOf(spot, text) })).filter(({ box }) => isWithin(box, all));
    const cost = (box: Box): number => 4 * covered(box, taken) + covered(box, inTheWay);
    const free = places.find(({ box }) => cost(box) === 0);
    const least = needed
      ? places.reduce((a, b) => (cost(b.box) < cost(a.box) ? b : a), places[0] as Choice)
      : undefined;
    const place = free ?? least;
    if (!place) continue;
    taken.push(place.box);
    labels.push({ ...place.spot, text, kind });
  }
  return labels;
}

interface Choice {
  readonly spot: Spot;
  readonly box: Box;
}

type Around = readonly (readonly [right: number, down: number, anchor: Spot["anchor"]])[];

const BESIDE: Around = [
  [1, 0, "start"],
  [-1, 0, "end"],
  [0, -1, "middle"],
  [0, 1, "middle"],
];
const ASLANT: Around = [
  [-0.6, 1, "end"],
  [0.6, -1, "start"],
  [0.6, 1, "start"],
  [-0.6, -1, "end"],
];

/** Around a mark, near it and then farther away. @param aslant - first where no line to the side or up and down is */
export function spotsAround({ x, y }: Place, r: number, aslant: boolean): Spot[] {
  const around = aslant ? [...ASLANT, ...BESIDE] : [...BESIDE, ...ASLANT];
  return [r + 3, r + 12, r + 22].flatMap((far) =>
    around.map(([right, down, anchor]): Spot => {
      return { x: x + right * far, y: y + down * (far + HEIGHT / 2 - 2), anchor };
    }),
  );
}

export function boxAround({ x, y }: Place, r: number): Box {
  return { left: x - r, right: x + r, top: y - r, bottom: y + r };
}

function boxOf({ x, y, anchor }: Spot, text: string): Box {
  const width = WIDTH * [...text].length;
  const left = anchor === "start" ? x : anchor === "end" ? x - width : x - width / 2;
  return { left, right: left + width, top: y - HEIGHT / 2, bottom: y + HEIGHT / 2 };
}

function isWithin(box: Box, all: Box): boolean {
  return box.left >= all.left && box.right <= all.right && box.top >= all.top && box.bottom <= all.bottom;
}

function covered(box: Box, others: readonly Box[]): number {
  return others.reduce((sum, other) => {
    const wide = Math.min(box.right, other.right) - Math.max(box.left, other.left);
    const high = Math.min(box.bottom, other.bottom) - Math.max(box.top, other.top);
    return wide > 0 && high > 0 ? sum + wide * high : sum;
  }, 0);
}

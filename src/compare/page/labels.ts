// Labels beside points, so that none covers another or a point.

export interface Spot {
  readonly x: number;
  readonly y: number;
  readonly text: string;
}

export interface Label extends Spot {
  readonly anchor: "start" | "middle" | "end";
}

interface Box {
  readonly left: number;
  readonly top: number;
  readonly right: number;
  readonly bottom: number;
}

/** Of a character, about, in a font of 13 units; and of a line. */
const [WIDTH, HEIGHT] = [7, 14];
const GAP = 9;
const RADIUS = 6;

/**
 * The first of eight places around its point where a label covers nothing; else the one that covers least.
 * @param others - points to keep clear of
 * @param right - where the drawing ends
 */
export function placeLabels(
  spots: readonly Spot[],
  others: readonly { x: number; y: number }[],
  right: number,
): Label[] {
  const taken = [...spots, ...others].map(({ x, y }): Box => boxAround(x, y));
  return spots.map((spot) => {
    const places = candidates(spot).map((label) => ({ label, box: boxOf(label) }));
    const costs = places.map(({ box }) => {
      const outside = Math.max(box.right - right, 0) * HEIGHT * 10;
      return taken.reduce((sum, other) => sum + overlap(box, other), outside);
    });
    const best = places[costs.indexOf(Math.min(...costs))] as (typeof places)[number];
    taken.push(best.box);
    return best.label;
  });
}

function candidates({ x, y, text }: Spot): Label[] {
  const middle = y + HEIGHT / 3;
  const [above, below] = [y - GAP, y + GAP + HEIGHT / 2 + 3];
  return [
    { x: x + GAP, y: middle, text, anchor: "start" },
    { x: x + GAP, y: below, text, anchor: "start" },
    { x, y: below + 3, text, anchor: "middle" },
    { x: x + GAP, y: above + 3, text, anchor: "start" },
    { x, y: above - 3, text, anchor: "middle" },
    { x: x - GAP, y: middle, text, anchor: "end" },
    { x: x - GAP, y: below, text, anchor: "end" },
    { x: x + GAP, y: below + HEIGHT, text, anchor: "start" },
  ];
}

function boxAround(x: number, y: number): Box {
  return { left: x - RADIUS, right: x + RADIUS, top: y - RADIUS, bottom: y + RADIUS };
}

function boxOf({ x, y, text, anchor }: Label): Box {
  const width = WIDTH * text.length;
  const left = anchor === "start" ? x : anchor === "end" ? x - width : x - width / 2;
  return { left, right: left + width, top: y - HEIGHT * 0.8, bottom: y + HEIGHT * 0.2 };
}

function overlap(a: Box, b: Box): number {
  const width = Math.min(a.right, b.right) - Math.max(a.left, b.left);
  const height = Math.min(a.bottom, b.bottom) - Math.max(a.top, b.top);
  return width > 0 && height > 0 ? width * height : 0;
}

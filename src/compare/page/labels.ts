// Labels beside points: to the right of those that lie close together, one below the other.

export interface Spot {
  readonly x: number;
  readonly y: number;
  readonly text: string;
}

/** A label that begins at (x, y), its point at (from.x, from.y). */
export interface Label extends Spot {
  readonly from: { readonly x: number; readonly y: number };
}

interface Cluster {
  readonly spots: readonly Spot[];
  /** Of the middle of its labels. */
  readonly y: number;
}

const LINE = 16;
const GAP = 24;
/** Of a character, about. */
const WIDTH = 7.5;

/** Labels in the order of their points from the top. @param right - where the drawing ends */
export function placeLabels(spots: readonly Spot[], right: number): Label[] {
  return clustersOf(spots).flatMap((cluster) => {
    const widest = Math.max(...cluster.spots.map(({ text }) => WIDTH * text.length));
    const x = Math.min(Math.max(...cluster.spots.map((spot) => spot.x)) + GAP, right - widest);
    const top = topOf(cluster);
    return cluster.spots.map((from, i) => ({ x, y: top + (i + 0.5) * LINE, text: from.text, from }));
  });
}

function topOf({ spots, y }: Cluster): number {
  return y - (spots.length * LINE) / 2;
}

// Points whose labels would overlap become one cluster, until none do.
function clustersOf(spots: readonly Spot[]): Cluster[] {
  const clusters: Cluster[] = [];
  for (const spot of [...spots].sort((a, b) => a.y - b.y)) {
    let last: Cluster = { spots: [spot], y: spot.y };
    for (let before = clusters.at(-1); before && bottomOf(before) > topOf(last); before = clusters.at(-1)) {
      clusters.pop();
      const all = [...before.spots, ...last.spots];
      last = { spots: all, y: all.reduce((sum, { y }) => sum + y, 0) / all.length };
    }
    clusters.push(last);
  }
  return clusters;
}

function bottomOf(cluster: Cluster): number {
  return topOf(cluster) + cluster.spots.length * LINE;
}

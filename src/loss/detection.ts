import { argument, DataError } from "../errors.ts";
import type { Detections, Loss, LossOptions } from "./loss.ts";
import { sampleSums } from "./sums.ts";

/** What a box of the original is matched with. */
interface Pair {
  readonly a: number;
  readonly b: number;
  readonly iou: number;
}

/**
 * Loss of boxes. Boxes of a class are matched first, greedily, those with the largest IoU (intersection over union) before others; then those that are left,
 * whatever their class. `classAgreement`: share of pairs with one class; `iou`: its mean over these; `score`: mean |difference of scores| over all pairs;
 * `lost` and `added`: boxes for each sample that only the original, or only the compressed has; `quality`: panoptic quality (Kirillov et al., 2019) with
 * the original as the truth, 1 where nothing changed; `change`: 1 - quality, the one to make small.
 */
export function detectionLoss(options: LossOptions = {}): Loss {
  const { iou: least = 0.5 } = options;
  argument(least > 0 && least <= 1, "iou", "a number above 0, at most 1", least);
  const sums = sampleSums(7, options);
  let notFinite = 0;
  return {
    add({ detections }) {
      if (!detections) throw new DataError("detection needs boxes, scores and classes");
      const { original, compressed } = detections;
      if (original.length !== compressed.length)
        throw new DataError(`${original.length} samples before and ${compressed.length} after cannot be compared`);
      original.forEach((a, n) => {
        const b = compressed[n] as Detections;
        if (![a, b].every(isFiniteAll)) notFinite++;
        sums.add(sampleRow(a, b, least));
      });
    },
    report() {
      const quality = ([, same = 0, other = 0, iou = 0, , lost = 0, added = 0]: Float64Array): number => {
        const all = same + other + (lost + added) / 2;
        return all === 0 ? 1 : iou / all;
      };
      const figures = sums.figures({
        classAgreement: ([, same = 0, other = 0]) => same / (same + other),
        iou: ([, same = 0, , iou = 0]) => iou / same,
        score: ([, same = 0, other = 0, , score = 0]) => score / (same + other),
        lost: ([n = 0, , , , , lost = 0]) => lost / n,
        added: ([n = 0, , , , , , added = 0]) => added / n,
        quality: (all) => (all[0] === 0 ? Number.NaN : quality(all)),
        change: (all) => (all[0] === 0 ? Number.NaN : 1 - quality(all)),
      });
      return { kind: "detection", samples: sums.samples, notFinite, loss: figures.change, figures };
    },
  };
}

function isFiniteAll({ boxes, scores }: Detections): boolean {
  return boxes.every(Number.isFinite) && scores.every(Number.isFinite);
}

// The sample, pairs of one class and of two, sum of IoU of the first, of differences of scores, boxes that only one has.
function sampleRow(a: Detections, b: Detections, least: number): number[] {
  const [countA, countB] = [a, b].map(countOf) as [number, number];
  const same = matched(a, b, least, (i, j) => a.classes[i] === b.classes[j]);
  const [usedA, usedB] = [new Set(same.map((pair) => pair.a)), new Set(same.map((pair) => pair.b))];
  const other = matched(a, b, least, (i, j) => !usedA.has(i) && !usedB.has(j));
  const pairs = [...same, ...other];
  const iou = same.reduce((sum, pair) => sum + pair.iou, 0);
  const score = pairs.reduce(
    (sum, pair) => sum + Math.abs((a.scores[pair.a] as number) - (b.scores[pair.b] as number)),
    0,
  );
  return [1, same.length, other.length, iou, score, countA - pairs.length, countB - pairs.length];
}

function countOf({ boxes, scores, classes }: Detections): number {
  if (boxes.length === 4 * scores.length && scores.length === classes.length) return scores.length;
  throw new DataError(
    `${boxes.length / 4} boxes, ${scores.length} scores and ${classes.length} classes do not belong together`,
  );
}

function matched(a: Detections, b: Detections, least: number, may: (i: number, j: number) => boolean): Pair[] {
  const pairs: Pair[] = [];
  for (let i = 0; i < a.scores.length; i++) {
    for (let j = 0; j < b.scores.length; j++) {
      if (!may(i, j)) continue;
      const iou = overlap(a.boxes, 4 * i, b.boxes, 4 * j);
      if (iou >= least) pairs.push({ a: i, b: j, iou });
    }
  }
  // Of equal ones those that stand first: sort is stable.
  pairs.sort((x, y) => y.iou - x.iou);
  const [usedA, usedB] = [new Set<number>(), new Set<number>()];
  return pairs.filter((pair) => {
    if (usedA.has(pair.a) || usedB.has(pair.b)) return false;
    usedA.add(pair.a);
    usedB.add(pair.b);
    return true;
  });
}

/** Intersection over union; 0 for boxes without area, or that are not numbers. */
function overlap(a: Float32Array, i: number, b: Float32Array, j: number): number {
  const at = (k: number): [number, number] => [a[i + k] as number, b[j + k] as number];
  const width = Math.max(0, Math.min(...at(2)) - Math.max(...at(0)));
  const height = Math.max(0, Math.min(...at(3)) - Math.max(...at(1)));
  const area = (c: Float32Array, k: number): number =>
    Math.max(0, (c[k + 2] as number) - (c[k] as number)) * Math.max(0, (c[k + 3] as number) - (c[k + 1] as number));
  const shared = width * height;
  const union = area(a, i) + area(b, j) - shared;
  return shared > 0 && union > 0 ? shared / union : 0;
}

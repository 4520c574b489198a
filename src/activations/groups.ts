import { argument } from "../errors.ts";

// Channels in groups by the range of their values, so that each group can have a coefficient of its own.

/**
 * "one": all alike. "threshold": normal ones, and outliers, whose range is at least three times the median. "bands": outliers by how often four
 * goes into their range by that limit. "clusters": what lies close in the logarithm of the range.
 */
export type GroupRule = "one" | "threshold" | "bands" | "clusters";

export interface Grouping {
  readonly rule: GroupRule;
  /** Of each channel. Groups have rising ranges. */
  readonly groups: Uint8Array;
  /** Geometric mean of the ranges in each group, by the median of all. */
  readonly magnitudes: readonly number[];
}

/** A channel is an outlier from this many medians on. */
export const OUTLIER = 3;
const BAND = 4;
/** Ranges below this count as this: see smoothFactors. */
const LEAST = 1e-5;

/**
 * @param maxima - range of each channel: its largest magnitude
 * @param most - groups, at least 2
 */
export function groupChannels(maxima: Float32Array, rule: GroupRule, most = 4): Grouping {
  argument(Number.isInteger(most) && most >= 2 && most <= 256, "groups", "2..256", most);
  const logs = Float64Array.from(maxima, (x) => Math.log2(Math.max(x, LEAST)));
  const middle = median(logs);
  return compact(rule, labels(rule, logs, middle, most), logs, middle);
}

function labels(rule: GroupRule, logs: Float64Array, middle: number, most: number): Uint8Array {
  const from = middle + Math.log2(OUTLIER);
  if (rule === "one") return new Uint8Array(logs.length);
  if (rule === "threshold") return Uint8Array.from(logs, (x) => (x >= from ? 1 : 0));
  if (rule === "clusters") return clusters(logs, most);
  return Uint8Array.from(logs, (x) =>
    x < from ? 0 : Math.min(1 + Math.floor((x - from) / Math.log2(BAND)), most - 1),
  );
}

function median(values: Float64Array): number {
  const sorted = values.slice().sort();
  const half = sorted.length >> 1;
  if (sorted.length === 0) return 0;
  return sorted.length % 2 === 1
    ? (sorted[half] as number)
    : ((sorted[half - 1] as number) + (sorted[half] as number)) / 2;
}

// Groups that nothing is in go.
function compact(rule: GroupRule, found: Uint8Array, logs: Float64Array, middle: number): Grouping {
  const used = [...new Set(found)].sort((a, b) => a - b);
  const groups = found.map((label) => used.indexOf(label));
  const magnitudes = used.map((_, group) => {
    const own = logs.filter((_, i) => groups[i] === group);
    return 2 ** (own.reduce((sum, x) => sum + x, 0) / own.length - middle);
  });
  return { rule, groups, magnitudes };
}

/**
 * The division of a line into at most `most` intervals with the least sum of squares around their means, each but the first saving at least a
 * tenth of the sum: by dynamic programming over the sorted points (W. D. Fisher, "On Grouping for Maximum Homogeneity", 1958).
 */
function clusters(points: Float64Array, most: number): Uint8Array {
  const order = Uint32Array.from(points, (_, i) => i).sort((a, b) => (points[a] as number) - (points[b] as number));
  const sorted = Float64Array.from(order, (i) => points[i] as number);
  const n = sorted.length;
  const cost = spread(sorted);
  const first: Uint32Array[] = [];
  let before = Float64Array.from({ length: n + 1 }, (_, end) => cost(0, end));
  let [count, total] = [1, before[n] as number];
  for (let k = 2; k <= Math.min(most, n); k++) {
    const starts = new Uint32Array(n + 1);
    const next = new Float64Array(n + 1);
    for (let end = 1; end <= n; end++) {
      next[end] = Number.POSITIVE_INFINITY;
      for (let start = 1; start < end; start++) {
        const sum = (before[start] as number) + cost(start, end);
        if (sum < (next[end] as number)) [next[end], starts[end]] = [sum, start];
      }
    }
    first.push(starts);
    if (!((next[n] as number) < 0.9 * total)) break;
    [before, count, total] = [next, k, next[n] as number];
  }
  const out = new Uint8Array(n);
  for (let k = count, end = n; k >= 1; k--) {
    const start = k === 1 ? 0 : ((first[k - 2] as Uint32Array)[end] as number);
    for (let i = start; i < end; i++) out[order[i] as number] = k - 1;
    end = start;
  }
  return out;
}

/** Sum of squares around the mean of sorted[start, end). */
function spread(sorted: Float64Array): (start: number, end: number) => number {
  const sums = new Float64Array(sorted.length + 1);
  const squares = new Float64Array(sorted.length + 1);
  sorted.forEach((x, i) => {
    sums[i + 1] = (sums[i] as number) + x;
    squares[i + 1] = (squares[i] as number) + x * x;
  });
  return (start, end) => {
    const sum = (sums[end] as number) - (sums[start] as number);
    const all = (squares[end] as number) - (squares[start] as number);
    return end > start ? Math.max(0, all - (sum * sum) / (end - start)) : 0;
  };
}

// Least squares whose coefficients are not negative: more work never takes less time.

type Matrix = readonly (readonly number[])[];

/** A slope that is smaller is none: columns and targets are of length 1. */
const FLAT = 1e-10;

/**
 * The coefficients x >= 0 for which the sum of (row . x - target)^2 is least (Lawson and Hanson, 1974): columns are taken in one after the other, that of
 * the steepest slope first, and left out again where their coefficient would be negative. The same numbers give the same coefficients to the last bit.
 * A column of zeros has 0.
 * @param rows - as long as each other, one for each target
 */
export function nonNegative(rows: readonly (readonly number[])[], targets: readonly number[]): number[] {
  const columns = rows[0]?.length ?? 0;
  // Columns of one length: steps and elements are counted in millions, tensors in units.
  const sizes = Array.from({ length: columns }, (_, j) => Math.hypot(...rows.map((row) => row[j] as number)));
  const size = Math.hypot(...targets);
  const scaled = rows.map((row) => row.map((value, j) => (sizes[j] ? value / (sizes[j] as number) : 0)));
  const sum = (of: (row: readonly number[], i: number) => number): number =>
    scaled.reduce((all, row, i) => all + of(row, i), 0);
  const gram = sizes.map((_, a) => sizes.map((_, b) => sum((row) => (row[a] as number) * (row[b] as number))));
  const aims = sizes.map((_, a) => sum((row, i) => ((row[a] as number) * (targets[i] as number)) / (size || 1)));
  return leastOf(gram, aims).map((value, j) => (sizes[j] ? (value * size) / (sizes[j] as number) : 0));
}

function leastOf(gram: Matrix, aims: readonly number[]): number[] {
  let x = aims.map(() => 0);
  let taken: readonly number[] = [];
  // Columns that are nearly sums of others may have a slope and yet be of no use.
  const useless = new Set<number>();
  for (;;) {
    const slopes = aims.map((aim, a) =>
      (gram[a] as readonly number[]).reduce((rest, value, b) => rest - value * (x[b] as number), aim),
    );
    const open = [...aims.keys()].filter((j) => !taken.includes(j) && !useless.has(j) && (slopes[j] as number) > FLAT);
    if (open.length === 0) return x;
    const steepest = open.reduce((best, j) => ((slopes[j] as number) > (slopes[best] as number) ? j : best));
    const next = within(gram, aims, x, [...taken, steepest]);
    if (!next.taken.includes(steepest)) useless.add(steepest);
    ({ x, taken } = next);
  }
}

// The least over some columns, from x on: columns that come to 0 on the way there are left out.
function within(gram: Matrix, aims: readonly number[], from: readonly number[], columns: readonly number[]) {
  let [x, taken] = [[...from], columns];
  for (;;) {
    const to = solved(gram, aims, taken);
    const shareOf = (j: number): number => {
      const [old, aim] = [x[j] as number, to[j] as number];
      return aim > 0 ? 1 : old / Math.max(old - aim, Number.MIN_VALUE);
    };
    const share = Math.min(1, ...taken.map(shareOf));
    const left = taken.filter((j) => (to[j] as number) > 0 || shareOf(j) > share);
    x = x.map((value, j) => (left.includes(j) ? value + share * ((to[j] as number) - value) : 0));
    if (left.length === taken.length) return { x, taken };
    taken = left;
  }
}

/** A pivot that is smaller is that of a column which is a sum of those before it. */
const SINGULAR = 1e-12;

// The least over some columns without a bound, by Cholesky's elimination.
function solved(gram: Matrix, aims: readonly number[], columns: readonly number[]): number[] {
  const rows = columns.map((a) => [...columns.map((b) => gram[a]?.[b] as number), aims[a] as number]);
  const n = columns.length;
  for (const [k, pivot] of rows.entries()) {
    if ((pivot[k] as number) < SINGULAR) pivot.fill(0);
    for (const row of rows.slice(k + 1)) {
      const by = pivot[k] ? (row[k] as number) / (pivot[k] as number) : 0;
      for (let j = k; j <= n; j++) row[j] = (row[j] as number) - by * (pivot[j] as number);
    }
  }
  const found = aims.map(() => 0);
  for (let k = n - 1; k >= 0; k--) {
    const row = rows[k] as number[];
    const rest = columns.reduce(
      (sum, j, i) => (i > k ? sum - (row[i] as number) * (found[j] as number) : sum),
      row[n] as number,
    );
    found[columns[k] as number] = row[k] ? rest / (row[k] as number) : 0;
  }
  return found;
}

// Least squares whose coefficients are not negative: more work never takes less time.

const TURNS = 10_000;
const STILL = 1e-12;

/**
 * The coefficients x >= 0 for which the sum of (row . x - target)^2 is least, by descent along one coordinate after the other: the same numbers give the
 * same coefficients to the last bit. A column of zeros has 0.
 * @param rows - as long as each other, one for each target
 */
export function nonNegative(rows: readonly (readonly number[])[], targets: readonly number[]): number[] {
  const columns = rows[0]?.length ?? 0;
  // Columns of one length: steps and elements are counted in millions, tensors in units.
  const sizes = Array.from({ length: columns }, (_, j) => Math.hypot(...rows.map((row) => row[j] as number)));
  const used = sizes.flatMap((size, j) => (size > 0 ? [j] : []));
  const scaled = rows.map((row) => used.map((j) => (row[j] as number) / (sizes[j] as number)));
  const product = (of: (row: readonly number[], i: number) => number): number =>
    scaled.reduce((sum, row, i) => sum + of(row, i), 0);
  const gram = used.map((_, a) => used.map((_, b) => product((row) => (row[a] as number) * (row[b] as number))));
  const aims = used.map((_, a) => product((row, i) => (row[a] as number) * (targets[i] as number)));
  const x = used.map(() => 0);
  for (let turn = 0; turn < TURNS; turn++) {
    let moved = 0;
    for (const [a, aim] of aims.entries()) {
      const line = gram[a] as number[];
      const rest = line.reduce((sum, value, b) => sum + (b === a ? 0 : value * (x[b] as number)), 0);
      const next = Math.max(0, (aim - rest) / (line[a] as number));
      moved = Math.max(moved, Math.abs(next - (x[a] as number)));
      x[a] = next;
    }
    if (moved <= STILL * Math.max(...x)) break;
  }
  const found = Array<number>(columns).fill(0);
  for (const [a, j] of used.entries()) found[j] = (x[a] as number) / (sizes[j] as number);
  return found;
}

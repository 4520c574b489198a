/**
 * Least squares with factors that are not negative: minimises |A x - b| over x >= 0 by going from coordinate to coordinate, which ends at the one minimum
 * where columns are independent (Franc, Hlavac and Navara, "Sequential coordinate-wise algorithm for the non-negative least squares problem", 2005).
 * @param rows - of A, all as long
 */
export function nonNegative(rows: readonly (readonly number[])[], b: readonly number[], rounds = 2000): number[] {
  const n = rows[0]?.length ?? 0;
  const normal = Array.from({ length: n }, (_, i) =>
    Array.from({ length: n }, (_, j) => rows.reduce((sum, row) => sum + (row[i] as number) * (row[j] as number), 0)),
  );
  const slope = Array.from(
    { length: n },
    (_, i) => -rows.reduce((sum, row, k) => sum + (row[i] as number) * (b[k] as number), 0),
  );
  const x = new Array<number>(n).fill(0);
  for (let round = 0; round < rounds; round++) {
    let moved = 0;
    for (let i = 0; i < n; i++) {
      const own = normal[i] as number[];
      const curvature = own[i] as number;
      if (curvature === 0) continue;
      const next = Math.max(0, (x[i] as number) - (slope[i] as number) / curvature);
      const step = next - (x[i] as number);
      if (step === 0) continue;
      x[i] = next;
      for (let j = 0; j < n; j++) (slope as number[])[j] = (slope[j] as number) + step * (own[j] as number);
      moved = Math.max(moved, Math.abs(step) * Math.sqrt(curvature));
    }
    if (moved < 1e-12) break;
  }
  return x;
}

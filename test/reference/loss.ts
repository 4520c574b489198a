// Losses once more, one sample at a time, as their definitions have them; never for speed. Rows come as plain arrays.

/** Probabilities of a row of logits. */
export function softmax(row: readonly number[]): number[] {
  const most = Math.max(...row);
  const powers = row.map((x) => Math.exp(x - most));
  const sum = powers.reduce((a, b) => a + b, 0);
  return powers.map((x) => x / sum);
}

const normalized = (row: readonly number[]): number[] => {
  const sum = row.reduce((a, b) => a + b, 0);
  return row.map((x) => x / sum);
};

export function klDivergence(p: readonly number[], q: readonly number[]): number {
  return p.reduce((sum, x, i) => sum + (x === 0 ? 0 : x * Math.log(x / q[i])), 0);
}

const first = (row: readonly number[]): number => row.indexOf(Math.max(...row));
const mean = (list: readonly number[]): number => list.reduce((a, b) => a + b, 0) / list.length;

export interface Rows {
  readonly original: readonly (readonly number[])[];
  readonly compressed: readonly (readonly number[])[];
}

/** Figures of classes. */
export function classFigures(
  { original, compressed }: Rows,
  labels: readonly number[],
  logits: boolean,
): Record<string, number> {
  const [p, q] = [original, compressed].map((rows) => rows.map((row) => (logits ? softmax(row) : normalized(row))));
  const inTop = (row: readonly number[], label: number, top: number): number => {
    const order = row.map((_, i) => i).sort((a, b) => row[b] - row[a] || a - b);
    return Number(order.slice(0, top).includes(label));
  };
  const known = labels.map((label, n) => ({ label, n })).filter(({ label }) => label >= 0);
  const accuracy = (rows: Rows["original"], top: number): number =>
    mean(known.map(({ label, n }) => inTop(rows[n], label, top)));
  return {
    kl: mean(p.map((row, n) => klDivergence(row, q[n]))),
    agreement: mean(original.map((_, n) => Number(first(original[n]) === first(compressed[n])))),
    confidence: mean(p.map((row, n) => Math.abs(row[first(original[n])] - q[n][first(original[n])]))),
    top1Original: accuracy(original, 1),
    top1Compressed: accuracy(compressed, 1),
    top1Change: accuracy(compressed, 1) - accuracy(original, 1),
    top5Original: accuracy(original, 5),
    top5Compressed: accuracy(compressed, 5),
    top5Change: accuracy(compressed, 5) - accuracy(original, 5),
    ...valueFigures({ original, compressed }),
  };
}

export function valueFigures({ original, compressed }: Rows): { mse: number; snr: number } {
  const errors = original.flatMap((row, n) => row.map((x, i) => (x - compressed[n][i]) ** 2));
  const squares = original.flat().map((x) => x * x);
  return { mse: mean(errors), snr: 10 * Math.log10(mean(squares) / mean(errors)) };
}

/** Perplexity of texts: the exponential of the mean of -log p of each token but the first, given those before. */
export function perplexity(
  logits: readonly (readonly (readonly number[])[])[],
  tokens: readonly (readonly number[])[],
): number {
  const losses = tokens.flatMap((text, n) => text.slice(1).map((token, t) => -Math.log(softmax(logits[n][t])[token])));
  return Math.exp(mean(losses));
}

/** The angle's cosine. */
export function cosineOf(a: readonly number[], b: readonly number[]): number {
  const dot = a.reduce((sum, x, i) => sum + x * b[i], 0);
  return dot / Math.hypot(...a) / Math.hypot(...b);
}

import type { Evaluation } from "../evaluate/evaluate.ts";

/**
 * What limits of loss are about: the figure of an evaluation that is to be small, without a unit. Divergence of classes and text in nats, and of values the
 * square of the error by that of the original, since an MSE depends on what the outputs measure. Infinite where outputs are not finite.
 */
export function lossOf({ kind, loss, figures, notFinite }: Evaluation): number {
  if (notFinite > 0 || loss.value === null) return Number.POSITIVE_INFINITY;
  if (kind !== "values" || loss.value === 0) return loss.value;
  const snr = figures.snr?.value ?? null;
  return snr === null ? Number.POSITIVE_INFINITY : 10 ** (-snr / 10);
}

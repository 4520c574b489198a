import type { UnitLoss } from "../evaluate/units.ts";
import type { Figure } from "../loss/sums.ts";

// Figures of losses in words: what they are called, and how they are written.

type Format = (value: number) => string;

const percent: Format = (value) => `${(100 * value).toFixed(2)} %`;
const points: Format = (value) => `${value < 0 ? "" : "+"}${(100 * value).toFixed(2)} points`;
const plain: Format = (value) => value.toPrecision(4);
const dB: Format = (value) => `${value.toFixed(2)} dB`;

/** In the order in which they are shown. */
const FIGURES: Record<string, [label: string, format: Format]> = {
  top1Original: ["top-1 before", percent],
  top1Compressed: ["top-1 after", percent],
  top1Change: ["top-1 change", points],
  top5Original: ["top-5 before", percent],
  top5Compressed: ["top-5 after", percent],
  top5Change: ["top-5 change", points],
  agreement: ["same first class", percent],
  confidence: ["mean |confidence difference|", plain],
  kl: ["KL divergence, nats", plain],
  perplexityOriginal: ["perplexity before", plain],
  perplexityCompressed: ["perplexity after", plain],
  perplexityRatio: ["perplexity, after / before", plain],
  cosine: ["cosine", plain],
  distance: ["1 - cosine", plain],
  quality: ["panoptic quality", percent],
  classAgreement: ["boxes with the same class", percent],
  iou: ["mean IoU", plain],
  score: ["mean |score difference|", plain],
  lost: ["boxes lost, per sample", plain],
  added: ["boxes added, per sample", plain],
  mse: ["output MSE", plain],
  snr: ["output SNR", dB],
};

/** A figure in words. */
export interface Told {
  readonly name: string;
  readonly label: string;
  /** "-" where it cannot be told. */
  readonly value: string;
  /** "" where there is none. */
  readonly interval: string;
  readonly figure: Figure;
}

/** The figures that have a name here. */
export function toldFigures(figures: Readonly<Record<string, Figure>>): Told[] {
  return Object.entries(FIGURES).flatMap(([name, [label, format]]) => {
    const figure = figures[name];
    return figure ? [{ name, label, ...told(figure, format), figure }] : [];
  });
}

function told({ value, low, high }: Figure, format: Format): Pick<Told, "value" | "interval"> {
  const text = (x: number | null): string => (isTold(x) ? format(x) : "-");
  return { value: text(value), interval: isTold(value) ? `${text(low)} .. ${text(high)}` : "" };
}

/** Of 1, in percent. */
export function shareText(x: number): string {
  return isTold(x) ? percent(x) : "–";
}

/** Whether a figure is a number, of which a percentage is one, too. */
export function isTold(x: number | null | undefined): x is number {
  return x !== null && x !== undefined && Math.abs(x) < 1e300;
}

/** Root mean square of a unit's error over that of its output; 0 where nothing changed, null where it cannot be told. */
export function errorOf({ snr, mse }: Pick<UnitLoss, "snr" | "mse">): number | null {
  if (mse.value === 0) return 0;
  const error = isTold(snr.value) ? errorAt(snr.value) : null;
  return isTold(error) ? error : null;
}

/** The same of an SNR in dB. */
export function errorAt(snr: number): number {
  return 10 ** (-snr / 20);
}

/** In dB, of a squared error by the square of what was wanted; null where that is no number. 0: infinite. */
export function snrOf(loss: number): number | null {
  if (loss === 0) return Number.POSITIVE_INFINITY;
  return loss > 0 && Number.isFinite(loss) ? -10 * Math.log10(loss) : null;
}

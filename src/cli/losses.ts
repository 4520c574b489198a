import type { Evaluation } from "../evaluate/evaluate.ts";
import type { UnitLoss } from "../evaluate/units.ts";
import type { Figure } from "../loss/sums.ts";
import { size, table } from "./print.ts";

// What compression costs, as text.

/** What the verb has found. */
export interface Evaluated {
  readonly file: string;
  readonly packed: string;
  readonly bytes: { readonly before: number; readonly after: number };
  /** Parameters that the packed file lacks. */
  readonly kept: readonly string[];
  /** Such as "W8A8": bits of weights and of activations that are codes; null: activations are floats. */
  readonly simulated: string | null;
  readonly data: {
    readonly samples: number;
    readonly shape: readonly number[];
    readonly classes: number | null;
    readonly labelled: boolean;
  };
  readonly evaluation: Evaluation;
}

type Format = (value: number) => string;

const percent: Format = (value) => `${(100 * value).toFixed(2)} %`;
const points: Format = (value) => `${value < 0 ? "" : "+"}${(100 * value).toFixed(2)} points`;
const plain: Format = (value) => value.toPrecision(4);
const dB: Format = (value) => `${value.toFixed(2)} dB`;

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

export function lossText({ file, packed, bytes, kept, simulated, evaluation }: Evaluated): string {
  const { figures, units, samples, notFinite, runtime, kind, output } = evaluation;
  const known = Object.keys(FIGURES).filter((name) => figures[name]);
  const rows = known.map((name) => {
    const [label, format] = FIGURES[name] as [string, Format];
    return [label, ...told(figures[name] as Figure, format)];
  });
  const ratio = bytes.after > 0 ? ` (${(bytes.before / bytes.after).toFixed(2)} times smaller)` : "";
  return [
    `${file} against ${packed}: ${samples} samples on ${runtime}, output "${output}" as ${kind}`,
    `bytes: ${size(bytes.before)} before, ${size(bytes.after)} after${ratio}`,
    ...(simulated === null ? [] : [`${simulated} simulated: inputs of units are rounded as the packed file says`]),
    ...(notFinite > 0 ? [`samples with outputs that are not finite: ${notFinite}`] : []),
    ...(kept.length > 0 ? [`not in ${packed}, so left as they are: ${kept.join(", ")}`] : []),
    "",
    table(["", "figure", "95 % interval"], rows, [1, 2]),
    ...(units && units.length > 0 ? ["", unitTable(units)] : []),
  ].join("\n");
}

function told({ value, low, high }: Figure, format: Format): [string, string] {
  const text = (x: number | null): string => (x === null ? "-" : format(x));
  return [text(value), value === null ? "" : `${text(low)} .. ${text(high)}`];
}

const BAR = 24;

/** Units with the error of their outputs, in percent of their size, as bars as long as the largest allows. */
function unitTable(units: readonly UnitLoss[]): string {
  const errors = units.map(errorOf);
  const most = Math.max(0, ...errors.map((error) => error ?? 0));
  const rows = units.map(({ name, type, bytes, snr, mse, notFinite }, i) => {
    const error = errors[i] ?? null;
    const length = error === null || most === 0 ? 0 : Math.round((BAR * error) / most);
    const mark = notFinite > 0 ? "not finite" : "#".repeat(error ? Math.max(1, length) : 0);
    const shown = error === null ? "-" : percent(error);
    return [
      name,
      type,
      size(bytes),
      snr.value === null ? (mse.value === 0 ? "inf" : "-") : snr.value.toFixed(2),
      shown,
      mark,
    ];
  });
  const head = ["unit, alone", "type", "weights", "SNR dB", "error", `RMSE of the output, of its RMS`];
  return table(head, rows, [2, 3, 4]);
}

/** Root mean square of the error over that of the output; 0 where nothing changed. */
function errorOf({ snr, mse }: UnitLoss): number | null {
  if (mse.value === 0) return 0;
  return snr.value === null ? null : 10 ** (-snr.value / 20);
}

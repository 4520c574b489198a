import type { Evaluation } from "../evaluate/evaluate.ts";
import type { UnitLoss } from "../evaluate/units.ts";
import { errorOf, toldFigures } from "../report/figures.ts";
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

export function lossText({ file, packed, bytes, kept, simulated, evaluation }: Evaluated): string {
  const { figures, units, samples, notFinite, runtime, kind, output } = evaluation;
  const rows = toldFigures(figures).map(({ label, value, interval }) => [label, value, interval]);
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

const BAR = 24;

/** Units with the error of their outputs, in percent of their size, as bars as long as the largest allows. */
function unitTable(units: readonly UnitLoss[]): string {
  const errors = units.map(errorOf);
  const most = Math.max(0, ...errors.map((error) => error ?? 0));
  const rows = units.map(({ name, type, bytes, snr, mse, notFinite }, i) => {
    const error = errors[i] ?? null;
    const length = error === null || most === 0 ? 0 : Math.round((BAR * error) / most);
    const mark = notFinite > 0 ? "not finite" : "#".repeat(error ? Math.max(1, length) : 0);
    const shown = error === null ? "-" : `${(100 * error).toFixed(2)} %`;
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

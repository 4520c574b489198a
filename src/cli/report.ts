import type { PackReport } from "../container/writer.ts";
import type { ModelDiff, TensorDiff } from "../model/diff.ts";
import { decibels, size, table } from "./print.ts";

// pack --report: what each tensor takes, and what was lost, measured on the file that was written.

/** A tensor of the report. */
export interface Reported {
  readonly name: string;
  readonly plan: string;
  readonly elements: number;
  readonly storedBytes: number;
  readonly bitsPerWeight: number | null;
  /** In dB; null where nothing was lost. */
  readonly snr: number | null;
  readonly rmse: number;
}

/** The tensors in order, and the file as if it were one. */
export function reportOf(packed: PackReport, diff: ModelDiff): { tensors: Reported[]; total: Reported } {
  const errors = new Map(diff.tensors.map((tensor) => [tensor.name, tensor]));
  const tensors = packed.tensors.map((tensor) => reported(tensor, errors.get(tensor.name)));
  const elements = packed.tensors.reduce((sum, tensor) => sum + tensor.elements, 0);
  const whole = { name: "total", plan: packed.plan, elements, storedBytes: packed.fileBytes };
  return { tensors, total: reported(whole, diff.total) };
}

function reported(
  { name, plan, elements, storedBytes }: Pick<Reported, "name" | "plan" | "elements" | "storedBytes">,
  error: TensorDiff | undefined,
): Reported {
  const snr = error && Number.isFinite(error.snr) ? error.snr : null;
  const bitsPerWeight = elements > 0 ? (8 * storedBytes) / elements : null;
  return { name, plan, elements, storedBytes, bitsPerWeight, snr, rmse: error?.rmse ?? 0 };
}

export function reportText({ tensors, total }: ReturnType<typeof reportOf>): string {
  const row = ({ name, plan, elements, storedBytes, bitsPerWeight, snr }: Reported): string[] => [
    name,
    name === "total" ? "" : plan,
    `${elements}`,
    size(storedBytes),
    bitsPerWeight?.toFixed(2) ?? "-",
    decibels(snr ?? Number.POSITIVE_INFINITY),
  ];
  const head = ["tensor", "plan", "elements", "stored", "bits/weight", "SNR dB"];
  return table(head, [...tensors, total].map(row), [2, 3, 4, 5]);
}

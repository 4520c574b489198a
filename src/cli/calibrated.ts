import type { Folded } from "../activations/fold.ts";
import type { ModelPlan } from "../activations/model.ts";
import type { SearchResult } from "../activations/search.ts";
import type { PackReport } from "../container/writer.ts";
import type { Plan } from "../plan.ts";
import { printPlan } from "../plan.ts";
import { size, table } from "./print.ts";

// What calibrate has found, as text.

/** What was found, and the file that was written. */
export interface Calibrated {
  readonly file: string;
  readonly output: string;
  readonly runtime: string;
  /** Of the model's files. */
  readonly bytes: number;
  readonly samples: number;
  readonly seconds: number;
  /** For all but the units. */
  readonly plan: Plan;
  readonly found: ModelPlan;
  readonly folds: readonly Folded[];
  readonly packed: PackReport;
}

const lossOf = (x: number): string => (Number.isFinite(x) ? x.toExponential(2) : "-");

export function calibrationText({
  file,
  output,
  runtime,
  samples,
  seconds,
  plan,
  found,
  folds,
  packed,
}: Calibrated): string {
  const { none, factors, taken } = found.losses;
  const searches = [...found.units, ...folds].map(({ search }) => search);
  const tried = searches.reduce((sum, { trials }) => sum + trials.length, 0);
  const less = none > 0 && taken < none ? ` (${(100 * (1 - taken / none)).toFixed(1)} % less)` : "";
  const kept = factors < none ? "taken" : "not taken";
  const compared = searches.some(({ best }) => best) || factors !== none;
  return [
    `${file}: ${samples} samples on ${runtime}, ${found.units.length} units, ${tried} sets tried in ${seconds.toFixed(1)} s`,
    "loss: squared error of the output, by the square of the original's",
    "",
    table(
      ["unit", ...HEAD],
      found.units.map(({ unit, search }) => row(unit, search)),
      RIGHT,
    ),
    ...(folds.length > 0 ? ["", foldTable(folds)] : []),
    "",
    `whole model, its units in integers without factors: ${lossOf(none)}`,
    ...(compared ? [`whole model, its units in integers with factors: ${lossOf(factors)}, ${kept}${less}`] : []),
    "",
    `weights of no unit: ${printPlan(plan)}`,
    `${output}: ${packed.tensors.length} tensors, ${size(packed.sourceBytes)} to ${size(packed.fileBytes)}`,
    `sha256 ${packed.sha256}`,
  ].join("\n");
}

const HEAD = ["no factors", "alpha", "one alpha", "groups", "alphas", "loss", "tried"];
const RIGHT = [1, 2, 3, 6, 7];

/** Factors that are in the weights; losses are sums over the units that take what is divided. */
function foldTable(folds: readonly Folded[]): string {
  const rows = folds.map(({ maker, users, search }) => row(`${maker} > ${users.join(", ")}`, search));
  return table(["divided in > multiplied in", ...HEAD], rows, RIGHT);
}

function row(name: string, { none, single, best, loss, trials }: SearchResult): string[] {
  const known = Number.isFinite(single.loss) && trials.length > 1;
  return [
    name,
    lossOf(none),
    known ? `${single.alpha}` : "-",
    known ? lossOf(single.loss) : "-",
    best?.grouping.rule ?? "none",
    best ? best.alphas.map((alpha) => alpha ?? "-").join(" ") : "",
    lossOf(loss),
    `${trials.length}`,
  ];
}

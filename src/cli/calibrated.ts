import type { UnitPlan } from "../activations/unit.ts";
import { printPlan } from "../plan.ts";
import type { Calibrated } from "./calibrate.ts";
import { size, table } from "./print.ts";

// What calibrate has found, as text.

const loss = (x: number): string => (Number.isFinite(x) ? x.toExponential(2) : "-");

export function calibrationText({ file, output, runtime, samples, seconds, plan, found, packed }: Calibrated): string {
  const { none, factors, taken } = found.losses;
  const tried = found.units.reduce((sum, { search }) => sum + search.trials.length, 0);
  const less = none > 0 && taken < none ? ` (${(100 * (1 - taken / none)).toFixed(1)} % less)` : "";
  const kept = factors < none ? "taken" : "not taken";
  const compared = found.units.some((unit) => unit.factors) || factors !== none;
  return [
    `${file}: ${samples} samples on ${runtime}, ${found.units.length} units, ${tried} sets tried in ${seconds.toFixed(1)} s`,
    "loss: squared error of the output, by the square of the original's",
    "",
    table(
      ["unit", "no factors", "alpha", "one alpha", "groups", "alphas", "loss", "tried"],
      found.units.map(row),
      [1, 2, 3, 6, 7],
    ),
    "",
    `whole model, its units in integers without factors: ${loss(none)}`,
    ...(compared ? [`whole model, its units in integers with factors: ${loss(factors)}, ${kept}${less}`] : []),
    "",
    `weights of no unit: ${printPlan(plan)}`,
    `${output}: ${packed.tensors.length} tensors, ${size(packed.sourceBytes)} to ${size(packed.fileBytes)}`,
    `sha256 ${packed.sha256}`,
  ].join("\n");
}

function row({ unit, search }: UnitPlan): string[] {
  const { none, single, best, trials } = search;
  const known = Number.isFinite(single.loss) && trials.length > 1;
  return [
    unit,
    loss(none),
    known ? `${single.alpha}` : "-",
    known ? loss(single.loss) : "-",
    best?.grouping.rule ?? "none",
    best ? best.alphas.map((alpha) => alpha ?? "-").join(" ") : "",
    loss(search.loss),
    `${trials.length}`,
  ];
}

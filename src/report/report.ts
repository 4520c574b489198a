import type { Evaluation } from "../evaluate/evaluate.ts";
import { all, element, type Markup, nameOf } from "../page/markup.ts";
import { pageOf } from "../page/page.ts";
import { percentText } from "../page/words.ts";
import { type Bytes, beforeAfter } from "./before.ts";
import { choiceOf, choiceTiles } from "./choice/choice.ts";
import type { ReportedChoice } from "./choice/points.ts";
import { CHOICE_STYLE } from "./choice/style.ts";
import { isTold, shareText, toldFigures } from "./figures.ts";
import { type ReportedPlan, smoothingOf } from "./smoothing.ts";
import { REPORT_STYLE } from "./style.ts";
import { snrText } from "./trials.ts";
import { type ReportedTuning, tuningOf } from "./tuning.ts";
import { unitBars } from "./units.ts";

/** What a page tells: of what there is, a part each. */
export interface Report {
  /** Of the page: the model, as a rule. */
  readonly title: string;
  /** What it is about: files, data, date. Those of an evaluation need not be given. */
  readonly facts?: readonly (readonly [name: string, value: string])[] | undefined;
  /** Of the model's files. */
  readonly bytes?: Bytes | undefined;
  readonly evaluation?: Evaluation | undefined;
  /** Of a calibration. */
  readonly plan?: ReportedPlan | undefined;
  readonly tuning?: ReportedTuning | undefined;
  /** Of compress. */
  readonly choice?: ReportedChoice | undefined;
}

/**
 * What compression costs a model, as one HTML page that fetches nothing and runs nothing, in any light and on any screen. Names in it may be any text.
 * It stays below 2 MB for 200 units of a calibration, however many channels they have.
 */
export function reportPage(given: Report): string {
  const known = given.bytes && isTold(given.bytes.before) && isTold(given.bytes.after);
  const report = known ? given : { ...given, bytes: undefined };
  const { title, bytes, evaluation, plan, tuning, choice } = report;
  const main = element(
    "main",
    {},
    element("h1", {}, nameOf(title)),
    tiles(report),
    facts(report),
    beforeAfter(bytes, evaluation),
    choice ? choiceOf(choice) : null,
    evaluation?.units && evaluation.units.length > 0 ? unitBars(evaluation.units) : null,
    plan && plan.units.length > 0 ? smoothingOf(plan) : null,
    tuning ? tuningOf(tuning) : null,
  );
  return pageOf(`${title}: what compression costs`, choice ? REPORT_STYLE + CHOICE_STYLE : REPORT_STYLE, main);
}

/** What one wants to know first: a number, and what it is. */
function tiles({ bytes, evaluation, plan, tuning, choice }: Report): Markup | null {
  const found: [what: string, number: string, more: string][] = [];
  if (bytes && bytes.after > 0 && bytes.before > 0) {
    const factor = bytes.before / bytes.after;
    found.push(["bytes", `${factor.toFixed(2)} ×`, factor >= 1 ? "smaller" : "of what it was"]);
  }
  const told = new Map(toldFigures(evaluation?.figures ?? {}).map((one) => [one.name, one]));
  for (const [what, before, after] of PAIRS) {
    const [original, compressed] = [told.get(before), told.get(after)];
    if (compressed) found.push([what, compressed.value, `${original?.value ?? "-"} before`]);
  }
  const snr = told.get("snr");
  if (snr && isTold(snr.figure.value)) found.push(["SNR of outputs", snr.value, snr.interval.replace("..", "–")]);
  if (plan && plan.losses.taken < plan.losses.none) {
    const share = percentText(1 - plan.losses.taken / plan.losses.none);
    found.push(["smoothing", `−${share}`, `squared error of outputs, now ${snrText(plan.losses.taken)}`]);
  }
  const [first, best] = [tuning?.scores[0], tuning?.scores[tuning.best]];
  if (first && best)
    found.push(["accuracy, tuned", shareText(best.accuracy), `${shareText(first.accuracy)} before tuning`]);
  if (choice) found.push(...choiceTiles(choice));
  if (found.length === 0) return null;
  const items = found.map(([what, number, more]) =>
    element(
      "div",
      {},
      element("dt", {}, what),
      element("dd", { class: "big" }, number),
      element("dd", { class: "faint" }, more),
    ),
  );
  return element("dl", { class: "tiles" }, ...items);
}

const PAIRS = [
  ["top-1 accuracy", "top1Original", "top1Compressed"],
  ["perplexity", "perplexityOriginal", "perplexityCompressed"],
] as const;

function facts({ facts: given = [], evaluation }: Report): Markup | null {
  const own: (readonly [string, string])[] = evaluation
    ? [
        ["runtime", evaluation.runtime],
        ["kind of model", evaluation.model],
        ["output", `${evaluation.output}, as ${evaluation.kind}`],
        ["samples", `${evaluation.samples.toLocaleString("en")}, seed ${evaluation.seed}`],
      ]
    : [];
  const entries = [...given, ...own];
  if (entries.length === 0) return null;
  const items = entries.map(([name, value]) =>
    element("div", {}, element("dt", {}, name), element("dd", {}, nameOf(value))),
  );
  return element("dl", { class: "facts" }, all(items));
}

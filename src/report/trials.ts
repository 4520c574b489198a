import { type ScaleLinear, scaleLinear } from "d3-scale";
import type { SearchResult, Trial } from "../activations/search.ts";
import { all, element, type Markup } from "../page/markup.ts";
import { narrowTable } from "../page/words.ts";
import { snrOf } from "./figures.ts";
import { across } from "./scale.ts";

// The sets of coefficients that were tried for a unit, and what each made of its output.

const RULES = ["none", "one", "threshold", "bands", "clusters"] as const;
/** What the groupings are called. */
export const RULE_WORDS: Record<Trial["rule"], string> = {
  none: "no factors",
  one: "one for all",
  threshold: "outliers",
  bands: "bands",
  clusters: "clusters",
};
const LINE = 24;

/**
 * null where nothing but the unit as it is was tried.
 * @param list - whether every set is written out, too
 */
export function trialsOf(search: SearchResult, list: boolean): Markup | null {
  const { trials } = search;
  if (trials.length < 2) return null;
  const taken = takenOf(search);
  const rules = RULES.filter((rule) => trials.some((trial) => trial.rule === rule));
  return element(
    "div",
    { class: "trials" },
    element("div", {}, strip(trials, rules, taken)),
    element("div", {}, bestTable(trials, rules, taken), list ? allSets(trials) : null),
  );
}

function allSets(trials: readonly Trial[]): Markup {
  const items = trials.map(({ rule, alphas, loss }) => {
    const parts = [RULE_WORDS[rule], alphasText(alphas), snrText(loss)];
    return element("li", {}, parts.filter((text) => text !== "").join("; "));
  });
  const summary = element("summary", {}, `All ${trials.length} sets in the order of trying`);
  return element("details", {}, summary, element("ol", { class: "sets" }, ...items));
}

/** The set that was taken. */
function takenOf({ trials, best, loss }: SearchResult): Trial | undefined {
  const rule = best?.grouping.rule ?? "none";
  return (
    trials.find((trial) => trial.rule === rule && trial.loss === loss) ?? trials.find((trial) => trial.rule === rule)
  );
}

export function alphaText(alpha: number): string {
  return Number.isFinite(alpha) ? `${Number(alpha.toFixed(4))}` : "–";
}

export function alphasText(alphas: readonly (number | null)[]): string {
  return alphas.map((alpha) => (alpha === null ? "none" : alphaText(alpha))).join(", ");
}

export function snrText(loss: number): string {
  const snr = snrOf(loss);
  if (snr === null) return "not finite";
  return snr === Number.POSITIVE_INFINITY ? "exact" : `${snr.toFixed(2)} dB`;
}

type Rules = readonly Trial["rule"][];

function bestTable(trials: readonly Trial[], rules: Rules, taken: Trial | undefined): Markup {
  const rows = rules.map((rule) => {
    const own = trials.filter((trial) => trial.rule === rule);
    const best = own.reduce((least, trial) => (trial.loss < least.loss ? trial : least));
    const mark = taken?.rule === rule ? element("b", {}, " ✓ taken") : null;
    return [all([RULE_WORDS[rule], mark]), alphasText(best.alphas), `${own.length}`, snrText(best.loss)];
  });
  return narrowTable("The best set of each grouping", ["grouping", "coefficients", "tried", "SNR"], rows);
}

/** A line for each grouping, a dot for each set, better ones to the right. */
function strip(trials: readonly Trial[], rules: Rules, taken: Trial | undefined): Markup {
  const snrs = trials.map(({ loss }) => snrOf(loss)).filter((snr) => snr !== null && Number.isFinite(snr)) as number[];
  const [low, high] = snrs.length > 0 ? [Math.min(...snrs), Math.max(...snrs)] : [0, 1];
  const x = scaleLinear([low, Math.max(high, low + 0.1)], [0.3, 0.95]);
  const bottom = LINE * rules.length;
  const lines = rules.map((rule, i) => {
    const y = LINE * (i + 0.5);
    const own = trials.filter((trial) => trial.rule === rule);
    return element(
      "g",
      { transform: `translate(0 ${y})` },
      element("line", { x1: "27%", x2: "100%", class: "grid" }),
      element("text", { y: 4 }, RULE_WORDS[rule]),
      element("g", { class: "tries" }, ...own.map((trial) => dot(trial, x, 3))),
      own.includes(taken as Trial) ? element("g", { class: "ring" }, dot(taken as Trial, x, 7)) : null,
    );
  });
  const ticks = x.ticks(4).map((tick) => {
    return element("text", { x: across(x(tick)), y: bottom + 15, "text-anchor": "middle" }, `${tick}`);
  });
  const label = `SNR of ${trials.length} sets of coefficients by grouping; the table has the best of each`;
  const svg = element(
    "svg",
    { height: bottom + 22, role: "img", "aria-label": label, class: "strip" },
    ...lines,
    ...ticks,
  );
  return element("figure", {}, element("figcaption", {}, "Every set: SNR of the unit's output, dB"), svg);
}

function dot({ loss }: Trial, x: ScaleLinear<number, number>, r: number): Markup | null {
  const snr = snrOf(loss);
  if (snr === null) return null;
  // What is exact is as good as can be.
  return element("circle", { cx: across(snr === Number.POSITIVE_INFINITY ? 1 : x(snr), 1), r });
}

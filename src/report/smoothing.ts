import type { ModelLosses } from "../activations/model.ts";
import type { UnitPlan } from "../activations/unit.ts";
import { all, element, type Markup, nameOf } from "../page/markup.ts";
import { bytesText, legend, section, shapeText, tableOf } from "../page/words.ts";
import { colourOf, rangePanels } from "./channels.ts";
import { foldsOf, type ReportedFold } from "./folds.ts";
import { few } from "./scale.ts";
import { alphasText, alphaText, RULE_WORDS, snrText, trialsOf } from "./trials.ts";

// What calibration found: factors of channels, group by group, for each unit.

export type ReportedUnit = Pick<UnitPlan, "unit" | "weight" | "maxima" | "search" | "factors" | "codes">;

export interface ReportedPlan {
  readonly units: readonly ReportedUnit[];
  readonly losses: ModelLosses;
  /** The units are those of the model that has them in its weights. Default: none */
  readonly folds?: readonly ReportedFold[] | undefined;
}

/** Columns of all drawings together, which are most of the page's bytes; and of one. */
const COLUMNS = 24_000;
const [FEWEST, MOST] = [64, 256];
/** Units that are not folded away: those that gain most. */
const OPEN = 3;
/** Of more units, sets are drawn, but not written out. */
const WRITTEN = 64;

export function smoothingOf({ units, losses, folds = [] }: ReportedPlan): Markup {
  const columns = Math.floor(Math.min(Math.max(COLUMNS / Math.max(units.length, 1), FEWEST), MOST));
  const gains = [...units].filter(({ factors }) => factors !== null).sort((a, b) => gainOf(b) - gainOf(a));
  const open = new Set(units.length <= OPEN ? units : gains.slice(0, OPEN));
  const cards = units.map((unit) => cardOf(unit, columns, open.has(unit), units.length <= WRITTEN));
  return section(
    "smoothing",
    "Activations and weights in integers",
    element("p", {}, sentence(losses)),
    unitTable(units),
    element("h3", {}, "Ranges of channels, and the sets that were tried"),
    element(
      "p",
      {},
      "Ranges are largest magnitudes, over logarithmic axes that before and after share. Channels stand by group, and in a group by the range of their activations; the numbers below are those of the groups. Smoothing divides activations by a channel's factor and multiplies weights with it.",
    ),
    ...cards,
    foldsOf(folds, units.length <= WRITTEN),
  );
}

function sentence({ none, factors, taken }: ModelLosses): string {
  const bare = `In integers without factors, the model's outputs have an SNR of ${snrText(none)}`;
  if (taken === factors && factors < none) {
    const share = `${(100 * (1 - factors / none)).toFixed(1)} %`;
    return `${bare}; with the factors that were found, ${snrText(factors)}: ${share} less squared error.`;
  }
  return `${bare}. With the factors that were found it would be ${snrText(factors)}, so none were taken.`;
}

/** What is left of the squared error without factors falls by this share. */
function gainOf({ search }: ReportedUnit): number {
  const gain = 1 - search.loss / search.none;
  return Number.isFinite(gain) ? gain : 0;
}

function unitTable(units: readonly ReportedUnit[]): Markup {
  const rows = units.map(({ unit, search, factors }) => {
    const single = Number.isFinite(search.single.loss)
      ? `${snrText(search.single.loss)} (${alphaText(search.single.alpha)})`
      : "–";
    const gain = gainOf({ search } as ReportedUnit);
    return [
      nameOf(unit),
      snrText(search.none),
      single,
      snrText(search.loss),
      factors ? `−${(100 * gain).toFixed(1)} %` : "–",
      factors && search.best ? alphasText(search.best.alphas) : "no factors",
    ];
  });
  const head = ["unit", "no factors", "best single (alpha)", "taken", "squared error", "coefficients by group"];
  const table = tableOf("SNR of each unit's output", head, rows);
  if (units.length <= 40) return table;
  return element("details", {}, element("summary", {}, `All ${units.length} units as a table`), table);
}

function cardOf(unit: ReportedUnit, columns: number, open: boolean, written: boolean): Markup {
  const { weight, maxima, factors, codes } = unit;
  const { best, none, loss } = unit.search;
  const channels = maxima.activations.length;
  const [before, after] = [snrText(none), snrText(loss)];
  const words = `${bytesText(channels)} channels; ${factors ? `${before} → ${after}` : `${after}, no factors`}`;
  const groups = factors && best ? best.grouping.groups : new Uint8Array(channels);
  const facts = `Weight ${shapeText(weight.shape)}; input codes ${codes.least} to ${codes.most}, scale ${few(codes.scale)}, zero point ${codes.zeroPoint}.`;
  return element(
    "details",
    { class: "card", open: open ? "" : undefined },
    element("summary", {}, element("h4", {}, nameOf(unit.unit)), " ", element("span", { class: "faint" }, words)),
    element("p", { class: "faint" }, facts),
    factors && best ? groupLegend(unit) : null,
    rangePanels({ ...maxima, factors, groups }, columns),
    trialsOf(unit.search, written),
  );
}

function groupLegend({ search: { best } }: ReportedUnit): Markup | null {
  if (!best) return null;
  const { grouping, alphas } = best;
  const entries = grouping.magnitudes.map((magnitude, group) => {
    const count = grouping.groups.reduce((sum, own) => sum + (own === group ? 1 : 0), 0);
    const alpha = alphas[group] ?? null;
    const what = alpha === null ? "left as it is" : `alpha ${alphaText(alpha)}`;
    const text = `group ${group + 1}: ${what}, ${bytesText(count)} channels, ${few(magnitude)} × the median`;
    return [colourOf(group), text] as const;
  });
  return all([element("p", { class: "rule" }, `Grouping: ${RULE_WORDS[grouping.rule]}`), legend(entries)]);
}

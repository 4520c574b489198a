import type { UnitLoss } from "../evaluate/units.ts";
import { all, element, type Markup, nameOf } from "../page/markup.ts";
import { bytesText, section, tableOf } from "../page/words.ts";
import { errorAt, errorOf, isTold } from "./figures.ts";
import { across, type LogScale, logScale } from "./scale.ts";

// What each unit loses, alone: bars over a logarithmic scale.

/** Units of more than as many are folded away, but for those that lose most. */
const ROWS = 40;
const WORST = 20;
const DECADES = 6;

export function unitBars(units: readonly UnitLoss[]): Markup {
  const ends = units.flatMap(({ snr }) => [snr.value, snr.low, snr.high].filter(isTold).map(errorAt));
  const scale = logScale(ends, DECADES, true);
  const note =
    "Each unit ran alone with its compressed weight, fed with what the original model feeds it. Error is the root mean square of the difference of its outputs, by that of the output; the thin line is its 95 % interval.";
  const size = ({ snr, mse }: UnitLoss): number => errorOf({ snr, mse }) ?? Number.POSITIVE_INFINITY;
  const folded =
    units.length > ROWS
      ? element(
          "details",
          {},
          element("summary", {}, `All ${units.length} units`),
          lossTable("All units", units, scale),
        )
      : null;
  const worst = [...units].sort((a, b) => size(b) - size(a)).slice(0, WORST);
  const first = folded
    ? lossTable(`The ${WORST} units that lose most`, worst, scale)
    : lossTable("Units in the order of running", units, scale);
  return section("units", "What each unit loses", element("p", {}, note), first, folded);
}

function lossTable(caption: string, units: readonly UnitLoss[], scale: LogScale): Markup {
  const rows = units.map((unit) => [
    nameOf(unit.name),
    isTold(unit.snr.value) ? unit.snr.value.toFixed(2) : unit.mse.value === 0 ? "exact" : "–",
    barOf(unit, scale),
    unit.type,
    bytesText(unit.bytes),
  ]);
  const error = all(["error, % of the output", ticks(scale)]);
  return tableOf(caption, ["unit", "SNR, dB", error, "type", "bytes"], rows);
}

function ticks(scale: LogScale): Markup {
  const texts = scale.ticks.map((tick) => {
    const at = scale.at(tick);
    const anchor = at < 0.05 ? "start" : at > 0.95 ? "end" : "middle";
    return element("text", { x: across(at), y: 12, "text-anchor": anchor }, `${Number((100 * tick).toPrecision(1))}`);
  });
  return element("svg", { class: "ticks", "aria-hidden": "true" }, ...texts);
}

function barOf({ snr, mse, notFinite }: UnitLoss, scale: LogScale): string | Markup {
  if (notFinite > 0) return `not finite in ${bytesText(notFinite)} samples`;
  const error = errorOf({ snr, mse });
  if (error === null) return "–";
  const length = error === 0 ? 0 : Math.max(scale.at(error), 0.005);
  const grid = scale.ticks.map((tick) => {
    const x = across(scale.at(tick));
    return element("line", { x1: x, x2: x, y1: 0, y2: "100%", class: "grid" });
  });
  const bar = element("rect", { x: 0, y: "12%", width: across(length), height: "76%", class: "loss", rx: 2 });
  const whisker =
    isTold(snr.low) && isTold(snr.high)
      ? element("line", {
          x1: across(scale.at(errorAt(snr.high))),
          x2: across(scale.at(errorAt(snr.low))),
          y1: "50%",
          y2: "50%",
          class: "whisker",
        })
      : null;
  const label = `error ${(100 * error).toPrecision(3)} %`;
  return element("svg", { class: "bar", role: "img", "aria-label": label }, ...grid, length > 0 ? bar : null, whisker);
}

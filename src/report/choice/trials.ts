import type { Interval } from "../../latency/interval.ts";
import { element, type Markup, nameOf } from "../../page/markup.ts";
import { section, tableOf } from "../../page/words.ts";
import { marksLegend } from "./marks.ts";
import { type Cost, type Drawn, paretoPlot } from "./pareto.ts";
import { frontOf, numberOf, type Point, pointsOf, type ReportedChoice, type Waiting, waitingOf } from "./points.ts";
import { clipped, lossText, rangeText, sizeText, timeText } from "./words.ts";

// Everything that was run, by what it loses and what it costs.

/** Trials of more than as many are folded away. */
const ROWS = 15;

export function trialsOf(choice: ReportedChoice): Markup {
  const [points, waiting] = [pointsOf(choice), waitingOf(choice)];
  if (points.length === 0) return section("trials", "Trials", element("p", {}, "Nothing was run."));
  const limitOf = (name: string): number | null =>
    numberOf(choice.answer.met.find(({ limit }) => limit === name)?.asked);
  const drawn: Drawn = { points, waiting, limit: limitOf("loss") };
  const kinds = {
    waiting: waiting.some(({ bytes, latency }) => bytes !== null || latency !== null),
    measured: points.some(({ measured }) => measured !== null),
    front: COSTS.some(({ of }) => frontOf(points, (point) => of(point)?.ms ?? null).length > 1),
  };
  const plots = COSTS.map((cost) => paretoPlot(drawn, { ...cost, limit: limitOf(cost.name) }));
  return section(
    "trials",
    "Loss, bytes and time",
    element("p", {}, sentence(points, waiting)),
    element("div", { class: "curves" }, ...plots),
    marksLegend(points, kinds),
    tableFolded(points),
  );
}

const COSTS: readonly (Omit<Cost, "limit"> & { readonly name: string })[] = [
  {
    name: "bytes",
    title: "bytes of the file",
    of: ({ bytes }) => (bytes === null ? null : exactly(bytes)),
    measured: () => null,
    text: sizeText,
  },
  {
    name: "latency",
    title: "predicted time of a run",
    of: ({ latency }) => latency,
    measured: ({ measured }) => measured,
    text: timeText,
  },
];

function exactly(ms: number): Interval {
  return { ms, low: ms, high: ms };
}

function sentence(points: readonly Point[], waiting: readonly Waiting[]): string {
  const models = points.length === 1 ? "One model was" : `${points.length} models were`;
  const others = waiting.length === 0 ? "" : `, ${waiting.length} more were only priced`;
  return `${models} packed and run${others}. Horizontal lines are intervals that hold the time 9 times out of 10. Losses are those of the samples that tell candidates apart; numbers on the front are those of the table.`;
}

function tableFolded(points: readonly Point[]): Markup {
  const measured = points.some((point) => point.measured !== null);
  const load = points.some((point) => point.load !== null);
  const rows = points.map((point) => [
    element("span", {}, `${point.number}. `, nameOf(clipped(point.plan)), point.taken ? " ✓ answer" : ""),
    lossText(point.loss),
    sizeText(point.bytes),
    rangeText(point.latency),
    ...(measured ? [rangeText(point.measured)] : []),
    ...(load ? [rangeText(point.load)] : []),
    `${point.from === "space" ? "proposed" : point.from} ${point.ok ? "✓" : "✗"}`,
  ]);
  const times = ["time of a run", ...(measured ? ["measured"] : []), ...(load ? ["loading"] : [])];
  const table = tableOf("Trials, in the order of running", ["plan", "loss", "size", ...times, "how, limits"], rows);
  if (points.length <= ROWS) return table;
  return element("details", {}, element("summary", {}, `All ${points.length} trials as a table`), table);
}

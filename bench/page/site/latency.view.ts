import type { Environment } from "../../../src/latency/environment.ts";
import type { Latency } from "../../../src/latency/pool.ts";
import { type LatencyTable, latencies } from "../../../src/latency/table.ts";
import type { BuildProgress, BuildReport } from "../../../src/measure/build.ts";
import { byId, make, rowsOf, setText } from "./dom.ts";

// What the tab of latencies shows.

export interface LatencyView {
  /** @param clock - what the clock tells apart, in milliseconds */
  environment(environment: Environment, clock?: number): void;
  progress(progress: BuildProgress): void;
  /** The table has. */
  changed(): void;
  over(report: BuildReport): void;
  cancelled(): void;
}

export function tell(text: string, bad = false): void {
  const status = byId("status");
  setText(status, text);
  status.classList.toggle("bad", bad);
}

/** @param table - the one that there is then */
export function newLatencyView(table: () => LatencyTable): LatencyView {
  let here: Environment | undefined;
  let clock: number | undefined;
  let drawing = false;
  const mine = (): Latency[] => (here ? latencies(table(), { environment: here.id }) : []);
  const draw = (): void => {
    drawing = false;
    const found = mine();
    drawFacts(here, clock, found.length);
    rowsOf("found").replaceChildren(...kinds(found).map(rowOf));
  };
  const changed = (): void => {
    if (!drawing) requestAnimationFrame(draw);
    drawing = true;
  };
  const bar = byId<HTMLProgressElement>("progress");
  return {
    changed,
    environment(environment, told) {
      here = environment;
      clock = told ?? clock;
      setText(byId("stageTitle"), environment.name);
      changed();
    },
    progress({ done, total, unit }) {
      bar.value = done / total;
      setText(byId("left"), `${leftText(total - done)} left`);
      if (unit) tell(`Measuring: ${unit}.`);
    },
    over({ rows, known, refused, drift }) {
      bar.value = 1;
      setText(byId("left"), "");
      const again = known > 0 ? `, ${counted(known, "unit")} known before` : "";
      const [low, high] = drift.map((each) => each.toFixed(2));
      tell(`Measured ${counted(rows, "record")}${again}. The machine took ${low} to ${high} of its first time.`);
      drawRefused(refused);
      changed();
    },
    cancelled() {
      setText(byId("left"), "");
      tell(`Cancelled: ${counted(mine().length, "record")} of this environment are kept.`);
      changed();
    },
  };
}

function drawFacts(environment: Environment | undefined, clock: number | undefined, rows: number): void {
  if (!environment) return;
  const { runtime, cpu, id } = environment;
  const facts = [
    ["runtime", `${runtime.name} ${runtime.version}`],
    ["threads", `${runtime.threads} of ${cpu.cores ?? "?"}`],
    ["clock", clock === undefined ? "–" : `${Number((1000 * clock).toPrecision(2))} µs`],
    ["records", `${rows}`],
    ["id", id],
  ];
  byId("facts").replaceChildren(
    ...facts.map(([name, value]) => make("div", {}, make("dt", {}, name as string), make("dd", {}, value as string))),
  );
}

interface Kind extends Pick<Latency, "type" | "form" | "precision"> {
  count: number;
  least: number;
  most: number;
}

/** Units of a form together, in the order of their first. */
function kinds(found: readonly Latency[]): Kind[] {
  const all = new Map<string, Kind>();
  for (const { type, form, precision, median } of found) {
    const key = `${type} ${form} ${precision}`;
    const kind = all.get(key) ?? { type, form, precision, count: 0, least: median, most: median };
    kind.count++;
    kind.least = Math.min(kind.least, median);
    kind.most = Math.max(kind.most, median);
    all.set(key, kind);
  }
  return [...all.values()];
}

function rowOf({ type, form, precision, count, least, most }: Kind): HTMLTableRowElement {
  const range = count === 1 ? threeDigits(least) : `${threeDigits(least)} – ${threeDigits(most)}`;
  const cells = [form, precision, `${count}`, range].map((text) => make("td", {}, text));
  return make("tr", {}, make("th", { scope: "row" }, type), ...cells);
}

function threeDigits(ms: number): string {
  return ms === 0 ? "0" : `${Number(ms.toPrecision(3))}`;
}

function drawRefused(refused: BuildReport["refused"]): void {
  const details = byId("refused");
  details.hidden = refused.length === 0;
  const [summary, list] = details.children as unknown as [HTMLElement, HTMLElement];
  summary.textContent = `${counted(refused.length, "unit")} that the runtime refused`;
  list.replaceChildren(...refused.map(({ unit, reason }) => make("li", {}, `${unit}: ${reason}`)));
}

function leftText(seconds: number): string {
  const whole = Math.max(0, Math.ceil(seconds));
  return whole < 60 ? `${whole} s` : `${Math.floor(whole / 60)} min ${whole % 60} s`;
}

function counted(number: number, thing: string): string {
  return `${number} ${thing}${number === 1 ? "" : "s"}`;
}

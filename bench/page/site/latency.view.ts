import type { Environment } from "../../../src/latency/environment.ts";
import type { Latency } from "../../../src/latency/pool.ts";
import { type LatencyTable, latencies } from "../../../src/latency/table.ts";
import type { BuildProgress, BuildReport } from "../../../src/measure/build.ts";
import { byId, make, rowsOf, setText } from "./dom.ts";
import { countsOf } from "./latency.records.ts";
import { counted } from "./numbers.ts";

// What the tab of latencies shows.

export interface LatencyView {
  /** @param clock - what the clock tells apart, in milliseconds */
  environment(environment: Environment, clock?: number): void;
  /** Nothing is measured, or not yet. */
  idle(): void;
  progress(progress: BuildProgress): void;
  /** The table has. */
  changed(): void;
  over(report: BuildReport): void;
  cancelled(): void;
}

/** Screen readers say it at once: not for what changes all the time. */
export function tell(text: string, bad = false): void {
  const status = byId("status");
  setText(status, text);
  status.classList.toggle("bad", bad);
}

/** Milliseconds: drawing sorts the whole table. */
const REDRAW = 500;

/** @param table - the one that there is then */
export function newLatencyView(table: () => LatencyTable): LatencyView {
  let here: Environment | undefined;
  let clock: number | undefined;
  let drawing: ReturnType<typeof setTimeout> | undefined;
  const count = (): number => (here && countsOf(table()).get(here.id)) ?? 0;
  const draw = (): void => {
    clearTimeout(drawing);
    drawing = undefined;
    if (!here) return;
    drawFacts(here, clock, count());
    rowsOf("found").replaceChildren(...kinds(latencies(table(), { environment: here.id })).map(rowOf));
  };
  const bar = byId<HTMLProgressElement>("progress");
  const idle = (part = 0): void => {
    bar.value = part;
    for (const id of ["left", "unit"]) setText(byId(id), "");
    draw();
  };
  return {
    idle,
    changed() {
      drawing ??= setTimeout(draw, REDRAW);
    },
    environment(environment, told) {
      here = environment;
      clock = told ?? clock;
      setText(byId("stageTitle"), environment.name);
      draw();
    },
    progress({ done, total, unit }) {
      bar.value = done / total;
      setText(byId("left"), `${leftText(total - done)} left`);
      setText(byId("unit"), unit);
    },
    over({ rows, known, refused, drift }) {
      idle(1);
      const again = known > 0 ? `, ${counted(known, "unit")} known before` : "";
      const [low, high] = drift.map((each) => each.toFixed(2));
      tell(`Measured ${counted(rows, "record")}${again}. The machine took ${low} to ${high} of its first time.`);
      drawRefused(refused);
    },
    cancelled() {
      idle();
      tell(`Cancelled: ${counted(count(), "record")} of this environment are kept.`);
    },
  };
}

function drawFacts({ runtime, cpu, id }: Environment, clock: number | undefined, rows: number): void {
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
  const cells = [precision, `${count}`, range].map((text) => make("td", {}, text));
  return make("tr", {}, make("th", { scope: "row" }, type), make("td", {}, ...breakable(form)), ...cells);
}

/** Lines may end behind a "+". */
function breakable(form: string): (string | Node)[] {
  const [first = "", ...more] = form.split("+");
  return [first, ...more.flatMap((part) => ["+", make("wbr"), part])];
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

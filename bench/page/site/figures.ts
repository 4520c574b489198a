import type { Share } from "../../../src/read.ts";
import { byId, make, rowsOf, setText } from "./dom.ts";
import { bytesText, rateText, timeText } from "./numbers.ts";
import type { Run } from "./run.ts";

// Numbers of a run: how far it is, how long it took, what memory it held.

type Row = readonly [label: string, text: string, note?: string];

export function drawFigures(run: Run, wholePage: string): void {
  drawProgress(run);
  drawList("figures", timesOf(run));
  drawMemory(memoryOf(run, wholePage));
}

function drawProgress({ progress }: Run): void {
  const bar = byId<HTMLProgressElement>("progress");
  bar.value = progress?.fraction ?? 0;
  setText(byId("percent"), `${Math.floor(100 * bar.value)} %`);
  const share = (name: string, part: Share | undefined): Row => [
    name,
    part ? `${bytesText(part.done)} of ${bytesText(part.total)}` : "–",
  ];
  const tensors = progress?.tensors;
  drawList("shares", [
    share("arrived", progress?.stored),
    share("verified", progress?.verified),
    share("decoded", progress?.decoded),
    ["tensors", tensors ? `${tensors.done} of ${tensors.total}` : "–"],
  ]);
}

function timesOf(run: Run): Row[] {
  const { headerAt, firstAt, endedAt, fetched, cached, progress, floats, error, tensors } = run;
  const time = (milliseconds: number | undefined) => (milliseconds === undefined ? "–" : timeText(milliseconds));
  const whole = error === undefined && endedAt !== undefined;
  const floatBytes = tensors.reduce((sum, { entry }) => sum + 4 * entry.elements, 0);
  return [
    ["to header", time(headerAt)],
    ["to first tensor", time(firstAt)],
    ["total", time(endedAt)],
    ["file", whole ? rateText(progress?.stored.total ?? 0, endedAt) : "–"],
    ["as floats", whole ? rateText(floatBytes, endedAt) : "–"],
    ["fetched", bytesText(fetched)],
    ["from the cache", bytesText(cached)],
    ["hash of the floats", floats?.slice(0, 12) ?? "–"],
  ];
}

function memoryOf(run: Run, wholePage: string): Row[] {
  const { file, inFlight, kernelBytes, heapGrowth, tensors } = run;
  const ours = file ? file.totals.header + kernelBytes + inFlight : 0;
  const floats = tensors.reduce((sum, { entry, ready }) => sum + (ready === undefined ? 0 : 4 * entry.elements), 0);
  const parts = file
    ? `header ${bytesText(file.totals.header)}, kernels ${bytesText(kernelBytes)}, in flight ${bytesText(inFlight)}`
    : "";
  const heap =
    heapGrowth === undefined ? "–" : Number.isNaN(heapGrowth) ? "not told here" : bytesText(Math.max(0, heapGrowth));
  return [
    ["declared", file ? bytesText(file.totals.peak) : "–", "the most beside the floats, known from the header"],
    ["accounted", file ? bytesText(ours) : "–", parts],
    ["floats", file ? bytesText(floats) : "–", "what was asked for"],
    ["heap, grown by", heap, "performance.memory, floats and this page's own work included"],
    ["whole page", wholePage, "measureUserAgentSpecificMemory, some time after"],
  ];
}

function drawList(id: string, rows: readonly Row[]): void {
  const list = byId(id);
  if (list.children.length !== rows.length)
    list.replaceChildren(...rows.map(([label]) => make("div", {}, make("dt", {}, label), make("dd"))));
  for (const [i, [, text]] of rows.entries()) setText(list.children[i]?.lastElementChild as Element, text);
}

function drawMemory(rows: readonly Row[]): void {
  const body = rowsOf("memory");
  for (const [i, [label, text, note = ""]] of rows.entries()) {
    const row =
      body.rows[i] ?? body.appendChild(make("tr", {}, make("th", { scope: "row" }, label), make("td"), make("td")));
    setText(row.cells[1] as Element, text);
    setText(row.cells[2] as Element, note);
  }
}

/** Bytes of the whole page and its workers, as text. Browsers take their time for it. */
export async function wholePageText(): Promise<string> {
  const { measureUserAgentSpecificMemory: measure } = performance as {
    measureUserAgentSpecificMemory?: () => Promise<{ bytes: number }>;
  };
  if (!measure || !crossOriginIsolated) return "not told here";
  return measure.call(performance).then(
    ({ bytes }) => bytesText(bytes),
    () => "not told here",
  );
}

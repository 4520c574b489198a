import { detectEnvironment } from "../../../src/latency/detect.ts";
import { parseLines, printLines } from "../../../src/latency/lines.ts";
import { addEnvironment, addRow, mergeTables, newTable, rowsOf } from "../../../src/latency/table.ts";
import type { LatencyFacts } from "../ort.ts";
import { byId } from "./dom.ts";
import { newLatencyView, tell } from "./latency.view.ts";
import type { LatencyAsked, LatencyTold } from "./latency.worker.ts";

// The tab of latencies: one build at a time, on top of all records that there are.

const start = byId<HTMLButtonElement>("start");
const cancel = byId<HTMLButtonElement>("cancel");
const download = byId<HTMLButtonElement>("download");
const records = byId<HTMLInputElement>("records");
const cpu = byId<HTMLInputElement>("cpu");

/** A worker that is in the middle of a unit hears of it later; one that does not within this time is ended. */
const PATIENCE = 3000;

let table = newTable();
let end: (() => void) | undefined;
const view = newLatencyView(() => table);

async function build({ tool }: LatencyFacts): Promise<void> {
  busy(true);
  tell("Starting the runtime.");
  const seconds = 60 * byId<HTMLInputElement>("minutes").valueAsNumber;
  try {
    await measured({ tool, budget: seconds, cpu: cpu.value.trim() || undefined, known: known() });
  } catch (error) {
    tell(`${error instanceof Error ? error.message : error}`, true);
  }
  busy(false);
}

function known(): string {
  return table.environments.size > 0 ? printLines(table) : "";
}

/** Resolves when the worker has ended, and all it has found is in the table. */
async function measured(asked: LatencyAsked): Promise<void> {
  const worker = new Worker("/latency.worker.js", { type: "module" });
  let timer: ReturnType<typeof setTimeout> | undefined;
  try {
    await new Promise<void>((resolve, reject) => {
      worker.onerror = ({ message }) => reject(new Error(message || "the worker could not be started"));
      worker.onmessage = ({ data }: MessageEvent<LatencyTold>) => {
        try {
          if (take(data)) resolve();
        } catch (error) {
          reject(error);
        }
      };
      end = () => {
        worker.postMessage("cancel");
        timer = setTimeout(() => {
          view.cancelled();
          resolve();
        }, PATIENCE);
      };
      worker.postMessage(asked);
    });
  } finally {
    end = undefined;
    clearTimeout(timer);
    worker.terminate();
  }
}

/** Whether it was the last word. @throws what has failed */
function take(told: LatencyTold): boolean {
  if (told.kind === "environment") {
    addEnvironment(table, told.environment);
    view.environment(told.environment, told.clock);
  } else if (told.kind === "row") {
    addRow(table, told.row);
    download.disabled = false;
    view.changed();
  } else if (told.kind === "progress") view.progress(told.progress);
  else if (told.kind === "over") view.over(told.report);
  else if (told.kind === "failed") {
    if (!told.cancelled) throw new Error(told.message);
    view.cancelled();
  }
  return told.kind === "over" || told.kind === "failed";
}

function busy(now: boolean): void {
  for (const each of [start, records, cpu]) each.disabled = now;
  cancel.disabled = !now;
  download.disabled = rowsOf(table).length === 0;
  document.body.classList.toggle("busy", now);
}

/** Adds what the files have, or nothing where one of them is none. */
async function upload(files: readonly File[]): Promise<void> {
  try {
    const read = files.map(async (file) => {
      const bytes = new Uint8Array(await file.arrayBuffer());
      try {
        return parseLines(bytes);
      } catch (error) {
        throw new Error(`${file.name}: ${(error as Error).message}`);
      }
    });
    table = mergeTables(table, ...(await Promise.all(read)));
    view.changed();
    tell(`${rowsOf(table).length} records are known.`);
  } catch (error) {
    tell((error as Error).message, true);
  }
  download.disabled = rowsOf(table).length === 0;
}

function save(): void {
  const url = URL.createObjectURL(new Blob([printLines(table)], { type: "application/jsonl" }));
  const link = Object.assign(document.createElement("a"), { href: url, download: "latency.jsonl" });
  link.click();
  // The download has begun when the click has been handled, or shortly after.
  setTimeout(() => URL.revokeObjectURL(url), 60_000);
}

async function detect({ runtime }: LatencyFacts): Promise<void> {
  const name = cpu.value.trim();
  const told = { runtime: `onnxruntime-web ${runtime}`, ...(name && { cpu: name }) };
  view.environment(await detectEnvironment(told));
}

async function ready(): Promise<void> {
  const facts: LatencyFacts = await (await fetch("/latency.json")).json();
  records.addEventListener("change", async () => {
    await upload([...(records.files ?? [])]);
    // So that the same file can be picked again.
    records.value = "";
  });
  download.addEventListener("click", save);
  cancel.addEventListener("click", () => {
    cancel.disabled = true;
    tell("Ending with this unit.");
    end?.();
  });
  if (facts.runtime === null) {
    tell(`onnxruntime-web is not installed. Where quern is, run: ${facts.install}`, true);
    return;
  }
  await detect(facts);
  cpu.addEventListener("change", () => void detect(facts));
  byId("builder").addEventListener("submit", (event) => {
    event.preventDefault();
    if (!start.disabled) void build(facts);
  });
  start.disabled = false;
  tell("Choose how long, and press Measure.");
}

await ready();
document.body.dataset.ready = "yes";

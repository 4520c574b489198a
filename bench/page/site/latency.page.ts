import { detectEnvironment } from "../../../src/latency/detect.ts";
import type { Environment } from "../../../src/latency/environment.ts";
import { printLines } from "../../../src/latency/lines.ts";
import { addEnvironment, addRow, mergeTables, newTable } from "../../../src/latency/table.ts";
import type { LatencyFacts } from "../ort.ts";
import { byId } from "./dom.ts";
import { mainEnvironment, readRecords, recordsText } from "./latency.records.ts";
import { newLatencyView, tell } from "./latency.view.ts";
import type { LatencyAsked, LatencyTold } from "./latency.worker.ts";
import { counted } from "./numbers.ts";

// The tab of latencies: one build at a time, on top of all records that there are.

const start = byId<HTMLButtonElement>("start");
const cancel = byId<HTMLButtonElement>("cancel");
const download = byId<HTMLButtonElement>("download");
const records = byId<HTMLInputElement>("records");
const cpu = byId<HTMLInputElement>("cpu");

/** A worker that is in the middle of a unit hears of it later; one that does not within this time is ended. */
const PATIENCE = 3000;

let table = newTable();
let here: Environment | undefined;
/** Why nothing can be measured; "": it can. */
let missing = "";
let running = false;
/** Uploads that are being read. */
let reading = 0;
/** Records that were measured here and are in no file yet. */
let unsaved = false;
let end: (() => void) | undefined;
const view = newLatencyView(() => table);

async function build({ tool }: LatencyFacts): Promise<void> {
  running = true;
  enable();
  view.idle();
  tell("Starting the runtime.");
  const seconds = 60 * byId<HTMLInputElement>("minutes").valueAsNumber;
  try {
    await measured({ tool, budget: seconds, cpu: cpuName(), known: known() });
  } catch (error) {
    view.idle();
    tell(messageOf(error), true);
  }
  running = false;
  enable();
}

function messageOf(error: unknown): string {
  return `${error instanceof Error ? error.message : error}`;
}

function known(): string {
  return table.environments.size > 0 ? printLines(table) : "";
}

/** As environments take it: pasted names may hold tabs, and halves of characters where they are cut. */
function cpuName(): string | undefined {
  const cut = cpu.value.trim().slice(0, 200);
  return cut.replace(/[\p{Cc}\p{Cs}]+/gu, " ").trim() || undefined;
}

/** Resolves when the worker has ended, and all it has found is in the table. */
async function measured(asked: LatencyAsked): Promise<void> {
  const worker = new Worker("/latency.worker.js", { type: "module" });
  let timer: ReturnType<typeof setTimeout> | undefined;
  try {
    await new Promise<void>((resolve, reject) => {
      // Without a message its file could not be had, which this server always has.
      worker.onerror = ({ message }) => reject(new Error(message || "The server does not answer: does it still run?"));
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
    here = told.environment;
    view.environment(here, told.clock);
    tell("Measuring.");
  } else if (told.kind === "row") {
    addRow(table, told.row);
    unsaved = true;
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

/** What can be used now. Keys stay where they are: what has the focus and goes leaves it to the button that comes. */
function enable(): void {
  const focused = document.activeElement;
  start.disabled = running || reading > 0 || missing !== "" || !here;
  for (const each of [records, cpu]) each.disabled = running;
  cancel.disabled = !running;
  cancel.removeAttribute("aria-disabled");
  download.disabled = table.rows.size === 0;
  document.body.classList.toggle("busy", running);
  if (focused?.matches(":disabled")) (running ? cancel : start).focus();
}

/** Ends with the unit that is measured. The button stays in place until then, for the focus. */
function stop(): void {
  if (cancel.hasAttribute("aria-disabled")) return;
  cancel.setAttribute("aria-disabled", "true");
  tell("Ending with this unit.");
  end?.();
}

/** Adds what the files have, or nothing where one of them is none. */
async function upload(files: readonly File[]): Promise<void> {
  reading++;
  enable();
  tell(`Reading ${counted(files.length, "file")}.`);
  try {
    const read = await readRecords(files).finally(() => reading--);
    // Of now: others may have been read meanwhile.
    table = mergeTables(table, ...read);
    const shown = here ?? mainEnvironment(table);
    if (shown) view.environment(shown);
    tellRecords();
  } catch (error) {
    tell(messageOf(error), true);
  }
  enable();
}

function tellRecords(): void {
  const more = reading > 0 ? "More files are being read." : "";
  tell([missing, recordsText(table, here), more].filter(Boolean).join(" "), missing !== "");
}

function save(): void {
  const url = URL.createObjectURL(new Blob([printLines(table)], { type: "application/jsonl" }));
  const link = Object.assign(document.createElement("a"), { href: url, download: "latency.jsonl" });
  link.click();
  unsaved = false;
  // The download has begun when the click has been handled, or shortly after.
  setTimeout(() => URL.revokeObjectURL(url), 60_000);
}

async function detect(runtime: string): Promise<void> {
  here = await detectEnvironment({ runtime: `onnxruntime-web ${runtime}`, cpu: cpuName() });
  view.environment(here);
}

async function rename(runtime: string): Promise<void> {
  cpu.value = cpuName() ?? "";
  try {
    await detect(runtime);
    if (table.rows.size > 0 && !running) tellRecords();
  } catch (error) {
    tell(messageOf(error), true);
  }
}

/** What the server says. @throws why nothing can be measured */
async function factsOf(): Promise<LatencyFacts & { runtime: string }> {
  const response = await fetch("/latency.json").catch(() => null);
  if (!response) throw new Error("The server does not answer: does it still run? Then reload this page.");
  if (!response.ok) throw new Error(`The server has no /latency.json: it answers ${response.status}.`);
  const { runtime, ...facts }: LatencyFacts = await response.json();
  if (runtime === null) throw new Error(facts.missing);
  return { ...facts, runtime };
}

async function ready(): Promise<void> {
  try {
    const facts = await factsOf();
    await detect(facts.runtime);
    cpu.addEventListener("change", () => void rename(facts.runtime));
    byId("builder").addEventListener("submit", (event) => {
      event.preventDefault();
      if (!start.disabled) void build(facts);
    });
    tell("Choose how long, and press Measure.");
  } catch (error) {
    missing = messageOf(error);
    tell(missing, true);
  }
  records.addEventListener("change", () => {
    const files = [...(records.files ?? [])];
    // So that the same file can be picked again.
    records.value = "";
    void upload(files);
  });
  download.addEventListener("click", save);
  cancel.addEventListener("click", stop);
  addEventListener("beforeunload", (event) => {
    if (unsaved) event.preventDefault();
  });
  enable();
}

await ready();
document.body.dataset.ready = "yes";

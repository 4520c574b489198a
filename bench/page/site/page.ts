import { readyStores, tellKept } from "./cache.ts";
import { newChoice } from "./choice.ts";
import { byId } from "./dom.ts";
import { wholePageText } from "./figures.ts";
import { onFiles } from "./files.ts";
import { cutLine } from "./line.ts";
import { readyRace } from "./race.ts";
import { newRun, type Run, toEnd } from "./run.ts";
import { newView, tell } from "./view.ts";
import { outcome } from "./words.ts";

// The page: one run at a time, and who may start and stop it.

const load = byId<HTMLButtonElement>("load");
const cut = byId<HTMLButtonElement>("cut");
const abort = byId<HTMLButtonElement>("abort");

const choice = await newChoice();
await readyStores();
const view = newView(newRun({ name: "", input: "", signal: new AbortController().signal }));
/** The hash of the floats of the last whole run, by name of model. */
const before = new Map<string, string>();
let control = new AbortController();

async function start(): Promise<void> {
  if (load.disabled) return;
  control = new AbortController();
  busy(true);
  tell("Preparing.");
  try {
    const job = await choice.job(control.signal, (fraction) => tell(`Packing: ${Math.floor(100 * fraction)} %.`));
    const run = newRun(job);
    view.show(run, job.name);
    tell("Loading.");
    cut.disabled = job.input instanceof Blob;
    await toEnd(run, view.changed);
    over(run);
  } catch (error) {
    tell(control.signal.aborted ? "Aborted." : `${error instanceof Error ? error.message : error}`, true);
  }
  await tellKept();
  busy(false);
}

function over(run: Run): void {
  const { floats, job } = run;
  tell(outcome(run, before.get(job.name)), floats === undefined);
  if (floats === undefined) return;
  before.set(job.name, floats);
  view.wholePage("being measured");
  void wholePageText().then(view.wholePage);
}

function busy(now: boolean): void {
  load.disabled = now;
  abort.disabled = !now;
  cut.disabled = true;
  document.body.classList.toggle("busy", now);
}

readyRace();
onFiles((files) => {
  choice.take(files);
  void start();
});
byId("controls").addEventListener("submit", (event) => {
  event.preventDefault();
  void start();
});
abort.addEventListener("click", () => control.abort(new DOMException("aborted by hand", "AbortError")));
cut.addEventListener("click", () => void cutLine());
document.body.dataset.ready = "yes";

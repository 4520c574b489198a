import { detectEnvironment } from "../../../src/latency/detect.ts";
import type { Environment, RuntimeName } from "../../../src/latency/environment.ts";
import { environmentLine, parseLines, rowLine } from "../../../src/latency/lines.ts";
import type { Row } from "../../../src/latency/row.ts";
import type { Run } from "../../../src/latency/run.ts";
import { addEnvironment, addRow, type LatencyTable, newTable } from "../../../src/latency/table.ts";
import { type BuildProgress, type BuildReport, buildTable, knownReference } from "../../../src/measure/build.ts";
import { withResolution } from "../../../src/measure/clock.ts";
import { nameOf } from "../../../src/measure/family.ts";
import { type Measured, measureUnit, settled } from "../../../src/measure/loop.ts";
import { onnxRunner } from "../../../src/measure/ort.ts";
import type { Runner } from "../../../src/measure/runner.ts";
import { loadRuntime } from "./ort.ts";

// Where the page measures: beside it, so that it can be used meanwhile.

export interface LatencyAsked {
  /** Of this quern. */
  readonly tool: string;
  /** Earlier records, as lines; "": none. */
  readonly known: string;
  /** The CPU's name, if the user gives it. */
  readonly cpu?: string | undefined;
  /** Seconds. 0: what all is compared with, and nothing else */
  readonly budget: number;
  /** Whole models of the family, by index: each is measured in all ways it can be run when the table is built. */
  readonly models?: readonly number[] | undefined;
  /** Milliseconds that each of them gets. */
  readonly each?: number | undefined;
}

export interface MeasuredModel extends Omit<Measured, "median"> {
  readonly index: number;
  readonly name: string;
  readonly run: Run;
  /** The median, as of units. */
  readonly ms: number;
}

export type LatencyTold =
  | { readonly kind: "environment"; readonly environment: Environment; readonly line: string; readonly clock: number }
  | { readonly kind: "progress"; readonly progress: BuildProgress }
  | { readonly kind: "row"; readonly row: Row; readonly line: string }
  | { readonly kind: "model"; readonly model: MeasuredModel }
  | { readonly kind: "over"; readonly report: BuildReport }
  | { readonly kind: "failed"; readonly message: string; readonly cancelled: boolean };

/** Pages compile the runtime anew each time, and well only what has run for a while. */
const WARM_SHARE = 0.1;
const MOST_WARM = 18;

const control = new AbortController();
const tell = (told: LatencyTold): void => postMessage(told);

/** Lets messages in: sessions of one thread never do. */
function breathe(): Promise<void> {
  return new Promise((resolve) => {
    const { port1, port2 } = new MessageChannel();
    port1.onmessage = () => {
      port1.close();
      resolve();
    };
    port2.postMessage(null);
  });
}

async function measure(asked: LatencyAsked): Promise<BuildReport> {
  const runner = onnxRunner(await loadRuntime());
  const [name, version] = runner.runtime.split(" ") as [RuntimeName, string];
  const environment = await detectEnvironment({ runtime: { name, version, threads: 1 }, cpu: asked.cpu });
  const table = asked.known === "" ? newTable() : parseLines(asked.known);
  addEnvironment(table, environment);
  const clock = withResolution(performance);
  tell({ kind: "environment", environment, line: environmentLine(environment), clock: clock.resolution });
  const report = await buildTable(runner, environment, {
    ...{ table, clock, tool: asked.tool, budget: asked.budget, signal: control.signal },
    warm: Math.min(WARM_SHARE * asked.budget, MOST_WARM),
    onRow(row) {
      addRow(table, row);
      tell({ kind: "row", row, line: rowLine(row) });
    },
    async onProgress(progress) {
      tell({ kind: "progress", progress });
      await breathe();
    },
  });
  const refused = await measureModels(runner, environment, table, asked);
  return { ...report, refused: [...report.refused, ...refused] };
}

const EACH = 400;
/** Of the models that are held out of all tables. */
const SEED = 1;

/** Tells of models one by one. @returns those that the runtime refuses */
async function measureModels(runner: Runner, environment: Environment, table: LatencyTable, asked: LatencyAsked) {
  const refused: { unit: string; reason: string }[] = [];
  const { models = [], each = EACH } = asked;
  const reference = models.length > 0 ? await runner.open(runner.reference) : null;
  if (!reference) return refused;
  const clock = withResolution(performance);
  const { median: least } = await settled(clock, reference.run);
  const beside = { run: reference.run, ms: knownReference(table, environment, runner) as number, least };
  for (const index of models) {
    for (const run of runner.runs) {
      try {
        const opened = await runner.openModel(index, SEED, run);
        if (!opened) continue;
        const { median: ms, ...more } = await measureUnit(clock, beside, opened.unit, each, { signal: control.signal });
        await opened.unit.close();
        tell({ kind: "model", model: { index, name: nameOf(index), run, ms, ...more } });
      } catch (error) {
        control.signal.throwIfAborted();
        refused.push({ unit: `${nameOf(index)} ${run}`, reason: `${(error as Error)?.message ?? error}` });
      }
      await breathe();
    }
  }
  await reference.close();
  return refused;
}

addEventListener("message", async ({ data }: MessageEvent<LatencyAsked | "cancel">) => {
  if (data === "cancel") return control.abort(new DOMException("cancelled", "AbortError"));
  try {
    tell({ kind: "over", report: await measure(data) });
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error);
    tell({ kind: "failed", message, cancelled: control.signal.aborted });
  }
});

import { loadRuntime } from "../../bench/page/site/ort.ts";
import type { Unit, Value } from "../../src/engine/engine.ts";
import type { OnnxRuntime } from "../../src/engine/onnx/runtime.ts";
import type { Interval } from "../../src/latency/interval.ts";
import type { UnitRun } from "../../src/latency/run.ts";
import { openAsRun } from "../../src/measure/asrun.ts";
import { onnxRunner } from "../../src/measure/ort.ts";
import type { OpenUnit } from "../../src/measure/unit.ts";
import { timeInVisits } from "../../src/measure/visits.ts";

// Times ways to run a model in a page's worker, as choice.bench.ts does it in Node.

/** Plain data: a page gets it as JSON. */
export interface ToTime {
  /** Base64. */
  readonly model: string;
  readonly units: readonly Unit[];
  readonly inputs: readonly {
    readonly name: string;
    readonly shape: readonly number[];
    readonly data: readonly number[];
    readonly integer: boolean;
  }[];
  /** For each way, how each unit is run, by its name. */
  readonly ways: readonly Readonly<Record<string, UnitRun>>[];
  /** What the reference takes by the table. */
  readonly ms: number;
  readonly visits: number;
}

export type Told = { readonly times: (Interval | null)[] } | { readonly failed: string };

interface Opened {
  readonly ort: OnnxRuntime;
  readonly reference: OpenUnit;
}

let opened: Promise<Opened> | undefined;

async function open(): Promise<Opened> {
  const ort = await loadRuntime();
  const runner = onnxRunner(ort);
  return { ort, reference: (await runner.open(runner.reference)) as OpenUnit };
}

async function times({ model, units, inputs, ways, ms, visits }: ToTime): Promise<(Interval | null)[]> {
  opened ??= open();
  const { ort, reference } = await opened;
  const toRun = {
    model: Uint8Array.from(atob(model), (character) => character.charCodeAt(0)),
    units,
    inputs: new Map(
      inputs.map(({ name, shape, data, integer }): [string, Value] => [
        name,
        { shape, data: integer ? Int32Array.from(data) : Float32Array.from(data) },
      ]),
    ),
  };
  const opens = ways.map((runs) => () => openAsRun(ort, toRun, ({ name }) => runs[name] as UnitRun));
  return timeInVisits(opens, { reference: { run: reference.run, ms }, visits });
}

addEventListener("message", async ({ data }: MessageEvent<ToTime>) => {
  const told: Told = await times(data).then(
    (times) => ({ times }),
    (error) => ({ failed: String(error) }),
  );
  postMessage(told);
});

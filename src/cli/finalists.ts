import { readFile } from "node:fs/promises";
import { describedFor, firstOf } from "../data/described.ts";
import { feedOf } from "../data/feed.ts";
import type { OnnxRuntime } from "../engine/onnx.ts";
import { DataError } from "../errors.ts";
import { detectEnvironment } from "../latency/detect.ts";
import type { Interval } from "../latency/interval.ts";
import { openAsRun } from "../measure/asrun.ts";
import { knownReference } from "../measure/build.ts";
import { onnxRunner } from "../measure/ort.ts";
import { timeInVisits } from "../measure/visits.ts";
import type { Measured } from "../report/choice/points.ts";
import type { Answer } from "../strategy/answer.ts";
import { parseCandidate } from "../strategy/candidate.ts";
import { waysToRun } from "../strategy/how.ts";
import type { CompressOptions } from "../strategy/settings.ts";
import type { Model } from "../tensor.ts";
import { installedRuntimes, runtimeModules } from "./engines.ts";

// What models that compress has tried really take, where the environment that they are for is this one.

/** Ways to run units that are timed; models whose units run alike take the same time. */
const MOST = 6;

/**
 * Times of the answer and of other trials. None where the environment is another one than this, the runtime is not ONNX Runtime, or it refuses the model.
 * @param file - the model
 */
export async function timeFinalists(
  file: string,
  model: Model,
  { engine, environment, table, data, signal, onProgress }: CompressOptions,
  { trials }: Answer,
): Promise<Measured[]> {
  const ort = await runtimeHere(environment);
  if (!ort) return [];
  const runner = onnxRunner(ort, environment.runtime.threads);
  const ms = knownReference(table, environment, runner);
  // Without rows of this environment there is nothing that the machine's speed could be compared with.
  if (ms === null) return [];
  const description = await describedFor(engine, data);
  const { units } = description;
  const toRun = { model: await readFile(file), units, inputs: await firstOf(feedOf(description, data), data) };
  const place = { model, description, fitted: new WeakMap() };
  // The answer is the one that nothing beat.
  const bestFirst = [...trials].sort((a, b) => Number(a.lost !== null) - Number(b.lost !== null));
  const timed = waysToRun(place, bestFirst, ({ plan }) => parseCandidate(plan)).slice(0, MOST);
  const reference = await runner.open(runner.reference);
  if (!reference) return [];
  try {
    const opens = timed.map(
      ({ runOf }) =>
        () =>
          openAsRun(ort, toRun, runOf, environment.runtime.threads),
    );
    const onVisit = (done: number, total: number) => onProgress?.({ phase: "timing", done, total });
    const times = await timeInVisits(opens, { reference: { run: reference.run, ms }, signal, onVisit });
    return timed.flatMap(({ alike }, i) => alike.map(({ plan }) => ({ plan, latency: times[i] as Interval })));
  } catch (error) {
    if (error instanceof DataError) return [];
    throw error;
  } finally {
    await reference.close();
  }
}

async function runtimeHere({ id, runtime }: CompressOptions["environment"]): Promise<OnnxRuntime | null> {
  const { name, version } = runtime;
  if (name !== "onnxruntime-node" && name !== "onnxruntime-web") return null;
  const installed = (await installedRuntimes()).some((one) => one.name === name && one.version === version);
  if (!installed || (await detectEnvironment({ runtime })).id !== id) return null;
  return (await runtimeModules(name)) as OnnxRuntime;
}

import type { Unit, Value } from "../engine/engine.ts";
import { createSession, messageOf, type OnnxRuntime, type OnnxSession } from "../engine/onnx/runtime.ts";
import { dataTypeOf, toTensor } from "../engine/onnx/values.ts";
import { DataError } from "../errors.ts";
import type { RunOf } from "../latency/parts.ts";
import { deployed } from "./deployed.ts";
import type { OpenUnit } from "./unit.ts";

export interface ToRun {
  /** An ONNX model, with its weights in it. */
  readonly model: Uint8Array;
  /** As an engine describes them. */
  readonly units: readonly Unit[];
  /** What it is given, by name. */
  readonly inputs: ReadonlyMap<string, Value>;
}

/**
 * A model with its units run so, as applications would run it: at the full optimisation of ONNX Runtime. Its weights are codes that stand for nothing.
 * @throws DataError where the runtime refuses it, or to run it with these inputs
 */
export async function openAsRun(
  ort: OnnxRuntime,
  { model, units, inputs }: ToRun,
  runOf: RunOf,
  threads = 1,
): Promise<OpenUnit> {
  const session = (await createSession(ort, await deployed(model, units, runOf), threads, "all")) as Session;
  try {
    const feeds = feedsOf(ort, session, inputs);
    const run = () => session.run(feeds as never, session.outputNames as never);
    await run();
    return { copies: 1, run, base: null, close: () => session.release() };
  } catch (error) {
    await session.release();
    throw new DataError(`ONNX Runtime cannot run the model with these inputs: ${messageOf(error)}`);
  }
}

function feedsOf(ort: OnnxRuntime, { inputMetadata = [] }: Session, inputs: ToRun["inputs"]): object {
  // Packages before 1.21 do not tell.
  const types = new Map(inputMetadata.map(({ name, type }) => [name, type]));
  return Object.fromEntries(
    [...inputs].map(([name, value]) => {
      const type = types.get(name) ?? (value.data instanceof Float32Array ? "float32" : "int64");
      return [name, toTensor(ort, dataTypeOf(type), value, name)];
    }),
  );
}

type Session = OnnxSession & {
  readonly inputMetadata?: readonly { readonly name: string; readonly type: string }[];
  readonly outputNames: readonly string[];
};

import type { ByteSource, Folder } from "../../bytes.ts";
import { DataError } from "../../errors.ts";
import type { Edits, Engine, InputEdit, Values } from "../engine.ts";
import { unitAlone } from "./alone.ts";
import { describeGraph } from "./description.ts";
import { addedTensors, type EditedGraph, editedGraph, editedModel, kindOf } from "./edited.ts";
import { isParameter, loadGraph, type OnnxGraph, readFloats } from "./graph.ts";
import { checkedInputs } from "./inputs.ts";
import {
  createSession,
  installedRuntime,
  messageOf,
  type OnnxRuntime,
  type OnnxTensor,
  runtimeName,
} from "./runtime.ts";
import { type Sessions, sessionPool } from "./sessions.ts";
import { type Seen, sampleOf, seenValues, standIn } from "./structure.ts";
import { type UnitNodes, unitsOf } from "./units.ts";
import { fromTensor, toTensor } from "./values.ts";

export interface OnnxEngineOptions {
  /** The module `onnxruntime-web` or `onnxruntime-node`. Default: the latter where it is installed, else the former */
  readonly ort?: OnnxRuntime | undefined;
  /** Default: 1, so that numbers are the same each time. onnxruntime-web takes it from whoever makes the first session. */
  readonly threads?: number | undefined;
  /** Where files of external data are. */
  readonly folder?: Folder | undefined;
  /** Inputs that `describe` and `only` run with, for models that do not run with zeros in their declared shapes. */
  readonly sample?: Values | undefined;
}

/**
 * An engine over ONNX Runtime. Weights are put into the model's bytes, so each set of edits has its sessions; in engines of one unit, which
 * searches edit again and again, weights, factors and scales are inputs of the graph, and edits of a kind share one session.
 * @throws FormatError for what is no ONNX model; DataError if there are external data and no folder, or no runtime
 */
export async function onnxEngine(model: Uint8Array | ByteSource, options: OnnxEngineOptions = {}): Promise<Engine> {
  const { folder, threads = 1, sample = new Map() } = options;
  const graph = await loadGraph(model, folder);
  const ort = options.ort ?? (await installedRuntime());
  const units = unitsOf(graph);
  return engineOver(modelOf({ ort, threads, graph, units, sample, swapped: null }), {}, sessionPool());
}

/** What engines of one model have in common, whatever their edits. */
interface OnnxModel {
  readonly ort: OnnxRuntime;
  readonly threads: number;
  readonly graph: OnnxGraph;
  readonly units: readonly UnitNodes[];
  readonly sample: Values;
  readonly swapped: ReadonlySet<string> | null;
  /** Found when first asked for, of the model's own sample; of others each time. */
  seen(other?: Values): Promise<ReadonlyMap<string, Seen>>;
  /** An initializer's floats. */
  floats(name: string): Promise<Float32Array>;
}

function modelOf(about: Omit<OnnxModel, "seen" | "floats">): OnnxModel {
  const { ort, threads, graph, units, sample } = about;
  let seen: Promise<ReadonlyMap<string, Seen>> | undefined;
  const floats = new Map<string, Promise<Float32Array>>();
  return {
    ...about,
    seen(other) {
      const found = async (of: Values) => seenValues(ort, threads, graph, units, sampleOf(graph, of));
      if (other) return found(new Map([...sample, ...other]));
      seen ??= found(sample);
      return seen;
    },
    floats(name) {
      const known = floats.get(name) ?? readFloats(graph, name);
      floats.set(name, known);
      return known;
    },
  };
}

function engineOver(model: OnnxModel, edits: Edits, sessions: Sessions): Engine {
  const { ort, graph, units, swapped } = model;
  const edited = editedGraph(graph, units, edits, swapped);
  let closed = false;
  return {
    runtime: runtimeName(ort),
    describe: async (sample) => describeGraph(graph, units, await model.seen(sample)),
    async run(inputs, tap = []) {
      if (closed) throw new DataError("the engine is closed");
      return run(model, edited, sessions, inputs, tap);
    },
    async withWeights(next) {
      if (closed) throw new DataError("the engine is closed");
      const engine = engineOver(model, next, swapped ? sessions : sessionPool());
      if (swapped) sessions.share();
      return engine;
    },
    async only(name) {
      const unit = units.find((each) => each.name === name);
      if (!unit) throw new DataError(`the model has no unit "${name}"`);
      const edit = edits.inputs?.get(name);
      return alone(model, unit, edits.weights ?? new Map(), edit);
    },
    async close() {
      if (!closed) await sessions.release();
      closed = true;
    },
  };
}

async function run(
  { ort, threads, graph, floats }: OnnxModel,
  edited: EditedGraph,
  sessions: Sessions,
  inputs: Values,
  tap: readonly string[],
): Promise<Values> {
  const { program } = graph;
  const given = checkedInputs(program.inputs, inputs);
  const outputs = program.outputs.map(({ name }) => name);
  const unknown = tap.find((name) => !graph.names.has(name) || program.initializers.has(name));
  if (unknown !== undefined) throw new DataError(`the model has no value "${unknown}"`);
  const taps = [...new Set(tap)].filter((name) => !outputs.includes(name) && !given.has(name)).sort();
  const feeds: Record<string, OnnxTensor> = {};
  for (const { name, dataType } of program.inputs)
    feeds[name] = toTensor(ort, dataType, given.get(name) as never, name);
  if (edited.swapped) {
    for (const name of edited.swapped) {
      const { shape, dataType } = program.initializers.get(name) as { shape: readonly number[]; dataType: number };
      feeds[name] = toTensor(ort, dataType, { shape, data: edited.weights.get(name) ?? (await floats(name)) }, name);
    }
    for (const { name, dataType, ...value } of addedTensors(edited)) feeds[name] = toTensor(ort, dataType, value, name);
  }
  const key = JSON.stringify([kindOf(edited), taps]);
  const make = async () => createSession(ort, await editedModel(edited, taps), threads);
  const results = await sessions.use(key, make, async (session) => {
    try {
      return await session.run(feeds as never, [...outputs, ...taps] as never);
    } catch (error) {
      throw new DataError(`ONNX Runtime cannot run the model with these inputs: ${messageOf(error)}`);
    }
  });
  const values = Object.entries(results).map(
    ([name, tensor]) => [name, fromTensor(tensor as OnnxTensor, name)] as const,
  );
  const passed = tap.filter((name) => given.has(name)).map((name) => [name, given.get(name) as never] as const);
  return new Map([...values, ...passed]);
}

/** Types of units whose floats may be sizes or scales that runtimes want to know beforehand. */
const FIXED: readonly string[] = ["shape", "pool", "other"];

async function alone(
  { ort, threads, graph, ...model }: OnnxModel,
  unit: UnitNodes,
  weights: ReadonlyMap<string, Float32Array>,
  edit: InputEdit | undefined,
): Promise<Engine> {
  const seen = await model.seen();
  const inner = await loadGraph(await unitAlone(graph, unit, seen, weights));
  // Of two nodes of one name each has its own here.
  const units = unitsOf(inner).map((each, _, { length }) => (length === 1 ? { ...each, name: unit.name } : each));
  const sample = new Map(
    unit.inputs.flatMap((name) => {
      const value = seen.get(name);
      return value ? [[name, standIn(value)] as const] : [];
    }),
  );
  const parameters = [...inner.program.initializers.values()].filter(isParameter).map(({ name }) => name);
  const swapped = FIXED.includes(unit.type) ? null : new Set(parameters);
  const edits = edit ? { inputs: new Map([[unit.name, edit]]) } : {};
  return engineOver(modelOf({ ort, threads, graph: inner, units, sample, swapped }), edits, sessionPool());
}

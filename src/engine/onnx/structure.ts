import { DataError } from "../../errors.ts";
import { elementCount } from "../../tensor.ts";
import type { Value, Values } from "../engine.ts";
import { editedGraph, editedModel } from "./edited.ts";
import type { OnnxGraph } from "./graph.ts";
import { makesNoTensor } from "./operators.ts";
import { createSession, messageOf, type OnnxRuntime, type OnnxTensor } from "./runtime.ts";
import type { UnitNodes } from "./units.ts";
import { dataTypeOf, fromTensor, isFloatType, toTensor } from "./values.ts";

// Shapes and types of the values inside, found by running once: what a graph says of them is optional, and often missing.

export interface Seen {
  /** As onnx.proto numbers them. */
  readonly dataType: number;
  readonly shape: readonly number[];
  /** Of integers, which may be shapes or indices that no others can stand for. */
  readonly data: Int32Array | null;
}

/** Inputs and outputs of units by name, when the model runs with these inputs. @throws DataError where it cannot */
export async function seenValues(
  ort: OnnxRuntime,
  threads: number,
  graph: OnnxGraph,
  units: readonly UnitNodes[],
  inputs: Values,
): Promise<Map<string, Seen>> {
  const given = new Set(graph.program.inputs.map(({ name }) => name));
  const wanted = new Set(graph.program.outputs.map(({ name }) => name));
  const own = wanted.size;
  for (const unit of units) {
    for (const name of [...unit.inputs, unit.output]) {
      const { operator } = graph.producers.get(name) ?? {};
      if (!given.has(name) && !(operator && makesNoTensor(operator))) wanted.add(name);
    }
  }
  const model = await editedModel(editedGraph(graph, units, {}, null), [...wanted].slice(own));
  const session = await createSession(ort, model, threads);
  try {
    const feeds: Record<string, OnnxTensor> = {};
    for (const { name, dataType } of graph.program.inputs) {
      feeds[name] = toTensor(ort, dataType, inputs.get(name) as Value, name);
    }
    const results = await session.run(feeds as never, [...wanted] as never);
    return new Map(
      Object.entries({ ...feeds, ...results }).map(([name, tensor]) => [name, seen(tensor as OnnxTensor)]),
    );
  } catch (error) {
    if (error instanceof DataError) throw error;
    throw new DataError(`the model does not run with the inputs of the sample: ${messageOf(error)}`);
  } finally {
    await session.release();
  }
}

function seen(tensor: OnnxTensor): Seen {
  const dataType = dataTypeOf(tensor.type);
  const shape = (tensor.dims ?? []).map(Number);
  if (isFloatType(dataType) || dataType === 0) return { dataType, shape, data: null };
  return { dataType, shape, data: fromTensor(tensor, "").data as Int32Array };
}

/** What a value was, with zeros for floats. */
export function standIn({ dataType, shape, data }: Seen): Value {
  const count = elementCount(shape);
  return { shape, data: data ?? (isFloatType(dataType) ? new Float32Array(count) : new Int32Array(count)) };
}

/** Elements of zeros that are made because a file says so. */
const MOST_ZEROS = 2 ** 27;

/**
 * Zeros in the declared shapes, with 1 for free extents, for inputs that the sample lacks.
 * @throws DataError where no shape is declared, or a very large one
 */
export function sampleOf({ program }: OnnxGraph, sample: Values): Values {
  const values = new Map<string, Value>();
  for (const { name, dataType, shape } of program.inputs) {
    const least = shape?.map((extent) => (extent < 0 ? 1 : extent));
    const count = least?.reduce((product, extent) => product * extent, 1) ?? Number.POSITIVE_INFINITY;
    const given = sample.get(name);
    if (given) values.set(name, given);
    else if (least && count <= MOST_ZEROS) values.set(name, standIn({ dataType, shape: least, data: null }));
    else {
      const declared = least ? `is declared as ${least.join(" x ")}` : "has no declared shape";
      throw new DataError(`input "${name}" ${declared}: give a "sample" of the inputs`);
    }
  }
  return values;
}

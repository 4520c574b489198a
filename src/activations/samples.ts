import type { Engine, Unit, Value, Values } from "../engine/engine.ts";
import { DataError } from "../errors.ts";
import { type Channels, channelsOf } from "./channels.ts";

// What flows into units and out of them, for some samples.

/** What a unit was given, batch by batch, and what it made of it. */
export interface UnitSamples {
  readonly inputs: readonly Values[];
  readonly outputs: readonly Value[];
  /** Elements of its first input, of all batches. */
  readonly data: Float32Array;
  readonly at: Channels;
}

/** Elements of a unit's input that are kept, at most, so long as that is one batch: 4 MiB. */
const KEPT = 1 << 20;

/**
 * Runs the model on the batches and keeps what the units see.
 * @throws DataError where a unit's input is of integers, or its channels differ from batch to batch
 */
export async function sampleUnits(
  engine: Engine,
  units: readonly Unit[],
  batches: AsyncIterable<Values>,
  signal?: AbortSignal,
): Promise<Map<string, UnitSamples>> {
  const taps = [...new Set(units.flatMap(({ inputs, output }) => [...inputs, output]))];
  const kept = new Map(units.map(({ name }) => [name, { inputs: [] as Values[], outputs: [] as Value[], size: 0 }]));
  for await (const batch of batches) {
    signal?.throwIfAborted();
    const inside = taps.filter((name) => !batch.has(name));
    const values = new Map([...batch, ...(await engine.run(batch, inside))]);
    let full = true;
    for (const { name, inputs, output } of units) {
      const own = kept.get(name) as { inputs: Values[]; outputs: Value[]; size: number };
      const first = valueIn(values, inputs[0] as string);
      if (own.size > 0 && own.size + first.data.length > KEPT) continue;
      full = false;
      own.inputs.push(new Map(inputs.map((input) => [input, valueIn(values, input)])));
      own.outputs.push(valueIn(values, output));
      own.size += first.data.length;
    }
    if (full) break;
  }
  return new Map(
    units.map((unit) => [unit.name, joined(unit, kept.get(unit.name) as Omit<UnitSamples, "data" | "at">)]),
  );
}

function valueIn(values: Values, name: string): Value {
  const value = values.get(name);
  if (value) return value;
  throw new DataError(`the model gave no value "${name}"`);
}

function joined(unit: Unit, { inputs, outputs }: Omit<UnitSamples, "data" | "at">): UnitSamples {
  const axis = unit.weight?.channelAxis ?? -1;
  const firsts = inputs.map((values) => values.get(unit.inputs[0] as string) as Value);
  const grids = firsts.map(({ shape }) => channelsOf(shape, axis));
  const [grid] = grids;
  if (!grid) throw new DataError("there are no samples");
  if (grids.some(({ channels, inner }) => channels !== grid.channels || inner !== grid.inner))
    throw new DataError(`unit "${unit.name}": the samples differ in more than their number`);
  const data = new Float32Array(firsts.reduce((sum, value) => sum + value.data.length, 0));
  let done = 0;
  for (const { data: part } of firsts) {
    if (part instanceof Int32Array) throw new DataError(`unit "${unit.name}" takes integers`);
    data.set(part, done);
    done += part.length;
  }
  const wanted = unit.weight ? unit.weight.shape.at(unit.weight.inputAxis) : grid.channels;
  if (grid.channels !== wanted)
    throw new DataError(`unit "${unit.name}" gets ${grid.channels} channels, and its weight has ${wanted}`);
  const outer = grids.reduce((sum, { outer }) => sum + outer, 0);
  return { inputs, outputs, data, at: { ...grid, outer } };
}

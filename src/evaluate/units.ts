import type { Description, Engine, Unit, UnitType, Value, Values } from "../engine/engine.ts";
import { DataError } from "../errors.ts";
import type { BootstrapOptions, Figure } from "../loss/sums.ts";
import { valueSums } from "../loss/values.ts";

/** What a unit alone loses: its output against the original's, both from what the original model feeds it. */
export interface UnitLoss {
  readonly name: string;
  readonly type: UnitType;
  /** The name of its weight. */
  readonly weight: string;
  /** Of the original's parameters. */
  readonly bytes: number;
  readonly macs: number;
  readonly mse: Figure;
  /** In dB; null where nothing changed, or it cannot be told. */
  readonly snr: Figure;
  /** Samples with an output that is not finite. */
  readonly notFinite: number;
}

/** Units that are run alone, batch by batch. */
export interface UnitRuns {
  /** Names of the values inside that are needed of the original. */
  readonly taps: readonly string[];
  /** @param values - of the original: its inputs, and what was tapped. Those of padding are behind the first `count` */
  add(values: Values, count: number): Promise<void>;
  report(): UnitLoss[];
  close(): Promise<void>;
}

/**
 * Opens the units that have weights, in the order of running.
 * @param wanted - true: all; or names
 * @throws DataError for a name that no such unit has; units that the compressed model does not have are an error too
 */
export async function openUnits(
  { inputs, units }: Description,
  compressed: Engine,
  wanted: boolean | readonly string[],
  options: BootstrapOptions & { readonly signal?: AbortSignal | undefined },
): Promise<UnitRuns> {
  const chosen = chosenUnits(units, wanted);
  const own = new Set(inputs.map(({ name }) => name));
  const taps = new Set(chosen.flatMap((unit) => [...unit.inputs, unit.output]).filter((name) => !own.has(name)));
  const engines: Engine[] = [];
  const close = async (): Promise<void> => {
    for (const engine of engines) await engine.close();
  };
  try {
    for (const { name } of chosen) {
      options.signal?.throwIfAborted();
      engines.push(await compressed.only(name));
    }
  } catch (error) {
    await close();
    throw error;
  }
  const sums = chosen.map(() => valueSums(options));
  return {
    taps: [...taps],
    async add(values, count) {
      for (const [i, unit] of chosen.entries()) {
        options.signal?.throwIfAborted();
        const before = valueIn(values, unit.output);
        const run = await (engines[i] as Engine).run(new Map(unit.inputs.map((name) => [name, valueIn(values, name)])));
        const after = run.get(unit.output) ?? [...run.values()][0];
        if (!after) throw new DataError(`unit "${unit.name}" has no output`);
        sums[i]?.add({ original: samples(before, count), compressed: samples(after, count) });
      }
    },
    report: () => chosen.map((unit, i) => lossOf(unit, sums[i] as ReturnType<typeof valueSums>)),
    close,
  };
}

function chosenUnits(units: readonly Unit[], wanted: boolean | readonly string[]): Unit[] {
  const weighted = units.filter(({ weight }) => weight !== null);
  if (typeof wanted === "boolean") return wanted ? weighted : [];
  for (const name of wanted) {
    if (!weighted.some((unit) => unit.name === name))
      throw new DataError(
        `no unit with a weight is called "${name}": there are ${weighted.map((unit) => unit.name).join(", ")}`,
      );
  }
  return weighted.filter(({ name }) => wanted.includes(name));
}

// The batch need not be the first dimension of what flows inside; then all of a batch is one sample.
function samples(value: Value, count: number): Value {
  const [all = 1, ...inner] = value.shape;
  if (value.shape.length === 0 || all < count || value.data.length % all !== 0)
    return { ...value, shape: [1, value.data.length] };
  return { shape: [count, ...inner], data: value.data.subarray(0, (value.data.length / all) * count) };
}

function valueIn(values: Values, name: string): Value {
  const value = values.get(name);
  if (value) return value;
  throw new DataError(`the model gave no value "${name}"`);
}

function lossOf({ name, type, weight, bytes, macs }: Unit, sums: ReturnType<typeof valueSums>): UnitLoss {
  return { name, type, weight: weight?.name ?? "", bytes, macs, ...sums.figures(), notFinite: sums.notFinite };
}

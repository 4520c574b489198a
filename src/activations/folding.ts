import type { Description, OutputScales, Unit, UnitWeight } from "../engine/engine.ts";
import { takersOf } from "../engine/takers.ts";

// Values whose channels can be divided where they are made, because all that takes them are units whose weights can be multiplied.

export type Weighted = Unit & { readonly weight: UnitWeight };

export interface Fold {
  /** The unit whose parameters are divided. */
  readonly maker: Unit & { readonly scales: OutputScales };
  /** Those whose weights are multiplied. */
  readonly users: readonly Weighted[];
}

/** @param planned - names of units that may have factors: no weight of theirs is another's too */
export function foldsIn({ units, outputs }: Description, planned: ReadonlySet<string>): Fold[] {
  const makers = new Map(units.map((unit) => [unit.output, unit]));
  const usersOf = (value: string): Unit[] => units.filter(({ inputs }) => inputs.includes(value));
  const given = new Set(outputs.map(({ name }) => name));
  const folds = new Map<Unit, Fold>();
  for (const unit of units) {
    const maker = unit.weight && planned.has(unit.name) ? makerOf(unit.inputs[0] as string) : null;
    if (!maker || folds.has(maker.unit)) continue;
    const users = usersOf(maker.value);
    if (!users.every((user): user is Weighted => isUser(user, maker.value))) continue;
    if (users.every((user) => channelOf(user, maker.unit))) folds.set(maker.unit, { maker: maker.unit, users });
  }
  return [...folds.values()];

  function isUser({ name, weight, inputs }: Unit, value: string): boolean {
    return weight !== null && planned.has(name) && inputs[0] === value && inputs.lastIndexOf(value) === 0;
  }

  /** What makes a value, perhaps with pools between, which are proportional to what they take. */
  function makerOf(value: string): { unit: Fold["maker"]; value: string } | null {
    const users = value;
    for (let at = value; !given.has(at); ) {
      const unit = makers.get(at);
      if (unit?.scales && own(unit)) return { unit: unit as Fold["maker"], value: users };
      if (unit?.type !== "pool" || unit.inputs.length !== 1) return null;
      at = unit.inputs[0] as string;
      if (usersOf(at).length !== 1) return null;
    }
    return null;
  }

  function own(unit: Unit): boolean {
    return (unit.scales?.parameters ?? []).every(({ name }) => takersOf(units, name) === 1);
  }
}

/** Whether the channels that a unit takes are those that the maker gives. */
function channelOf({ weight, inputShape }: Weighted, { scales, outputShape }: Fold["maker"]): boolean {
  const rank = inputShape.length;
  if (rank !== outputShape.length) return false;
  return (weight.channelAxis + rank) % rank === (scales.channelAxis + rank) % rank;
}

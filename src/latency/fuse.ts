import type { Unit } from "../engine/engine.ts";

// Units that runtimes do in one go, beyond a bias and an activation behind what multiplies: those of ONNX Runtime at its full optimisation, as
// test/accuracy/parts.test.ts finds them in the graphs that it writes.

/** Operators one behind the other, each taken by the next alone. A "*" stands for any of its type. */
const CHAINS: readonly (readonly string[])[] = [
  ["Div", "Erf", "Add", "Mul", "Mul"],
  ["Add", "LayerNormalization"],
  ["MatMul", "Mul"],
];

/** Units as the runtime does them: several become one, which takes what the first takes and gives what the last gives. */
export function fused(units: readonly Unit[]): Unit[] {
  const uses = new Map<string, number>();
  for (const { inputs } of units) for (const name of inputs) uses.set(name, (uses.get(name) ?? 0) + 1);
  const takers = new Map<string, Unit>();
  for (const unit of units) for (const name of unit.inputs) takers.set(name, unit);
  const gone = new Set<Unit>();
  const made: Unit[] = [];
  for (const unit of units) {
    if (gone.has(unit)) continue;
    const chain = CHAINS.map((operators) => chainFrom(unit, operators, { uses, takers })).find(
      // What takes two of them is done with the first.
      (found) => found && !found.some((each) => gone.has(each)),
    );
    for (const each of chain ?? []) gone.add(each);
    made.push(chain ? together(chain) : unit);
  }
  return made;
}

interface Flow {
  readonly uses: ReadonlyMap<string, number>;
  readonly takers: ReadonlyMap<string, Unit>;
}

function chainFrom(first: Unit, operators: readonly string[], { uses, takers }: Flow): Unit[] | null {
  const chain: Unit[] = [];
  let unit: Unit | undefined = first;
  for (const [i, operator] of operators.entries()) {
    if (unit?.operators.join("+") !== operator || (operator === "MatMul" && unit.type !== "matmul")) return null;
    chain.push(unit);
    const inner: boolean = i + 1 < operators.length;
    // What is taken twice by one unit, as in x * f(x), is still taken by that one alone.
    if (inner && (uses.get(unit.output) ?? 0) !== 1) return null;
    unit = takers.get(unit.output);
  }
  return chain;
}

function together(chain: readonly Unit[]): Unit {
  const [first, last] = [chain[0] as Unit, chain.at(-1) as Unit];
  return {
    ...first,
    type: chain.some(({ type }) => type === "norm") ? "norm" : first.type,
    operators: chain.flatMap(({ operators }) => operators),
    output: last.output,
    outputShape: last.outputShape,
    macs: first.macs,
  };
}

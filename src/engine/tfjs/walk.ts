import { DataError } from "../../errors.ts";
import type { Graph, Step } from "./graph.ts";
import { editInput, type StepEdit } from "./inputs.ts";
import type { Core, Tensor } from "./types.ts";

export interface Walk {
  readonly core: Core;
  readonly graph: Graph;
  /** By name of step. */
  readonly edits: ReadonlyMap<string, StepEdit>;
  /** Values are kept as long as gradients are to be had. */
  readonly taped: boolean;
}

/**
 * Runs the steps, inside a scope of the caller's, which frees what is left. Gives the values that are wanted.
 * @throws DataError for factors that do not fit
 */
export function walk(
  { core, graph, edits, taped }: Walk,
  inputs: ReadonlyMap<string, Tensor>,
  wanted: readonly string[],
): Map<string, Tensor> {
  const values = new Map(inputs);
  const masks = new Map<string, Tensor>();
  const uses = usesOf(graph, [...wanted, ...inputs.keys()]);
  for (const step of graph.steps) {
    const edit = edits.get(step.name);
    const given = step.inputs.map((name) => values.get(name) as Tensor);
    const known = step.inputs.map((name) => masks.get(name) ?? null);
    const run = (): Made => runStep(core, step, edit, given, known);
    const { tensors, mask } = taped ? run() : core.tidy(run);
    step.outputs.forEach((name, i) => {
      values.set(name, tensors[i] as Tensor);
      if (mask) masks.set(name, mask);
    });
    if (taped) continue;
    for (const name of new Set(step.inputs)) release(values, uses, name);
  }
  return values;
}

interface Made {
  readonly tensors: Tensor[];
  readonly mask: Tensor | null;
}

// Masks say which steps of a sequence are there, and go on to the layers that heed them as they do in the runtime's own predict.
function runStep(
  core: Core,
  { layer, options }: Step,
  edit: StepEdit | undefined,
  given: readonly Tensor[],
  masks: (Tensor | null)[],
): Made {
  const [first, ...others] = given as [Tensor, ...Tensor[]];
  const inputs = [edit ? editInput(core, first, edit) : first, ...others];
  const mask = masks.find((mask) => mask !== null);
  const tensors = [layer.apply(inputs, { ...options, training: false, ...(mask && { mask }) })].flat();
  const next = layer.supportsMasking ? [layer.computeMask(inputs, masks)].flat()[0] : null;
  return { tensors, mask: next ?? null };
}

function usesOf({ steps }: Graph, kept: readonly string[]): Map<string, number> {
  const uses = new Map<string, number>();
  for (const name of kept) uses.set(name, 1);
  for (const { inputs } of steps) {
    for (const name of new Set(inputs)) uses.set(name, (uses.get(name) ?? 0) + 1);
  }
  return uses;
}

function release(values: Map<string, Tensor>, uses: Map<string, number>, name: string): void {
  const left = (uses.get(name) as number) - 1;
  uses.set(name, left);
  if (left > 0) return;
  values.get(name)?.dispose();
  values.delete(name);
}

/** @throws DataError unless all are names of values that the graph makes or takes */
export function demandValues({ values, steps, inputs }: Graph, names: readonly string[]): void {
  const made = new Set([...inputs, ...steps.flatMap(({ outputs }) => outputs)]);
  for (const name of names) {
    if (!made.has(name) || !values.has(name)) throw new DataError(`the model has no value "${name}"`);
  }
}

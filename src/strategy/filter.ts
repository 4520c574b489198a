import { gridOf } from "../codec/grid.ts";
import type { Description } from "../engine/engine.ts";
import { PlanError } from "../errors.ts";
import type { Environment } from "../latency/environment.ts";
import { printSteps, type Step, stepsFor } from "../plan.ts";
import type { TensorInfo } from "../tensor.ts";
import { type Candidate, parseCandidate } from "./candidate.ts";
import { fittedPlan } from "./fitted.ts";
import { type Place, whyNot } from "./runnable.ts";
import { quantizing } from "./sharing.ts";
import { expandPlan } from "./space.ts";

// Which candidates of a space are worth a look for a model and a place.

export interface Excluded {
  /** As printCandidate prints it. */
  readonly candidate: string;
  readonly reason: string;
}

export interface Candidates {
  readonly kept: readonly Candidate[];
  readonly excluded: readonly Excluded[];
}

/**
 * The candidates of texts with lists that the model's tensors can have, that can be written for the environment and run there, each once; and the others,
 * with reasons. What they do to weights is what fittedPlan says. In the order of the texts.
 * @param model - of which only names, dtypes and shapes are looked at
 * @param opset - version of the model's ONNX operator set; absent: it is taken to be new enough
 * @throws PlanError for a text that expandPlan refuses
 */
export function candidatesOf(
  space: readonly string[],
  model: { readonly tensors: readonly TensorInfo[] },
  description: Description,
  environment: Environment,
  { opset }: { readonly opset?: number | undefined } = {},
): Candidates {
  const place = { environment, opset };
  const kept: Candidate[] = [];
  const excluded: Excluded[] = [];
  const same = new Map<string, string>();
  for (const text of new Set(space.flatMap(expandPlan))) {
    const candidate = parseCandidate(text);
    const found = looked(candidate, model.tensors, description, place);
    const twin = "key" in found ? same.get(found.key) : undefined;
    if ("reason" in found) excluded.push({ candidate: text, reason: found.reason });
    else if (twin !== undefined) excluded.push({ candidate: text, reason: `the same as "${twin}" for this model` });
    else {
      same.set(found.key, text);
      kept.push(candidate);
    }
  }
  return { kept, excluded };
}

function looked(
  candidate: Candidate,
  tensors: readonly TensorInfo[],
  description: Description,
  place: Place,
): { reason: string } | { key: string } {
  try {
    const plan = fittedPlan(candidate.plan, tensors, description);
    const steps = tensors.map((tensor) => checked(stepsFor(plan, tensor), tensor));
    const reason = whyNot(candidate, tensors, steps, description, place);
    return reason === null ? { key: keyOf(candidate, steps) } : { reason };
  } catch (error) {
    if (error instanceof PlanError) return { reason: error.message };
    throw error;
  }
}

// Dimensions of scales are looked at when a tensor is packed, which is late for a candidate.
function checked(steps: readonly Step[], tensor: TensorInfo): readonly Step[] {
  gridOf(tensor, quantizing(steps) ?? null);
  return steps;
}

/** The same for candidates that do the same to every tensor, and run it in the same way. */
function keyOf({ run, smooth }: Candidate, stepsOf: readonly (readonly Step[])[]): string {
  // What is pruned by the magnitudes of several tensors depends on which tensors a rule takes: those that have the same array of steps.
  const groups = new Map<readonly Step[], number>();
  const words = stepsOf.map((steps) => {
    if (!isGlobal(steps)) return printSteps(steps);
    if (!groups.has(steps)) groups.set(steps, groups.size);
    return `${printSteps(steps)} #${groups.get(steps)}`;
  });
  return JSON.stringify([run, smooth, words]);
}

function isGlobal(steps: readonly Step[]): boolean {
  return steps.some((step) => step.op === "prune" && step.by === "magnitude" && step.over === "model");
}

import type { Smoothing } from "../codec/factors.ts";
import type { Asked } from "../codec/inputs.ts";
import { argument } from "../errors.ts";
import { type Plan, parsePlan, parseSteps, printPlan, printSteps, stepsFor } from "../plan.ts";
import type { Model } from "../tensor.ts";
import { encodeDescription } from "./description.ts";
import { type Group, type Grouped, headOf } from "./grouping.ts";
import type { Stage, UnitActivations } from "./prelude.ts";
import { encodeRecords } from "./records.ts";
import { orderByStages, type StageRule } from "./stages.ts";

// What a file is to be, before anything is encoded: the same for who writes it and for who reckons its size.

/** What a file holds beside the model, and what decides how it is laid out. */
export interface FileOptions {
  /** What `smooth` goes by, by name of tensor; default: the weights alone, all input channels in the first group. */
  smoothing?: ReadonlyMap<string, Smoothing> | undefined;
  /** Stages of the model's use, first to last: tensors are laid out in their order, and readers can ask for one. Default: the model's order. */
  stages?: readonly StageRule[] | undefined;
  /** The graph that the weights belong to, kept in the header: see modelGraph. The header takes at most 100 MB. */
  graph?: Uint8Array | null | undefined;
  /** What is done to the inputs of the graph's units, so that it can be run in integers. */
  activations?: readonly UnitActivations[] | undefined;
}

export interface AskedFile {
  readonly plan: Plan;
  /** In the order of the file. */
  readonly model: Model;
  /** Each tensor of the model with its steps. */
  readonly asked: readonly Asked[];
  /** The part of the header that holds records. */
  readonly records: Uint8Array;
}

/** @throws PlanError; RangeError for names that are repeated, and for what a header cannot hold */
export function askedFile(given: Model, plan: Plan | string, options: FileOptions): AskedFile {
  const rules = typeof plan === "string" ? parsePlan(plan) : plan;
  for (const { steps } of rules) parseSteps(printSteps(steps));
  const { graph = null, activations = null } = options;
  const { model, stages } = options.stages ? orderByStages(given, options.stages) : { model: given, stages: null };
  const records = encodeRecords({ stages, graph, activations });
  return { plan: rules, model, asked: askedTensors(model, rules, stages, options.smoothing), records };
}

function askedTensors(
  { tensors }: Model,
  rules: Plan,
  stages: readonly Stage[] | null,
  smoothing: FileOptions["smoothing"],
): Asked[] {
  const stageOf = (stages ?? []).flatMap(([name, count]) => Array<string>(count).fill(name));
  const asked = tensors.map((tensor, i) => {
    return { tensor, steps: stepsFor(rules, tensor), smoothing: smoothing?.get(tensor.name), stage: stageOf[i] };
  });
  const names = new Set(tensors.map((tensor) => tensor.name));
  argument(names.size === asked.length, "model", "tensors with unique names", `${asked.length - names.size} repeated`);
  return asked;
}

/** The JSON part of the header. @throws RangeError for what the format cannot hold */
export function describeFile({ plan, model }: AskedFile, { groups, placed }: Grouped): Uint8Array {
  return encodeDescription(printPlan(plan), model.metadata, groups.map(headOf), placed);
}

export function chunkCount(groups: readonly Group[]): number {
  return groups.reduce((sum, { layout }) => sum + layout.chunks, 0);
}

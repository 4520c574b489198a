import { PlanError } from "./errors.ts";
import { AUTO, type CodeStep, parseCode, printCode } from "./plan/code.ts";
import { type FormatStep, parseFormat, printFormat } from "./plan/format.ts";
import { checkPrune, type PruneStep, parsePrune, printPrune } from "./plan/prune.ts";
import { parseQuantize, printQuantize, type QuantizeStep } from "./plan/quantize.ts";
import { parseSmooth, printSmooth, type SmoothStep } from "./plan/smooth.ts";
import type { StepParser } from "./plan/words.ts";
import { type DType, elementCount, isBlocks, isFloat, type TensorInfo } from "./tensor.ts";

export type { Code, CodeStep, Grouping } from "./plan/code.ts";
export type { FormatStep } from "./plan/format.ts";
export type { PruneChannels, PruneMagnitude, PrunePattern, PruneRemoved, PruneStep, Ranges } from "./plan/prune.ts";
export { patternAxis, rangesCount } from "./plan/prune.ts";
export type { QuantizeStep } from "./plan/quantize.ts";
export type { SmoothStep } from "./plan/smooth.ts";
export type { LikeFormat, Target } from "./plan/target.ts";
export { AUTO };

export type Step = SmoothStep | PruneStep | QuantizeStep | FormatStep | CodeStep;

/** Steps for the tensors that the rule takes: by name (glob), by dtype before packing (glob), small ones, or all. */
export interface Rule {
  readonly name?: string;
  readonly dtype?: string;
  /** Takes tensors that are 1-D or scalar, have fewer elements than this, or are not floating point. */
  readonly small?: number;
  readonly steps: readonly Step[];
}

/** Rules in order; the first that takes a tensor decides. The last one takes every tensor. */
export type Plan = readonly Rule[];

/** Below this many elements a tensor is small by default: its scales and tables would outweigh what they save. */
export const SMALL = 1024;

/** The steps of a tensor: code "auto" on the bytes as they are. */
export const LOSSLESS: readonly Step[] = [AUTO];

/**
 * Parses a plan, such as "int8 channel > auto" or "*.bias=raw; small 1024=lossless; prune 0.8 > int8 channel > zrl kernel".
 * A plan that quantizes or prunes and has no rule of its own for small tensors gets "small 1024=lossless".
 * @throws PlanError
 */
export function parsePlan(text: string, overrides: readonly string[] = []): Plan {
  const parts = [...overrides, ...text.split(";")].map((part) => part.trim());
  const rules = parts.map(parseRule);
  const last = rules[rules.length - 1];
  if (!last || !isDefault(last)) throw new PlanError(`plan "${text}": the last rule must not have a selector`);
  if (rules.slice(0, -1).some(isDefault))
    throw new PlanError(`plan "${text}": only the last rule may go without "name="`);
  const lossy = last.steps.length > 1;
  if (!lossy || rules.some((rule) => rule.small !== undefined)) return rules;
  return [...rules.slice(0, -1), { small: SMALL, steps: LOSSLESS }, last];
}

function isDefault(rule: Rule): boolean {
  return rule.name === undefined && rule.dtype === undefined && rule.small === undefined;
}

function parseRule(text: string): Rule {
  const equals = text.lastIndexOf("=");
  const steps = parseSteps(text.slice(equals + 1));
  if (equals < 0) return { steps };
  const selector = text.slice(0, equals).trim();
  const small = /^small (\d{1,15})$/.exec(selector);
  if (small) return { small: Number(small[1]), steps };
  const dtype = /^dtype (\S+)$/.exec(selector)?.[1];
  if (dtype) return { dtype, steps };
  if (selector === "") throw new PlanError(`rule "${text}": a name or pattern must stand before "="`);
  if (selector.includes(";")) throw new PlanError(`rule "${text}": a pattern cannot hold ";": write "?" for it`);
  return { name: selector, steps };
}

/** Parses the steps of one tensor, such as "int4 group 32 asymmetric > huffman". @throws PlanError */
export function parseSteps(text: string): readonly Step[] {
  const steps = text.split(">").map((part) => parseStep(part.trim().split(/\s+/), text));
  if (steps[steps.length - 1]?.op !== "code") steps.push(AUTO);
  const ops = steps.map(({ op }) => (op === "format" ? "quantize" : op));
  if (new Set(ops).size < ops.length || ops.indexOf("code") < ops.length - 1 || ops.indexOf("smooth") > 0) {
    throw new PlanError(
      `steps "${text}": the order is smooth, then prune and a format such as int8 (either first), then a code, each at most once`,
    );
  }
  return steps;
}

function parseStep(words: readonly string[], text: string): Step {
  const [verb = "", ...rest] = words;
  const step = parsers[verb]?.(rest, verb);
  if (step) return step;
  const forms = FORMS.filter((form) => form.split(/\W+/).includes(verb));
  const known = (forms.length > 0 ? forms : FORMS).join(", ");
  throw new PlanError(`steps "${text}": "${words.join(" ")}" is not a step; known: ${known}`);
}

// How steps are written, for whoever wrote one otherwise.
const FORMS = [
  "smooth ALPHA[,ALPHA...] [axis K] [pow2]",
  "prune S [global]",
  "prune N:M [axis K] (N below M)",
  "prune channels S or 3,7-9",
  "int8 or int4 [tensor|channel|group N] [axis K] [asymmetric]",
  "uint8 [tensor|channel|group N] [axis K]",
  "int8 or int16 snr X|rmse X|bits X|like FORMAT|step X [dead X]",
  "q8_0, q4_0, q4_1, nf4 [group N], nbits4 [group N] [asymmetric]",
  "raw, lossless, constant, huffman, pivot, mask, zrl [N|kernel [N]], auto, smallest",
];

const parsers: Record<string, StepParser<Step> | undefined> = {
  __proto__: null as never,
  smooth: parseSmooth,
  prune: parsePrune,
  int8: parseQuantize,
  int4: parseQuantize,
  int16: parseQuantize,
  uint8: parseQuantize,
  q8_0: parseFormat,
  q4_0: parseFormat,
  q4_1: parseFormat,
  nf4: parseFormat,
  nbits4: parseFormat,
  raw: parseCode,
  lossless: (rest) => parseCode(rest, "auto"),
  constant: parseCode,
  huffman: parseCode,
  pivot: parseCode,
  mask: parseCode,
  zrl: parseCode,
  auto: parseCode,
  smallest: parseCode,
};

/** The plan on one line; parsePlan reads it back to the same plan. */
export function printPlan(plan: Plan): string {
  return plan.map((rule) => selector(rule) + printSteps(rule.steps)).join("; ");
}

function selector(rule: Rule): string {
  if (rule.name !== undefined) return `${rule.name}=`;
  if (rule.dtype !== undefined) return `dtype ${rule.dtype}=`;
  return rule.small === undefined ? "" : `small ${rule.small}=`;
}

/** The steps of one tensor on one line. */
export function printSteps(steps: readonly Step[]): string {
  const only = steps.length === 1 ? steps[0] : undefined;
  if (only?.op === "code" && only.code === "auto" && only.grouping.by === "chunk") return "lossless";
  return steps.map(printStep).join(" > ");
}

function printStep(step: Step): string {
  if (step.op === "smooth") return printSmooth(step);
  if (step.op === "prune") return printPrune(step);
  if (step.op === "format") return printFormat(step);
  return step.op === "code" ? printCode(step) : printQuantize(step);
}

/** The steps that a plan gives a tensor, the same array to all that a rule takes. @throws PlanError if they cannot be applied to it */
export function stepsFor(plan: Plan, tensor: TensorInfo): readonly Step[] {
  const rule = plan.find((candidate) => takes(candidate, tensor));
  if (!rule) throw new PlanError(`no rule of the plan takes tensor "${tensor.name}"`);
  checkSteps(rule.steps, tensor);
  return rule.steps;
}

/** Whether what is pruned are the codes of a quantize step before. */
export function prunesCodes(steps: readonly Step[]): boolean {
  const ops = steps.map((step) => step.op);
  return ops.includes("quantize") && ops.indexOf("quantize") < ops.indexOf("prune");
}

/** Throws a PlanError if the steps cannot be applied to the tensor's dtype or shape. */
export function checkSteps(steps: readonly Step[], tensor: TensorInfo): void {
  const { name, dtype, shape } = tensor;
  const lossy = steps.find((step) => step.op !== "code");
  if (lossy && !isNumeric(dtype)) {
    throw new PlanError(`tensor "${name}" is ${dtype}: "${printSteps(steps)}" needs a floating-point dtype`);
  }
  const prune = steps.find((step) => step.op === "prune");
  const quantize = steps.find((step) => step.op === "quantize");
  const format = steps.find((step) => step.op === "format");
  if (steps[0]?.op === "smooth") checkSmooth(tensor, steps[0], quantize, prune);
  if (!prune) return;
  checkPrune(prune, tensor, quantize !== undefined || format !== undefined);
  if (!quantize && !format && isBlocks(dtype)) {
    throw new PlanError(`tensor "${name}" is ${dtype}: prune needs int8 or another format behind it`);
  }
  if (steps[0] === format || (prunesCodes(steps) && quantize?.axis !== undefined)) {
    throw new PlanError(`tensor "${name}": "${printSteps(steps)}" prunes codes whose rows it cannot: prune first`);
  }
  if (quantize?.target && prunesCodes(steps))
    throw new PlanError(`tensor "${name}": "${printSteps(steps)}" would undo its target: prune first`);
  const whole = prune.by === "channels" || prune.by === "removed";
  if (whole && quantize?.per === "group" && prunesCodes(steps)) {
    const channel = elementCount(shape.slice(1));
    if (channel % quantize.group === 0) return;
    throw new PlanError(
      `tensor "${name}": groups of ${quantize.group} cross its channels of ${channel}: prune channels first`,
    );
  }
}

// Blocks are numbers too: what quantizes them takes what they stand for.
function isNumeric(dtype: DType): boolean {
  return isFloat(dtype) || isBlocks(dtype);
}

// Without codes there is nothing to gain; and a target would count errors that decoding divides.
function checkSmooth(
  { name, shape }: TensorInfo,
  { axis = 1 }: SmoothStep,
  quantize: QuantizeStep | undefined,
  prune: PruneStep | undefined,
): void {
  if (!quantize || quantize.target)
    throw new PlanError(`tensor "${name}": smooth needs int8 or int4 behind it, without a target`);
  const dimension = axis < 0 ? axis + shape.length : axis;
  if (shape.length < 2 || dimension < 0 || dimension >= shape.length)
    throw new PlanError(`tensor "${name}" of shape [${shape}] has no input axis ${axis} for smooth`);
  if (dimension === 0 && (prune?.by === "channels" || prune?.by === "removed"))
    throw new PlanError(`tensor "${name}": smooth axis ${axis} takes the channels that prune would remove`);
}

function takes(rule: Rule, tensor: TensorInfo): boolean {
  if (rule.name !== undefined) return globMatches(rule.name, tensor.name);
  if (rule.dtype !== undefined) return globMatches(rule.dtype, tensor.dtype);
  if (rule.small === undefined) return true;
  return tensor.shape.length <= 1 || !isNumeric(tensor.dtype) || elementCount(tensor.shape) < rule.small;
}

/** Glob with `*` (any run of characters) and `?` (one character); linear in pattern times name, whatever the pattern. */
export function globMatches(pattern: string, name: string): boolean {
  let p = 0;
  let n = 0;
  let star = -1;
  let mark = 0;
  while (n < name.length) {
    if (pattern[p] === "*") {
      star = p++;
      mark = n;
    } else if (p < pattern.length && (pattern[p] === "?" || pattern[p] === name[n])) {
      p++;
      n++;
    } else if (star >= 0) {
      p = star + 1;
      n = ++mark;
    } else return false;
  }
  while (pattern[p] === "*") p++;
  return p === pattern.length;
}

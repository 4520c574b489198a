import { PlanError } from "../errors.ts";
import { RUNS, type Run } from "../latency/run.ts";
import { type Plan, parsePlan, printPlan } from "../plan.ts";

/** What can be done to a model: its weights by a plan, and how it is run then. */
export interface Candidate {
  readonly plan: Plan;
  readonly run: Run;
  /** Whether activations are divided by factors that weights are multiplied with, where they are integers too. */
  readonly smooth: boolean;
}

/**
 * On one line, such as "int8 channel > auto @ int8 smooth"; what is run as floats has no "@", unless one stands in a name. parseCandidate reads it back.
 */
export function printCandidate({ plan, run, smooth }: Candidate): string {
  const how = `${run}${smooth ? " smooth" : ""}`;
  const text = printPlan(plan);
  return how === "f32" && !text.includes("@") ? text : `${text} @ ${how}`;
}

/** @throws PlanError */
export function parseCandidate(text: string): Candidate {
  const at = text.lastIndexOf("@");
  const [run = "f32", ...more] =
    at < 0
      ? []
      : text
          .slice(at + 1)
          .trim()
          .split(/\s+/);
  const smooth = more[0] === "smooth";
  if (!isRun(run) || more.length > (smooth ? 1 : 0) || (smooth && run !== "int8"))
    throw new PlanError(
      `"${text}": behind "@" expected ${RUNS.join(", ")} or "int8 smooth", got "${text.slice(at + 1).trim()}"`,
    );
  return { plan: parsePlan(at < 0 ? text : text.slice(0, at)), run, smooth };
}

function isRun(word: string): word is Run {
  return (RUNS as readonly string[]).includes(word);
}

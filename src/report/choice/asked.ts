import { element, type Markup, nameOf } from "../../page/markup.ts";
import { section, tableOf } from "../../page/words.ts";
import type { LimitName, Met } from "../../strategy/limits.ts";
import { isTold } from "../figures.ts";
import type { ReportedChoice } from "./points.ts";
import { clipped, lossText, sizeText, timeText } from "./words.ts";

// What was asked for, what it came to, and why.

const NAMES: Record<LimitName, string> = {
  loss: "loss",
  bytes: "bytes of the file",
  latency: "time of a run",
  memory: "memory while it is loaded",
};

const GOALS = { latency: "the least time of a run", size: "the fewest bytes", load: "the least time of loading" };

/** Plans are written out as far as this, and whole below. */
const PLAN = 240;

export function askedOf({ goal, answer }: ReportedChoice): Markup {
  const { met, reason, plan } = answer;
  const rows = met.map(({ limit, asked, got, ok }) => [
    NAMES[limit],
    isTold(asked) ? `≤ ${amountText(limit, asked)}` : "any",
    amountText(limit, got),
    element("span", { class: ok ? "met" : "missed" }, ok ? "✓ met" : "✗ missed"),
  ]);
  const short = clipped(plan, PLAN);
  const whole = element("details", {}, element("summary", {}, "The whole plan"), codeOf(plan));
  return section(
    "asked",
    "What was asked, and what came of it",
    element("p", {}, `Wanted: ${GOALS[goal]} within the limits. Losses are those of all samples.`),
    rows.length > 0 ? tableOf("Limits", ["limit", "asked", "got", "met"], rows) : null,
    element("p", {}, nameOf(clipped(reason, 600))),
    element("p", { class: "rule" }, "The plan:"),
    codeOf(short),
    short === plan ? null : whole,
  );
}

function codeOf(text: string): Markup {
  return element("p", {}, element("code", {}, nameOf(text)));
}

export function amountText(limit: LimitName, amount: Met["got"]): string {
  if (limit === "loss") return lossText(amount);
  return limit === "latency" ? timeText(amount) : sizeText(amount);
}

import { all, type Markup } from "../../page/markup.ts";
import { askedOf } from "./asked.ts";
import { checkedOf } from "./checked.ts";
import { layersOf } from "./layers.ts";
import { lostOf } from "./lost.ts";
import type { ReportedChoice } from "./points.ts";
import { trialsOf } from "./trials.ts";
import { lossText, rangeText } from "./words.ts";

/** What compress has chosen: what was asked, what was run, whether predictions held, the plan, and why nothing else was. */
export function choiceOf(choice: ReportedChoice): Markup {
  return all([askedOf(choice), trialsOf(choice), checkedOf(choice), layersOf(choice), lostOf(choice)]);
}

/** What one wants to know first. */
export function choiceTiles({ answer }: ReportedChoice): [what: string, number: string, more: string][] {
  const { met, trials, loss } = answer;
  const taken = trials.find(({ lost }) => lost === null);
  const missed = met.filter(({ ok }) => !ok).length;
  const tiles: [string, string, string][] = [["loss", lossText(loss), "of all samples"]];
  if (taken) {
    const [ms = "", ...range] = rangeText(taken.latency).split(" (");
    const more = range.length > 0 ? `predicted: ${range.join("").replace(")", "")}` : "predicted";
    tiles.push(["time of a run", ms, more]);
  }
  tiles.push(["limits", missed === 0 ? "✓ met" : `✗ ${missed} missed`, `${met.length} asked, ${trials.length} trials`]);
  return tiles;
}

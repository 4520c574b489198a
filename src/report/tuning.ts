import { element, type Markup } from "../page/markup.ts";
import { section, tableOf } from "../page/words.ts";
import type { Score } from "../tune/score.ts";
import { curve } from "./curve.ts";
import { isTold, shareText } from "./figures.ts";

// How tuning went: what each epoch made of the validation samples.

export interface ReportedTuning {
  /** Before and after each epoch. */
  readonly scores: readonly Score[];
  /** Index of the score of the weights that are taken. */
  readonly best: number;
  readonly early: boolean;
  /** Of the model before it was compressed. */
  readonly original?: Score | undefined;
}

/** Epochs in the table, about. */
const ROWS = 100;

const loss = (x: number): string => (isTold(x) ? x.toFixed(4) : "–");

export function tuningOf({ scores, best, early, original }: ReportedTuning): Markup {
  const [first, chosen] = [scores[0], scores[best]];
  if (!first || !chosen) return section("tuning", "Tuning", element("p", {}, "No epoch was measured."));
  const words = `Accuracy on the validation samples went from ${shareText(first.accuracy)} to ${shareText(chosen.accuracy)}, their loss from ${loss(first.loss)} to ${loss(chosen.loss)} nats: epoch ${best} of ${scores.length - 1} is taken${early ? ", and tuning ended early" : ""}.`;
  const line = "The dashed line is the model as it was, before it was compressed.";
  const losses = {
    values: scores.map((score) => score.loss),
    original: original?.loss,
    format: (x: number) => `${x}`,
  };
  const accuracies = {
    values: scores.map(({ accuracy }) => accuracy),
    original: original?.accuracy,
    format: (x: number) => `${Number((100 * x).toPrecision(4))} %`,
  };
  return section(
    "tuning",
    "Tuning",
    element("p", {}, original ? `${words} ${line}` : words),
    element(
      "div",
      { class: "curves" },
      curve({ title: "loss, nats", best, ...losses }),
      curve({ title: "accuracy", best, ...accuracies }),
    ),
    element("details", {}, element("summary", {}, "Every epoch as a table"), scoreTable(scores, best, original)),
  );
}

function scoreTable(scores: readonly Score[], best: number, original: Score | undefined): Markup {
  const each = Math.ceil(scores.length / ROWS);
  const shown = scores.flatMap((score, epoch) => {
    const name = epoch === 0 ? "before" : `${epoch}`;
    const row = [epoch === best ? `${name}, taken` : name, loss(score.loss), shareText(score.accuracy)];
    return epoch % each === 0 || epoch === best || epoch === scores.length - 1 ? [row] : [];
  });
  if (original) shown.unshift(["not compressed", loss(original.loss), shareText(original.accuracy)]);
  return tableOf("Scores on the validation samples", ["epoch", "loss, nats", "accuracy"], shown);
}

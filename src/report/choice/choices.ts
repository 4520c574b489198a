import { all, element, type Markup, nameOf } from "../../page/markup.ts";
import { bytesText, narrowTable } from "../../page/words.ts";
import type { Layer } from "../../strategy/outline.ts";
import { isTold } from "../figures.ts";
import { across, type LogScale, logScale } from "../scale.ts";
import { clipped, lossText } from "./words.ts";

// The table that the plan was solved from: what each choice for a tensor takes, and what it alone does to the outputs.

/** Tensors with their choices, the largest first. */
const CARDS = 48;
const DECADES = 6;

export function choicesOf(layers: readonly Layer[]): Markup | null {
  const chosen = layers.filter(({ choices }) => choices.length > 0).sort((a, b) => b.bytes - a.bytes);
  if (chosen.length === 0) return null;
  const shown = chosen.slice(0, CARDS);
  const scale = logScale(
    shown.flatMap(({ choices }) => choices.flatMap(({ loss }) => (isTold(loss) ? [loss] : []))),
    DECADES,
    true,
  );
  const some = shown.length < chosen.length ? ` Those of the ${shown.length} largest tensors are shown.` : "";
  return all([
    element("h3", {}, "What each choice does"),
    element(
      "p",
      {},
      `Bytes of the tensor under other steps, and the loss that they alone cause: any budget is solved with these figures. Bars are logarithms, over an axis that all share.${some}`,
    ),
    ...shown.map((layer) => cardOf(layer, scale)),
  ]);
}

function cardOf({ tensor, choices, steps }: Layer, scale: LogScale): Markup {
  const rows = choices.map((choice) => [
    element("span", {}, nameOf(clipped(choice.steps, 120)), choice.steps === steps ? " ✓ answer" : ""),
    isTold(choice.bytes) ? bytesText(choice.bytes) : "–",
    choice.loss === 0 ? "0" : lossText(choice.loss),
    barOf(choice.loss, scale),
  ]);
  const count = choices.length === 1 ? "one choice" : `${choices.length} choices`;
  return element(
    "details",
    { class: "card choices" },
    element("summary", {}, element("h4", {}, nameOf(tensor)), " ", element("span", { class: "faint" }, count)),
    narrowTable("Choices by bytes", ["steps", "bytes", "loss alone", "drawn"], rows),
  );
}

function barOf(loss: number | null, scale: LogScale): Markup | string {
  if (!isTold(loss) || loss <= 0) return "";
  const width = across(Math.max(scale.at(loss), 0.01));
  const bar = element("rect", { x: 0, y: "20%", width, height: "60%", class: "loss", rx: 2 });
  return element("svg", { class: "bar", "aria-hidden": "true" }, bar);
}

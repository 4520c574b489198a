import type { SearchResult } from "../activations/search.ts";
import { all, element, type Markup, nameOf } from "../page/markup.ts";
import { bytesText, tableOf } from "../page/words.ts";
import { alphasText, snrText, trialsOf } from "./trials.ts";

// Factors that take no division when the model runs.

/** A value that is divided where it is made, and multiplied into the weights of all that take it. */
export interface ReportedFold {
  readonly maker: string;
  readonly users: readonly string[];
  /** Losses are sums over the users. */
  readonly search: SearchResult;
  /** Of its channels. */
  readonly factors: { readonly length: number };
}

export function foldsOf(folds: readonly ReportedFold[], written: boolean): Markup | null {
  if (folds.length === 0) return null;
  const rows = folds.map(({ maker, users, search, factors }) => [
    nameOf(maker),
    all(users.map((user, i) => all([i > 0 ? ", " : null, nameOf(user)]))),
    bytesText(factors.length),
    snrText(search.none),
    snrText(search.loss),
    search.best ? alphasText(search.best.alphas) : "no factors",
  ]);
  const note =
    "These factors need no division: the unit that makes a value has them in its weights, and those that take it in theirs. SNR is that of the errors of all that take it, added up.";
  const head = ["made by", "taken by", "channels", "no factors", "with factors", "coefficients by group"];
  const cards = folds.map(({ maker, search }) => {
    const trials = trialsOf(search, written);
    if (!trials) return null;
    const name = element(
      "summary",
      {},
      element("h4", {}, nameOf(maker)),
      " ",
      element("span", { class: "faint" }, "sets"),
    );
    return element("details", { class: "card" }, name, trials);
  });
  return all([
    element("h3", {}, "Factors folded into weights"),
    element("p", {}, note),
    tableOf("Values that are divided where they are made", head, rows),
    ...cards,
  ]);
}

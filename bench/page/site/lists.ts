import { make, rowsOf, setText } from "./dom.ts";
import { bytesText, digits } from "./numbers.ts";
import type { ReadyTensor, Run } from "./run.ts";
import type { Request } from "./watch.ts";

// The tensors of a file, and what was asked for to get them.

/** Hexadecimal digits of a hash that are shown. */
const SHORT = 16;

/** Keeps a row for each thing; cells are written where they differ. */
function table<T>(
  id: string,
  cellsOf: (item: T, index: number) => readonly string[],
  mark: (row: HTMLTableRowElement, item: T) => void,
) {
  const body = rowsOf(id);
  let drawn: Run | undefined;
  return (run: Run, items: readonly T[]): void => {
    if (drawn !== run) body.replaceChildren();
    drawn = run;
    for (const [i, item] of items.entries()) {
      const texts = cellsOf(item, i);
      const row = body.rows[i] ?? body.appendChild(rowOf(texts.length));
      for (const [column, text] of texts.entries()) setText(row.cells[column] as Element, text);
      mark(row, item);
    }
  };
}

function rowOf(columns: number): HTMLTableRowElement {
  const cells = Array.from({ length: columns - 1 }, () => make("td"));
  return make("tr", {}, make("th", { scope: "row" }), ...cells);
}

export function newTensors() {
  const draw = table<ReadyTensor>(
    "tensors",
    ({ entry, ready, sha256 }) => [
      entry.name,
      entry.shape.join(" × ") || "scalar",
      entry.plan,
      bytesText(entry.storedBytes),
      ready === undefined ? "waiting" : digits(ready),
      sha256?.slice(0, SHORT) ?? "–",
    ],
    (row, { ready, sha256 }) => {
      row.classList.toggle("pending", ready === undefined);
      if (sha256) row.dataset.sha256 = sha256;
    },
  );
  return (run: Run) => draw(run, run.tensors);
}

export function newRequests() {
  const draw = table<Request>(
    "requests",
    (request, i) => [
      `${i + 1}`,
      request.end === Infinity ? "all" : `${request.start}–${request.end - 1}`,
      request.status === null ? "from disk" : `${request.status || "…"}`,
      bytesText(request.bytes),
      fateOf(request),
    ],
    (row, { state }) => {
      row.dataset.state = state;
    },
  );
  return (run: Run) => draw(run, run.requests);
}

const FATES = { open: "under way", whole: "whole", cut: "cut", left: "ended by the page" };

function fateOf({ state, resumes, again }: Request): string {
  const why = [resumes === null ? "" : `resumes ${resumes}`, again ? "again: it was damaged" : ""];
  return [...why.filter(Boolean), FATES[state]].join("; ");
}

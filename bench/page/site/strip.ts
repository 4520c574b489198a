import type { Book, Chunk, State } from "./chunks.ts";
import { byId, make, setText } from "./dom.ts";
import { bytesText } from "./numbers.ts";

// A cell for every chunk. Each state has its own pattern, and is counted in words below.

/** Milliseconds that a cell keeps a state, so that it can be seen: chunks are verified and decoded in one turn. */
const SHOWN = 70;
const ORDER: readonly State[] = ["waiting", "arriving", "verified", "decoded"];
const LEGEND = [
  ["waiting", "waiting"],
  ["arriving", "arriving"],
  ["verified", "verified"],
  ["decoded", "decoded"],
  ["damaged", "damaged"],
  ["again", "fetched again"],
  ["cached", "from the cache"],
] as const;
type Counted = (typeof LEGEND)[number][0];

interface Cell {
  readonly element: HTMLElement;
  shown: State;
  since: number;
}

export function newStrip() {
  const strip = byId("strip");
  const counts = legend();
  let cells: Cell[] = [];
  let book: Book | undefined;

  function lay(chunks: readonly Chunk[]): void {
    const size = chunks.length > 1500 ? "7" : chunks.length > 400 ? "12" : chunks.length > 120 ? "18" : "26";
    strip.dataset.size = size;
    cells = chunks.map(({ tensor, bytes }, i) => {
      const element = make("span", { class: "cell waiting", title: `chunk ${i}, ${tensor}, ${bytesText(bytes)}` });
      return { element, shown: "waiting", since: 0 };
    });
    strip.replaceChildren(...cells.map(({ element }) => element));
  }

  return {
    /** Draws a book; true if cells still have to catch up. */
    draw(now: Book): boolean {
      if (book !== now || cells.length !== now.chunks.length) lay(now.chunks);
      book = now;
      const time = performance.now();
      let behind = false;
      for (const [i, chunk] of now.chunks.entries()) behind = follow(cells[i] as Cell, chunk, time) || behind;
      tell(strip, counts, cells, now.chunks);
      return behind;
    },
  };
}

// One state further at most. True if that was not enough.
function follow(cell: Cell, { state, arrived, bytes, again, cached }: Chunk, time: number): boolean {
  const { element } = cell;
  if (cell.shown !== state && time - cell.since >= SHOWN) {
    const [from, to] = [ORDER.indexOf(cell.shown), ORDER.indexOf(state)];
    cell.shown = from >= 0 && to > from ? (ORDER[from + 1] as State) : state;
    cell.since = time;
  }
  const name = `cell ${cell.shown}${again ? " again" : ""}${cached ? " cached" : ""}`;
  if (element.className !== name) element.className = name;
  if (cell.shown === "arriving") element.style.setProperty("--part", `${Math.round((100 * arrived) / bytes)}%`);
  return cell.shown !== state;
}

function legend(): Map<Counted, HTMLElement> {
  const counts = new Map<Counted, HTMLElement>();
  const items = LEGEND.map(([key, words]) => {
    const count = make("b", {}, "0");
    counts.set(key, count);
    const swatch = make("span", { class: `cell ${key === "again" || key === "cached" ? `decoded ${key}` : key}` });
    return make("li", {}, swatch, `${words} `, count);
  });
  byId("legend").replaceChildren(...items);
  return counts;
}

function tell(
  strip: HTMLElement,
  counts: ReadonlyMap<Counted, HTMLElement>,
  cells: readonly Cell[],
  chunks: readonly Chunk[],
): void {
  const words: string[] = [];
  for (const [key, name] of LEGEND) {
    const is =
      key === "again" || key === "cached"
        ? (_: Cell, i: number) => (chunks[i] as Chunk)[key]
        : ({ shown }: Cell) => shown === key;
    const count = cells.filter(is).length;
    setText(counts.get(key) as HTMLElement, `${count}`);
    if (count > 0) words.push(`${count} ${name}`);
  }
  const label = chunks.length === 0 ? "No chunks yet" : `${chunks.length} chunks: ${words.join(", ")}`;
  if (strip.getAttribute("aria-label") !== label) strip.setAttribute("aria-label", label);
}

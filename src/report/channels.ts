import { all, element, type Markup } from "../page/markup.ts";
import { few, type LogScale, logScale } from "./scale.ts";

// Ranges of a unit's channels in four small drawings: activations and weights, before and after smoothing.

/** Colours that there are; a group beyond them has that of another, and its own number. */
export const COLOURS = 6;
const DECADES = 5;
const WIDTH = 224;
/** With numbers of groups below, and without. */
const [HEIGHT, LOW] = [116, 100];
const PLOT = { left: 34, top: 6, width: 184, height: 88 };
/** Steps of the height in a path: whole numbers are short. */
const FINE = 200;

/** Channels of a unit. All have as many elements. */
export interface Ranges {
  readonly activations: Float32Array;
  readonly weights: Float32Array;
  /** null: there is no after. */
  readonly factors: Float32Array | null;
  /** Of each channel. */
  readonly groups: Uint8Array;
}

/** Neighbours of a group that share a column. */
interface Column {
  readonly group: number;
  readonly channels: readonly number[];
}

/** @param most - columns of a drawing */
export function rangePanels(ranges: Ranges, most: number): Markup {
  const { activations, weights, factors } = ranges;
  const columns = columnsOf(ranges, most);
  const panels = [
    panel("activations", activations, factors && activations.map((x, i) => x / (factors[i] as number)), columns),
    panel("weights", weights, factors && weights.map((x, i) => x * (factors[i] as number)), columns),
  ];
  return element("div", { class: "panels" }, ...panels.flat());
}

/** By group, and in it by the range of activations: groups follow one another, and a channel has the same place in all drawings. */
function columnsOf({ activations, groups }: Ranges, most: number): Column[] {
  const order = Array.from(activations, (_, i) => i);
  const of = (i: number): number => groups[i] ?? 0;
  const range = (i: number): number => activations[i] || 0;
  order.sort((a, b) => of(a) - of(b) || range(a) - range(b) || a - b);
  const count = new Set(order.map(of)).size;
  const size = Math.max(1, Math.ceil(order.length / Math.max(1, most - count)));
  const columns: { group: number; channels: number[] }[] = [];
  for (const channel of order) {
    const last = columns.at(-1);
    if (last && last.group === of(channel) && last.channels.length < size) last.channels.push(channel);
    else columns.push({ group: of(channel), channels: [channel] });
  }
  return columns;
}

function panel(what: string, before: Float32Array, after: Float32Array | null, columns: readonly Column[]): Markup[] {
  const scale = logScale([...before, ...(after ?? [])], DECADES, false);
  const drawn = [drawing(`${what} before`, before, columns, scale)];
  if (after) drawn.push(drawing(`${what} after`, after, columns, scale));
  return drawn;
}

function drawing(title: string, values: Float32Array, columns: readonly Column[], scale: LogScale): Markup {
  const sound = values.filter((x) => Number.isFinite(x));
  const [low, high] = [
    sound.reduce((a, b) => Math.min(a, b), sound[0] ?? 0),
    sound.reduce((a, b) => Math.max(a, b), 0),
  ];
  const label = `Ranges of ${values.length} channels, ${title}: from ${few(low)} to ${few(high)}`;
  const bands = bandsOf(columns);
  const step = PLOT.width / Math.max(columns.length, 1);
  const transform = `translate(${PLOT.left} ${PLOT.top}) scale(${step.toFixed(4)} ${PLOT.height / FINE})`;
  const paths = bands.map(({ group, start, end }) => {
    const heights = columns.slice(start, end).map(({ channels }) => {
      return Math.round(FINE * scale.at(channels.reduce((max, channel) => Math.max(max, values[channel] || 0), 0)));
    });
    return element("path", { d: `M${start} ${FINE}${steps(heights)}V${FINE}z`, class: colourOf(group) });
  });
  const svg = element(
    "svg",
    { viewBox: `0 0 ${WIDTH} ${bands.length > 1 ? HEIGHT : LOW}`, role: "img", "aria-label": label },
    grid(scale),
    element("g", { transform }, ...paths),
    bands.length > 1 ? numbers(bands, step) : null,
  );
  return element("figure", {}, element("figcaption", {}, title), svg);
}

/** From height to height, as short as can be: there are many. */
function steps(heights: readonly number[]): string {
  let [d, now, run] = ["", 0, 0];
  for (const height of heights) {
    if (height !== now && run > 0) d += `h${run}`;
    if (height !== now) [d, run] = [`${d}v${now - height}`, 0];
    [now, run] = [height, run + 1];
  }
  return `${d}h${run}`;
}

function grid(scale: LogScale): Markup {
  const lines = scale.ticks.map((tick) => ({ tick, y: PLOT.top + PLOT.height * (1 - scale.at(tick)) }));
  const d = lines.map(({ y }) => `M${PLOT.left} ${y.toFixed(1)}h${PLOT.width}`).join("");
  const texts = lines.map(({ tick, y }) => element("text", { x: PLOT.left - 4, y: y + 4 }, few(tick)));
  return all([element("path", { d, class: "grid" }), element("g", { class: "values" }, ...texts)]);
}

interface Band {
  readonly group: number;
  readonly start: number;
  readonly end: number;
}

function bandsOf(columns: readonly Column[]): Band[] {
  const bands: Band[] = [];
  columns.forEach(({ group }, i) => {
    const last = bands.at(-1);
    if (last?.group === group) bands[bands.length - 1] = { ...last, end: i + 1 };
    else bands.push({ group, start: i, end: i + 1 });
  });
  return bands;
}

/** Numbers of groups below their columns, as many as have room. */
function numbers(bands: readonly Band[], step: number): Markup {
  const right = PLOT.left + PLOT.width;
  let taken = 0;
  const texts = bands.map(({ group, start, end }, i) => {
    const text = `${group + 1}`;
    const gap = 6 + 6 * text.length;
    const latest = right - gap * (bands.length - 1 - i);
    const x = Math.max(Math.min(PLOT.left + (step * (start + end)) / 2, latest), taken + gap);
    if (x > right) return null;
    taken = x;
    return element("text", { x, y: HEIGHT - 7 }, text);
  });
  return element("g", { class: "numbers" }, ...texts);
}

export function colourOf(group: number): string {
  return `g${group % COLOURS}`;
}

import { scaleLinear, scaleSymlog } from "d3-scale";
import { area, curveStep } from "d3-shape";
import { element, type Markup, nameOf } from "../../page/markup.ts";
import { shapeText } from "../../page/words.ts";
import type { Comparison, Histogram } from "../comparison.ts";

// The distribution of each tensor's weights, in small drawings of one kind.

const [WIDTH, HEIGHT, FLOOR] = [200, 84, 72];

/** The drawings, the largest tensors first. */
export function histograms({ tensors }: Comparison): Markup {
  const drawn = tensors.filter(({ histogram }) => histogram !== null).sort((a, b) => b.elements - a.elements);
  const figures = drawn.map(({ name, shape, histogram, equal }) => {
    const step = equal?.step ?? null;
    const range = `±${significant((histogram as Histogram).limit)}`;
    const words = [shapeText(shape), range, ...(step === null ? [] : [`step ${significant(step)}`])].join(", ");
    const caption = element("figcaption", {}, nameOf(name), element("span", { class: "faint" }, words));
    return element("figure", {}, drawing(name, histogram as Histogram, step), caption);
  });
  return element("div", { class: "multiples" }, ...figures);
}

function significant(value: number): string {
  return `${Number(value.toPrecision(3))}`;
}

function drawing(name: string, { limit, counts }: Histogram, step: number | null): Markup {
  const x = scaleLinear([-0.5, counts.length - 0.5], [0, WIDTH]);
  // Counts and one more, as logarithms: one weight far out is seen beside a million.
  const y = scaleSymlog([0, Math.max(...counts, 1)], [FLOOR, 2]);
  const shape = area<number>(
    (_, i) => x(i),
    FLOOR,
    (count) => y(count),
  )
    .curve(curveStep)
    .digits(1);
  const most = Math.max(...counts);
  const label = `Distribution of ${name}: ${counts.length} bins from ${significant(-limit)} to ${significant(limit)}, at most ${most} weights in one`;
  return element(
    "svg",
    { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, role: "img", "aria-label": label },
    element("path", { d: shape([...counts]) ?? "", class: "weights" }),
    element("line", { x1: 0, x2: WIDTH, y1: FLOOR, y2: FLOOR, class: "axis" }),
    step === null || limit === 0 ? null : stepMark((step / limit / 2) * WIDTH),
  );
}

// As long as the step is, around zero.
function stepMark(length: number): Markup {
  const half = Math.min(length, WIDTH) / 2;
  const [from, to] = [WIDTH / 2 - half, WIDTH / 2 + half];
  const d = `M${from.toFixed(1)} ${FLOOR + 2}v8M${from.toFixed(1)} ${FLOOR + 6}H${to.toFixed(1)}M${to.toFixed(1)} ${FLOOR + 2}v8`;
  return element("g", {}, element("title", {}, "one step"), element("path", { d, class: "step" }));
}

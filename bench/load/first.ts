import { open } from "../../src/read.ts";
import { coldAndWarm, type Figure, inTurn, linkOf, type Section } from "./figures.ts";
import { packedModel, type Wanted } from "./weights.ts";

// The time to the first tensor, beside that in which a link carries the header and the tensor.

const MEGABITS = 20;
const [SMALL, LARGE] = [14 * 4096, 2_300_000];
const REPEAT = 4;

function tensorsOf(first: number): Wanted[] {
  const others = Array.from({ length: 12 }, (_, i) => ({ name: `layer.${i}`, elements: 300_000 }));
  const wanted = [
    { name: "small", elements: SMALL },
    { name: "large", elements: LARGE },
  ];
  return [{ name: "first", elements: first }, ...others.slice(0, 6), ...wanted, ...others.slice(6)];
}

export const first: Section = async (bench, { runs, status }) => {
  const section = `Time to the first tensor at ${MEGABITS} Mbit/s, beside header + tensor at link speed`;
  const figures: Figure[] = [];
  await bench.order("rate", linkOf(MEGABITS));
  for (const [size, elements] of [
    ["small", SMALL],
    ["large", LARGE],
  ] as const) {
    const bytes = await packedModel(tensorsOf(elements), 30);
    const url = await bench.share(`first.${size}.quern`, bytes);
    const { index, totals } = await open(bytes);
    const cases = [
      [`of a stream, ${size}`, null, "first"],
      [`by name, ${size}`, size, size],
    ] as const;
    for (const [name, wanted, stored] of cases) {
      status(`first tensor: ${name}`);
      const need = totals.header + (index.find((entry) => entry.name === stored)?.storedBytes ?? Number.NaN);
      const { quern, plain } = await inTurn(runs, {
        quern: () => bench.run<{ ms: number[] }>("first", { url, name: wanted, repeat: REPEAT }),
        // What the link and its timers make of as many bytes in one request.
        plain: () => bench.run<{ ms: number[] }>("plain", { url, bytes: need, repeat: REPEAT }),
      });
      const ideal = (1000 * need) / linkOf(MEGABITS);
      const [ours, download] = [coldAndWarm(quern), coldAndWarm(plain)];
      const of = `${need} bytes: ${ideal.toFixed(1)} ms; a plain fetch of as many ${download.warm.toFixed(1)} ms; first in its process ${ours.cold.toFixed(1)} ms`;
      figures.push({ section, name, value: ours.warm, unit: "ms", bar: { most: 1.1 * ideal }, of });
    }
  }
  await bench.order("rate", 0);
  return figures;
};

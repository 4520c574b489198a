import { coldAndWarm, type Figure, inTurn, linkOf, type Section } from "./figures.ts";
import { packedModel, unequal } from "./weights.ts";

// A whole file to f32, beside the same bytes only downloaded.

const REPEAT = 4;

export const total: Section = async (bench, { quick, runs, status }) => {
  const section = "Whole file to f32 in memory, beside a plain download";
  const figures: Figure[] = [];
  const tensors = unequal(quick ? 2 ** 21 : 2 ** 24, 8);
  const elements = tensors.reduce((sum, tensor) => sum + tensor.elements, 0);
  const bytes = await packedModel(tensors, 30);
  const url = await bench.share("total.quern", bytes);
  for (const megabits of quick ? [200] : [20, 200]) {
    status(`whole file: ${megabits} Mbit/s`);
    await bench.order("rate", linkOf(megabits));
    const repeat = megabits < 100 ? 2 : REPEAT;
    const { quern, plain } = await inTurn(megabits < 100 ? Math.min(runs, 2) : runs, {
      quern: () => bench.run<{ ms: number[] }>("quern", { url, elements, repeat }),
      plain: () => bench.run<{ ms: number[] }>("plain", { url, repeat }),
    });
    const [ours, download] = [coldAndWarm(quern), coldAndWarm(plain)];
    const of = `${bytes.length} bytes: ${ours.warm.toFixed(0)} / ${download.warm.toFixed(0)} ms; first in its process ${ours.cold.toFixed(0)} / ${download.cold.toFixed(0)} ms`;
    const value = 100 * (ours.warm / download.warm - 1);
    figures.push({ section, name: `longer at ${megabits} Mbit/s by`, value, unit: "%", bar: { most: 3 }, of });
  }
  await bench.order("rate", 0);
  return figures;
};

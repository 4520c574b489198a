import { median } from "../harness.ts";
import { type Figure, inTurn, linkOf, MIB, mib, type Section } from "./figures.ts";
import { packedModel, unequal } from "./weights.ts";

// Memory that loading takes beside the weights: the peak of a process that loads them into memory it holds, less that of one which holds as
// much and lets the same bytes of the same server go. What is in use is told by Node after collections; the rest of a peak is garbage.

const SIGMA = 30;
/** Mbit/s; 0 is as fast as the server is. */
const LINKS = [0, 1000, 200];

interface Held {
  peak: number;
  live: number;
}
interface Loaded extends Held {
  declared: number;
  header: number;
}

export const memory: Section = async (bench, { quick, runs, status }) => {
  const tensors = unequal(quick ? 2 ** 24 : 2 ** 26, 8);
  const elements = tensors.reduce((sum, tensor) => sum + tensor.elements, 0);
  status("memory: packing");
  const url = await bench.share("memory.quern", await packedModel(tensors, SIGMA));
  const section = `Memory beside ${mib(4 * elements)} MiB of f32 in the caller's arrays, in Node`;
  const figures: Figure[] = [];
  const given = { url, elements };
  for (const megabits of quick ? LINKS.slice(0, 1) : LINKS) {
    const link = megabits ? `${megabits} Mbit/s` : "no limit";
    status(`memory: ${link}`);
    await bench.order("rate", linkOf(megabits));
    const { held, loaded } = await inTurn<"held" | "loaded", Held>(runs, {
      held: () => bench.run<Held>("hold", given),
      loaded: () => bench.run<Loaded>("memory", given),
    });
    const peaks = [loaded, held].map((all) => median(all.map(({ peak }) => peak)) / MIB);
    figures.push({
      section,
      name: `RSS peak beyond a plain download, ${link}`,
      value: peaks[0] - peaks[1],
      unit: "MiB",
      bar: { most: 4 },
      of: `medians ${peaks.map((peak) => peak.toFixed(1)).join(" - ")}`,
    });
  }
  status("memory: in use");
  const flags = ["--expose-gc"];
  const held = await bench.run<Held>("hold", given, flags);
  const loaded = await bench.run<Loaded>("memory", given, flags);
  await bench.order("rate", 0);
  return [
    ...figures,
    {
      section,
      name: "in use beyond a plain download",
      value: (loaded.live - held.live) / MIB,
      unit: "MiB",
      bar: null,
      of: `objects, code, buffers, WebAssembly: ${mib(loaded.live)} - ${mib(held.live)}`,
    },
    {
      section,
      name: "declared (totals.peak)",
      value: loaded.declared / MIB,
      unit: "MiB",
      bar: { most: 4 },
      of: `header of ${loaded.header} bytes, the memory of kernels (twice: some files need a second set), chunks on their way`,
    },
  ];
};

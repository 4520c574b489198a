// Loads an address tensor by tensor into memory that it holds.
import { open } from "../../../src/read.ts";
import { args, held, type Live, live, mostResident, report, warm } from "./report.ts";

const { url, elements, window } = args<{ url: string; elements: number; window?: number }>();
const memory = held(elements);
await warm(url);
const before = live();
let [seen, most]: [number, Live] = [0, before];
const file = await open(url, { window });
const places = new Map<string, Float32Array>();
let at = 0;
for (const { name, elements: count } of file.index) {
  places.set(name, memory.subarray(at, at + count));
  at += count;
}
// Called for each chunk, while it waits to be decoded.
const into = ({ name }: { name: string }): Float32Array => {
  most = live(++seen, most);
  return places.get(name) as Float32Array;
};
for await (const { name } of file.stream({ into })) if (!places.has(name)) throw new Error(`no place for ${name}`);
file.close();
const { peak, header } = file.totals;
report({
  peak: mostResident(),
  live: most.all - before.all,
  declared: peak,
  header,
  parts: partsOf(most),
  sum: memory[elements >> 1],
});

function partsOf({ heap, buffers, other }: Live) {
  return { heap: heap - before.heap, buffers: buffers - before.buffers, other: other - before.other };
}

// Loads an address into memory that it holds, several times.
import { open } from "../../../src/read.ts";
import { args, held, report, sumOf, times, warm } from "./report.ts";

const { url, elements, repeat } = args<{ url: string; elements: number; repeat: number }>();
const memory = held(elements);
await warm(url);
const ms = await times(repeat, async () => {
  const file = await open(url);
  const places = new Map<string, Float32Array>();
  let at = 0;
  for (const { name, elements: count } of file.index) {
    places.set(name, memory.subarray(at, at + count));
    at += count;
  }
  let tensors = 0;
  for await (const _ of file.stream({ into: ({ name }) => places.get(name) as Float32Array })) tensors++;
  file.close();
  return tensors;
});
report({ ms, sum: sumOf(memory) });

// Fetches an address as a stream, lets its bytes go, and holds the memory that they would have been loaded into.
import { args, held, type Live, live, mostResident, report, warm } from "./report.ts";

const { url, elements } = args<{ url: string; elements: number }>();
const memory = held(elements);
await warm(url);
const before = live();
let [bytes, seen, most]: [number, number, Live] = [0, 0, before];
const { body } = await fetch(url);
for await (const piece of body as AsyncIterable<Uint8Array> & ReadableStream) {
  bytes += piece.length;
  most = live(++seen, most);
}
report({ peak: mostResident(), live: most.all - before.all, bytes, sum: memory[elements >> 1] });

// Measures the line to an address; with `best`, takes the least of many round trips.
import { measureLine } from "../../../src/latency/line.ts";
import { args, report } from "./report.ts";

const { url, mostBytes, best } = args<{ url: string; mostBytes: number; best: boolean }>();
const line = await measureLine(url, { mostBytes, tries: 300 });
let { roundTrip } = line;
for (let i = 0; best && i < 300; i++) {
  const start = performance.now();
  const answer = await fetch(url, { headers: { Range: "bytes=0-0" } });
  roundTrip = Math.min(roundTrip, performance.now() - start);
  await answer.arrayBuffer();
}
report({ ...line, roundTrip });

// Measures the line to an address; with `best`, takes the least of many round trips.
import { measureLine } from "../../../src/latency/line.ts";
import { args, report } from "./report.ts";

const { url, mostBytes, best } = args<{ url: string; mostBytes: number; best: boolean }>();
const line = await measureLine(url, { mostBytes, tries: 40 });
let { roundTrip } = line;
for (let i = 0; best && i < 20; i++)
  roundTrip = Math.min(roundTrip, (await measureLine(url, { mostBytes: 64e3, tries: 1 })).roundTrip);
report({ ...line, roundTrip });

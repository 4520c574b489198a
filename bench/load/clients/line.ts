// Measures the line to an address.
import { measureLine } from "../../../src/latency/line.ts";
import { args, report } from "./report.ts";

const { url, mostBytes } = args<{ url: string; mostBytes: number }>();
report(await measureLine(url, { mostBytes, tries: 40 }));

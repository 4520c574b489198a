// npm run bench:load [-- SECTION...] [-- --quick --best --json --runs 7]: what streaming loading takes, with the bar beside each figure. The server and
// every client are processes of their own.
import { parseArgs } from "node:util";
import { aborts } from "./load/aborts.ts";
import { cuts } from "./load/cuts.ts";
import { type Figure, holds, printFigures, type Section } from "./load/figures.ts";
import { first } from "./load/first.ts";
import { gigabit } from "./load/gigabit.ts";
import { memory } from "./load/memory.ts";
import { predict } from "./load/predict.ts";
import { newBench } from "./load/processes.ts";
import { total } from "./load/total.ts";
import { machine } from "./report.ts";

const SECTIONS: Record<string, Section> = { memory, cuts, first, total, gigabit, aborts, predict };
const RUNS = { full: 7, quick: 1 };

const { values, positionals } = parseArgs({
  options: {
    json: { type: "boolean" },
    quick: { type: "boolean" },
    best: { type: "boolean" },
    runs: { type: "string" },
  },
  allowPositionals: true,
});
const unknown = positionals.find((name) => !(name in SECTIONS));
if (unknown) throw new Error(`bench: no section ${unknown}: ${Object.keys(SECTIONS).join(", ")}`);

const quick = values.quick === true;
const runs = values.runs ? Number(values.runs) : RUNS[quick ? "quick" : "full"];
const status = (text: string) => process.stderr.write(process.stderr.isTTY ? `\r\x1b[K${text}` : `${text}\n`);
const bench = await newBench();
const figures: Figure[] = [];
try {
  for (const [name, section] of Object.entries(SECTIONS)) {
    if (positionals.length > 0 && !positionals.includes(name)) continue;
    try {
      figures.push(...(await section(bench, { quick, best: values.best === true, runs, status })));
    } catch (error) {
      // The others still have figures to show.
      console.error(`bench: ${name}:`, error);
      process.exitCode = 1;
    }
  }
} finally {
  await bench.close();
}
if (process.stderr.isTTY) process.stderr.write("\r\x1b[K");
const about = { machine: machine(), date: new Date().toISOString().slice(0, 10), runs };
if (values.json) {
  const rows = figures.map((figure) => ({ ...figure, holds: holds(figure) }));
  console.log(JSON.stringify({ ...about, figures: rows }, null, 2));
} else {
  const { cpu, cores, node } = about.machine;
  console.log(
    `${cpu}, ${cores} cores, Node ${node}, ${about.date}; medians of ${runs} processes each\n${printFigures(figures)}`,
  );
}

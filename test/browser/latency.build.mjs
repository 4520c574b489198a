// node test/browser/latency.build.mjs -o chromium.jsonl [--budget 180] [--resume] [--models chromium.json --graphs 72 --visits 4 --each 400]
// What the page's latency builder measures, without anybody who looks at it: rows as lines as they are found, then the graphs of the family that are
// held out, every third one, as test/accuracy/latency.bench.ts has them. That then says how well they are told:
// tsx test/accuracy/latency.bench.ts --budget 0 --table chromium.jsonl --measured chromium.json
// Needs `npm ci --prefix test/browser`, and onnxruntime-web in test/accuracy.
import { appendFileSync, existsSync, readFileSync, writeFileSync } from "node:fs";
import { parseArgs } from "node:util";
import { launched, startPages } from "./served.mjs";

const FIRST_LINE = '{"quern":"latency","version":1}\n';

/** The last of every three. */
const HELD_OUT = 3;

const { values } = parseArgs({
  options: {
    output: { type: "string", short: "o" },
    /** Seconds. 0: the reference alone, before models */
    budget: { type: "string", default: "180" },
    resume: { type: "boolean", default: false },
    /** Of the CPU: pages are not told. */
    cpu: { type: "string" },
    models: { type: "string" },
    graphs: { type: "string", default: "72" },
    /** Of each model: the same minute differs from others by some percent. */
    visits: { type: "string", default: "4" },
    /** Others than every third one: "0-11,20". */
    indexes: { type: "string" },
    /** Milliseconds for each model and way to run it. */
    each: { type: "string", default: "400" },
    ort: { type: "string" },
  },
});
if (!values.output) throw new Error("-o FILE.jsonl is needed");

function indexes() {
  if (!values.indexes)
    return Array.from({ length: Math.floor(Number(values.graphs) / HELD_OUT) }, (_, i) => HELD_OUT * (i + 1) - 1);
  return values.indexes.split(",").flatMap((part) => {
    const [from, to = from] = part.split("-").map(Number);
    return Array.from({ length: to - from + 1 }, (_, i) => from + i);
  });
}

/** Lines of an earlier build, without one that was torn; the file holds no more than these. */
function known(path) {
  const text = values.resume && existsSync(path) ? readFileSync(path, "utf8") : "";
  const whole = text.slice(0, text.lastIndexOf("\n") + 1);
  writeFileSync(path, whole || FIRST_LINE);
  return whole;
}

/** In the page: starts the worker, and hands on what it tells until it ends. */
function measured(asked) {
  return new Promise((resolve, reject) => {
    const worker = new Worker("/latency.worker.js", { type: "module" });
    let told = Promise.resolve();
    worker.onerror = ({ message }) => reject(new Error(message || "the worker could not be started"));
    worker.onmessage = ({ data }) => {
      told = told.then(() => globalThis.told(data));
      if (data.kind === "over") resolve(told);
      if (data.kind === "failed") reject(new Error(data.message));
    };
    worker.postMessage(asked);
  });
}

async function main(page, tool) {
  const models = [];
  const asked = {
    ...{ tool, known: known(values.output), budget: Number(values.budget), cpu: values.cpu },
    ...(values.models && { models: Array(Number(values.visits)).fill(indexes()).flat(), each: Number(values.each) }),
  };
  let rows = 0;
  await page.exposeFunction("told", (told) => {
    if (told.line) appendFileSync(values.output, told.line);
    if (told.kind === "environment") console.error(`${told.environment.id}: the clock tells ${told.clock} ms apart`);
    if (told.kind === "row" && ++rows % 50 === 0) console.error(`${rows} rows`);
    if (told.kind === "over") console.log(JSON.stringify({ ...told.report, refused: told.report.refused.length }));
    if (told.kind === "over") for (const { unit, reason } of told.report.refused) console.error(`${unit}: ${reason}`);
    if (told.kind !== "model") return;
    models.push(told.model);
    // As they come: what was measured stays, whatever happens next.
    writeFileSync(values.models, JSON.stringify(models));
  });
  await page.evaluate(measured, asked);
}

const { server, url } = await startPages(...(values.ort ? ["--ort", values.ort] : []));
let browser;
try {
  const { tool, runtime, missing } = await (await fetch(`${url}latency.json`)).json();
  if (!runtime) throw new Error(missing);
  browser = await launched();
  const page = await browser.newPage();
  await page.goto(`${url}latency`);
  await main(page, tool);
} finally {
  await browser?.close();
  server.kill();
}

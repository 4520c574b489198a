import { fileURLToPath } from "node:url";
import { build } from "esbuild";
import type { Interval } from "../../src/latency/interval.ts";
import type { RunOf } from "../../src/latency/parts.ts";
import type { ToRun } from "../../src/measure/asrun.ts";
import type { Told, ToTime } from "./choice.worker.ts";

// Ways to run models, timed in a worker of a page in a real Chromium. Needs `npm ci --prefix test/browser`.

export interface PageTimer {
  times(toRun: ToRun, ways: readonly RunOf[], visits: number): Promise<readonly (Interval | null)[]>;
  close(): Promise<void>;
}

/** The part of a page of playwright that is used here. */
interface Page {
  route(url: string, handle: (route: { fulfill(answer: object): Promise<void> }) => Promise<void>): Promise<void>;
  goto(url: string): Promise<unknown>;
  evaluate<A, T>(work: (asked: A) => T | Promise<T>, asked: A): Promise<T>;
}

const SCRIPT = "/choice.worker.js";
/** As the pages' server sends. */
const HEADERS = { "cross-origin-embedder-policy": "require-corp", "cross-origin-resource-policy": "same-origin" };

/** @param ms - what the reference takes by the table */
export async function pageTimer(ms: number): Promise<PageTimer> {
  const served: string = new URL("../browser/served.mjs", import.meta.url).href;
  const { launched, startPages } = await import(served);
  const body = await bundled();
  const { server, url } = await startPages();
  const browser = await launched();
  const close = async (): Promise<void> => {
    await browser.close();
    server.kill();
  };
  try {
    const page: Page = await browser.newPage();
    await page.route(`**${SCRIPT}`, (route) =>
      route.fulfill({ contentType: "text/javascript", headers: HEADERS, body }),
    );
    await page.goto(`${url}latency`);
    await page.evaluate(started, SCRIPT);
    return {
      close,
      async times({ model, units, inputs }, ways, visits) {
        const asked: ToTime = {
          ...{ units, ms, visits, model: Buffer.from(model).toString("base64") },
          inputs: [...inputs].map(([name, { shape, data }]) => ({
            ...{ name, shape, data: [...data], integer: data instanceof Int32Array },
          })),
          ways: ways.map((runOf) => Object.fromEntries(units.map((unit) => [unit.name, runOf(unit)]))),
        };
        const told = await page.evaluate(answered, asked);
        if ("failed" in told) throw new Error(`in the page: ${told.failed}`);
        return told.times;
      },
    };
  } catch (error) {
    await close();
    throw error;
  }
}

async function bundled(): Promise<string> {
  const entryPoints = [fileURLToPath(new URL("choice.worker.ts", import.meta.url))];
  const { outputFiles } = await build({ entryPoints, bundle: true, format: "esm", write: false, target: "es2022" });
  return (outputFiles[0] as { text: string }).text;
}

type InPage = typeof globalThis & { worker: Worker };

function started(script: string): void {
  (globalThis as InPage).worker = new Worker(script, { type: "module" });
}

function answered(asked: ToTime): Promise<Told> {
  const { worker } = globalThis as InPage;
  return new Promise((resolve, reject) => {
    worker.onerror = ({ message }) => reject(new Error(message || "the worker could not be started"));
    worker.onmessage = ({ data }: MessageEvent<Told>) => resolve(data);
    worker.postMessage(asked);
  });
}

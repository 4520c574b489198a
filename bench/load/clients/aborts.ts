// Begins loads and aborts them at random times; tells what is left of them.
import { setTimeout as sleep } from "node:timers/promises";
import { open } from "../../../src/read.ts";
import { random } from "../../../test/random.ts";
import { args, report, warm } from "./report.ts";

const { url, loads, longest } = args<{ url: string; loads: number; longest: number }>();
const next = random(1);
let [unhandled, finished, others] = [0, 0, 0];
process.on("unhandledRejection", () => unhandled++);

async function one(): Promise<void> {
  const controller = new AbortController();
  const { signal } = controller;
  const reason = new Error("enough");
  const timer = setTimeout(() => controller.abort(reason), longest * next());
  try {
    const file = await open(url, { signal });
    try {
      for await (const _ of file.stream({ signal }));
      finished++;
    } finally {
      file.close();
    }
  } catch (error) {
    if (error !== reason) others++;
  }
  clearTimeout(timer);
}

/** What keeps the process alive, but for connections that may serve again. */
function resources(): string[] {
  return process
    .getActiveResourcesInfo()
    .filter((name) => name !== "TCPSocketWrap")
    .sort();
}

const collect = (globalThis as { gc?: () => void }).gc;
function heapNow(): number {
  collect?.();
  return process.memoryUsage().heapUsed;
}

await warm(url);
const before = resources();
for (let i = 0; i < loads / 10; i++) await one();
await sleep(50);
const heap = heapNow();
for (let i = loads / 10; i < loads; i += 4) await Promise.all([one(), one(), one(), one()]);
await sleep(50);
const growth = heapNow() - heap;
report({ unhandled, finished, others, before, after: resources(), growth, ended: Date.now() });

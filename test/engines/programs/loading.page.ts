import type { LoadTask } from "../model.ts";
import { byUrl, emptyReport } from "./loading.ts";

// For pages and workers: loads from the page's own server, or from the one behind "#" in its address, and prints what came of it.

declare const TASK: LoadTask;

async function loaded(base: string): Promise<void> {
  const report = emptyReport();
  await byUrl(report, base, {}, TASK.ways);
  const told = { ...report, isolated: globalThis.crossOriginIsolated };
  if (typeof document === "undefined") postMessage(told);
  else console.log(JSON.stringify(told));
}

const other = location.hash.slice(1);
if (other !== "worker" || typeof document === "undefined") await loaded(other || `${location.origin}/`);
else {
  const worker = new Worker("/loading.page.js", { type: "module" });
  worker.onmessage = ({ data }) => console.log(JSON.stringify(data));
}

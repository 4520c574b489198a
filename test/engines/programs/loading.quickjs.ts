import type { LoadTask } from "../model.ts";
import { bytesOfHex } from "./fnv.ts";
import { damaged, emptyReport, whole } from "./loading.ts";

// For QuickJS: promises, but nothing of a platform. Prints what came of bytes.

declare const TASK: LoadTask;
declare const print: (text: string) => void;

async function loaded(): Promise<void> {
  const report = emptyReport();
  await whole(report, "bytes", bytesOfHex(TASK.bytes), {});
  await damaged(report, "bytes", bytesOfHex(TASK.broken), {});
  print(JSON.stringify(report));
}

loaded().catch((error) => print(`{"failed":${JSON.stringify(`${error}\n${error.stack}`)}}`));

// Loads with a cache in a folder, and tells at once of all that arrives: it may be killed at any time.
import { writeSync } from "node:fs";
import { folderStore } from "../../../src/node/store.ts";
import { open } from "../../../src/read.ts";
import { args } from "./report.ts";

const { url, folder, integrity } = args<{ url: string; folder: string; integrity?: string }>();
let taken = 0;
// Whatever leaves the connection for this process, whether anybody has waited for it or not.
const counted: typeof fetch = async (input, init) => {
  const response = await fetch(input, init);
  const reader = (response.body as ReadableStream<Uint8Array>).getReader();
  const pull = async (controller: ReadableStreamDefaultController) => {
    const { value, done } = await reader.read();
    if (done) return controller.close();
    taken += value.length;
    writeSync(1, `{"taken":${taken}}\n`);
    controller.enqueue(value);
  };
  const body = new ReadableStream({ pull, cancel: (reason) => reader.cancel(reason) }, { highWaterMark: 0 });
  return new Response(body, response);
};
const file = await open(url, { cache: folderStore(folder), integrity, request: { fetch: counted } });
for await (const _ of file.stream());
file.close();
writeSync(1, `{"taken":${taken},"done":true}\n`);

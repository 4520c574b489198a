import { folderStore } from "../src/node.ts";
import { open } from "../src/read.ts";

// Loads a file into a cache and prints how many bytes have arrived, until it is killed.

const [url = "", folder = ""] = process.argv.slice(2);
const onProgress = ({ stored }: { stored: { done: number } }) => process.stdout.write(`${stored.done}\n`);
const file = await open(url, { cache: folderStore(folder), onProgress });
for await (const _ of file.stream());

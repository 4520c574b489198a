// Packs a file with zstd at level 19, in a process of its own: the memory of the packer does not grow a third time.
import { readFileSync, writeFileSync } from "node:fs";
import { compress, init } from "@bokuweb/zstd-wasm";
import { args, report } from "./report.ts";

const { from, to } = args<{ from: string; to: string }>();
await init();
const packed = compress(readFileSync(from), 19);
writeFileSync(to, packed);
report({ bytes: packed.length });

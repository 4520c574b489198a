// A process that puts entries into a folder: writer.mjs FOLDER FILE ENTRIES LENGTH [ROUNDS]. Says "ready" before, and how it ended as JSON.
import { readdir } from "node:fs/promises";
import { register } from "tsx/esm/api";

register();
const { folderStore } = await import("../../src/node.ts");
const { bytesFor } = await import("../store.cases.ts");

const [folder, file, entries, length, rounds = 1] = process.argv.slice(2);
// Root may write anywhere: whoever starts this as root says whether it is to become nobody.
if (process.env.NOBODY && process.getuid() === 0) process.seteuid(65534);
const store = folderStore(folder);
process.stdout.write("ready\n");
const ended = { put: 0, codes: [], kept: 0, evict: null };
for (let round = 0; round < Number(rounds); round++) {
  const puts = Array.from({ length: Number(entries) }, (_, entry) =>
    store.put(file, entry, bytesFor(entry, Number(length) + round)),
  );
  for (const { status, reason } of await Promise.allSettled(puts))
    if (status === "fulfilled") ended.put++;
    else if (!ended.codes.includes(reason.code)) ended.codes.push(reason.code);
}
for (const entry of await store.entries(file)) {
  const found = await store.get(file, entry);
  if (found && Buffer.compare(found, bytesFor(entry, found.length)) === 0) ended.kept++;
}
// Who evicts meanwhile takes the folder, too.
const there = await readdir(`${folder}/${file}`).catch(() => []);
const parts = there.filter((name) => name.endsWith(".part"));
if (process.env.EVICT)
  ended.evict = await store.evict(file).then(
    () => "done",
    ({ code }) => code,
  );
console.log(JSON.stringify({ ...ended, parts: parts.length }));

import type { ChildProcess } from "node:child_process";
import { once } from "node:events";
import { mkdtemp } from "node:fs/promises";
import { join } from "node:path";
import { load, open } from "../../src/read.ts";
import { random } from "../../test/random.ts";
import { median, must } from "../harness.ts";
import { type Figure, linkOf, type Section } from "./figures.ts";
import type { Bench } from "./processes.ts";
import { packedModel, unequal } from "./weights.ts";

// What is fetched a second time after one interruption.
// A cut connection: bytes that the server had sent of the answer that it cut, less those from which the next request goes on.
// A killed process: bytes that it had taken, and those that the server sent to the next process, less the file's length. It takes from a body no
// more than it lacks, but connections bring more: what the process had of them, asked for or not, is told beside it.

const MEGABITS = 200;

interface Case {
  readonly url: string;
  readonly size: number;
  readonly largest: number;
  readonly integrity: string;
}

export const cuts: Section = async (bench, { quick, status }) => {
  const bytes = await packedModel(unequal(2 ** (quick ? 20 : 22), 6), 30);
  const { totals, integrity } = await open(bytes);
  const url = await bench.share("cuts.quern", bytes);
  const of: Case = { url, size: bytes.length, largest: totals.largestStored, integrity };
  status("cut connections");
  const cut = await cutConnections(bench, of, quick ? 10 : 100);
  status("killed processes");
  await bench.order("rate", linkOf(MEGABITS));
  const known = await killedProcesses(bench, of, quick ? 4 : 40, true);
  const unknown = await killedProcesses(bench, of, quick ? 4 : 40, false);
  await bench.order("rate", 0);
  const section = `Fetched again after one interruption; the largest chunk has ${of.largest} bytes`;
  const row = (name: string, all: number[], barred = true): Figure => ({
    section,
    name,
    value: Math.max(...all),
    unit: "bytes",
    bar: barred ? { most: of.largest } : null,
    of: `the most of ${all.length}; median ${median(all)}`,
  });
  const rows = (name: string, all: Lost[]) => [
    row(
      name,
      all.map(({ taken }) => taken),
    ),
    row(
      "- with what had come beyond what it lacked, and heads of answers",
      all.map(({ arrived }) => arrived),
      false,
    ),
  ];
  return [
    row("connection cut, the process goes on", cut),
    ...rows("process killed, folder cache, `integrity` known", known),
    ...rows("process killed, folder cache, header asked anew", unknown),
  ];
};

async function cutConnections(bench: Bench, { url, size }: Case, count: number): Promise<number[]> {
  const next = random(3);
  const again: number[] = [];
  for (let i = 0; i < count; i++) {
    await bench.order("begin", Math.floor(next() * size));
    await load(url, { request: { backoff: 1 } });
    again.push((await bench.sent()) - size);
  }
  await bench.order("begin", null);
  return again;
}

interface Lost {
  taken: number;
  arrived: number;
}

async function killedProcesses(bench: Bench, of: Case, count: number, known: boolean): Promise<Lost[]> {
  const { url, size } = of;
  const next = random(4);
  const integrity = known ? of.integrity : undefined;
  const folder = () => mkdtemp(join(bench.folder, "..", "cache-"));
  const whole = await watched(bench.start("killed", { url, folder: await folder(), integrity }), undefined);
  const again: Lost[] = [];
  while (again.length < count) {
    const given = { url, folder: await folder(), integrity };
    const { taken, arrived, done } = await watched(bench.start("killed", given), whole.ms * next());
    if (done) continue;
    await bench.order("begin", null);
    const second = await watched(bench.start("killed", given), undefined);
    must(second.done, "a load that did not end");
    const more = (await bench.sent()) - size;
    again.push({ taken: taken + more, arrived: arrived + more });
  }
  return again;
}

/** What a client has told until its end, which is so long after its first word or by itself. Milliseconds. */
async function watched(child: ChildProcess, until: number | undefined) {
  let text = "";
  let start = 0;
  child.stdout?.on("data", (piece) => {
    if (start === 0 && until !== undefined) setTimeout(() => child.kill("SIGKILL"), until);
    start ||= performance.now();
    text += piece;
  });
  await once(child, "close");
  const lines = text.split("\n").slice(0, -1);
  const told = JSON.parse(lines.at(-1) ?? "{}") as Partial<Lost & { done: boolean }>;
  const { taken = 0, arrived = 0, done = false } = told;
  return { taken, arrived, done, ms: performance.now() - start };
}

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
// A killed process: of what it had taken, which is the file up to some byte, what the server sends to the next process. Who does not know which
// file it is asks for its first 32 KiB whenever it opens it: that request is not counted. A loader takes no more from a body than it lacks, but
// connections bring more: what the process had of them, asked for or not, is told beside it.

const MEGABITS = 200;
/** Longest time between a byte that comes and the end of its process: about what a chunk takes. Milliseconds. */
const LATER = 12;

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
    ...rows("process killed, folder cache, header asked for anew", unknown),
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
  readonly taken: number;
  readonly arrived: number;
}

/** What a client tells, in bytes. */
interface Told extends Lost {
  readonly done: boolean;
}

async function killedProcesses(bench: Bench, of: Case, count: number, known: boolean): Promise<Lost[]> {
  const { url, size } = of;
  const next = random(4);
  const integrity = known ? of.integrity : undefined;
  const folder = () => mkdtemp(join(bench.folder, "..", "cache-"));
  const again: Lost[] = [];
  while (again.length < count) {
    const given = { url, folder: await folder(), integrity };
    const { taken, arrived, done } = await watched(bench.start("killed", given), size * next(), LATER * next());
    if (done) continue;
    await bench.order("begin", null);
    const second = await watched(bench.start("killed", given));
    must(second.done, "a load that did not end");
    const answers = (await bench.order("log", null)).slice(known ? 0 : 1);
    const before = (place: number) =>
      answers.reduce((sum, { from, sent }) => sum + Math.max(0, Math.min(from + sent, place) - from), 0);
    again.push({ taken: before(taken), arrived: before(Math.min(arrived, size)) });
  }
  return again;
}

/** What a client has told until its end, or until it is killed: when so many bytes have come, and then so many milliseconds later. */
async function watched(child: ChildProcess, place = Infinity, later = 0): Promise<Told> {
  let text = "";
  let told: Told = { taken: 0, arrived: 0, done: false };
  child.stdout?.on("data", (piece) => {
    const lines = `${text}${piece}`.split("\n");
    text = lines.pop() as string;
    if (lines.length === 0) return;
    const before = told.arrived;
    told = JSON.parse(lines.at(-1) as string);
    if (before < place && told.arrived >= place) setTimeout(() => child.kill("SIGKILL"), later);
  });
  await once(child, "close");
  return told;
}

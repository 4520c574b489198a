import { parseArgs } from "node:util";
import { type Case, caseMaker } from "./fuzz/cases.ts";
import { check, fastest, sizeOf, tooSlow } from "./fuzz/check.ts";
import { keep, printed } from "./fuzz/corpus.ts";
import { expectedOf } from "./fuzz/expected.ts";
import { type Machine, machineOf } from "./fuzz/machine.ts";
import { fuzzTiers } from "./fuzz/tiers.ts";

// npm run fuzz -- --seconds 60 --seed 1 [--cases N] [--tier simd] [--from CASE]
// Every build of the decoders against the twins, on payloads that are valid, changed or rubbish, until the first mismatch.

interface Tally {
  accepted: number;
  rejected: number;
}

interface Slowest {
  nsPerByte: number;
  what: string;
}

interface Progress {
  machine: Machine;
  tallies: Map<string, Tally>;
  ms: number;
  /** Of all cases, and of those whose size outweighs the cost of a call. */
  slowest: Slowest;
  slowestLarge: Slowest;
}

const LARGE = 2000;

function main(): void {
  const { values } = parseArgs({
    options: {
      seconds: { type: "string" },
      seed: { type: "string", default: "1" },
      cases: { type: "string" },
      tier: { type: "string" },
      from: { type: "string", default: "0" },
    },
  });
  const seed = Number(values.seed);
  const from = Number(values.from);
  const to = from + Number(values.cases ?? Number.POSITIVE_INFINITY);
  const seconds = Number(values.seconds ?? (values.cases ? Number.POSITIVE_INFINITY : 10));
  const wanted = fuzzTiers().filter(({ name }) => !values.tier || name === values.tier);
  if (wanted.length === 0) throw new Error(`there is no tier ${values.tier}`);
  const progress = wanted.map((tier) => progressOf(machineOf(tier)));
  const make = caseMaker(seed);
  const start = performance.now();
  let index = from;
  for (; index < to; index++) {
    if (index % 64 === 0 && performance.now() - start > 1000 * seconds) break;
    const problem = tryCase(make(index), index, progress);
    if (problem) {
      fail(problem, seed, index, make(index));
      return;
    }
  }
  report(progress, index - from, (performance.now() - start) / 1000);
}

function progressOf(machine: Machine): Progress {
  const none = { nsPerByte: 0, what: "none" };
  return { machine, tallies: new Map(), ms: 0, slowest: none, slowestLarge: none };
}

/** What is wrong with a case on any tier, or nothing. */
function tryCase(one: Case, index: number, all: Progress[]): string {
  const expected = expectedOf(one);
  for (const progress of all) {
    const { machine, tallies } = progress;
    const { problem, accepted, ms } = check(machine, one, expected);
    const wrong = problem || tooSlow(machine, one, ms);
    if (wrong) return `${machine.tier.name}: ${wrong}`;
    const tally = tallies.get(one.kind) ?? { accepted: 0, rejected: 0 };
    tally[accepted ? "accepted" : "rejected"]++;
    tallies.set(one.kind, tally);
    progress.ms += ms;
    time(progress, one, index, ms);
  }
  return "";
}

function time(progress: Progress, one: Case, index: number, ms: number): void {
  const size = sizeOf(one);
  const field = size >= LARGE ? "slowestLarge" : "slowest";
  if ((1e6 * ms) / size <= progress[field].nsPerByte) return;
  // Again, without what the machine did beside it.
  const nsPerByte = (1e6 * Math.min(ms, fastest(progress.machine, one, 5))) / size;
  if (nsPerByte > progress[field].nsPerByte) {
    const took = `${((nsPerByte * size) / 1000).toFixed(1)} us`;
    progress[field] = { nsPerByte, what: `${took}: case ${index}, ${one.kind}, ${one.bytes.length} bytes to ${one.n}` };
  }
}

function fail(problem: string, seed: number, index: number, one: Case): void {
  keep(one);
  console.log(`${problem} --seed ${seed} --from ${index} --cases 1: ${printed(one)}`);
  process.exitCode = 1;
}

function report(all: Progress[], cases: number, seconds: number): void {
  for (const { machine, tallies, ms, slowest, slowestLarge } of all) {
    console.log(`${machine.tier.name}: ${cases} cases, ${Math.round(cases / (ms / 1000))}/s in the kernels`);
    for (const [kind, { accepted, rejected }] of [...tallies].sort()) {
      console.log(`  ${kind.padEnd(12)} ${accepted + rejected} tried, ${accepted} accepted, ${rejected} rejected`);
    }
    for (const [name, { nsPerByte, what }] of [
      [`below ${LARGE} bytes`, slowest],
      [`from ${LARGE} bytes on`, slowestLarge],
    ] as const) {
      console.log(`  slowest ${name}: ${nsPerByte.toFixed(1)} ns per byte in and out (${what})`);
    }
  }
  const each = Math.round(cases / seconds);
  console.log(
    `${cases} cases on ${all.length} tiers in ${seconds.toFixed(1)} s: ${each} cases/s, ${each * all.length} runs/s`,
  );
}

main();

import Benchmark from "benchmark";
import { type Arena, type KernelExports, type Kernels, loadKernels, type Tier } from "../src/kernels.ts";

// Timing: benchmark.js takes the samples, this file decides how many, in which order, and what becomes of them.

/** One measurement, as --json prints it. GB are 10^9 bytes. */
export interface Row {
  readonly group: string;
  readonly name: string;
  readonly data: string;
  /** null where only a size is told. */
  readonly gbps: number | null;
  /** Stored bits per value; null where nothing is stored. */
  readonly ratio_bits: number | null;
  readonly peer: string | null;
  readonly peer_gbps: number | null;
  readonly speedup: number | null;
}

/** Something to time. Peers and ours run in the same race. */
export interface Contender {
  readonly name: string;
  /** Bytes that one run counts for. */
  readonly bytes: number;
  /** Does the work once. What it returns depends on the result, so that no engine may leave the work out. */
  run(): number | Promise<number>;
}

export interface Settings {
  readonly quick: boolean;
  /** Least times instead of medians, over more turns: for machines that others use too. */
  readonly best: boolean;
  readonly filter: string;
  readonly tier: Tier | undefined;
  /** Shows on a terminal what is being measured. */
  status(text: string): void;
}

/** What every bench gets. */
export interface Bench extends Settings {
  readonly rows: Row[];
  wants(group: string, name: string): boolean;
  /** GB/s of each contender, by its name. */
  race(contenders: readonly Contender[]): Promise<Map<string, number>>;
  add(row: Partial<Row> & Pick<Row, "group" | "name" | "data">): void;
}

interface Pace {
  /** Times that every contender gets its turn. */
  readonly rounds: number;
  /** Seconds of a turn, at the least one sample. */
  readonly turn: number;
  /** Seconds of a sample, of as many runs as it takes. */
  readonly sample: number;
  /** Seconds before the first turn: WebAssembly starts in a baseline build, the optimised one comes after some calls. */
  readonly warmUp: number;
}

const FULL: Pace = { rounds: 5, turn: 0.03, sample: 0.008, warmUp: 0.1 };
const QUICK: Pace = { rounds: 2, turn: 0.006, sample: 0.003, warmUp: 0.02 };
// Turns far enough apart that some meet the machine alone.
const BEST_ROUNDS = 30;
const MIN_SAMPLES = 1;

export function newBench(settings: Settings): Bench {
  const rows: Row[] = [];
  const blank = { group: "", name: "", data: "", gbps: null, ratio_bits: null, peer: null, peer_gbps: null };
  return {
    ...settings,
    rows,
    wants: (group, name) => group.includes(settings.filter) || name.includes(settings.filter),
    race: (contenders) => race(contenders, settings),
    add(row) {
      const full = { ...blank, ...row };
      const speedup = full.gbps && full.peer_gbps ? full.gbps / full.peer_gbps : null;
      rows.push({ ...full, speedup });
    },
  };
}

interface Lane {
  readonly contender: Contender;
  /** Whether run gives a promise. */
  readonly deferred: boolean;
  readonly samples: number[];
  /** Runs in a sample, found by the warm-up. */
  count: number;
}

// Turns alternate, forward and back, so that what else the machine does meets all contenders alike.
async function race(contenders: readonly Contender[], { quick, best }: Settings): Promise<Map<string, number>> {
  const pace = { ...(quick ? QUICK : FULL), ...(best && { rounds: BEST_ROUNDS }) };
  const figure = best ? least : median;
  const lanes: Lane[] = [];
  for (const contender of contenders) {
    const first = contender.run();
    keep(await first);
    const lane = { contender, deferred: first instanceof Promise, samples: [], count: 1 };
    await takeTurn(lane, pace.warmUp, pace.sample);
    lane.samples.length = 0;
    lanes.push(lane);
  }
  for (let round = 0; round < pace.rounds; round++) {
    for (const lane of round % 2 === 0 ? lanes : lanes.toReversed()) await takeTurn(lane, pace.turn, pace.sample);
  }
  return new Map(lanes.map(({ contender, samples }) => [contender.name, contender.bytes / figure(samples) / 1e9]));
}

function takeTurn(lane: Lane, maxTime: number, minTime: number): Promise<void> {
  const { contender, deferred, count } = lane;
  const run = () => keep(contender.run() as number);
  const runDeferred = (turn: Benchmark.Deferred) => {
    Promise.resolve(contender.run())
      .then(keep)
      .then(() => turn.resolve(), fail);
  };
  let fail: (error: unknown) => void = () => {};
  return new Promise((resolve, reject) => {
    fail = reject;
    const turn = new Benchmark({
      fn: deferred ? runDeferred : run,
      defer: deferred,
      delay: 0,
      initCount: count,
      minSamples: MIN_SAMPLES,
      minTime,
      maxTime,
      onComplete: () => {
        if (turn.error) return reject(turn.error);
        lane.samples.push(...turn.stats.sample);
        lane.count = turn.count;
        resolve();
      },
    });
    turn.run();
  });
}

let sink = 0;

function keep(result: number): void {
  sink += result;
}

/** Throws unless every run gave a number: reading the sink is what makes its writes needed. */
export function checkSink(): void {
  must(Number.isFinite(sink), "a run without a result");
}

function least(samples: readonly number[]): number {
  return Math.min(...samples);
}

export function median(samples: readonly number[]): number {
  const sorted = [...samples].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
}

export function must(ok: boolean, what: string): void {
  if (!ok) throw new Error(`bench: ${what}`);
}

/** Throws unless both hold the same bytes. */
export function mustEqual(actual: ArrayBufferView, expected: ArrayBufferView, what: string): void {
  const [a, b] = [actual, expected].map((view) => Buffer.from(view.buffer, view.byteOffset, view.byteLength));
  must(a.equals(b), `${what}: wrong result`);
}

/** Kernels that src calls only through others: those of the nodes of pivot. */
export interface NodeKernels {
  merge(bits: number, n: number, left: number, right: number, dst: number): number;
  expand(bits: number, n: number, right: number, leaf: number, dst: number): number;
  compareBits(src: number, n: number, pivot: number, bits: number): number;
  rangeBits(src: number, n: number, ends: number, count: number, side: number, bits: number): number;
  split(bits: number, src: number, n: number, left: number, right: number): number;
  unpack(src: number, n: number, width: number, symbols: number, dst: number): number;
  packFields(src: number, n: number, width: number, first: number, dst: number): number;
}

/** Memory in which a kernel is timed: an arena of regions large enough for the f32 of a chunk. */
export interface Room {
  readonly kernels: Kernels;
  readonly run: KernelExports & NodeKernels;
  readonly arena: Arena;
  readonly memory: Uint8Array;
  put(at: number, data: ArrayBufferView): void;
  take(at: number, bytes: number): Uint8Array<ArrayBuffer>;
}

const ROOM_BYTES = 2 * 1024 * 1024;

async function newRoom(tier: Tier | undefined): Promise<Room> {
  const kernels = await loadKernels({ tier });
  const arena = kernels.arena(ROOM_BYTES, "encode");
  const memory = kernels.bytes();
  return {
    kernels,
    run: kernels.run as KernelExports & NodeKernels,
    arena,
    memory,
    put: (at, data) => memory.set(new Uint8Array(data.buffer, data.byteOffset, data.byteLength), at),
    take: (at, bytes) => new Uint8Array(memory.slice(at, at + bytes)),
  };
}

/** One kernel on one input. */
export interface KernelCase extends Contender {
  readonly data: string;
  run(): number;
  /** Lays out the input; before anything else. */
  prepare(): void;
  /** Throws unless the latest run did what the kernel is for. */
  check(): void;
}

const COPY = "memory copy";

/** The kernels of one file of assembly/, each on several inputs. */
export interface KernelBench {
  readonly kernels: readonly string[];
  casesOf(room: Room): KernelCase[];
}

/** Adds a row for each case, beside a copy of as many bytes within the same memory. */
export async function kernelRows(bench: Bench, { kernels, casesOf }: KernelBench): Promise<void> {
  if (!kernels.some((name) => bench.wants("kernel", name))) return;
  const room = await newRoom(bench.tier);
  for (const contender of casesOf(room)) {
    const { name, data, bytes } = contender;
    if (!bench.wants("kernel", name)) continue;
    bench.status(`kernel ${name}, ${data}`);
    contender.prepare();
    must(contender.run() >= 0, `${name}, ${data}: the kernel refused`);
    contender.check();
    const speeds = await bench.race([contender, copyOf(room, bytes)]);
    const [gbps, peer_gbps] = [speeds.get(name), speeds.get(COPY)] as [number, number];
    bench.add({ group: "kernel", name, data, gbps, peer: COPY, peer_gbps });
  }
}

// The stored region is the one that no kernel bench uses.
function copyOf({ memory, arena }: Room, bytes: number): Contender {
  const { stored } = arena;
  const to = stored + ROOM_BYTES / 2;
  const run = () => memory.copyWithin(to, stored, stored + bytes)[to];
  return { name: COPY, bytes, run };
}

/** GB/s of copying a chunk within the memory of the kernels. */
export async function copySpeed(bench: Bench, bytes: number): Promise<number> {
  const speeds = await bench.race([copyOf(await newRoom(bench.tier), bytes)]);
  return speeds.get(COPY) as number;
}

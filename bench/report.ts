import { arch, cpus, platform, release } from "node:os";
import { table } from "../src/cli/print.ts";
import type { Row } from "./harness.ts";

// Rows as text, a table per group.

/** What the figures were measured on. */
export function machine() {
  const { node, v8 } = process.versions;
  return {
    cpu: cpus()[0]?.model.trim() ?? "unknown",
    cores: cpus().length,
    node,
    v8,
    os: `${platform()} ${release()}`,
    arch: arch(),
  };
}

const NOTES: Record<string, string> = {
  kernel: "GB/s of a kernel's bytes (input, or output of those that decode), and of copying as many",
  decode:
    "GB/s of decoded bytes (as f32: of f32, from auto); times = ours over the peer's, of which huffman is ours. With tables, checksum, copies in and out",
  encode: "GB/s of the bytes that go in; zstd -19: one run",
  size: "stored bits per value, without scales",
  container: "GB/s of all elements as f32; bits per element of the whole file",
};

/** What a run of the bench gives, as --json prints it. */
export interface Report {
  readonly machine: ReturnType<typeof machine>;
  readonly date: string;
  readonly tier: string;
  readonly seed: number;
  /** Whether figures are the best of many turns, not medians. */
  readonly best: boolean;
  /** Copying a chunk within the memory of the kernels. */
  readonly copy_gbps: number;
  readonly rows: readonly Row[];
}

/** The report as text. */
export function printReport({ machine, date, tier, seed, best, copy_gbps, rows }: Report): string {
  const { cpu, cores, node, v8, os, arch } = machine;
  const about = [
    `${cpu}, ${cores} cores, ${os} ${arch}, Node ${node} (V8 ${v8}), ${date}`,
    `tier ${tier}, seed ${seed}, memory copy ${numberText(copy_gbps)} GB/s; ${best ? "the best of many turns" : "medians"}, one thread`,
  ];
  const groups = [...new Set(rows.map(({ group }) => group))].map((group) => {
    const some = rows.filter((row) => row.group === group);
    return `\n${group}: ${NOTES[group]}\n${group === "size" ? sizeTable(some) : speedTable(some)}`;
  });
  return `${[...about, ...groups].join("\n")}\n`;
}

// A line for each name and data set, a column for each peer.
function speedTable(rows: readonly Row[]): string {
  const peers = [...new Set(rows.flatMap(({ peer }) => peer ?? []))];
  const sized = rows.some(({ ratio_bits }) => ratio_bits !== null);
  const lines = groupBy(rows, ({ name, data }) => `${name}\n${data}`).map((same) => {
    const [{ name, data, gbps, ratio_bits }] = same;
    const besides = peers.map((peer) => besideText(same.find((row) => row.peer === peer)));
    return [name, data, numberText(gbps), ...(sized ? [numberText(ratio_bits)] : []), ...besides];
  });
  const head = ["name", "data", "GB/s", ...(sized ? ["bits"] : []), ...peers];
  return table(head, lines, head.map((_, i) => i).slice(2));
}

// A line for each data set, a column for each name.
function sizeTable(rows: readonly Row[]): string {
  const names = [...new Set(rows.map(({ name }) => name))];
  const lines = groupBy(rows, ({ data }) => data).map((same) => {
    const bits = names.map((name) => same.find((row) => row.name === name)?.ratio_bits ?? null);
    return [same[0].data, ...bits.map(numberText)];
  });
  return table(
    ["data", ...names],
    lines,
    [...names.keys()].map((i) => i + 1),
  );
}

function groupBy(rows: readonly Row[], key: (row: Row) => string): Row[][] {
  const groups = new Map<string, Row[]>();
  for (const row of rows) groups.set(key(row), [...(groups.get(key(row)) ?? []), row]);
  return [...groups.values()];
}

function besideText(row: Row | undefined): string {
  return row?.speedup ? `${numberText(row.peer_gbps)} (${timesText(row.speedup)})` : "-";
}

function timesText(times: number): string {
  return `${times < 0.1 ? times.toPrecision(1) : times.toFixed(times < 10 ? 2 : 0)}x`;
}

function numberText(value: number | null): string {
  if (value === null) return "-";
  return value < 0.1 ? value.toPrecision(2) : value.toFixed(value < 10 ? 3 : 1);
}

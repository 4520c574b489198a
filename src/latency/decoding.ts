import { canonical } from "./checks.ts";
import { type Environment, environmentId } from "./environment.ts";
import { nonNegative } from "./nnls.ts";
import type { Latency } from "./pool.ts";
import { type LatencyTable, latencies } from "./table.ts";

// How fast files are opened and decoded, from rows of the type "decode".

/** A chunk, as far as the time to decode it depends on it. */
export interface ChunkWork {
  /** Bytes in the file. */
  readonly stored: number;
  /** Steps of decoding its streams. */
  readonly steps: number;
  readonly elements: number;
  /** What it holds: codes ("int8") or elements ("f32"). */
  readonly form: string;
  /** Whether its elements are divided by factors. */
  readonly smooth: boolean;
  /** Whether more code is needed to decode it than for most. */
  readonly rare: boolean;
}

/** Milliseconds. */
export interface DecodeSpeed {
  open(headerBytes: number, tensors: number): number;
  /** What a request takes beside what the line does: to be made, and its answer to be read. */
  readonly request: number;
  chunk(chunk: ChunkWork): number;
  /** What that code takes to be loaded for a file, if it was loaded for another one before. */
  readonly rare: number;
  /** What a tensor takes beside its chunks. */
  readonly tensor: number;
  /** A time is between its part by this factor and its multiple by it 9 times out of 10. */
  readonly factor: number;
  /** Rows that this comes from; 0: it is a bound. */
  readonly rows: number;
}

/** No set of rows is so good that the next time would not be off by this. */
const LEAST_FACTOR = 1.1;
const SHARED = ["tensors", "chunks", "stored", "steps", "smooth", "rare"] as const;
/** So many rows of forms are the fewest that say something: as many as there are coefficients for one form. */
const FEWEST = SHARED.length + 1;

/**
 * The speed of quern's own kernels on the machine of an environment: of rows of an environment that differs from it in nothing but its runtime, which is
 * "quern". Without enough of them, `boundSpeed`.
 */
export function decodeSpeed(table: LatencyTable, environment: Environment): DecodeSpeed {
  const own = [...table.environments.values()].filter((other) => isBeside(other, environment));
  const found = own.map(({ id }) => latencies(table, { environment: id, type: "decode" }));
  // One thread decodes unless the caller gives workers; of several sets the one with most rows tells most.
  const [rows = []] = found.sort((a, b) => b.length - a.length || (canonical(a) < canonical(b) ? -1 : 1));
  return fitted(rows) ?? boundSpeed();
}

function isBeside(other: Environment, environment: Environment): boolean {
  const { runtime, id } = other;
  return runtime.name === "quern" && runtime.threads === 1 && environmentId({ ...environment, runtime }) === id;
}

/** The speed that rows tell, or null if they are too few. */
function fitted(rows: readonly Latency[]): DecodeSpeed | null {
  const timed = rows.filter(({ median }) => median > 0);
  const [opened, decoded] = [timed.filter(({ form }) => form === "open"), timed.filter(({ form }) => form !== "open")];
  if (decoded.length < FEWEST || opened.length < 2) return null;
  const forms = [...new Set(decoded.map(({ form }) => form))].sort();
  const featuresOf = (row: Latency): number[] => [
    ...SHARED.map((name) => numberOf(row, name)),
    ...forms.map((form) => (form === row.form ? numberOf(row, "elements") : 0)),
  ];
  const openOf = (row: Latency): number[] => [
    1,
    numberOf(row, "header"),
    numberOf(row, "tensors"),
    numberOf(row, "rare"),
    numberOf(row, "asked"),
  ];
  const [opening, decoding] = [leastSquares(opened, openOf), leastSquares(decoded, featuresOf)];
  const [tensor, chunk, stored, step, unsmooth, rare] = decoding.coefficients as [
    number,
    number,
    number,
    number,
    number,
    number,
  ];
  const perElement = new Map(forms.map((form, i) => [form, decoding.coefficients[SHARED.length + i] as number]));
  // What was not measured is not faster than what was.
  const slowest = Math.max(...perElement.values());
  const [once, header, entry, kernels, request] = opening.coefficients as [number, number, number, number, number];
  return {
    open: (bytes, tensors) => once + header * bytes + entry * tensors,
    request,
    chunk({ stored: bytes, steps, elements, form, ...is }) {
      const each = (perElement.get(form) ?? slowest) + (is.smooth ? unsmooth : 0);
      return (is.rare ? chunk + rare : chunk) + stored * bytes + step * steps + each * elements;
    },
    rare: kernels,
    tensor,
    factor: Math.max(decoding.factor, opening.factor, LEAST_FACTOR),
    rows: opened.length + decoded.length,
  };
}

function numberOf({ attributes }: Latency, name: string): number {
  const value = attributes[name];
  return typeof value === "number" ? value : 0;
}

// By share, not by milliseconds: small files count as much as large ones.
function leastSquares(rows: readonly Latency[], featuresOf: (row: Latency) => number[]) {
  const shares = rows.map((row) => featuresOf(row).map((value) => value / row.median));
  const ones = rows.map(() => 1);
  const coefficients = nonNegative(shares, ones);
  const errors = shares.map((row) =>
    Math.log(row.reduce((sum, value, j) => sum + value * (coefficients[j] as number), 0)),
  );
  // The error that nine of ten do not exceed, as far as rows are more than coefficients: other programs make some rows absurd.
  const sizes = errors.map(Math.abs).sort((a, b) => a - b);
  const free = Math.max(1, rows.length - coefficients.filter((value) => value > 0).length);
  const ninth = sizes[Math.min(sizes.length - 1, Math.floor(0.9 * sizes.length))] ?? 0;
  return { coefficients, factor: Math.exp(ninth * Math.sqrt(rows.length / free)) };
}

/**
 * What no row tells: the machine of README's table (0.11 ns a step), where elements go through memory at 4 GB/s and a file is opened in a millisecond.
 * Machines where browsers run are between five times slower and faster.
 */
export function boundSpeed(): DecodeSpeed {
  return {
    open: (headerBytes, tensors) => 1 + 2e-5 * headerBytes + 0.01 * tensors,
    request: 0.3,
    chunk: ({ stored, steps, elements, smooth, rare }) =>
      (rare ? 0.3 : 0.01) + 2e-7 * stored + 1.1e-7 * steps + (smooth ? 3e-6 : 1e-6) * elements,
    rare: 3,
    tensor: 0.01,
    factor: 5,
    rows: 0,
  };
}

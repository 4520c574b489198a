import type { StreamReport } from "../codec/explain.ts";
import { LAMBDA } from "../codec/stream.ts";
import type { QuernFile } from "../container/reader.ts";
import { size, table } from "./print.ts";

// inspect --verbose: what the streams are, and the two costs that `auto` weighs.

/** The streams of one kind of a tensor, all chunks together. */
export interface StreamCost {
  /** Its name, or the first's of those that share a chunk and how many they are. */
  readonly tensor: string;
  /** Such as "codes: mask(mask: pivot, kept bytes: pivot)". */
  readonly streams: string;
  /** Bytes. */
  readonly decoded: number;
  readonly stored: number;
  /** Steps of decoding; one is the merge of a byte. */
  readonly steps: number;
  /** stored + lambda * steps, in bytes. */
  readonly cost: number;
}

/** What `inspect --verbose` adds to `inspect`. */
export interface Costs {
  /** Bytes that a step is worth. */
  readonly lambda: number;
  readonly streams: readonly StreamCost[];
}

/** Decodes a whole file to find what its streams cost. */
export async function costsOf(
  file: QuernFile,
  signal: AbortSignal,
  onProgress: (progress: { done: number; total: number }) => void,
): Promise<Costs> {
  const streams: StreamCost[] = [];
  const labels = sharedLabels(file);
  let chunk = 0;
  for (const { name, firstChunk, chunks } of file.index) {
    // A chunk that tensors share is told of once, with the first of them.
    if (firstChunk < chunk) continue;
    const sums = new Map<string, StreamCost>();
    for (const end = chunk + chunks; chunk < end; chunk++) {
      signal.throwIfAborted();
      for (const report of await file.explain(chunk)) addTo(sums, labels.get(chunk) ?? name, report);
      onProgress({ done: chunk + 1, total: file.totals.chunks });
    }
    streams.push(...sums.values());
  }
  return { lambda: LAMBDA, streams };
}

// What to call the chunks that several tensors share.
function sharedLabels({ index }: QuernFile): Map<number, string> {
  const sharing = new Map<number, string[]>();
  for (const { name, firstChunk, chunks } of index) {
    const names = sharing.get(firstChunk);
    if (names && chunks > 0) names.push(name);
    else if (chunks > 0) sharing.set(firstChunk, [name]);
  }
  const shared = [...sharing].filter(([, names]) => names.length > 1);
  return new Map(shared.map(([chunk, [first, ...more]]) => [chunk, `${first} and ${more.length} more`]));
}

function addTo(sums: Map<string, StreamCost>, tensor: string, report: StreamReport): void {
  const streams = streamText(report);
  const so = sums.get(streams) ?? { tensor, streams, decoded: 0, stored: 0, steps: 0, cost: 0 };
  const { decoded, stored, steps, cost } = report;
  sums.set(streams, {
    tensor,
    streams,
    decoded: so.decoded + decoded,
    stored: so.stored + stored,
    steps: so.steps + steps,
    cost: so.cost + cost,
  });
}

function streamText({ part, code, inside }: StreamReport): string {
  const inner = inside.map(streamText).join(", ");
  return `${part}: ${code}${inner ? `(${inner})` : ""}`;
}

/** The costs as text. */
export function costsText({ lambda, streams }: Costs): string {
  const rows = streams.map(({ tensor, streams: text, decoded, stored, steps, cost }, i) => [
    // A tensor's name stands once.
    tensor === streams[i - 1]?.tensor ? "" : tensor,
    text,
    size(stored),
    decoded === 0 ? "-" : ((8 * stored) / decoded).toFixed(2),
    decoded === 0 ? "-" : (steps / decoded).toFixed(2),
    Math.round(cost).toString(),
  ]);
  return [
    table(["tensor", "streams", "stored", "bits/byte", "steps/byte", "cost"], rows, [2, 3, 4, 5]),
    "",
    `lambda ${lambda} byte a step: cost = stored bytes + lambda * steps. A step is what merging one byte takes.`,
  ].join("\n");
}

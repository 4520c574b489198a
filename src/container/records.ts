import { demand } from "../errors.ts";

// Records of the header: what a file holds beside its tensors (docs/FORMAT.md, "Records").

const REQUIRED = 0x80000000;
const GRAPH = 2;
const HEAD = 8;

const padded = (length: number): number => HEAD + 8 * Math.ceil(length / 8);

/** The record part of a header. */
export function encodeRecords(graph: Uint8Array | null | undefined): Uint8Array {
  if (!graph) return new Uint8Array(0);
  const bytes = new Uint8Array(padded(graph.length));
  const view = new DataView(bytes.buffer);
  view.setUint32(0, GRAPH, true);
  view.setUint32(4, graph.length, true);
  bytes.set(graph, HEAD);
  return bytes;
}

/** Checks the record part, which begins at byte `base` of the file, and finds the graph in it. @throws FormatError */
export function parseRecords(records: Uint8Array, base: number): Uint8Array | null {
  const view = new DataView(records.buffer, records.byteOffset, records.length);
  let graph: Uint8Array | null = null;
  for (let at = 0; at < records.length; ) {
    const type = view.getUint32(at, true);
    const length = view.getUint32(at + 4, true);
    const known = "a type that this reader knows";
    demand(type < REQUIRED, "record", base + at, "record type", known, `required type ${type - REQUIRED}`);
    const room = records.length - at - HEAD;
    demand(length <= room, "truncated", base + at + 4, "record length", `at most ${room}`, length);
    const start = at + HEAD;
    const end = at + padded(length);
    const padding = records.subarray(start + length, end).every((byte) => byte === 0);
    demand(padding, "padding", base + start + length, "padding of a record", 0, "other bytes");
    if (type === GRAPH) {
      demand(!graph, "duplicate", base + at, "graph", "one", "two");
      graph = records.subarray(start, start + length);
    }
    at = end;
  }
  return graph;
}

import { demand } from "../errors.ts";
import { encodeActivations, parseActivations } from "./activations.ts";
import type { Records } from "./prelude.ts";
import { encodeStages, parseStages } from "./stages.ts";

// Records of the header: what a file holds beside its tensors (docs/FORMAT.md, "Records").

const REQUIRED = 0x80000000;
const STAGES = 1;
const GRAPH = 2;
const ACTIVATIONS = 3;
const NAMES: Record<number, string> = { [STAGES]: "stages", [GRAPH]: "graph", [ACTIVATIONS]: "activations" };
const HEAD = 8;

const padded = (length: number): number => HEAD + 8 * Math.ceil(length / 8);

/** The record part of a header. */
export function encodeRecords({ stages, graph, activations }: Records): Uint8Array {
  const records: [type: number, bytes: Uint8Array][] = [];
  if (stages) records.push([STAGES, encodeStages(stages)]);
  if (graph) records.push([GRAPH, graph]);
  if (activations) records.push([ACTIVATIONS, encodeActivations(activations)]);
  const all = new Uint8Array(records.reduce((sum, [, { length }]) => sum + padded(length), 0));
  const view = new DataView(all.buffer);
  let at = 0;
  for (const [type, bytes] of records) {
    view.setUint32(at, type, true);
    view.setUint32(at + 4, bytes.length, true);
    all.set(bytes, at + HEAD);
    at += padded(bytes.length);
  }
  return all;
}

/**
 * Checks the record part, which begins at byte `base` of the file, and finds what is known in it.
 * @param tensors - count of the file
 * @throws FormatError
 */
export function parseRecords(records: Uint8Array, base: number, tensors: number): Records {
  const view = new DataView(records.buffer, records.byteOffset, records.length);
  const found = new Map<number, Uint8Array>();
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
    const name = NAMES[type];
    if (name !== undefined) {
      demand(!found.has(type), "duplicate", base + at, name, "one", "two");
      found.set(type, records.subarray(start, start + length));
    }
    at = end;
  }
  const offsetOf = ({ byteOffset }: Uint8Array): number => base + byteOffset - records.byteOffset;
  const [stages, activations] = [found.get(STAGES), found.get(ACTIVATIONS)];
  return {
    stages: stages ? parseStages(stages, offsetOf(stages), tensors) : null,
    graph: found.get(GRAPH) ?? null,
    activations: activations ? parseActivations(activations, offsetOf(activations)) : null,
  };
}

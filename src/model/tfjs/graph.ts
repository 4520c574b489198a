import { parseObject } from "../json.ts";
import { bad } from "./manifest.ts";

// What is read of a model.json that lies in a .quern file, or beside one.

/** The object in a model.json, and its text. @throws FormatError */
export function parseGraph(graph: Uint8Array): { value: Record<string, unknown>; text: string } {
  return parseObject(graph, bad, () => "keys of the graph");
}

/** What the weightsManifest says, by name of weight. */
export function marksOf({ weightsManifest }: Record<string, unknown>): Map<string, Record<string, unknown>> {
  const marks = new Map<string, Record<string, unknown>>();
  for (const group of Array.isArray(weightsManifest) ? weightsManifest : []) {
    const { weights } = Object(group ?? {});
    for (const weight of Array.isArray(weights) ? weights : []) marks.set(String(Object(weight ?? {}).name), weight);
  }
  return marks;
}

import { DataError, LoadError } from "../errors.ts";
import type { QuernFile } from "../read.ts";

// The graph that the weights of a file belong to: from the file, or from elsewhere.

/** An address, or the graph itself. */
export type GraphInput = string | URL | Uint8Array | ArrayBuffer;

const BRACE = 0x7b;

/**
 * The bytes of the graph: those given, those at the address given, or else those in the file.
 * @param original - the file that it is of, for the message
 * @throws DataError if there is none, or of another runtime; LoadError if the address has none
 */
export async function graphBytes(
  file: QuernFile,
  given: GraphInput | undefined,
  original: "model.json" | "model.onnx",
  signal: AbortSignal | undefined,
): Promise<Uint8Array> {
  const graph = given === undefined ? file.graph : await loaded(given, signal);
  if (!graph) {
    const pack = `quern pack ${original} -o model.quern --with-graph`;
    throw new DataError(`the file has no graph: pack it with "${pack}", or give the graph with the option "graph"`);
  }
  const json = graph[0] === BRACE;
  if (json === (original === "model.json")) return graph;
  const [is, entry] = json ? ["a model.json of TensorFlow.js", "quern/tfjs"] : ["no model.json", "quern/onnx"];
  throw new DataError(`the graph is ${is}: ${entry} may take it`);
}

async function loaded(given: GraphInput, signal: AbortSignal | undefined): Promise<Uint8Array> {
  if (given instanceof Uint8Array) return given;
  if (given instanceof ArrayBuffer) return new Uint8Array(given);
  const response = await fetch(given, signal ? { signal } : {});
  if (response.ok) return new Uint8Array(await response.arrayBuffer());
  throw new LoadError("status", `the graph at ${given}: ${response.status} ${response.statusText}`);
}

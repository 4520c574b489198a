import { DataError, LoadError } from "../errors.ts";
import type { IndexEntry, OpenInput, OpenOptions, QuernFile } from "../read.ts";

// A file and the graph that its weights belong to, which is in it or elsewhere.

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
  options: Pick<OpenOptions, "request" | "signal">,
): Promise<Uint8Array> {
  const graph = given === undefined ? file.graph : await loaded(given, options);
  if (!graph) {
    const pack = `quern pack ${original} -o model.quern --with-graph`;
    throw new DataError(`the file has no graph: pack it with "${pack}", or give the graph with the option "graph"`);
  }
  const json = graph[0] === BRACE;
  if (json === (original === "model.json")) return graph;
  const [is, entry] = json ? ["a model.json of TensorFlow.js", "quern/tfjs"] : ["no model.json", "quern/onnx"];
  throw new DataError(`the graph is ${is}: ${entry} may take it`);
}

async function loaded(
  given: GraphInput,
  { request, signal }: Pick<OpenOptions, "request" | "signal">,
): Promise<Uint8Array> {
  if (given instanceof Uint8Array) return given;
  if (given instanceof ArrayBuffer) return new Uint8Array(given);
  // Whole: graphs come compressed from many servers, which ranges cannot be.
  const { fetch: own = fetch, ...init } = request ?? {};
  const response = await own(given, signal ? { ...init, signal } : init);
  if (response.ok) return new Uint8Array(await response.arrayBuffer());
  throw new LoadError("status", `the graph at ${given}: ${response.status} ${response.statusText}`);
}

/** The entry of a tensor that the graph names. @throws DataError if the file has none of that name and shape */
export function entryOf(entries: ReadonlyMap<string, IndexEntry>, name: string, shape: readonly number[]): IndexEntry {
  const entry = entries.get(name);
  if (!entry) throw new DataError(`the file has no tensor "${name}", which the graph names: is it another model's?`);
  const [has, wants] = [entry.shape, shape].map((extents) => extents.join(" x "));
  if (has !== wants) throw new DataError(`tensor "${name}" is ${has}, and ${wants} in the graph`);
  return entry;
}

/** Closes what `open` made of the input. A source that was given stays open: it may be of further use. */
export function closeOwn(file: QuernFile, input: OpenInput): void {
  if (typeof input === "string" || !("slice" in input)) file.close();
}

/** Refuses what would not fit: `bytes` of decoded tensors at once, beside what reading takes. @throws LoadError */
export function demandRoom({ totals }: QuernFile, bytes: number, budget: number | undefined): void {
  const needs = totals.peak + bytes;
  if (budget === undefined || needs <= budget) return;
  throw new LoadError(
    "budget",
    `the decoded weights and reading them take ${needs} bytes, more than the budget of ${budget}`,
  );
}

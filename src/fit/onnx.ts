import { bytesSource } from "../bytes.ts";
import { demand } from "../errors.ts";
import { type ExternalPlace, externalPlace } from "../model/onnx/external.ts";
import { readInitializers, readModelFields } from "../model/onnx/graph.ts";
import { walkOver } from "../model/onnx/wire.ts";
import { type OpenInput, type OpenOptions, open, type QuernFile } from "../read.ts";
import { bytesOf, type DType, elementCount } from "../tensor.ts";
import { elementsOf } from "./elements.ts";
import { closeOwn, demandRoom, entryOf, type GraphInput, graphBytes } from "./graph.ts";

// Files as ONNX Runtime loads models: the graph, and the files of its external data as bytes.

/** What is used of onnxruntime-web: the caller's module, of 1.17 or newer. */
export interface OnnxRuntime<Session> {
  readonly InferenceSession: { create(graph: Uint8Array, options?: object): Promise<Session> };
}

export interface SessionOptions extends OpenOptions {
  /** An ONNX model with external data, or its address. Default: the graph in the file. */
  graph?: GraphInput | undefined;
  /** For InferenceSession.create. Further `externalData` are handed over too. */
  session?: object | undefined;
}

/** What may lie between tensors of external data: a page, where a page is largest. */
const MAX_GAP = 65536;

/**
 * Opens a file, decodes it, and makes an inference session of it. The decoded tensors are in memory twice while the session is made: as
 * external data here, and in the memory of the runtime.
 * @param ort - the module `onnxruntime-web`
 * @param input - as for `open`
 * @throws FormatError; DataError if there is no graph or it is another model's; the signal's reason; what the runtime throws
 */
export async function createSession<Session>(
  ort: OnnxRuntime<Session>,
  input: OpenInput,
  { graph: given, session = {}, ...options }: SessionOptions = {},
): Promise<Session> {
  const file = await open(input, options);
  try {
    const graph = await graphBytes(file, given, "model.onnx", options);
    const data = await externalData(file, await placesIn(graph), options);
    options.signal?.throwIfAborted();
    const { externalData: others = [] } = session as { externalData?: readonly object[] };
    // A copy: where the runtime has a worker, it takes the bytes away.
    return await ort.InferenceSession.create(graph.slice(), { ...session, externalData: [...data, ...others] });
  } finally {
    closeOwn(file, input);
  }
}

interface Place extends ExternalPlace {
  readonly name: string;
  readonly shape: readonly number[];
  readonly dtype: DType;
  readonly bytes: number;
}

async function placesIn(graph: Uint8Array): Promise<Place[]> {
  const walk = walkOver(bytesSource(graph));
  const { graph: field } = await readModelFields(walk);
  const places: Place[] = [];
  for (const { name, shape, type, external, start } of await readInitializers(walk, field)) {
    if (!external) continue;
    const bytes = bytesOf(type.dtype, elementCount(shape));
    const place = externalPlace(external, bytes, start, `data of initializer ${JSON.stringify(name.slice(0, 80))}`);
    places.push({ name, shape, dtype: type.dtype, bytes, ...place });
  }
  return places;
}

async function externalData(file: QuernFile, places: readonly Place[], options: OpenOptions) {
  const entries = new Map(file.index.map((entry) => [entry.name, entry]));
  for (const { name, shape } of places) entryOf(entries, name, shape);
  const sizes = new Map<string, number>();
  for (const location of new Set(places.map((place) => place.location))) {
    sizes.set(location, sizeOf(places.filter((place) => place.location === location)));
  }
  const total = [...sizes.values()].reduce((sum, size) => sum + size, 0);
  demandRoom(file, total, options.budget);
  const files = new Map([...sizes].map(([location, size]) => [location, new Uint8Array(size)]));
  const byName = new Map(places.map((place) => [place.name, place]));
  const into = (name: string): Uint8Array => {
    const { location, offset, bytes } = byName.get(name) as Place;
    return (files.get(location) as Uint8Array).subarray(offset, offset + bytes);
  };
  const wanted = new Map(places.map(({ name, dtype }) => [name, dtype]));
  for await (const { name, bytes } of elementsOf(file, wanted, { ...options, into })) {
    const place = into(name);
    if (bytes.buffer !== place.buffer) place.set(bytes);
  }
  return [...files].map(([path, data]) => ({ path, data }));
}

// Shapes are those of tensors that the file has, so what is made is not much more than what it decodes to.
function sizeOf(places: readonly Place[]): number {
  const end = places.reduce((most, { offset, bytes }) => Math.max(most, offset + bytes), 0);
  const most = places.reduce((sum, { bytes }) => sum + bytes + MAX_GAP, 0);
  const { location } = places[0] as Place;
  demand(end <= most, "onnx-external", 0, `external data in "${location.slice(0, 80)}"`, `at most ${most} bytes`, end);
  return end;
}

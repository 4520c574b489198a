import { DataError } from "../errors.ts";
import { parseSteps } from "../plan.ts";
import type { IndexEntry, ProgressListener, QuernFile } from "../read.ts";
import { type DType, dtypeWidth, elementCount, isBlocks, isFloat, narrow, type TensorInfo } from "../tensor.ts";
import { progressOfRuns } from "./runs.ts";

// Tensors of an open file in the dtypes that a runtime wants.

export interface Elements {
  readonly name: string;
  /** Little endian. */
  readonly bytes: Uint8Array;
}

export interface ElementsOptions {
  signal?: AbortSignal | undefined;
  /** Hears of all of it as one call. */
  onProgress?: ProgressListener | undefined;
  /** Where the bytes of a tensor may go, by its name. They need not: `bytes` are then elsewhere, and nobody else's. */
  into?: ((name: string) => Uint8Array) | undefined;
}

/**
 * Some tensors of a file, decoded, in its order, so that the file is read once from front to back. Floats become any floats: rounded half to
 * even, by way of f32 but for F64 that was stored losslessly and is wanted so. (A signalling NaN of BF16 becomes a quiet one.)
 * @param wanted - dtypes by name of tensor; names that the file does not have are not missed
 * @throws DataError for other changes of dtype, FormatError, LoadError, the signal's reason
 */
export async function* elementsOf(
  file: QuernFile,
  wanted: ReadonlyMap<string, DType>,
  { signal, onProgress, into }: ElementsOptions,
): AsyncGenerator<Elements> {
  const runs = runsOf(file, wanted);
  const listeners = progressOfRuns(
    file.totals.header,
    runs.map(({ entries }) => entries),
    onProgress,
  );
  for (const [i, { kind, entries }] of runs.entries()) {
    const names = entries.map(({ name }) => name);
    const options = { names, signal, ...(onProgress && { onProgress: listeners[i] }) };
    let next = 0;
    if (kind === "stored") {
      for await (const { name, bytes, channels } of file.stream({ as: "stored", ...options })) {
        const entry = entries[next++] as IndexEntry;
        yield { name, bytes: channels ? spread(entry, bytes, channels) : bytes };
      }
      continue;
    }
    const places = placesFor(wanted, into);
    for await (const { name, data } of file.stream({ ...options, ...(into && { into: places.of }) })) {
      places.done(name);
      yield { name, bytes: narrow(wanted.get(name) as DType, data) };
    }
  }
}

interface Run {
  readonly kind: "f32" | "stored";
  readonly entries: IndexEntry[];
}

// Each run is one stream, which a source may fetch in one go.
function runsOf(file: QuernFile, wanted: ReadonlyMap<string, DType>): Run[] {
  const runs: Run[] = [];
  for (const entry of file.index) {
    const dtype = wanted.get(entry.name);
    if (!dtype) continue;
    const kind = kindOf(entry, dtype);
    const last = runs[runs.length - 1];
    if (last?.kind === kind) last.entries.push(entry);
    else runs.push({ kind, entries: [entry] });
  }
  return runs;
}

function kindOf({ name, dtype, plan }: IndexEntry, wanted: DType): Run["kind"] {
  const coded = parseSteps(plan).some(({ op }) => op === "quantize" || op === "format");
  const wide = dtype === "F64" && wanted === "F64" && !coded;
  if ((isFloat(dtype) || isBlocks(dtype)) && isFloat(wanted) && !wide) return "f32";
  if (dtype === wanted) return "stored";
  throw new DataError(`tensor "${name}" is ${dtype}, and ${wanted} in the graph`);
}

// Where the f32 of a tensor go: its place, if it is to be f32 and lies so that an array can be made of it.
function placesFor(wanted: ReadonlyMap<string, DType>, into: ElementsOptions["into"]) {
  const known = new Map<string, Float32Array>();
  const placeOf = ({ name, shape }: TensorInfo): Float32Array => {
    const place = wanted.get(name) === "F32" ? into?.(name) : undefined;
    if (!place || place.byteOffset % 4 !== 0) return new Float32Array(elementCount(shape));
    return new Float32Array(place.buffer, place.byteOffset, place.length / 4);
  };
  return {
    of(tensor: TensorInfo): Float32Array {
      const place = known.get(tensor.name) ?? placeOf(tensor);
      known.set(tensor.name, place);
      return place;
    },
    done: (name: string) => known.delete(name),
  };
}

// Elements of removed channels are 0.
function spread({ dtype, shape }: IndexEntry, bytes: Uint8Array, channels: Uint32Array): Uint8Array {
  const size = dtypeWidth(dtype) * elementCount(shape.slice(1));
  const out = new Uint8Array(size * (shape[0] as number));
  channels.forEach((channel, i) => {
    out.set(bytes.subarray(size * i, size * (i + 1)), size * channel);
  });
  return out;
}

import { DataError } from "../errors.ts";
import { parseSteps } from "../plan.ts";
import type { IndexEntry, QuernFile } from "../read.ts";
import { type DType, dtypeWidth, elementCount, isBlocks, isFloat, narrow } from "../tensor.ts";

// Tensors of an open file in the dtypes that a runtime wants.

export interface Elements {
  readonly name: string;
  /** Little endian, and nobody else's. */
  readonly bytes: Uint8Array;
}

type Kind = "f32" | "stored";

/**
 * Some tensors of a file, decoded, in its order, so that the file is read once from front to back. Floats become any floats: rounded half to
 * even, by way of f32 but for F64 that was stored losslessly and is wanted so. (A signalling NaN of BF16 becomes a quiet one.)
 * @param wanted - dtypes by name of tensor; names that the file does not have are not missed
 * @throws DataError for other changes of dtype, FormatError, the signal's reason
 */
export async function* elementsOf(
  file: QuernFile,
  wanted: ReadonlyMap<string, DType>,
  signal?: AbortSignal | undefined,
): AsyncGenerator<Elements> {
  const entries = file.index.filter(({ name }) => wanted.has(name));
  const dtypeOf = ({ name }: IndexEntry): DType => wanted.get(name) as DType;
  const kinds = entries.map((entry) => kindOf(entry, dtypeOf(entry)));
  // Each run is one stream, which a source may fetch in one go.
  for (let start = 0, end = 0; start < entries.length; start = end) {
    while (end < entries.length && kinds[end] === kinds[start]) end++;
    const run = entries.slice(start, end);
    const names = run.map(({ name }) => name);
    let next = 0;
    if (kinds[start] === "stored") {
      for await (const { name, bytes, channels } of file.stream({ as: "stored", names, signal })) {
        const entry = run[next++] as IndexEntry;
        yield { name, bytes: channels ? spread(entry, bytes, channels) : bytes };
      }
    } else {
      for await (const { name, data } of file.stream({ names, signal })) {
        yield { name, bytes: narrow(dtypeOf(run[next++] as IndexEntry), data) };
      }
    }
  }
}

function kindOf({ name, dtype, plan }: IndexEntry, wanted: DType): Kind {
  const coded = parseSteps(plan).some(({ op }) => op === "quantize" || op === "format");
  const wide = dtype === "F64" && wanted === "F64" && !coded;
  if ((isFloat(dtype) || isBlocks(dtype)) && isFloat(wanted) && !wide) return "f32";
  if (dtype === wanted) return "stored";
  throw new DataError(`tensor "${name}" is ${dtype}, and ${wanted} in the graph`);
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

import { bytesSource, memorySink } from "../bytes.ts";
import { tensorOver } from "../codec/through.ts";
import { DataError } from "../errors.ts";
import { readSafetensors, writeSafetensors } from "../model/safetensors.ts";
import { elementCount, readElements, widen } from "../tensor.ts";

// What is kept of training, so that it can go on after the process has ended: a safetensors file.

/** Where it is kept. A write must replace the file as a whole, or not at all. */
export interface CheckpointPlace {
  /** null: there is none yet. */
  read(): Promise<Uint8Array | null>;
  write(bytes: Uint8Array): Promise<void>;
}

export interface Checkpoint {
  /** Lists of f32 by what they are for and by name. */
  readonly parts: ReadonlyMap<string, ReadonlyMap<string, Float32Array>>;
  /** JSON. */
  readonly notes: unknown;
}

const KEY = "quern.tune";

export async function writeCheckpoint(place: CheckpointPlace, { parts, notes }: Checkpoint): Promise<void> {
  const tensors = [...parts].flatMap(([part, list]) =>
    [...list].map(([name, data]) => tensorOver(`${part}/${name}`, [data.length], data)),
  );
  const sink = memorySink();
  await writeSafetensors({ tensors, metadata: { [KEY]: JSON.stringify(notes) } }, sink);
  await place.write(sink.bytes());
}

/** null: there is none yet. @throws FormatError, DataError for a file that is no checkpoint */
export async function readCheckpoint(place: CheckpointPlace): Promise<Checkpoint | null> {
  const bytes = await place.read();
  if (!bytes) return null;
  const { tensors, metadata } = await readSafetensors(bytesSource(bytes));
  const parts = new Map<string, Map<string, Float32Array>>();
  for (const tensor of tensors) {
    const slash = tensor.name.indexOf("/");
    if (slash < 0 || tensor.dtype !== "F32") throw foreign();
    const [part, name] = [tensor.name.slice(0, slash), tensor.name.slice(slash + 1)];
    const list = parts.get(part) ?? new Map<string, Float32Array>();
    list.set(name, widen("F32", await readElements(tensor, 0, elementCount(tensor.shape))));
    parts.set(part, list);
  }
  return { parts, notes: notesIn(metadata?.[KEY]) };
}

function notesIn(text: string | undefined): unknown {
  try {
    return JSON.parse(text as string);
  } catch {
    throw foreign();
  }
}

function foreign(): DataError {
  return new DataError("the checkpoint is none of quern's: name another file, or remove it");
}

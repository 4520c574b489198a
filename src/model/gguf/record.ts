import { DataError } from "../../errors.ts";
import type { Model } from "../../tensor.ts";

/**
 * Key of Model.metadata that keeps what the values as text do not say: the version of the file, and its keys in order with their
 * types. Keys in GGUF files are lower case, so none is called this.
 */
export const GGUF_KEY = "GGUF";

/** What lies under GGUF_KEY, as JSON. */
export interface KeyRecord {
  readonly version: number;
  readonly types: readonly (readonly [key: string, type: string])[];
}

export function printRecord(record: KeyRecord): string {
  return JSON.stringify(record);
}

/**
 * Which keys a GGUF file of this model has. Keys that the record does not name are strings, and follow; names of keys that are
 * gone are left out. @throws DataError if the record is none
 */
export function recordOf({ metadata }: Model): KeyRecord {
  const { [GGUF_KEY]: text, ...values } = metadata ?? {};
  const { version, types } = text === undefined ? { version: 3, types: [] } : parseRecord(text);
  const named = types.filter(([key]) => Object.hasOwn(values, key));
  const known = new Set(named.map(([key]) => key));
  if (known.size < named.length) throw bad("a key twice");
  const others = Object.keys(values).filter((key) => !known.has(key));
  return { version, types: [...named, ...others.map((key) => [key, "string"] as const)] };
}

function parseRecord(text: string): KeyRecord {
  let value: Partial<KeyRecord> | null;
  try {
    value = JSON.parse(text);
  } catch (error) {
    throw bad((error as Error).message);
  }
  const { version, types } = Object(value ?? {}) as Partial<KeyRecord>;
  if (version !== 2 && version !== 3) throw bad(`version ${version}`);
  const pairs = Array.isArray(types) && types.every((pair) => Array.isArray(pair) && pair.length === 2);
  if (!pairs || !types.flat().every((word) => typeof word === "string")) throw bad("types that are no pairs of text");
  return { version, types };
}

function bad(what: string): DataError {
  return new DataError(`metadata "${GGUF_KEY}" should be the record of a GGUF file's keys and types, but has ${what}`);
}

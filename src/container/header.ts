import { asciiText, joined } from "../bytes.ts";
import { CODE_NAMES, STORED_EXTRA } from "../codec/code.ts";
import { commonShape } from "../codec/common.ts";
import { commonLayout, commonSteps } from "../codec/steps.ts";
import { sure } from "../codec/sure.ts";
import { type PlainDType, WIDTHS } from "../tensor/plain.ts";
import { hasMagic } from "./length.ts";
import {
  chunkEntry,
  type Description,
  ENTRY_BYTES,
  HASHED_BYTES,
  type Header,
  MAX_DECODED_CHUNK,
  MAX_HEADER,
  PRELUDE_BYTES,
  type Prelude,
  preludeFields,
  restLength,
} from "./prelude.ts";
import {
  type LaidOut,
  type LayOut,
  MAX_SHARED,
  type Placed,
  placeTensors,
  type ReadHead,
  type Section,
  standIn,
} from "./sections.ts";

// Headers as most files have them. The second of two readers, for small pages: it gives what format.ts gives, or null, and then format.ts is
// to be asked, which reads it or says what is wrong with it. What is null here though it is right costs a page the rest of the package.

export const VERSION = 1;
/** UTF-16 units of a name. V8 tells longer strings than 16383 apart by length alone, so a set of them is searched one by one. */
export const MAX_NAME = 4095;
/** UTF-16 units of all names of a file: as many as its header could hold if none kept anything. */
export const MAX_NAMES = 100_000_000;
export const MAX_DIMENSIONS = 16;

/** What `read` gives, or null if it throws. */
async function attempt<T>(read: () => T | Promise<T>): Promise<T | null> {
  try {
    return await read();
  } catch {
    return null;
  }
}

/** The prelude of a file of `fileBytes` bytes (null: not known yet), checked. */
export function commonPrelude(bytes: Uint8Array, fileBytes: number | null): Promise<Prelude | null> {
  return attempt(() => {
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
    sure(hasMagic(bytes) && bytes.length === PRELUDE_BYTES);
    // With the reserved half word behind it; then required features.
    sure(view.getUint32(8, true) === VERSION && view.getUint32(12, true) === 0);
    const prelude = preludeFields(bytes);
    const { jsonBytes, recordBytes, chunks, largestStored, largestDecoded, decodedBytes } = prelude;
    sure(prelude.fileBytes === (fileBytes ?? prelude.fileBytes) && jsonBytes % 8 === 0 && recordBytes === 0);
    sure(PRELUDE_BYTES + restLength(prelude) <= Math.min(MAX_HEADER, prelude.fileBytes));
    sure(largestDecoded <= MAX_DECODED_CHUNK && largestStored <= largestDecoded + STORED_EXTRA);
    sure(decodedBytes <= chunks * largestDecoded);
    return prelude;
  });
}

/** The header, checked: `head` is the prelude, `rest` what restLength asks for. */
export function commonHeader(prelude: Prelude, head: Uint8Array, rest: Uint8Array): Promise<Header | null> {
  return attempt(async () => {
    const hashed = joined(head.subarray(0, HASHED_BYTES), rest);
    const hash = new Uint8Array(await crypto.subtle.digest("SHA-256", hashed));
    sure(prelude.sha256.every((byte, i) => byte === hash[i]));
    const description = describe(asciiText(rest.subarray(0, prelude.jsonBytes)));
    const table = rest.subarray(prelude.jsonBytes);
    const headerBytes = PRELUDE_BYTES + rest.length;
    const { offsets, decodedBefore } = placeChunks(prelude, description.sections, table, headerBytes);
    return {
      ...description,
      stages: null,
      graph: null,
      activations: null,
      prelude,
      headerBytes,
      offsets,
      decodedBefore,
      chunk: (index) => chunkEntry(table, offsets, index),
    };
  });
}

type List = readonly unknown[];

function describe(text: string): Description {
  const { plan, metadata, sections, tensors } = JSON.parse(text);
  // What is left out of printable ASCII has several spellings.
  const spelled = JSON.stringify({ plan, metadata, sections, tensors });
  sure(spelled.padEnd(Math.ceil(spelled.length / 8) * 8) === text && !/[^ -~]|\\u/.test(text));
  const texts = [plan, ...Object.values(metadata ?? {})];
  sure(texts.every((item) => typeof item === "string") && metadata !== undefined && !Array.isArray(metadata));
  sure(typeof metadata === "object");
  const heads = (sections as List[]).map(headOf);
  return { plan, metadata, ...placeTensors(heads, placedIn(tensors, heads.length), layOut) };
}

function headOf(item: List): ReadHead {
  const [dtype, plan, chunk] = item as [PlainDType, string, number];
  sure(item.length === 3 && typeof dtype === "string" && WIDTHS[dtype] > 0 && typeof plan === "string");
  sure(Number.isSafeInteger(chunk) && chunk > 0);
  return { dtype, plan, steps: commonSteps(plan, dtype), chunk };
}

function placedIn(items: readonly List[], sections: number): Placed[] {
  const names = new Set<string>();
  let [before, units, used] = ["", 0, 0];
  const placed = items.map((item): Placed => {
    const [kept, rest, shape, section] = item as [number, string, number[], number];
    sure(item.length === 4 && typeof rest === "string" && Array.isArray(shape) && shape.length <= MAX_DIMENSIONS);
    // As much of the name before as there is.
    sure(before.slice(0, kept).length === kept && (kept === before.length || before[kept] !== rest[0]));
    const name = before.slice(0, kept) + rest;
    units += name.length;
    sure(name.length <= MAX_NAME && units <= MAX_NAMES);
    sure(Number.isInteger(section) && section >= 0 && section <= used && section < sections);
    used = Math.max(used, section + 1);
    names.add(name);
    before = name;
    return { name, shape, section, elements: countOf(shape) };
  });
  sure(names.size === items.length && used === sections);
  return placed;
}

function countOf(shape: readonly number[]): number {
  let [count, largest] = [1, 1];
  for (const extent of shape) {
    sure(Number.isSafeInteger(extent) && extent >= 0);
    count *= extent;
    // A zero extent must not hide a product that no reader could count to.
    largest *= Math.max(extent, 1);
  }
  sure(Number.isSafeInteger(largest));
  return count;
}

const layOut: LayOut = ({ dtype, steps, chunk }, members, elements): LaidOut => {
  const shared = members.length > 1;
  const [{ name, shape }] = members as [Placed];
  if (shared) {
    sure(steps.length === 1 && chunk === elements && elements * WIDTHS[dtype as PlainDType] <= MAX_SHARED);
    sure(members.every((member) => member.elements > 0));
  }
  const tensor = shared ? standIn(name, members.length, dtype, elements) : { name, dtype, shape };
  const layout = commonLayout(tensor, elements, steps, chunk);
  return { layout, dtypes: { original: dtype, f32: layout.coding ? "F32" : dtype, quantized: dtype } };
};

// The chunk table against sections and totals. Returns the offset of every chunk and of the end, in the file and as all are decoded.
function placeChunks(prelude: Prelude, sections: readonly Section[], table: Uint8Array, start: number) {
  const view = new DataView(table.buffer, table.byteOffset, table.length);
  const offsets = new Float64Array(prelude.chunks + 1).fill(start);
  const decodedBefore = new Float64Array(prelude.chunks + 1);
  let [largestStored, largestDecoded, end, decoded, index] = [0, 0, start, 0, 0];
  for (const { layout } of sections) {
    for (let i = 0; i < layout.chunks; i++) {
      const stored = view.getUint32(ENTRY_BYTES * index, true);
      // The code in the low byte, and three reserved ones.
      sure(view.getUint32(ENTRY_BYTES * index + 4, true) < CODE_NAMES.length);
      const { decodedBytes, room } = commonShape(layout, i);
      sure(room <= MAX_DECODED_CHUNK && stored <= decodedBytes + STORED_EXTRA);
      largestStored = Math.max(largestStored, stored);
      largestDecoded = Math.max(largestDecoded, decodedBytes);
      end += stored;
      decoded += decodedBytes;
      index++;
      offsets[index] = end;
      decodedBefore[index] = decoded;
    }
  }
  sure(index === prelude.chunks && end === prelude.fileBytes && decoded === prelude.decodedBytes);
  sure(largestStored === prelude.largestStored && largestDecoded === prelude.largestDecoded);
  return { offsets, decodedBefore };
}

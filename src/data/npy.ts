import { asciiText, type ClosableSource, readExactly } from "../bytes.ts";
import { demand } from "../errors.ts";
import { ELEMENTS, type ElementName, type ElementType, fitting } from "./elements.ts";
import type { Records } from "./records.ts";

// .npy, as NumPy's "numpy.lib.format" describes it: magic, version, length of the header, a Python dictionary, elements.

export const NPY_MAGIC = "\x93NUMPY";
/** NumPy's own reader takes 10 000 characters. */
const MAX_HEADER = 65536;
/** NumPy has 64. */
const MAX_RANK = 64;

const CODES: Record<string, ElementName> = {
  u1: "u8",
  i1: "i8",
  b1: "u8",
  u2: "u16",
  i2: "i16",
  u4: "u32",
  i4: "i32",
  u8: "u64",
  i8: "i64",
  f2: "f16",
  f4: "f32",
  f8: "f64",
};

/** An array as samples: the first dimension counts them. @param name - of the array, for messages @throws FormatError */
export async function readNpy(source: ClosableSource, name = ""): Promise<Records> {
  const field = (what: string): string => (name ? `${what} of ${JSON.stringify(name)}` : what);
  const size = source.byteLength;
  demand(size >= 10, "truncated", 0, field("npy header"), "10 bytes or more", size);
  const head = await readExactly(source, 0, Math.min(12, size));
  const magic = asciiText(head.subarray(0, 6));
  demand(magic === NPY_MAGIC, "magic", 0, field("npy magic"), JSON.stringify(NPY_MAGIC), JSON.stringify(magic));
  const version = head[6] as number;
  demand(version >= 1 && version <= 3, "version", 6, field("npy version"), "1, 2 or 3", version);
  const start = version === 1 ? 10 : 12;
  demand(size >= start, "truncated", 8, field("npy header"), `${start} bytes or more`, size);
  const view = new DataView(head.buffer, head.byteOffset, head.byteLength);
  const length = version === 1 ? view.getUint16(8, true) : view.getUint32(8, true);
  const most = Math.min(MAX_HEADER, size - start);
  demand(length <= most, "header-length", 8, field("npy header length"), `at most ${most}`, length);
  const text = asciiText(await readExactly(source, start, start + length));
  const { type, little, shape } = described(text, start, field);
  const offset = start + length;
  const elements = fitting(shape, type.width, size - offset, start, field("npy shape"));
  const end = offset + elements * type.width;
  demand(end === size, "length", offset, field("npy elements"), `${end - offset} bytes`, size - offset);
  return { source, offset, count: shape[0] ?? 1, shape: shape.slice(1), type, little };
}

function described(text: string, at: number, field: (what: string) => string) {
  // A list of fields is a structured type, and "|O" are Python objects: neither has numbers.
  const [, quoted = "", order = "", code = ""] = /'descr'\s*:\s*(\[|'([<>|=]?)(\w+)')/.exec(text) ?? [];
  const type: ElementType | undefined = CODES[code] && ELEMENTS[CODES[code]];
  const known = `one of ${Object.keys(CODES).join(", ")}`;
  demand(type !== undefined, "dtype", at, field("npy descr"), known, quoted || JSON.stringify(text.slice(0, 40)));
  const [, fortran] = /'fortran_order'\s*:\s*(True|False)\b/.exec(text) ?? [];
  demand(fortran !== undefined, "header", at, field("npy fortran_order"), "True or False", "nothing");
  const [, inner] = /'shape'\s*:\s*\(([\d\s,L]*)\)/.exec(text) ?? [];
  demand(inner !== undefined, "shape", at, field("npy shape"), "a tuple of whole numbers", "none");
  const shape = inner.split(",").flatMap((part) => (part.trim() === "" ? [] : [Number.parseInt(part, 10)]));
  demand(shape.length <= MAX_RANK, "shape", at, field("npy shape"), `at most ${MAX_RANK} dimensions`, shape.length);
  const rows = fortran === "False" || shape.filter((extent) => extent > 1).length <= 1;
  demand(rows, "order", at, field("npy fortran_order"), "False (samples one after the other)", "True");
  return { type, little: order !== ">", shape };
}

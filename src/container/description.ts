import { asciiBytes, asciiText } from "../bytes.ts";
import { argument, demand, type FormatError, printed } from "../errors.ts";
import { parseSteps, printSteps } from "../plan.ts";
import { elementCount, isDType } from "../tensor.ts";
import { MAX_DIMENSIONS } from "./header.ts";
import { check, escaped, isCount, valid, wrong } from "./json.ts";
import { sectionLayout } from "./layouts.ts";
import { checkNames, keptOf, nameReader } from "./names.ts";
import { type Description, PRELUDE_BYTES } from "./prelude.ts";
import { type Head, type Placed, placeTensors, type ReadHead } from "./sections.ts";

// The JSON part of the header: sections and the tensors in them, what was done to them, metadata.

/** The JSON part as it lies in the file. @throws RangeError for what the format cannot hold */
export function encodeDescription(...description: Parameters<typeof spell>): Uint8Array {
  const [, metadata, , tensors] = description;
  const texts = metadata === null || Object.values(Object(metadata ?? 0)).every((item) => typeof item === "string");
  argument(metadata !== undefined && texts, "metadata", "null, or text by key", metadata);
  for (const { name, shape } of tensors) {
    argument(shape.length <= MAX_DIMENSIONS, `shape of "${name}"`, `at most ${MAX_DIMENSIONS} dimensions`, shape);
  }
  checkNames(tensors.map(({ name }) => name));
  return asciiBytes(spell(...description));
}

// The one spelling of a description: ASCII, padded with spaces.
function spell(
  plan: string,
  metadata: Description["metadata"],
  heads: readonly Head[],
  placed: readonly Placed[],
): string {
  const sections = heads.map(({ dtype, steps, chunk }) => [dtype, printSteps(steps), chunk]);
  let before = "";
  const tensors = placed.map(({ name, shape, section }) => {
    const kept = keptOf(before, name);
    before = name;
    return [kept, name.slice(kept), shape, section];
  });
  const text = escaped(JSON.stringify({ plan, metadata, sections, tensors }));
  return text.padEnd(Math.ceil(text.length / 8) * 8);
}

/** Reads the JSON part. @throws FormatError */
export function parseDescription(bytes: Uint8Array): Description {
  const text = asciiText(bytes);
  const { plan, metadata, sections, tensors } = parseJson(text);
  const heads = sections.map(parseHead);
  const placed = parseTensors(tensors, heads.length);
  // What the writer would write is the one spelling that is taken, so duplicate or unknown keys cannot hide anything.
  const canonical = spell(plan, metadata, heads, placed) === text;
  demand(canonical, "json", PRELUDE_BYTES, "JSON", "the canonical spelling", "another spelling or unknown keys");
  return { plan, metadata, ...placeTensors(heads, placed, sectionLayout) };
}

interface RawDescription {
  plan: string;
  metadata: Record<string, string> | null;
  sections: unknown[];
  tensors: unknown[];
}

function parseJson(text: string): RawDescription {
  const bad = (actual: string): FormatError => wrong("JSON", "plan, metadata, sections, tensors", actual);
  let value: Partial<RawDescription> | null;
  try {
    value = JSON.parse(text);
  } catch (error) {
    throw bad((error as Error).message);
  }
  if (typeof value !== "object" || value === null) throw bad(typeof value);
  const { plan, metadata, sections, tensors } = value;
  if (typeof plan !== "string") throw bad("no plan");
  if (!Array.isArray(sections)) throw bad("no sections");
  if (!Array.isArray(tensors)) throw bad("no tensors");
  if (metadata === undefined || typeof metadata !== "object" || Array.isArray(metadata)) throw bad("no metadata");
  const texts = Object.values(metadata ?? {}).every((item) => typeof item === "string");
  if (!texts) throw bad("metadata that is not text");
  return { plan, metadata, sections, tensors };
}

function fieldsOf(item: unknown): readonly unknown[] {
  return Array.isArray(item) ? item : [];
}

function parseHead(item: unknown, index: number): ReadHead {
  const [dtype, plan, chunk] = fieldsOf(item);
  const field = (what: string) => () => `${what} of section ${index}`;
  check(isDType(dtype), field("dtype"), "a known dtype", dtype);
  check(typeof plan === "string", field("plan"), "a string", plan);
  check(isCount(chunk) && chunk >= 1, field("chunk"), "a whole number >= 1", chunk);
  return { dtype, steps: valid(field("plan"), () => parseSteps(plan)), plan, chunk };
}

function parseTensors(items: readonly unknown[], sections: number): Placed[] {
  const nextName = nameReader();
  let used = 0;
  const tensors = items.map((item): Placed => {
    const [kept, rest, shape, section] = fieldsOf(item);
    const name = nextName(kept, rest);
    const field = (what: string) => () => `${what} of tensor ${printed(name)}`;
    const extents = Array.isArray(shape) && shape.length <= MAX_DIMENSIONS && shape.every(isCount);
    check(extents, field("shape"), `at most ${MAX_DIMENSIONS} whole numbers`, shape);
    const known = isCount(section) && section <= used && section < sections;
    check(known, field("section"), `a number below ${sections}, first used in order`, section);
    used = Math.max(used, section + 1);
    return { name, shape, section, elements: valid(field("shape"), () => elementCount(shape)) };
  });
  check(used === sections, () => "sections", "each with a tensor", sections);
  return tensors;
}

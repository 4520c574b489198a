import { between, type Check, canonical, matching, moment, object, record, refuse, text, whole } from "./checks.ts";
import { checkId } from "./environment.ts";

// What is measured: how long a unit takes in an environment.

/** Sizes and kinds that set units of a form apart, such as { inputs: 1024, outputs: 1024 } or { kernel: [3, 3] }. */
export type UnitAttributes = Readonly<Record<string, number | string | boolean | readonly number[]>>;

/** What is looked up. */
export interface UnitKey {
  /** Its id. */
  readonly environment: string;
  /** "conv", "dense", "pool", "decode" ...: units of a type share a regression. */
  readonly type: string;
  /** What the runtime calls that does it, such as "MatMulNBits" or "QLinearConv": times of other forms tell nothing. */
  readonly form: string;
  readonly attributes: UnitAttributes;
  /** "f32", "int8", "w8" ... */
  readonly precision: string;
  readonly batch: number;
}

/** A measurement. It is never changed, only joined by others. */
export interface Row extends UnitKey {
  /** Runs. */
  readonly count: number;
  /** Milliseconds a run. */
  readonly median: number;
  /** Half of the distance between the quartiles, in milliseconds. */
  readonly spread: number;
  /** When: UTC, to the second. */
  readonly date: string;
  /** The version of quern that measured. */
  readonly tool: string;
  /** The version of the runtime, with its patch. */
  readonly runtime: string;
}

const WORD = matching(/^[A-Za-z0-9][A-Za-z0-9._+:/-]{0,63}$/, "a word of at most 64 letters, digits and . _ + : / -");
/** Up to eleven days. */
const MILLISECONDS = between(0, 1e9);
const MOST_ATTRIBUTES = 32;
const MOST_NUMBERS = 16;

const attribute: Check<UnitAttributes[string]> = (value, field) => {
  if (typeof value === "boolean" || Number.isFinite(value))
    return typeof value === "number" ? value + 0 : (value as boolean);
  if (typeof value === "string") return text(64)(value, field);
  const numbers = Array.isArray(value) && value.length <= MOST_NUMBERS && value.every(Number.isFinite);
  if (numbers) return value.map((each: number) => each + 0);
  return refuse(field, `a number, text, true, false or at most ${MOST_NUMBERS} numbers`, value);
};

const attributes: Check<UnitAttributes> = (value, field) => {
  const entries = Object.entries(record(value, field)).sort(([a], [b]) => (a < b ? -1 : 1));
  if (entries.length > MOST_ATTRIBUTES) refuse(field, `at most ${MOST_ATTRIBUTES} attributes`, entries.length);
  return Object.fromEntries(
    entries.map(([key, each]) => [WORD(key, `a name in ${field}`), attribute(each, `${field}.${key}`)]),
  );
};

const KEY: { readonly [K in keyof UnitKey]: Check<UnitKey[K]> } = {
  environment: checkId,
  type: WORD,
  form: WORD,
  attributes,
  precision: WORD,
  batch: whole(1),
};
const checkKey = object<UnitKey>(KEY);
const checkRow = object<Row>({
  ...KEY,
  count: whole(1),
  median: MILLISECONDS,
  spread: MILLISECONDS,
  date: moment,
  tool: WORD,
  runtime: WORD,
});

/** A row whose fields are what they should be, in one order. @throws DataError naming field, expected and actual */
export function parseRow(value: unknown, field = "row"): Row {
  return checkRow(value, field);
}

/** One text for each key, whatever the order of its attributes. @throws DataError */
export function keyText(key: UnitKey): string {
  const { environment, type, form, attributes, precision, batch } = key;
  return keyOf(checkKey({ environment, type, form, attributes, precision, batch }, "key"));
}

/** The same for what was checked. */
export function keyOf({ environment, type, form, attributes, precision, batch }: UnitKey): string {
  return canonical([environment, type, form, precision, batch, attributes]);
}

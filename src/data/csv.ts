import { type ClosableSource, readExactly } from "../bytes.ts";
import { demand, printed } from "../errors.ts";
import type { Batch, Dataset } from "./dataset.ts";
import { runs } from "./records.ts";
import { numberList, type Rows, rowsOf } from "./rows.ts";

// CSV: a sample is a row, its elements the columns but for the label's.

export interface CsvOptions {
  /** Default: "," */
  readonly delimiter?: string | undefined;
  /** Whether the first row has names. Default: where one of its fields is no number, but for the label's */
  readonly header?: boolean | undefined;
  /** The column of the label, by name or by index from 0 (negative: from the end). Default: none */
  readonly label?: string | number | undefined;
  /** Names of classes, in order. Default: labels that are whole numbers are classes; of others the names in the order of the alphabet */
  readonly classes?: readonly string[] | undefined;
}

type Parse = (text: string) => string[][];

/** A file that was read once. */
interface Table {
  readonly source: ClosableSource;
  readonly parse: Parse;
  /** Where rows begin, and where the last one ends. */
  readonly places: Float64Array;
  readonly columns: number;
  /** The label's column, or -1. */
  readonly label: number;
  readonly labels: readonly string[];
}

/**
 * Reads the file once, for the places of its rows (8 bytes each) and the labels; what samples are made of is read when asked for.
 * @throws FormatError for rows of other lengths, fields that are no numbers, unknown labels
 */
export async function openCsv(source: ClosableSource, options: CsvOptions = {}): Promise<Dataset> {
  const table = await tableOf(source, options);
  const { places, columns, label, labels } = table;
  const count = places.length - 1;
  const { classes, indices } = label < 0 ? UNLABELLED : classesOf(labels, places, options.classes);
  const width = columns - (label < 0 ? 0 : 1);
  return {
    count,
    shape: [width],
    classes,
    labelled: indices !== null,
    async read(wanted): Promise<Batch> {
      const data = new Float32Array(wanted.length * width);
      for (const { from, first, length } of runs(wanted, count)) {
        const rows = await readRows(table, first, length);
        for (const [i, row] of rows.entries()) data.set(row, (from + i) * width);
      }
      const own = indices && Int32Array.from(wanted, (index) => indices[index] as number);
      return { inputs: { shape: [wanted.length, width], data }, labels: own };
    },
    close: async () => {
      await source.close?.();
    },
  };
}

const UNLABELLED = { classes: null, indices: null };

async function tableOf(source: ClosableSource, options: CsvOptions): Promise<Table> {
  const parse = await parser(options.delimiter ?? ",");
  const places = numberList();
  const labels: string[] = [];
  let columns = -1;
  let label = -1;
  for await (const rows of rowsOf(source)) {
    for (const [i, fields] of fieldsOf(rows, parse).entries()) {
      const start = rows.starts[i] as number;
      if (columns < 0) {
        columns = fields.length;
        label = labelColumn(fields, options.label);
        if (options.header ?? fields.some((field, at) => at !== label && !isNumber(field))) continue;
      }
      demand(fields.length === columns, "csv", start, `row ${labels.length}`, `${columns} fields`, fields.length);
      places.push(start);
      labels.push(label < 0 ? "" : (fields[label] as string).trim());
    }
  }
  demand(columns > 0, "csv", 0, "rows", "one or more", 0);
  places.push(source.byteLength);
  return { source, parse, places: places.values(), columns, label, labels };
}

// The build for pages: the other one takes Node's Buffer for granted.
async function parser(delimiter: string): Promise<Parse> {
  const { parse } = await import("csv-parse/browser/esm/sync");
  const lines = { record_delimiter: ["\r\n", "\n"], skip_empty_lines: true, relax_column_count: true };
  return (text) => parse(text, { delimiter, bom: true, ...lines });
}

function fieldsOf({ starts, bytes }: Rows, parse: Parse): string[][] {
  const rows = tried(bytes, parse);
  if (Array.isArray(rows) && rows.length === starts.length) return rows;
  // Which one it is, for the message.
  const [start = 0] = starts;
  for (const [i, at] of starts.entries()) {
    const one = tried(bytes.subarray(at - start, (starts[i + 1] ?? start + bytes.length) - start), parse);
    const wrong = typeof one === "string" ? one : `${one.length} rows`;
    demand(
      typeof one !== "string" && one.length === 1,
      "csv",
      at,
      "row",
      "fields as RFC 4180 has them, in UTF-8",
      wrong,
    );
  }
  demand(false, "csv", start, "rows", starts.length, String(rows.length));
}

/** The rows, or what is wrong. */
function tried(bytes: Uint8Array, parse: Parse): string[][] | string {
  try {
    return parse(new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes));
  } catch (error) {
    return (error as Error).message;
  }
}

async function readRows({ source, parse, places, label }: Table, first: number, length: number): Promise<number[][]> {
  const starts = [...places.subarray(first, first + length)];
  const bytes = await readExactly(source, starts[0] as number, places[first + length] as number);
  return fieldsOf({ starts, bytes }, parse).map((fields, i) => numbersOf(starts[i] as number, fields, label));
}

function labelColumn(fields: readonly string[], label: string | number | undefined): number {
  if (label === undefined) return -1;
  const named = fields.findIndex((field) => field.trim() === String(label));
  const index = typeof label === "string" && named >= 0 ? named : Number(label);
  const column = index < 0 ? fields.length + index : index;
  const known = Number.isInteger(column) && column >= 0 && column < fields.length;
  demand(known, "csv", 0, "label column", `one of ${printed(fields)} or an index`, printed(label));
  return column;
}

/** Not by Number alone, for which an empty text is 0. */
function isNumber(field: string): boolean {
  return field.trim() !== "" && !Number.isNaN(Number(field));
}

function numbersOf(start: number, fields: readonly string[], label: number): number[] {
  return fields.flatMap((field, column) => {
    if (column === label) return [];
    demand(isNumber(field), "csv", start, `column ${column}`, "a number", printed(field));
    return [Number(field)];
  });
}

function classesOf(labels: readonly string[], places: Float64Array, given: readonly string[] | undefined) {
  const numbers = labels.every((label) => /^\d{1,9}$/.test(label));
  const classes = given ?? (numbers ? null : [...new Set(labels)].sort());
  const index = new Map(classes?.map((name, i) => [name, i]));
  const indices = Int32Array.from(labels, (label, i) => {
    const found = index.get(label) ?? (numbers ? Number(label) : undefined);
    demand(found !== undefined, "label", places[i] as number, "label", "the name of a class", printed(label));
    return found;
  });
  return { classes, indices };
}

import { type ClosableSource, readExactly } from "../bytes.ts";
import { argument, demand, printed } from "../errors.ts";
import type { Batch, Dataset } from "./dataset.ts";
import { numberList, type Row, rowsOf } from "./rows.ts";

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

type Parse = (text: string) => string[];

/**
 * Reads the file once, for the places of its rows (8 bytes each) and the labels; what samples are made of is read when asked for.
 * @throws FormatError for rows of other lengths, fields that are no numbers, unknown labels
 */
export async function openCsv(source: ClosableSource, options: CsvOptions = {}): Promise<Dataset> {
  const parse = await parser(options.delimiter ?? ",");
  const starts = numberList();
  const labels: string[] = [];
  let columns = -1;
  let label = -1;
  let end = 0;
  for await (const row of rowsOf(source)) {
    const fields = fieldsOf(row, parse);
    if (columns < 0) {
      columns = fields.length;
      label = labelColumn(fields, options.label);
      if (options.header ?? fields.some((field, i) => i !== label && !isNumber(field))) continue;
    }
    demand(fields.length === columns, "csv", row.start, `row ${labels.length}`, `${columns} fields`, fields.length);
    starts.push(row.start);
    end = row.start + row.bytes.length;
    labels.push(label < 0 ? "" : (fields[label] as string).trim());
  }
  demand(columns > 0, "csv", 0, "rows", "one or more", 0);
  const places = starts.values();
  const { classes, indices } =
    label < 0 ? { classes: null, indices: null } : classesOf(labels, places, options.classes);
  const width = columns - (label < 0 ? 0 : 1);
  return {
    count: places.length,
    shape: [width],
    classes,
    labelled: indices !== null,
    async read(wanted): Promise<Batch> {
      const data = new Float32Array(wanted.length * width);
      for (const [i, index] of wanted.entries()) {
        const start = places[index];
        argument(start !== undefined, "indices", `0 .. ${places.length - 1}`, index);
        const bytes = await readExactly(source, start, places[index + 1] ?? end);
        data.set(numbersOf({ start, bytes }, fieldsOf({ start, bytes }, parse), label), i * width);
      }
      const own = indices && Int32Array.from(wanted, (index) => indices[index] as number);
      return { inputs: { shape: [wanted.length, width], data }, labels: own };
    },
    close: async () => {
      await source.close?.();
    },
  };
}

// The build for pages: the other one takes Node's Buffer for granted.
async function parser(delimiter: string): Promise<Parse> {
  const { parse } = await import("csv-parse/browser/esm/sync");
  return (text) => parse(text, { delimiter, bom: true })[0] ?? [];
}

function fieldsOf({ start, bytes }: Row, parse: Parse): string[] {
  try {
    return parse(new TextDecoder("utf-8", { fatal: true }).decode(bytes));
  } catch (error) {
    demand(false, "csv", start, "row", "fields as RFC 4180 has them, in UTF-8", (error as Error).message);
  }
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

function numbersOf({ start }: Row, fields: readonly string[], label: number): number[] {
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

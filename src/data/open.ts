import { bytesSource, type ClosableSource, readExactly } from "../bytes.ts";
import { argument, DataError, demand, printed } from "../errors.ts";
import { type CsvOptions, openCsv } from "./csv.ts";
import type { Dataset } from "./dataset.ts";
import { ELEMENTS, type ElementName } from "./elements.ts";
import { IDX_HEADER, idxSize, looksLikeIdx, readIdx } from "./idx.ts";
import { openPictures, type PictureFile, type PictureOptions } from "./images.ts";
import { gunzipped, MAX_INFLATED } from "./inflate.ts";
import { looksLikeJpeg } from "./jpeg.ts";
import { NPY_MAGIC, readNpy } from "./npy.ts";
import { looksLikePng } from "./png.ts";
import { joinedData, labelled, type Preparation, prepared } from "./prepare.ts";
import { labelsOf, type Records, rawRecords, recordData, reshaped } from "./records.ts";
import { inFile } from "./where.ts";
import { openMember, readZip } from "./zip.ts";

/** Files by name. In pages they may be Blobs. */
export interface DataFiles {
  open(name: string): Promise<ClosableSource>;
  /** What is in a folder, or null for a file. Absent: there are no folders */
  list?(name: string): Promise<readonly { readonly name: string; readonly folder: boolean }[] | null>;
}

export type DataKind = "npy" | "npz" | "idx" | "csv" | "raw" | "pictures";

/** A file or folder, and the label of all its samples, if they have one: a class by number, or by name. */
export interface DataPart {
  readonly path: string;
  readonly label?: string | undefined;
}

export interface DataOptions extends Preparation, Omit<CsvOptions, "label">, Omit<PictureOptions, "classes"> {
  /** What the files are. Default: by their content, CSV by its extension; raw where `dtype` is given, or nothing else fits */
  readonly kind?: DataKind | undefined;
  /** Of one sample; raw files need it, for others it is another view of the same elements. */
  readonly shape?: readonly number[] | undefined;
  /** Of raw files, whose bytes are little-endian. Default: u8 */
  readonly dtype?: ElementName | undefined;
  /** A file with a label for each sample, all parts together: .npy, idx, raw i32, or raw u8 if it has a byte for each sample. */
  readonly labels?: string | undefined;
  /** The column of CSV that is the label; the array of an .npz that has the labels. */
  readonly label?: string | number | undefined;
  /** The array of an .npz. Default: its only one but for the labels' */
  readonly array?: string | undefined;
  /** Elements stay whole numbers. Default: i32 and i64 do */
  readonly integer?: boolean | undefined;
}

/**
 * Opens data: one file or folder, or several behind each other. Nothing but headers, places of rows, labels and what is compressed is kept in memory.
 * @throws FormatError for malformed files, DataError for what is missing, RangeError for options that do not fit
 */
export async function openData(
  files: DataFiles,
  parts: readonly DataPart[],
  options: DataOptions = {},
): Promise<Dataset> {
  argument(parts.length > 0, "parts", "a file or folder", "none");
  const pictures = await picturesOf(files, parts, options);
  const whole = pictures ?? joinedData(await openEach(files, parts, options));
  try {
    const named = options.labels === undefined ? whole : await withLabels(files, whole, options.labels);
    return checked(prepared(named, options), options.classes);
  } catch (error) {
    await whole.close?.();
    throw error;
  }
}

// One that fails closes those before it.
async function openEach(files: DataFiles, parts: readonly DataPart[], options: DataOptions): Promise<Dataset[]> {
  const opened: Dataset[] = [];
  try {
    for (const part of parts) {
      const dataset = await openFile(files, part.path, options);
      opened.push(dataset);
      if (part.label !== undefined)
        opened[opened.length - 1] = labelled(dataset, labelOf(part.label, options.classes), options.classes ?? null);
    }
    return opened;
  } catch (error) {
    for (const dataset of opened) await dataset.close?.();
    throw error;
  }
}

async function openFile(files: DataFiles, path: string, options: DataOptions): Promise<Dataset> {
  const source = await files.open(path);
  try {
    return await datasetIn(await unzipped(source), path, options);
  } catch (error) {
    await source.close?.();
    throw inFile(error, path);
  }
}

async function datasetIn(source: ClosableSource, path: string, options: DataOptions): Promise<Dataset> {
  const kind = options.kind ?? (await kindOf(source, path, options));
  if (kind === "csv") {
    const delimiter = options.delimiter ?? (/\.tsv(\.gz)?$/i.test(path) ? "\t" : undefined);
    return openCsv(source, { ...options, delimiter });
  }
  if (kind === "npz") return npzData(source, options);
  const records = await recordsIn(kind, source, options);
  return recordData(reshaped(records, options.shape), options.integer);
}

async function recordsIn(kind: DataKind, source: ClosableSource, options: DataOptions): Promise<Records> {
  if (kind === "npy") return readNpy(source);
  if (kind === "idx") return readIdx(source);
  if (kind !== "raw") throw new DataError(`expected .npy, idx or raw bytes, got ${kind}`);
  if (!options.shape)
    throw new DataError(
      "no .npy, .npz, idx, CSV or picture; raw data need the shape of a sample, such as 28,28 (and their dtype, if it is not u8)",
    );
  return rawRecords(source, options.shape, ELEMENTS[options.dtype ?? "u8"]);
}

async function npzData(
  source: ClosableSource,
  { array, label, shape, integer, classes }: DataOptions,
): Promise<Dataset> {
  const members = await readZip(source);
  const find = (name: string) => members.find((member) => member.name === name || member.name === `${name}.npy`);
  const labels = label === undefined ? undefined : find(String(label));
  const others = members.filter((member) => member !== labels);
  const wanted = array === undefined ? others[0] : find(array);
  const names = printed(members.map(({ name }) => name.replace(/\.npy$/, "")));
  if (label !== undefined && !labels) throw new DataError(`the .npz has no array ${printed(label)}, only ${names}`);
  if (!wanted || (array === undefined && others.length > 1))
    throw new DataError(`which array of the .npz: one of ${names}`);
  const records = await readNpy(await openMember(source, wanted), wanted.name);
  const data = recordData(reshaped({ ...records, source: closing(records.source, source) }, shape), integer);
  if (!labels) return data;
  const classOf = await labelsOf(await readNpy(await openMember(source, labels), labels.name));
  return labelled(data, classOf, classes ?? null);
}

function closing(source: ClosableSource, file: ClosableSource): ClosableSource {
  return { byteLength: source.byteLength, slice: source.slice, close: () => file.close?.() };
}

async function kindOf(source: ClosableSource, path: string, { dtype, shape }: DataOptions): Promise<DataKind> {
  const head = await readExactly(source, 0, Math.min(IDX_HEADER, source.byteLength));
  const start = String.fromCharCode(...head);
  if (/\.[ct]sv(\.gz)?$/i.test(path)) return "csv";
  if (dtype !== undefined) return "raw";
  if (start.startsWith(NPY_MAGIC)) return "npy";
  // Its first member, or the end of an archive without any.
  if (start.startsWith("PK\x03\x04") || start.startsWith("PK\x05\x06")) return "npz";
  // Dark pixels may look like the header of idx. Where a shape makes raw bytes possible, the size has to fit.
  return looksLikeIdx(head) && (!shape || idxSize(head) === source.byteLength) ? "idx" : "raw";
}

/** What a .gz file holds, in memory; others as they are. */
async function unzipped(source: ClosableSource): Promise<ClosableSource> {
  const head = await readExactly(source, 0, Math.min(2, source.byteLength));
  if (head[0] !== 0x1f || head[1] !== 0x8b) return source;
  demand(source.byteLength <= MAX_INFLATED, "size", 0, "gzip file", `at most ${MAX_INFLATED} bytes`, source.byteLength);
  const bytes = await gunzipped(await readExactly(source, 0, source.byteLength));
  await source.close?.();
  return bytesSource(bytes);
}

async function withLabels(files: DataFiles, data: Dataset, path: string): Promise<Dataset> {
  const source = await files.open(path);
  try {
    const file = await unzipped(source);
    const bytes = file.byteLength === data.count;
    const kind = bytes ? "raw" : await kindOf(file, path, { shape: [] });
    const records =
      kind === "raw" ? rawRecords(file, [], ELEMENTS[bytes ? "u8" : "i32"]) : await recordsIn(kind, file, {});
    const labels = await labelsOf(records);
    if (labels.length !== data.count)
      throw new DataError(`${path} has ${labels.length} labels for ${data.count} samples`);
    return labelled(data, labels);
  } catch (error) {
    await source.close?.();
    throw inFile(error, path);
  }
}

/** The number of a class. @throws DataError for a name that is none of the classes' */
function labelOf(label: string, classes: readonly string[] | undefined): number {
  const index = classes?.indexOf(label) ?? -1;
  if (index >= 0) return index;
  if (/^\d{1,9}$/.test(label)) return Number(label);
  throw new DataError(
    `"${label}" is ${classes ? "none of the classes" : "no number of a class, and no names of classes are given"}`,
  );
}

// Labels beyond the classes are found out here rather than by a loss that is not.
function checked(data: Dataset, classes: readonly string[] | undefined): Dataset {
  if (!classes || !data.labelled) return data;
  return {
    ...data,
    classes,
    async read(indices) {
      const batch = await data.read(indices);
      const wrong = batch.labels?.find((label) => label < 0 || label >= classes.length);
      if (wrong !== undefined) throw new DataError(`label ${wrong}: there are ${classes.length} classes`);
      return batch;
    },
  };
}

/** The pictures that all parts are, or null where they are other data. */
async function picturesOf(files: DataFiles, parts: readonly DataPart[], options: DataOptions): Promise<Dataset | null> {
  const lists = await Promise.all(parts.map(({ path }) => files.list?.(path) ?? null));
  const single = lists.every((list) => list === null);
  if (single && options.kind !== "pictures" && !(await isPicture(files, (parts[0] as DataPart).path))) return null;
  const found: { path: string; label: string | undefined }[] = [];
  for (const [i, { path, label }] of parts.entries()) {
    const list = lists[i];
    if (!list) found.push({ path, label });
    else for (const one of await inFolder(files, path, list)) found.push({ path: one.path, label: label ?? one.label });
  }
  const names = found.flatMap(({ label }) => (label === undefined || /^\d+$/.test(label) ? [] : [label]));
  const classes =
    options.classes ?? (names.length > 0 ? [...new Set(found.map(({ label }) => label ?? ""))].sort() : undefined);
  const pictures = found.map(
    ({ path, label }): PictureFile => ({
      name: path,
      label: label === undefined ? null : labelOf(label, classes),
      open: () => files.open(path),
    }),
  );
  return openPictures(pictures, { ...options, classes });
}

// Pictures of a folder, and those of the folders in it, each of which is a class. In the order of their names, which no file system promises.
async function inFolder(files: DataFiles, path: string, list: readonly { name: string; folder: boolean }[]) {
  const found: { path: string; label: string | undefined }[] = [];
  for (const { name, folder } of [...list].sort((a, b) => (a.name < b.name ? -1 : 1))) {
    const inner = folder ? ((await files.list?.(`${path}/${name}`)) ?? []) : [];
    const pictures = inner.filter((one) => !one.folder && PICTURE.test(one.name)).map((one) => one.name);
    for (const file of pictures.sort()) found.push({ path: `${path}/${name}/${file}`, label: name });
    if (!folder && PICTURE.test(name)) found.push({ path: `${path}/${name}`, label: undefined });
  }
  if (found.length === 0) throw new DataError(`${path}: no PNG or JPEG files, nor folders with any`);
  return found;
}

const PICTURE = /\.(png|jpe?g)$/i;

async function isPicture(files: DataFiles, path: string): Promise<boolean> {
  const source = await files.open(path);
  try {
    const head = await readExactly(source, 0, Math.min(8, source.byteLength));
    return looksLikePng(head) || looksLikeJpeg(head);
  } finally {
    await source.close?.();
  }
}

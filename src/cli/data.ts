import { existsSync } from "node:fs";
import { readdir, readFile, stat } from "node:fs/promises";
import type { Command } from "commander";
import { Option } from "commander";
import type { Dataset } from "../data/dataset.ts";
import { ELEMENTS, type ElementName } from "../data/elements.ts";
import { type DataFiles, type DataKind, type DataPart, openData } from "../data/open.ts";
import { openSource } from "./files.ts";
import { UsageError } from "./terminal.ts";

// The options that say what data are.

export interface DataFlags {
  readonly data?: string[];
  readonly format?: DataKind;
  readonly shape?: string;
  readonly dtype?: ElementName;
  readonly classes?: string;
  readonly labels?: string;
  readonly label?: string;
  readonly array?: string;
  readonly scale?: string;
  readonly mean?: string;
  readonly std?: string;
  readonly layout?: "nhwc" | "nchw";
  readonly size?: string;
  readonly resampling?: "nearest" | "bilinear";
  readonly channels?: string;
}

const DATA = [
  "--data <files...>",
  ".npy, .npz, idx, CSV, raw bytes, or a folder of pictures by class; the class of a file's samples behind =",
] as const;

export function addDataOptions(command: Command): Command {
  return addShapeOptions(command.requiredOption(...DATA))
    .option("--labels <file>", "a label for each sample: .npy, idx, or raw u8 or i32")
    .option(
      "--classes <file or names>",
      "the model's classes, so that labels may be names: a name on each line, or names with commas between them",
    )
    .option("--scale <x>", "what elements are multiplied with, such as 1/255")
    .option("--mean <x,...>", "subtracted then; one for all, or one for each channel")
    .option("--std <x,...>", "divided by then");
}

/** For those to whom data say only how large a sample is. @param why - what that is for */
export function addSampleOptions(command: Command, why: string): Command {
  return addShapeOptions(command.option(DATA[0], `${why}: ${DATA[1]}`));
}

function addShapeOptions(command: Command): Command {
  return command
    .addOption(
      new Option("--format <kind>", "what the data are (default: by content)").choices([
        "npy",
        "npz",
        "idx",
        "csv",
        "raw",
        "pictures",
      ]),
    )
    .option("--shape <n,n,...>", "of a sample, such as 28,28; raw bytes need it")
    .addOption(new Option("--dtype <dtype>", "of raw bytes (default: u8)").choices(Object.keys(ELEMENTS)))
    .option("--label <name>", "the label's column in CSV (a name, or an index), or its array in an .npz")
    .option("--array <name>", "the samples' array in an .npz")
    .addOption(
      new Option("--layout <layout>", "of pictures, as the model wants it (default: nhwc)").choices(["nhwc", "nchw"]),
    )
    .option("--size <height>x<width>", "that pictures are resized to")
    .addOption(
      new Option("--resampling <how>", "of pictures that are resized (default: bilinear)").choices([
        "nearest",
        "bilinear",
      ]),
    )
    .addOption(new Option("--channels <n>", "of pictures (default: the first one's)").choices(["1", "3"]));
}

/** Opens the data that the flags name, and closes them after use. */
export async function withData<T>(flags: DataFlags, use: (dataset: Dataset) => Promise<T>): Promise<T> {
  const classes = flags.classes === undefined ? undefined : await namesIn(flags.classes);
  const { format: kind, dtype, labels, array, layout, resampling } = flags;
  const label = flags.label !== undefined && /^-?\d+$/.test(flags.label) ? Number(flags.label) : flags.label;
  const options = {
    ...{ kind, dtype, labels, label, array, layout, resampling, classes },
    shape: flags.shape === undefined ? undefined : extents("--shape", flags.shape, ","),
    size: flags.size === undefined ? undefined : (extents("--size", flags.size, "x", 2) as [number, number]),
    channels: flags.channels === undefined ? undefined : (Number(flags.channels) as 1 | 3),
    scale: flags.scale === undefined ? undefined : numberOf("--scale", flags.scale),
    mean: flags.mean?.split(",").map((x) => numberOf("--mean", x)),
    std: flags.std?.split(",").map((x) => numberOf("--std", x)),
  };
  const dataset = await openData(FILES, (flags.data ?? []).map(partOf), options).catch((error: Error) => {
    // What an argument expects is what the user gave with an option.
    if (error instanceof RangeError) throw new UsageError(error.message);
    throw error;
  });
  try {
    return await use(dataset);
  } finally {
    await dataset.close?.();
  }
}

const FILES: DataFiles = {
  open: openSource,
  async list(path) {
    const found = await stat(path).catch(() => null);
    if (!found?.isDirectory()) return null;
    const entries = await readdir(path, { withFileTypes: true });
    return entries.map((entry) => ({ name: entry.name, folder: entry.isDirectory() }));
  },
};

/** Files and folders that the flags name. */
export function dataPaths({ data = [], labels, classes }: DataFlags): (string | undefined)[] {
  return [...data.map((text) => partOf(text).path), labels, classes];
}

function partOf(text: string): DataPart {
  const [, path, label] = /^(.+)=([^=/\\]+)$/.exec(text) ?? [];
  return path === undefined || existsSync(text) ? { path: text } : { path, label };
}

async function namesIn(path: string): Promise<string[]> {
  if (path.includes(",") && !existsSync(path)) return path.split(",").map((name) => name.trim());
  const lines = (await readFile(path, "utf8")).split(/\r?\n/).map((line) => line.trim());
  while (lines.at(-1) === "") lines.pop();
  if (lines.length === 0) throw new UsageError(`--classes: ${path} has no names`);
  return lines;
}

function extents(flag: string, text: string, between: string, count?: number): number[] {
  const numbers = text.split(between).map(Number);
  const fine = numbers.every((n) => Number.isSafeInteger(n) && n > 0) && numbers.length === (count ?? numbers.length);
  if (fine) return numbers;
  throw new UsageError(`${flag} expected whole numbers above 0 with "${between}" between them, got "${text}"`);
}

/** A number, or a quotient of two. */
function numberOf(flag: string, text: string): number {
  const [above = Number.NaN, below = 1, ...more] = text
    .split("/")
    .map((part) => (part.trim() === "" ? Number.NaN : Number(part)));
  if (Number.isFinite(above / below) && more.length === 0) return above / below;
  throw new UsageError(`${flag} expected a number, such as 0.5 or 1/255, got "${text}"`);
}

import { constants } from "node:fs";
import { access, stat } from "node:fs/promises";
import { basename, dirname, resolve } from "node:path";
import type { Folder } from "../bytes.ts";
import { DataError } from "../errors.ts";
import { targetOf } from "../node/target.ts";
import { fileFolder } from "../node.ts";
import { UsageError } from "./terminal.ts";

// Where a verb writes: what cannot be is said before the work, which may be long.

/** Places by the options that name them; undefined: it was not given. */
export type Places = Readonly<Record<string, string | undefined>>;

/** @throws UsageError where a place is one of the files that are read, or two are one */
export function demandApart(places: Places, read: readonly (string | undefined)[]): void {
  const taken = new Map(read.flatMap((path) => (path === undefined ? [] : [[resolve(path), path]])));
  for (const [flag, path] of given(places)) {
    const other = taken.get(resolve(path));
    if (other !== undefined) throw new UsageError(`${flag} would replace ${other}: name another file`);
    taken.set(resolve(path), path);
  }
}

/** @throws DataError where no file can be written; UsageError for no name */
export async function demandPlaces(places: Places): Promise<void> {
  for (const [flag, path] of given(places)) {
    if (path === "") throw new UsageError(`${flag} expected a file`);
    await targetOf(path);
    const folder = dirname(resolve(path));
    if (!(await stat(folder).catch(() => null))?.isDirectory())
      throw new DataError(`${dirname(path)}: no such folder, for ${path}`);
    await access(folder, constants.W_OK).catch(() => {
      throw new DataError(`${dirname(path)}: no permission to write ${basename(path)} there`);
    });
  }
}

const given = (places: Places): [string, string][] =>
  Object.entries(places).flatMap(([flag, path]) => (path === undefined ? [] : [[flag, path] as [string, string]]));

/** A folder that tells which of its files were opened: parts of a model, which its first file names. */
export function watchedFolder(path: string): Folder & { readonly opened: readonly string[] } {
  const folder = fileFolder(path);
  const opened: string[] = [];
  return {
    opened,
    open(name) {
      opened.push(resolve(path, name));
      return folder.open(name);
    },
  };
}

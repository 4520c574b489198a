import { realpath, stat } from "node:fs/promises";
import { DataError } from "../errors.ts";

/** The file that is to be written for a path, which need not be there yet: not the link to it. @throws DataError for what no file may take the place of */
export async function targetOf(path: string): Promise<string> {
  const there = await stat(path).catch(() => null);
  if (there && !there.isFile()) throw new DataError(`${path}: expected a file, or a new name, got a folder or device`);
  return there ? realpath(path) : path;
}

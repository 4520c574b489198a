import type { ByteSource } from "../bytes.ts";
import { inFile } from "../data/where.ts";
import { type Format, formatOf } from "../model/recognise.ts";

/** What a file is. @throws FormatError that says which file is of no format */
export async function formatIn(source: ByteSource, path: string): Promise<Format> {
  try {
    return await formatOf(source);
  } catch (error) {
    throw inFile(error, path);
  }
}

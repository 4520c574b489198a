/** A place that keeps verified chunks of files between runs. An entry is there whole or not at all, whoever else writes it. */
export interface ChunkStore {
  /** The entries of a file. Chunks have their index; the header is HEADER_ENTRY. @param file - its SHA-256, lower-case hexadecimal */
  entries(file: string): Promise<readonly number[]>;
  /** An entry, or null if there is none (any more). */
  get(file: string, entry: number): Promise<Uint8Array | null>;
  /** Writes an entry aside, then commits it. Rejects if it could not be kept, such as where there is no more room. */
  put(file: string, entry: number, bytes: Uint8Array): Promise<void>;
  /** What is kept of every file. */
  list(): Promise<readonly StoredFile[]>;
  /** Removes what is kept of a file, or of all. */
  evict(file?: string): Promise<void>;
}

export interface StoredFile {
  /** SHA-256, lower-case hexadecimal. */
  readonly file: string;
  readonly entries: number;
  readonly bytes: number;
}

/** The number of the header among the entries of a file. */
export const HEADER_ENTRY = -1;

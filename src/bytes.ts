import { argument } from "./errors/base.ts";

/** What the reader of a source tells it with a read. Sources may ignore all of it. */
export interface SliceOptions {
  /**
   * The same reader goes on, in order and perhaps with small gaps, up to here, so one request may fetch [start, until). Default: end. Its next
   * reads, which may come before this one is answered, have the same signal.
   */
  readonly until?: number | undefined;
  /** What came from here before was damaged: not from any cache. */
  readonly fresh?: boolean | undefined;
  /** Ends this read, and what was requested ahead for the reads behind it. */
  readonly signal?: AbortSignal | undefined;
  /** Hears of bytes of this read as they arrive: how many more. What is lost and fetched again is not told twice. */
  readonly onBytes?: ((count: number) => void) | undefined;
  /** Gives memory of so many bytes, which a source may fill and give as the result. It is the reader's to use again, after the result. */
  readonly room?: ((size: number) => Uint8Array) | undefined;
}

/** Bytes that can be read by range. */
export interface ByteSource {
  readonly byteLength: number;
  /** Bytes [start, end); 0 <= start <= end <= byteLength. The caller only reads the result, which may be a view. */
  slice(start: number, end: number, options?: SliceOptions): Promise<Uint8Array>;
}

/** A source that may have something to end. */
export type ClosableSource = ByteSource & { close?(): unknown };

/** A place that bytes are written to. Positions may be written out of order, but each only once. */
export interface ByteSink {
  write(bytes: Uint8Array, position: number): Promise<void>;
  /** Makes what was written final. */
  close(): Promise<void>;
}

/** The folder of a model that lies in several files. */
export interface Folder {
  /**
   * @param name - relative, with "/" between its parts, none of them ".."; who reads a model has checked that, but links are the
   * folder's own affair
   */
  open(name: string): Promise<ByteSource>;
}

/** The source over bytes in memory, which must not change while it is in use. */
export function bytesSource(bytes: Uint8Array | ArrayBuffer): ByteSource {
  const view = bytes instanceof Uint8Array ? bytes : new Uint8Array(bytes);
  return {
    byteLength: view.byteLength,
    slice: async (start, end) => view.subarray(start, end),
  };
}

/** The source over a Blob or File. */
export function blobSource(blob: Blob): ByteSource {
  return {
    byteLength: blob.size,
    slice: async (start, end) => new Uint8Array(await blob.slice(start, end).arrayBuffer()),
  };
}

/** A sink that grows in memory; `bytes()` gives what was written. */
export function memorySink(): ByteSink & { bytes(): Uint8Array } {
  let buffer = new Uint8Array(4096);
  let length = 0;
  return {
    async write(bytes, position) {
      const end = position + bytes.byteLength;
      if (end > buffer.byteLength) {
        const larger = new Uint8Array(Math.max(end, 2 * buffer.byteLength));
        larger.set(buffer.subarray(0, length));
        buffer = larger;
      }
      buffer.set(bytes, position);
      length = Math.max(length, end);
    },
    async close() {},
    bytes: () => buffer.slice(0, length),
  };
}

/** Reads [start, end) and insists on getting all of it. */
export async function readExactly(
  source: ByteSource,
  start: number,
  end: number,
  options?: SliceOptions,
): Promise<Uint8Array> {
  argument(start >= 0 && start <= end && end <= source.byteLength, "range", `within 0..${source.byteLength}`, end);
  const bytes = await source.slice(start, end, options);
  if (bytes.byteLength !== end - start) {
    throw new Error(`source gave ${bytes.byteLength} bytes for the range ${start}..${end}`);
  }
  return bytes;
}

/** Bytes, and others behind them. */
export function joined(a: Uint8Array, b: Uint8Array): Uint8Array<ArrayBuffer> {
  const all = new Uint8Array(a.length + b.length);
  all.set(a);
  all.set(b, a.length);
  return all;
}

/** The text of ASCII bytes; needs no TextDecoder, which some engines lack. */
export function asciiText(bytes: Uint8Array): string {
  let text = "";
  for (let at = 0; at < bytes.length; at += 4096) {
    text += String.fromCharCode(...bytes.subarray(at, at + 4096));
  }
  return text;
}

/** The bytes of ASCII text. A plain loop: Uint8Array.from with a function is many times slower. */
export function asciiBytes(text: string): Uint8Array {
  const bytes = new Uint8Array(text.length);
  for (let i = 0; i < bytes.length; i++) bytes[i] = text.charCodeAt(i);
  return bytes;
}

/** Lower-case hexadecimal. */
export function hex(bytes: Uint8Array): string {
  return Array.from(bytes, (b) => b.toString(16).padStart(2, "0")).join("");
}

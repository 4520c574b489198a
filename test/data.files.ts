import { crc32, deflateRawSync, deflateSync } from "node:zlib";
import { bytesSource } from "../src/bytes.ts";
import type { DataFiles } from "../src/data.ts";

// Files of data made by hand, and folders of them in memory.

export type Files = Record<string, Uint8Array>;

/** Files by path, with "/" between folders; `opened` and `closed` count. */
export function memoryFiles(files: Files): DataFiles & { opened: number; closed: number; reads: [number, number][] } {
  const counts = { opened: 0, closed: 0, reads: [] as [number, number][] };
  return Object.assign(counts, {
    async open(name: string) {
      const bytes = files[name];
      if (!bytes) throw new Error(`no file ${name}`);
      counts.opened++;
      const { byteLength, slice } = bytesSource(bytes);
      const reading = (start: number, end: number) => {
        counts.reads.push([start, end]);
        return slice(start, end);
      };
      return { byteLength, slice: reading, close: () => counts.closed++ };
    },
    async list(name: string) {
      const inside = Object.keys(files).filter((path) => path.startsWith(`${name}/`));
      if (inside.length === 0) return null;
      const names = inside.map((path) => path.slice(name.length + 1).split("/"));
      const folders = new Map(names.map(([first, ...rest]) => [first, rest.length > 0]));
      return [...folders].map(([first, folder]) => ({ name: first, folder }));
    },
  });
}

export function concat(...parts: (Uint8Array | ArrayLike<number>)[]): Uint8Array<ArrayBuffer> {
  return Uint8Array.from(parts.flatMap((part) => Array.from(part)));
}

export const text = (words: string): Uint8Array<ArrayBuffer> => Uint8Array.from(words, (c) => c.charCodeAt(0));

export function raw(data: ArrayBufferView): Uint8Array<ArrayBuffer> {
  return Uint8Array.from(new Uint8Array(data.buffer, data.byteOffset, data.byteLength));
}

/** A .npy file. @param header - in place of the one that fits */
export function npy(
  descr: string,
  shape: readonly number[],
  data: Uint8Array,
  header?: string,
  version = 1,
): Uint8Array<ArrayBuffer> {
  const tuple = shape.length === 1 ? `${shape[0]},` : shape.join(", ");
  const dictionary = header ?? `{'descr': '${descr}', 'fortran_order': False, 'shape': (${tuple}), }`;
  const start = version === 1 ? 10 : 12;
  const padded = `${dictionary.padEnd(64 * Math.ceil((dictionary.length + start + 1) / 64) - start - 1)}\n`;
  const length = version === 1 ? [padded.length & 255, padded.length >> 8] : little32(padded.length);
  return concat(text("\x93NUMPY"), [version, 0], length, text(padded), data);
}

export function idx(type: number, shape: readonly number[], data: Uint8Array): Uint8Array<ArrayBuffer> {
  return concat([0, 0, type, shape.length], ...shape.map((extent) => little32(extent).reverse()), data);
}

export const little16 = (x: number): number[] => [x & 255, (x >>> 8) & 255];
export const little32 = (x: number): number[] => [...little16(x), ...little16(x >>> 16)];

export interface Member {
  name: string;
  data: Uint8Array;
  deflate?: boolean;
  /** What the file says instead. */
  size?: number;
  crc?: number;
}

/** A .zip file. */
export function zip(members: Member[]): Uint8Array<ArrayBuffer> {
  const bodies: Uint8Array[] = [];
  const entries: Uint8Array[] = [];
  let offset = 0;
  for (const { name, data, deflate = false, size = data.length, crc = crc32(data) } of members) {
    const stored = deflate ? deflateRawSync(data) : data;
    const facts = [
      ...little16(deflate ? 8 : 0),
      ...little32(0),
      ...little32(crc),
      ...little32(stored.length),
      ...little32(size),
      ...little16(name.length),
    ];
    // NumPy's local headers have fields behind the name that the list has not.
    const body = concat(
      little32(0x04034b50),
      little16(20),
      little16(0),
      facts,
      little16(4),
      text(name),
      [1, 2, 0, 0],
      stored,
    );
    entries.push(
      concat(
        little32(0x02014b50),
        little16(20),
        little16(20),
        little16(0),
        facts,
        new Uint8Array(12),
        little32(offset),
        text(name),
      ),
    );
    bodies.push(body);
    offset += body.length;
  }
  const list = concat(...entries);
  const end = [
    ...little16(0),
    ...little16(0),
    ...little16(members.length),
    ...little16(members.length),
    ...little32(list.length),
    ...little32(offset),
  ];
  return concat(...bodies, list, little32(0x06054b50), end, little16(0));
}

export function pngChunk(type: string, data: Uint8Array | number[]): Uint8Array<ArrayBuffer> {
  const body = concat(text(type), data);
  return concat(little32(data.length).reverse(), body, little32(crc32(body)).reverse());
}

/** A PNG file. @param rows - filtered, each with its filter in front */
export function png(
  { width, height, depth = 8, colour = 0 }: { width: number; height: number; depth?: number; colour?: number },
  rows: Uint8Array,
  between: Uint8Array[] = [],
): Uint8Array<ArrayBuffer> {
  const head = [...little32(width).reverse(), ...little32(height).reverse(), depth, colour, 0, 0, 0];
  return concat(
    [0x89, 0x50, 0x4e, 0x47, 13, 10, 26, 10],
    pngChunk("IHDR", head),
    ...between,
    pngChunk("IDAT", deflateSync(rows)),
    pngChunk("IEND", []),
  );
}

import { type FormatError, open } from "../../src/read.ts";
import { allOf, boundsOf, mixedFile } from "../load.model.ts";
import { type Asked, type Faults, type Rule, serve, type TestServer } from "../server.ts";
import type { Hashes } from "./cases.ts";
import { fnvOfFloats } from "./programs/fnv.ts";

// What every engine loads, and the server that it loads from.

/** What a program is told. */
export interface LoadTask {
  /** The server's address; "": there is no way to it. */
  readonly base: string;
  /** The file, and one with a damaged chunk, in hexadecimal; "": not to be tried. */
  readonly bytes: string;
  readonly broken: string;
  /** Where the file is on disk; "": not to be tried. */
  readonly path: string;
  /** Addresses to load from. */
  readonly ways: readonly string[];
}

export interface LoadModel {
  readonly bytes: Uint8Array<ArrayBuffer>;
  readonly broken: Uint8Array<ArrayBuffer>;
  /** What its tensors are in this Node. */
  readonly hashes: Hashes;
  /** How it refuses the damaged file. */
  readonly refused: FormatError;
  readonly flip: number;
}

/** Addresses of the same file: as it is, from a server that knows no ranges, one that compresses all answers, one that breaks off. */
export const WAYS = ["whole", "unranged", "gzip", "cut"] as const;

export async function modelToLoad(): Promise<LoadModel> {
  const bytes = await mixedFile();
  const bounds = await boundsOf(bytes);
  const flip = bounds[3] + 1000;
  const broken = bytes.slice();
  broken[flip] ^= 1;
  const hashes: Hashes = {};
  for (const [name, data] of await allOf(await open(bytes))) hashes[name] = fnvOfFloats(data);
  const refused: FormatError = await allOf(await open(broken)).then(
    () => {
      throw new Error("the damage was not seen");
    },
    (error) => error,
  );
  return { bytes, broken, hashes, refused, flip };
}

/** Bytes after which answers are cut, and what is left out of a connection that stalls. */
const SHORT = 100_000;

/** A server where each address has its own faults; `pages` are files beside them, by name, with the headers of `page`. */
export async function loadServer(
  { bytes, flip }: LoadModel,
  pages: ReadonlyMap<string, string> = new Map(),
  page: Record<string, string> = {},
  every: Faults = {},
): Promise<TestServer> {
  let cut = 0;
  const behind = ({ range }: Asked) => range?.[0] !== 0;
  const rules: Record<string, (asked: Asked) => Faults> = {
    whole: () => ({}),
    unranged: () => ({ ranges: false }),
    gzip: () => ({ gzip: true }),
    // Twice, and slowly enough for some of it to be read before the connection breaks.
    cut: (asked) => (behind(asked) && cut++ < 2 ? { rate: 500_000, cutAfter: SHORT } : {}),
    silent: () => ({ silent: true }),
    stalled: (asked) => (behind(asked) ? { stallAfter: SHORT } : {}),
    damaged: () => ({ flip }),
    open: () => ({ bytes: Buffer.from(String(server.log.filter((entry) => entry.open && !isOpen(entry)).length)) }),
  };
  const rule: Rule = (asked) => {
    const name = asked.path.slice(1).split("/")[0] ?? "";
    const text = pages.get(name);
    if (text === undefined) return { bytes, ...rules[name]?.(asked), ...every };
    const contentType = name.endsWith(".js") ? "text/javascript" : "text/html";
    return { bytes: Buffer.from(text), contentType, headers: page };
  };
  // Node 22 and 24 end where a server closes a connection while the reader pauses (nodejs/undici#5360).
  const server = await serve({}, { rule, keepAlive: true });
  return server;
}

function isOpen({ path }: Asked): boolean {
  return path.startsWith("/open/");
}

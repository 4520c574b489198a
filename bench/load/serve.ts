// The process of the server: serves the files of a folder, obeys the bench over IPC.
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { type Exact, serve } from "../../test/server.ts";

/** What the bench may ask for, and what it gets. */
export interface Orders {
  /** Bytes per second from now on; 0 for as fast as it goes. */
  rate: { takes: number; gives: null };
  /** How exactly it is kept from now on. */
  exact: { takes: Exact; gives: null };
  /** Reads the folder anew. */
  files: { takes: null; gives: string };
  /** Empties the log. The connection that comes to this byte of its file next is cut there. */
  begin: { takes: number | null; gives: null };
  /** When all answers are at their end: what was asked for and sent. */
  log: { takes: null; gives: readonly Entry[] };
  sockets: { takes: null; gives: { sockets: number; open: number } };
}

export interface Entry {
  readonly path: string;
  readonly status: number;
  readonly from: number;
  readonly sent: number;
  readonly range: readonly [number, number] | null;
}

export type Order = keyof Orders;

const folder = process.argv[2] as string;
const files: Record<string, Uint8Array> = {};
const server = await serve(files, { keepAlive: true, exact: true });

const DOES: { [K in Order]: (value: Orders[K]["takes"]) => Orders[K]["gives"] | Promise<Orders[K]["gives"]> } = {
  rate(value) {
    server.rate = value || Infinity;
    return null;
  },
  exact(value) {
    server.exact = value;
    return null;
  },
  files() {
    for (const name of readdirSync(folder)) files[name] ??= readFileSync(join(folder, name));
    return server.url;
  },
  begin(cut) {
    server.log.length = 0;
    let whole = cut === null;
    server.rule = ({ range: [start, end] = [0, Infinity] }) => {
      if (whole || cut === null || cut < start || cut >= end) return undefined;
      whole = true;
      return { cutAfter: cut - start };
    };
    return null;
  },
  async log() {
    await server.quiet();
    return server.log.map(({ path, status, from, sent, range }) => ({
      path,
      status,
      from,
      sent,
      range: range ?? null,
    }));
  },
  sockets: () => ({ sockets: server.sockets(), open: server.open() }),
};

process.on("message", async ({ order, value }: { order: Order; value: never }) => {
  process.send?.(await DOES[order](value));
});
process.on("disconnect", () => process.exit());
process.send?.(server.url);

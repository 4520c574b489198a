import type { IncomingMessage, ServerResponse } from "node:http";
import { bucket, send } from "../../test/server/send.ts";
import type { Served } from "./models.ts";

// The line between a page and its models, which is as slow and as bad as the page asks for.

const DAMAGE = ["none", "once", "always"] as const;

export interface Settings {
  /** Bytes per second, shared by all answers on the line; 0 for no limit. */
  rate: number;
  /** The connection is cut whenever this many chunks have been sent; 0 for never. */
  cutEvery: number;
  /** Whether one bit of one chunk is wrong: until the page notices and asks again, or always. */
  damage: (typeof DAMAGE)[number];
}

export interface Line {
  /** Takes what is given and valid of the settings. To give `damage` arms it anew. */
  set(settings: Partial<Record<keyof Settings, unknown>>): void;
  /** Destroys the sockets of all answers under way, and says how many. */
  cut(): number;
  /** Answers a request for a model, or a range of it. */
  answer(request: IncomingMessage, response: ServerResponse, model: Served): Promise<void>;
}

export function newLine(): Line {
  const settings: Settings = { rate: 0, cutEvery: 0, damage: "none" };
  let shared = bucket(Infinity);
  let sinceCut = 0;
  const open = new Set<ServerResponse>();
  // Asked anew for every piece: the rate may change while an answer is under way.
  const draw = (most: number): Promise<number> => shared.draw(most);

  function cut(): number {
    const cutNow = [...open];
    for (const { socket } of cutNow) socket?.destroy();
    sinceCut = 0;
    return cutNow.length;
  }

  function sent(model: Served, count: number): void {
    sinceCut += count;
    const chunk = (model.bytes.length - model.headerBytes) / model.chunks;
    if (settings.cutEvery > 0 && sinceCut >= settings.cutEvery * chunk) cut();
  }

  return {
    set({ rate, cutEvery, damage }) {
      if (isCount(rate)) {
        settings.rate = rate;
        shared = bucket(rate || Infinity);
      }
      if (isCount(cutEvery)) settings.cutEvery = cutEvery;
      if (DAMAGE.includes(damage as Settings["damage"])) settings.damage = damage as Settings["damage"];
      sinceCut = 0;
    },
    cut,
    async answer(request, response, model) {
      const [start, end] = rangeOf(request, model.bytes.length);
      response.writeHead(request.headers.range ? 206 : 200, headersOf(model, start, end, request));
      response.flushHeaders();
      if (request.method === "HEAD") return void response.end();
      open.add(response);
      response.on("close", () => open.delete(response));
      // Asked for once more, past all caches: what the first answer brought was seen to be wrong.
      if (settings.damage === "once" && request.headers["cache-control"] === "no-cache") settings.damage = "none";
      const body = settings.damage === "none" ? model.bytes.subarray(start, end) : damaged(model, start, end);
      await send(response, body, [{ draw }], (count) => sent(model, count));
      if (!response.destroyed) response.end();
    },
  };
}

function isCount(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) >= 0;
}

/** The byte that is damaged lies in the middle of the chunks. */
function flippedAt({ bytes, headerBytes }: Served): number {
  return (headerBytes + bytes.length) >> 1;
}

function damaged(model: Served, start: number, end: number): Uint8Array {
  const copy = model.bytes.slice(start, end);
  const at = flippedAt(model) - start;
  if (at >= 0 && at < copy.length) copy[at] = (copy[at] as number) ^ 1;
  return copy;
}

// Of a file that never changes. What is no single range of it is answered with all of it.
function rangeOf({ headers }: IncomingMessage, length: number): [start: number, end: number] {
  const [, first, last] = /^bytes=(\d{1,15})-(\d{0,15})$/.exec(headers.range ?? "") ?? [];
  const start = Number(first);
  if (first === undefined || start >= length) return [0, length];
  return [start, Math.max(start, Math.min(last ? Number(last) + 1 : length, length))];
}

function headersOf({ bytes, integrity }: Served, start: number, end: number, { headers }: IncomingMessage) {
  return {
    "accept-ranges": "bytes",
    "cache-control": "no-store",
    "content-length": end - start,
    "content-type": "application/octet-stream",
    etag: `"${integrity}"`,
    ...(headers.range && { "content-range": `bytes ${start}-${end - 1}/${bytes.length}` }),
  };
}

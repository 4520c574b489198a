import { describe, expect, test } from "vitest";
import { readerOf } from "../src/load/body.ts";
import { streamSource } from "../src/load/forward.ts";
import { load } from "../src/read.ts";
import { expectedOf, mixedFile } from "./load.model.ts";
import { codeOf, cutsOf, expectBytes, fileOf, PREFIX, readAll, served, sourceAt } from "./load.ts";

// Bodies of every kind: byte streams, which fill the reader's memory, and others, which bring their own; in pieces of any size.

const SIZE = 300_000;
const FILE = fileOf(SIZE);
const ROOM = 64 * 1024;

interface Kind {
  /** Bytes of the next piece. */
  size(turn: number): number;
  /** Byte streams: whether they write to the memory that they are given, or else hand over a piece that is copied there. */
  bytes: "no" | "filled" | "copied";
}

const SIZES: [string, Kind["size"]][] = [
  ["1 byte and then more", (turn) => (turn < 100 ? 1 : 1237)],
  ["odd sizes", (turn) => [7, 65_537, 1, 4099, 30_011][turn % 5] as number],
  ["all at once", () => Number.MAX_SAFE_INTEGER],
];
const KINDS = (["no", "filled", "copied"] as const).flatMap((bytes) =>
  SIZES.map(
    ([name, size]) =>
      [`${bytes === "no" ? "no byte stream" : `byte stream, ${bytes}`}: ${name}`, { bytes, size }] as const,
  ),
);

/** A stream of these bytes; `most` is the most that a reader has given room for, `asked` every place up to which it has. */
function bodyOf(content: Uint8Array, { bytes, size }: Kind) {
  const told = { asked: [] as number[], most: 0 };
  let [at, turn] = [0, 0];
  const take = (most: number): Uint8Array => {
    const piece = content.slice(at, at + Math.min(size(turn++), most));
    at += piece.length;
    return piece;
  };
  if (bytes === "no") {
    const pull = (controller: ReadableStreamDefaultController<Uint8Array>) => {
      if (at === content.length) return controller.close();
      // Now and then a piece of nothing.
      controller.enqueue(take(turn % 4 === 2 ? 0 : Infinity));
    };
    return { stream: new ReadableStream<Uint8Array>({ pull }, { highWaterMark: 0 }), told };
  }
  const pull = (controller: ReadableByteStreamController) => {
    const request = controller.byobRequest as ReadableStreamBYOBRequest;
    const view = request.view as Uint8Array;
    told.asked.push(at + view.length);
    told.most = Math.max(told.most, view.length);
    if (at === content.length) {
      controller.close();
      return request.respond(0);
    }
    if (bytes === "copied") return controller.enqueue(take(Infinity) as Uint8Array<ArrayBuffer>);
    const piece = take(view.length);
    view.set(piece);
    request.respond(piece.length);
  };
  return { stream: new ReadableStream({ type: "bytes", pull }) as ReadableStream<Uint8Array>, told };
}

describe.each(KINDS)("%s", (_, kind) => {
  test("each piece is there until the call after the next", async () => {
    const { stream, told } = bodyOf(FILE, kind);
    const { read } = readerOf(stream);
    let at = 0;
    let last = new Uint8Array(0);
    for (let most = 1; ; most = (most * 7) % 100_003) {
      const next = read(most);
      // While it is on its way, too.
      expectBytes(last, FILE.subarray(at - last.length, at));
      const piece = await next;
      expectBytes(last, FILE.subarray(at - last.length, at));
      if (!piece) break;
      if (kind.bytes !== "no") expect(piece.length).toBeLessThanOrEqual(Math.min(most, ROOM));
      at += piece.length;
      last = piece as typeof last;
    }
    expect(at).toBe(SIZE);
    expect(told.most).toBeLessThanOrEqual(ROOM);
  });

  test("a stream is read in slices, and no further than to their ends", async () => {
    const { stream, told } = bodyOf(FILE, kind);
    const source = await streamSource(stream, { byteLength: SIZE });
    const cuts = cutsOf(0, SIZE, 40, 3);
    for (const [i, end] of cuts.slice(1).entries()) {
      expectBytes(await source.slice(cuts[i] as number, end), FILE.subarray(cuts[i], end));
      // At the very end it asks whether there is more.
      if (kind.bytes === "filled" && end < SIZE) expect(told.asked.at(-1)).toBe(end);
    }
    source.close();
  });

  test("an answer of the caller's own fetch is read, cut and gone on with", async () => {
    const server = await served(FILE, ({ index }) => (index ? { cutAfter: 40_000 } : {}));
    const own: typeof fetch = async (input, init) => {
      const response = await fetch(input, init);
      let content = new Uint8Array(0);
      try {
        for await (const piece of response.body as unknown as AsyncIterable<Uint8Array>)
          content = new Uint8Array(Buffer.concat([content, piece]));
      } catch {
        // What came before the cut; then the body ends too early.
      }
      return new Response(bodyOf(content, kind).stream, response);
    };
    const source = await sourceAt(server, { fetch: own });
    await readAll(source, FILE, [0, 88, PREFIX - 1, ...cutsOf(40_000, SIZE, 15)], SIZE);
    expect(server.log.length).toBeGreaterThan(5);
  });
});

test("a model by both kinds of readers, from a server with and without ranges", async () => {
  const bytes = await mixedFile();
  const expected = await expectedOf(bytes);
  for (const ranges of [true, false]) {
    const { url } = await served(bytes, { ranges });
    for (const kind of [undefined, ...KINDS.map(([, kind]) => kind)]) {
      const own: typeof fetch = async (input, init) => {
        const response = await fetch(input, init);
        const content = new Uint8Array(await response.arrayBuffer());
        return new Response(kind && bodyOf(content, kind).stream, response);
      };
      const tensors = await load(url, { request: kind && { fetch: own } });
      expect(tensors.size).toBe(expected.size);
      for (const [name, { data }] of tensors)
        expectBytes(new Uint8Array(data.buffer), new Uint8Array((expected.get(name) as Float32Array).buffer));
    }
  }
});

test("a byte stream that breaks, and one that goes on too long, are told", async () => {
  const pull = (controller: ReadableByteStreamController) => controller.error(new Error("broken"));
  const broken = new ReadableStream({ type: "bytes", pull }) as ReadableStream<Uint8Array>;
  expect(await codeOf(streamSource(broken))).toBe("network");
  const long = bodyOf(FILE, { bytes: "filled", size: () => 5000 }).stream;
  const source = await streamSource(long, { byteLength: SIZE - 1 });
  expect(await codeOf(source.slice(0, SIZE - 1))).toBe("length");
});

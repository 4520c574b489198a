import { describe, expect, test } from "vitest";
import { responseSource, streamSource } from "../src/load/forward.ts";
import { codeOf, cutsOf, expectBytes, failureOf, fileOf, readAll, served } from "./load.ts";
import type { Faults } from "./server.ts";

const SIZE = 300_000;
const FILE = fileOf(SIZE);
const part = (start: number, end: number) => FILE.subarray(start, end);

interface Watched extends ReadableStream<Uint8Array> {
  pulled: number;
  cancelled: unknown[];
}

/** A stream of bytes in pieces, which counts what is pulled. */
function streamOf(
  bytes: Uint8Array,
  piece = 1000,
  end?: (controller: ReadableStreamDefaultController) => void,
): Watched {
  let at = 0;
  const stream = new ReadableStream<Uint8Array>(
    {
      pull(controller) {
        if (at < bytes.length) controller.enqueue(bytes.slice(at, at + piece));
        else if (end) end(controller);
        else controller.close();
        at += piece;
        watched.pulled = Math.min(at, bytes.length);
      },
      cancel(reason) {
        watched.cancelled.push(reason);
      },
    },
    { highWaterMark: 0 },
  );
  const watched = Object.assign(stream, { pulled: 0, cancelled: [] as unknown[] });
  return watched;
}

describe("streams", () => {
  test.each([1, 7, 47, 48, 49, 1000, SIZE])(
    "are read in the order of the file, in pieces of %i bytes",
    async (piece) => {
      const file = piece < 40 ? FILE.slice(0, 5000) : FILE;
      new DataView(file.buffer).setBigUint64(40, BigInt(file.length), true);
      for (const byteLength of [undefined, file.length]) {
        const source = await streamSource(streamOf(file, piece), { byteLength });
        expect(source.byteLength).toBe(file.length);
        const cuts = [0, 88, ...cutsOf(88, file.length, 30).slice(1)];
        await readAll(source, file, cuts.slice(0, 12));
        for (let i = 11; i + 1 < cuts.length; i++) {
          expectBytes(await source.slice(cuts[i], cuts[i + 1]), file.subarray(cuts[i], cuts[i + 1]));
        }
      }
    },
  );

  test("are pulled no further than what is asked for", async () => {
    const stream = streamOf(FILE);
    const source = await streamSource(stream);
    expect(stream.pulled).toBe(1000);
    await source.slice(0, 88);
    expect(stream.pulled).toBe(1000);
    await source.slice(88, 5500);
    expect(stream.pulled).toBe(6000);
    await source.slice(20_500, 20_600);
    expect(stream.pulled).toBe(21_000);
    source.close();
    expect(stream.cancelled).toHaveLength(1);
    expect(await codeOf(source.slice(30_000, 30_001))).toBe("closed");
  });

  test("never go back, and say what to do", async () => {
    const source = await streamSource(streamOf(FILE));
    await source.slice(0, 1000);
    const error = await failureOf(source.slice(999, 2000));
    expect(error).toMatchObject({ name: "LoadError", code: "forward" });
    expect(error.message).toMatch(/order of the file.*URL/);
    expectBytes(await source.slice(1000, 2000), part(1000, 2000));
    await expect(source.slice(5, SIZE + 1)).rejects.toThrow(RangeError);
  });

  test("that end early name the byte", async () => {
    for (const byteLength of [undefined, SIZE]) {
      const source = await streamSource(streamOf(FILE.subarray(0, 200_001)), { byteLength });
      expectBytes(await source.slice(0, 200_000), part(0, 200_000));
      const waiting = source.slice(200_000, 200_001);
      const error = await failureOf(source.slice(250_000, 250_001));
      expect(error).toMatchObject({ name: "LoadError", code: "length" });
      expect(error.message).toContain(`200001 of ${SIZE}`);
      expectBytes(await waiting, part(200_000, 200_001));
      expect(await codeOf(source.slice(260_000, SIZE))).toBe("length");
    }
    expect(await codeOf(streamSource(streamOf(FILE.subarray(0, 47))))).toBe("length");
    expect(await codeOf(streamSource(streamOf(new Uint8Array(0))))).toBe("length");
  });

  test("with a byte too many are refused", async () => {
    const longer = new Uint8Array(SIZE + 1);
    longer.set(FILE);
    for (const piece of [1000, SIZE, SIZE + 1]) {
      const stream = streamOf(longer, piece);
      const source = await streamSource(stream, { byteLength: SIZE });
      expect(await codeOf(source.slice(88, SIZE))).toBe("length");
      expect(stream.cancelled).toHaveLength(1);
    }
  });

  test("of no .quern file need a length", async () => {
    const bytes = FILE.slice();
    bytes[1] = 0;
    const stream = streamOf(bytes);
    expect(await failureOf(streamSource(stream))).toMatchObject({ name: "FormatError", code: "magic" });
    expect(stream.cancelled).toHaveLength(1);
    const source = await streamSource(streamOf(bytes), { byteLength: SIZE });
    await readAll(source, bytes, [0, 1000, SIZE]);
    bytes.set(FILE.subarray(0, 8));
    bytes.fill(255, 40, 48);
    expect(await failureOf(streamSource(streamOf(bytes)))).toMatchObject({ name: "FormatError", code: "file-length" });
  });

  test("that break tell why, unless all was there", async () => {
    const reason = new Error("the line is dead");
    const breaking = (bytes: Uint8Array) =>
      streamSource(streamOf(bytes, 1000, (controller) => controller.error(reason)));
    const source = await breaking(FILE.subarray(0, 100_000));
    const error = await failureOf(source.slice(0, SIZE));
    expect(error).toMatchObject({ name: "LoadError", code: "network", cause: reason });
    expect(error.message).toContain("byte 100000: the line is dead");
    await readAll(await breaking(FILE), FILE, [0, 5000, SIZE]);
  });

  test("end with a signal; one of a slice ends just that", async () => {
    const stream = streamOf(FILE.subarray(0, 5000), 1000, () => new Promise(() => {}));
    const all = new AbortController();
    const source = await streamSource(stream, { signal: all.signal });
    const one = new AbortController();
    const dropped = source.slice(100, 10_000, { signal: one.signal });
    const others = [source.slice(10_000, 20_000), source.slice(20_000, SIZE)];
    one.abort(new Error("not this"));
    expect((await failureOf(dropped)).message).toBe("not this");
    await expect(source.slice(SIZE, SIZE, { signal: one.signal })).rejects.toThrow("not this");
    all.abort(new Error("nothing"));
    for (const other of others) expect((await failureOf(other)).message).toBe("nothing");
    expect((await failureOf(source.slice(30_000, 40_000))).message).toBe("nothing");
    expect(stream.cancelled).toEqual([all.signal.reason]);
    await expect(streamSource(streamOf(FILE), { signal: one.signal })).rejects.toThrow("not this");
  });
});

describe("answers of fetch", () => {
  test.each([{}, { length: false }, { gzip: true }] as Faults[])("are read forward: %j", async (faults) => {
    const server = await served(FILE, faults);
    const source = await responseSource(await fetch(server.url));
    expect(source.byteLength).toBe(SIZE);
    await readAll(source, FILE, cutsOf(0, SIZE, 30));
    await server.quiet();
  });

  test.each([
    [{ status: 404 }, "status"],
    [{ html: true }, "html"],
    [{ ranges: false, extra: -1 }, "length"],
    [{ ranges: false, extra: 1 }, "length"],
    [{ cutAfter: 200_000 }, "network"],
  ] as [Faults, string][])("that are wrong are refused: %j", async (faults, code) => {
    const server = await served(FILE, faults);
    const read = async () => (await responseSource(await fetch(server.url))).slice(0, SIZE);
    const error = await failureOf(read());
    expect(error).toMatchObject({ name: "LoadError", code });
    await server.quiet();
  });

  test("of a part are no file", async () => {
    const server = await served(FILE);
    expect(await codeOf(responseSource(await fetch(server.url, { headers: { Range: "bytes=0-999" } })))).toBe("status");
    expect(await codeOf(responseSource(new Response(null)))).toBe("length");
    await readAll(await responseSource(new Response(streamOf(FILE))), FILE, [0, 88, SIZE]);
  });
});

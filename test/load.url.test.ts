import { describe, expect, test, vi } from "vitest";
import { urlSource } from "../src/load/url.ts";
import {
  codeOf,
  cutsOf,
  expectBytes,
  failureOf,
  fileOf,
  PREFIX,
  readAll,
  requestsOf,
  served,
  sourceAt,
} from "./load.ts";

const SIZE = 300_000;
const FILE = fileOf(SIZE);
const part = (start: number, end: number) => FILE.subarray(start, end);

describe("opening", () => {
  test("asks for the first bytes, and answers from them", async () => {
    const server = await served(FILE);
    const source = await sourceAt(server);
    expect(source.byteLength).toBe(SIZE);
    expectBytes(await source.slice(0, 88), part(0, 88));
    expectBytes(await source.slice(88, 6000), part(88, 6000));
    expectBytes(await source.slice(500, PREFIX), part(500, PREFIX));
    expect(requestsOf(server)).toEqual(["bytes=0-8191"]);
    await server.quiet();
    expect(server.log[0]).toMatchObject({ sent: PREFIX, aborted: false });
  });

  test.each([0, 1, 47, 100, PREFIX - 1, PREFIX, PREFIX + 1])("knows a file of %i bytes", async (size) => {
    const file = size >= 88 ? fileOf(size) : new Uint8Array(size).fill(7);
    const server = await served(file, { ranges: size > 0 });
    const source = await sourceAt(server);
    expect(source.byteLength).toBe(size);
    expectBytes(await source.slice(0, size), file);
  });

  test("is there when the headers are, and gives what has come", async () => {
    const server = await served(FILE, { stallAfter: 500 });
    const source = await sourceAt(server);
    expectBytes(await source.slice(0, 400), part(0, 400));
    const rest = source.slice(400, 600);
    source.close();
    expect(await codeOf(rest)).toBe("closed");
  });

  test("takes the length from the prelude if no header has it", async () => {
    for (const rule of [{ total: "*" }, { ranges: false, length: false }, { ranges: false, gzip: true }] as const) {
      const source = await sourceAt(await served(FILE, rule));
      expect(source.byteLength).toBe(SIZE);
      await readAll(source, FILE, [0, 88, 40_000, 200_000, SIZE]);
    }
  });

  test("without a length anywhere, demands a .quern file", async () => {
    const server = await served(new Uint8Array(1000), { ranges: false, length: false });
    expect(await failureOf(sourceAt(server))).toMatchObject({ name: "FormatError", code: "magic" });
  });

  test("reads the prefix to its end when something behind it is asked: its connection serves on", async () => {
    const server = await served(FILE, ({ index }) => (index === 0 ? { rate: 1e6 } : {}));
    const source = await sourceAt(server);
    expectBytes(await source.slice(0, 88), part(0, 88));
    expectBytes(await source.slice(100_000, 100_100), part(100_000, 100_100));
    await server.quiet();
    expect(server.log[0]).toMatchObject({ sent: PREFIX, aborted: false });
    expectBytes(await source.slice(900, PREFIX), part(900, PREFIX));
    expect(requestsOf(server)).toEqual(["bytes=0-8191", "bytes=100000-100099"]);
  });

  test.each([16_384, Infinity])("asks for %d bytes first, if told to", async (first) => {
    const server = await served(FILE);
    const source = await sourceAt(server, { first });
    await readAll(source, FILE, [0, 88, 4000, 40_000, 200_000, SIZE]);
    const wanted = first < Infinity ? ["bytes=0-16383", "bytes=16384-39999", "bytes=40000-199999"] : ["bytes=0-"];
    expect(requestsOf(server).slice(0, 3)).toEqual(wanted);
    await expect(sourceAt(server, { first: 40 })).rejects.toThrow(/"first" expected at least 88/);
  });

  test("gives up the whole file when something far behind is asked, and keeps the first bytes", async () => {
    const server = await served(fileOf(3_000_000), ({ index }) => (index === 0 ? { rate: 1e6 } : {}));
    const source = await sourceAt(server, { first: Infinity });
    await source.slice(0, 1000);
    await source.slice(2_900_000, 2_900_100);
    await server.quiet();
    expect(server.log[0].aborted).toBe(true);
    await source.slice(900, 2000);
    expect(requestsOf(server)).toEqual(["bytes=0-", "bytes=2900000-2900099"]);
  });

  test("reads across the end of the prefix", async () => {
    const server = await served(FILE);
    const source = await sourceAt(server);
    let heard = 0;
    const onBytes = (count: number) => {
      heard += count;
    };
    expectBytes(await source.slice(1000, 100_000, { onBytes }), part(1000, 100_000));
    expect(heard).toBe(99_000);
    expect(requestsOf(server)).toEqual(["bytes=0-8191", "bytes=8192-99999"]);
  });

  test("refuses what is no range of the file, no URL, no count", async () => {
    const server = await served(FILE);
    const source = await sourceAt(server);
    await expect(source.slice(0, SIZE + 1)).rejects.toThrow(RangeError);
    await expect(source.slice(-1, 3)).rejects.toThrow(RangeError);
    await expect(source.slice(4, 3)).rejects.toThrow(RangeError);
    await expect(urlSource("nonsense")).rejects.toThrow(/"url" expected an address/);
    await expect(urlSource(server.url, { requests: 0 })).rejects.toThrow(RangeError);
    expect((await source.slice(SIZE, SIZE)).length).toBe(0);
  });

  test("sends the caller's headers with the caller's fetch", async () => {
    const server = await served(FILE);
    const seen: unknown[] = [];
    const own: typeof fetch = (url, init) => {
      seen.push(url, init?.credentials);
      return fetch(url, init);
    };
    const source = await sourceAt(server, { fetch: own, headers: { Authorization: "Bearer x" }, credentials: "omit" });
    await source.slice(200_000, 200_100);
    expect(server.log.map(({ headers }) => headers.authorization)).toEqual(["Bearer x", "Bearer x"]);
    expect(seen).toEqual([server.url, "omit", server.url, "omit"]);
  });

  test.each([
    { "X-One": "a, b", RANGE: "bytes=7-" },
    [
      ["X-One", "a"],
      ["x-one", "b"],
    ],
    new Headers([
      ["X-One", "a"],
      ["X-One", "b"],
      ["range", "bytes=7-"],
    ]),
  ] as HeadersInit[])("takes headers in each form, but for its own: %j", async (headers) => {
    const server = await served(FILE);
    await (await sourceAt(server, { headers })).slice(200_000, 200_100);
    expect(server.log.map(({ headers }) => headers["x-one"])).toEqual(["a, b", "a, b"]);
    expect(requestsOf(server)).toEqual(["bytes=0-8191", "bytes=200000-200099"]);
    expect(server.log[1]?.headers["if-range"]).toBe('"v1"');
  });

  test("asks without a range where a browser fails because the file comes encoded whatever was asked for", async () => {
    for (const [rule, requests] of [
      [{ gzip: true }, ["all"]],
      [{}, ["all", "bytes=0-8191", "bytes=200000-200099"]],
    ] as const) {
      const server = await served(FILE, rule);
      let calls = 0;
      const own: typeof fetch = (url, init) =>
        calls++ === 0 ? Promise.reject(new TypeError("Failed to fetch")) : fetch(url, init);
      const source = await sourceAt(server, { fetch: own });
      expectBytes(await source.slice(200_000, 200_100), part(200_000, 200_100));
      expect(requestsOf(server)).toEqual(requests);
      await server.quiet();
    }
  });
});

describe("requests", () => {
  const START = 50_000;

  test("many slices with `until` come with one request, gaps and all", async () => {
    const server = await served(FILE);
    const source = await sourceAt(server);
    const { signal } = new AbortController();
    const cuts = cutsOf(START, SIZE, 60);
    const wanted = cuts.slice(1).map((end, i) => [cuts[i] + (i % 3), end] as const);
    const slices = wanted.filter(([start, end]) => start < end);
    // The first half at once, the others one after the other.
    const half = slices.splice(0, slices.length / 2);
    const got = await Promise.all(half.map(([start, end]) => source.slice(start, end, { until: SIZE, signal })));
    for (const [i, [start, end]] of half.entries()) expectBytes(got[i], part(start, end));
    for (const [start, end] of slices)
      expectBytes(await source.slice(start, end, { until: SIZE, signal }), part(start, end));
    expect(requestsOf(server)).toEqual(["bytes=0-8191", `bytes=${START}-${SIZE - 1}`]);
    await server.quiet();
    expect(server.log[1]).toMatchObject({ sent: SIZE - START, aborted: false });
  });

  test("reads of other signals have requests of their own", async () => {
    const server = await served(FILE);
    const source = await sourceAt(server);
    const signals = [new AbortController().signal, new AbortController().signal, undefined];
    const read = (signal: AbortSignal | undefined, at: number) =>
      source.slice(at, at + 1000, { signal, until: 90_000 });
    for (const at of [50_000, 60_000, 70_000]) {
      const got = await Promise.all(signals.map((signal) => read(signal, at)));
      for (const bytes of got) expectBytes(bytes, part(at, at + 1000));
    }
    expect(requestsOf(server).slice(1)).toEqual(Array(3).fill("bytes=50000-89999"));
  });

  test("without `until` a request ends with its slice, whose bytes are told as they come", async () => {
    const server = await served(FILE, { rate: 2_000_000 });
    const source = await sourceAt(server);
    const heard: number[] = [];
    expectBytes(await source.slice(50_000, 90_000, { onBytes: (count) => heard.push(count) }), part(50_000, 90_000));
    expect(requestsOf(server).slice(1)).toEqual(["bytes=50000-89999"]);
    expect(heard.length).toBeGreaterThan(1);
    expect(heard.reduce((sum, count) => sum + count)).toBe(40_000);
  });

  test("far ahead is asked for, not skipped to; and so is what lies behind", async () => {
    const file = fileOf(4_000_000);
    const server = await served(file);
    const source = await sourceAt(server);
    const until = file.length;
    for (const at of [50_000, 3_000_000, 150_000, 40_000]) {
      expectBytes(await source.slice(at, at + 100, { until }), file.subarray(at, at + 100));
    }
    expect(requestsOf(server).slice(1)).toEqual([50_000, 3_000_000, 40_000].map((at) => `bytes=${at}-3999999`));
  });

  test.each([1, 2, 4])("no more than %i are open at once, and all are answered", async (requests) => {
    const server = await served(FILE, { latency: 20 });
    const source = await sourceAt(server, { requests });
    await source.slice(0, PREFIX);
    await server.quiet();
    const starts = Array.from({ length: 24 }, (_, i) => 40_000 + 10_000 * i);
    const got = await Promise.all(starts.map((at) => source.slice(at, at + 5000)));
    for (const [i, at] of starts.entries()) expectBytes(got[i], part(at, at + 5000));
    expect(server.mostOpen).toBe(requests);
    // Connections that are made at once may arrive in another order.
    expect(requestsOf(server).slice(1).sort()).toEqual(starts.map((at) => `bytes=${at}-${at + 4999}`).sort());
  });

  test("one that nobody waits for makes place, and is asked anew", async () => {
    const file = fileOf(20_000_000);
    const server = await served(file);
    const source = await sourceAt(server, { requests: 1 });
    const until = file.length;
    for (const at of [100_000, 10_000_000, 101_000, 10_001_000]) {
      expectBytes(await source.slice(at, at + 1000, { until }), file.subarray(at, at + 1000));
    }
    expect(server.log.length).toBe(5);
    // The server may hear of a connection that was closed after it has answered over the next one.
    await vi.waitFor(() => expect(server.log.filter(({ aborted }) => aborted).length).toBeGreaterThanOrEqual(3));
  });

  test("one that nobody reads on from ends after a while, and is asked anew", async () => {
    const file = fileOf(20_000_000);
    const server = await served(file);
    const source = await sourceAt(server, { idle: 20 });
    const read = (at: number) => source.slice(at, at + 1000, { until: file.length });
    expectBytes(await read(100_000), file.subarray(100_000, 101_000));
    await server.quiet();
    expectBytes(await read(101_000), file.subarray(101_000, 102_000));
    expect(requestsOf(server).slice(1)).toEqual(["bytes=100000-19999999", "bytes=101000-19999999"]);
  });

  test("a reader that pauses pauses the server", async () => {
    const file = fileOf(64_000_000);
    const server = await served(file);
    const source = await sourceAt(server);
    const sent = () => server.log[1].sent;
    const read = (at: number) => source.slice(at, at + 100_000, { until: file.length });
    await read(100_000);
    // What the kernel buffers on both sides is not known: it is full when nothing more goes.
    const full = async () => {
      for (let before = -1; before < sent(); ) {
        before = sent();
        await new Promise((resolve) => setTimeout(resolve, 150));
      }
      return sent();
    };
    expect(await full()).toBeLessThan(16_000_000);
    for (let at = 200_000; at < 20_000_000; at += 100_000) expectBytes(await read(at), file.subarray(at, at + 100_000));
    expect(await full()).toBeLessThan(36_000_000);
    expect(server.log.length).toBe(2);
    expect(server.open()).toBe(1);
  });

  test("`fresh` comes from no cache and from nothing kept", async () => {
    const server = await served(FILE, ({ index }) => (index === 0 ? { flip: 200 } : {}));
    const source = await sourceAt(server);
    const damaged = await source.slice(100, 300);
    expect(damaged[100]).toBe(FILE[200] ^ 1);
    expectBytes(await source.slice(100, 300, { fresh: true }), part(100, 300));
    expectBytes(await source.slice(100, 300), part(100, 300));
    expect(server.log[0].headers["cache-control"]).toBeUndefined();
    expect(server.log[1].headers).toMatchObject({ "cache-control": "no-cache", range: "bytes=100-299" });
  });
});

describe("servers without ranges", () => {
  test.each([{}, { length: false }, { gzip: true }])(
    "read in order, the whole file comes with one request: %j",
    async (faults) => {
      const server = await served(FILE, { ranges: false, ...faults });
      const source = await sourceAt(server);
      const cuts = cutsOf(0, SIZE, 50);
      await readAll(source, FILE, cuts.slice(0, 20));
      for (let i = 19; i + 1 < cuts.length; i += 2)
        expectBytes(await source.slice(cuts[i], cuts[i + 1]), part(cuts[i], cuts[i + 1]));
      expect(requestsOf(server)).toEqual(["bytes=0-8191"]);
    },
  );

  test("what lies behind is sent again from the start, but for the first bytes, which were kept", async () => {
    const server = await served(FILE, { ranges: false });
    const source = await sourceAt(server);
    expectBytes(await source.slice(200_000, 201_000), part(200_000, 201_000));
    expectBytes(await source.slice(100, 8000), part(100, 8000));
    expect(server.log.length).toBe(1);
    // Several readers share it.
    const reads = [90_000, 50_000, 120_000].map((at) =>
      source.slice(at, at + 9, { signal: new AbortController().signal }),
    );
    for (const [i, at] of [90_000, 50_000, 120_000].entries()) expectBytes(await reads[i], part(at, at + 9));
    expect(requestsOf(server)).toEqual(["bytes=0-8191", "all"]);
    expectBytes(await source.slice(10_000, 90_000), part(10_000, 90_000));
  });

  test("a range that is encoded is asked for without a range", async () => {
    const server = await served(FILE, { gzip: true });
    const source = await sourceAt(server);
    expect(source.byteLength).toBe(SIZE);
    await readAll(source, FILE, [0, 88, 50_000, SIZE]);
    expect(requestsOf(server)).toEqual(["bytes=0-8191", "all"]);
  });

  test("one that loses its ranges midway is compared, and read on", async () => {
    const server = await served(FILE, ({ index }) => ({ ranges: index === 0 }));
    const source = await sourceAt(server);
    expectBytes(await source.slice(100_000, 200_000), part(100_000, 200_000));
    expectBytes(await source.slice(100_000, SIZE), part(100_000, SIZE));
  });

  test("bodies cut short are read on from the very byte", async () => {
    const server = await served(FILE, ({ index }) => ({
      ranges: false,
      ...(index < 3 && { cutAfter: 60_000 * (index + 1) }),
    }));
    const source = await sourceAt(server);
    await readAll(source, FILE, [0, 50_000, 100_000, SIZE]);
    expect(server.log.length).toBe(4);
  });

  test("a byte too many is refused, by each who reads up to the end", async () => {
    for (const size of [1000, SIZE]) {
      const file = fileOf(size);
      const server = await served(file, { ranges: false, extra: 1 });
      const source = await sourceAt(server);
      expect(source.byteLength).toBe(size);
      const results = await Promise.allSettled([source.slice(0, 88), source.slice(88, size)]);
      expect(results[1]).toMatchObject({ status: "rejected", reason: { code: "length" } });
      expect(await codeOf(source.slice(88, size))).toBe("length");
    }
  });

  test("a file that is shorter than it says cannot be had", async () => {
    const server = await served(FILE, { ranges: false, extra: -100 });
    const source = await sourceAt(server, { retries: 2 });
    expectBytes(await source.slice(0, 100_000), part(0, 100_000));
    expect(await codeOf(source.slice(100_000, SIZE))).toBe("network");
  });
});

import { describe, expect, test, vi } from "vitest";
import type { UrlOptions } from "../src/load/url.ts";
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
import { type Faults, first, from, type Rule, script, type TestServer } from "./server.ts";

// Sources against servers and lines that fail.

const SIZE = 300_000;
const FILE = fileOf(SIZE);
const part = (start: number, end: number) => FILE.subarray(start, end);

/** A source whose first request has gone well; the rule is for what follows. */
async function then(rule: Rule, options: UrlOptions = {}, start: Faults = {}) {
  const server = await served(FILE, from(1, rule, start));
  const source = await sourceAt(server, options);
  await source.slice(0, PREFIX);
  await server.quiet();
  return { server, source };
}

describe("answers that are not the file", () => {
  test.each([401, 403, 404, 410, 416, 429])("status %i is told at once", async (status) => {
    const server = await served(FILE, { status });
    const error = await failureOf(sourceAt(server));
    expect(error).toMatchObject({ name: "LoadError", code: "status" });
    expect(error.message).toContain(`${server.url}: status ${status}`);
    const later = await then({ status });
    expect(await codeOf(later.source.slice(50_000, 60_000))).toBe("status");
    expect([server.log.length, later.server.log.length]).toEqual([1, 2]);
  });

  test("a page in place of the file", async () => {
    const server = await served(FILE, { html: true });
    expect(await failureOf(sourceAt(server))).toMatchObject({ code: "html", message: expect.stringContaining("page") });
    const later = await then({ html: true });
    expect(await codeOf(later.source.slice(50_000, 60_000))).toBe("html");
  });

  test.each([
    "bytes 50000-59998/300000",
    "bytes 50000-60000/300000",
    "bytes 49999-59999/300000",
    "bytes 50000-59999/300001",
    "bytes 50000-59999",
    "items 50000-59999/300000",
    "bytes 0-9999/300000",
    "",
    null,
  ])("Content-Range %j", async (contentRange) => {
    const { server, source } = await then({ contentRange });
    expect(await codeOf(source.slice(50_000, 60_000))).toBe("content-range");
    expect(server.log.length).toBe(2);
  });

  test.each([
    "bytes 0-32766/300000",
    "bytes 1-8191/300000",
    "bytes 0-8191/8191",
    `bytes 0-8191/${"9".repeat(16)}`,
    null,
  ])("Content-Range %j at the first request", async (contentRange) => {
    expect(await codeOf(sourceAt(await served(FILE, { contentRange })))).toBe("content-range");
  });

  test("a Content-Range without the length of the file will do", async () => {
    const { source } = await then({ total: "*" });
    expectBytes(await source.slice(50_000, 60_000), part(50_000, 60_000));
  });

  test("a body longer than its range", async () => {
    const { source } = await then({ extra: 1 });
    expect(await codeOf(source.slice(50_000, 60_000))).toBe("length");
  });

  test("a whole file of another length", async () => {
    const { source } = await then({ ranges: false, bytes: FILE.subarray(0, SIZE - 1) });
    expect(await codeOf(source.slice(50_000, 60_000))).toBe("length");
  });
});

describe("lines that fail", () => {
  const passing: [string, Faults][] = [
    ["status 500", { status: 500 }],
    ["status 503", { status: 503 }],
    ["connections refused", { refuse: true }],
    ["bodies cut at once", { cutAfter: 0 }],
    ["bodies that end too early", { extra: -100_000 }],
  ];

  test.each(passing)("%s are tried again", async (_, fault) => {
    const server = await served(FILE, first(4, fault));
    const source = await sourceAt(server);
    expectBytes(await source.slice(0, 1000), part(0, 1000));
    expect(server.log.length).toBe(5);
    const later = await then((asked) => (asked.index < 5 ? fault : {}));
    expectBytes(await later.source.slice(50_000, 60_000), part(50_000, 60_000));
    expect(later.server.log.length).toBe(6);
  });

  test.each(passing)("%s are told after all tries", async (_, fault) => {
    const server = await served(FILE, fault);
    const error = await failureOf(sourceAt(server, { retries: 3 }).then((source) => source.slice(0, PREFIX)));
    expect(error).toMatchObject({ name: "LoadError", code: "network", cause: expect.any(Error) });
    expect(error.message).toMatch(new RegExp(`^${server.url}: .*3 tries`));
    expect(server.log.length).toBe(3);
    const later = await then(fault, { retries: 2 });
    expect(await codeOf(later.source.slice(50_000, 60_000))).toBe("network");
    // It is no worse than before: who asks again is answered.
    later.server.rule = {};
    expectBytes(await later.source.slice(50_000, 60_000), part(50_000, 60_000));
  });

  /** The waits before tries, in milliseconds, none of which is waited. */
  async function waitsOf(rule: Rule, options: UrlOptions = {}): Promise<number[]> {
    const server = await served(FILE, rule);
    const real = globalThis.setTimeout;
    const waits: number[] = [];
    const skipping = (call: () => void, wait: number) => {
      if (wait === 77_777) return real(call, wait);
      waits.push(wait);
      return real(call, 0);
    };
    const spy = vi.spyOn(globalThis, "setTimeout").mockImplementation(skipping as unknown as typeof setTimeout);
    try {
      await sourceAt(server, { stall: 77_777, idle: 77_777, ...options });
    } finally {
      spy.mockRestore();
    }
    return waits;
  }

  test("Retry-After is honoured, in seconds or as a date, but not for ever", async () => {
    const date = new Date(Date.now() + 50_000).toUTCString();
    const asks = ["7", date, "86400", "soon"].map((retryAfter) => ({ status: 503, retryAfter }));
    const [seconds, until, day, word] = await waitsOf(script(...asks, {}));
    expect(seconds).toBe(7000);
    // What is left until then, whatever the test has taken so far.
    expect(until).toBeGreaterThan(7000);
    expect(until).toBeLessThanOrEqual(50_000);
    expect(day).toBe(60_000);
    expect(word).toBeLessThanOrEqual(8);
  });

  test("tries wait longer and longer, for a random part of the time that doubles", async () => {
    const waits = await waitsOf(first(4, { refuse: true }), { backoff: 40 });
    expect(waits).toHaveLength(4);
    for (const [i, wait] of waits.entries()) {
      expect(wait).toBeGreaterThanOrEqual(20 * 2 ** i);
      expect(wait).toBeLessThan(40 * 2 ** i);
    }
  });

  test("a stall is given up, and the rest requested", async () => {
    const { server, source } = await then(({ index }) => (index < 3 ? { stallAfter: 5000 } : {}), { stall: 50 });
    expectBytes(await source.slice(50_000, 100_000), part(50_000, 100_000));
    expect(requestsOf(server).slice(1)).toEqual([50_000, 55_000, 60_000].map((at) => `bytes=${at}-99999`));
    expect(server.log.slice(1, 3).every(({ aborted }) => aborted)).toBe(true);
  });

  test("so is a server that never answers", async () => {
    const server = await served(FILE, script({ silent: true }, {}));
    const source = await sourceAt(server, { stall: 50 });
    expectBytes(await source.slice(0, 100), part(0, 100));
  });

  test("progress begins the count of tries anew", async () => {
    const { server, source } = await then({ cutAfter: 1 }, { retries: 2 });
    expectBytes(await source.slice(50_000, 50_040), part(50_000, 50_040));
    expect(server.log.length).toBe(41);
  });
});

describe("cuts", () => {
  /** What reached us of a cut body is where the next request begins, and no byte is asked for twice. */
  function expectNoneTwice(server: TestServer, start: number, end: number): void {
    const ranges = server.log.map(({ range }) => range as readonly [number, number]).filter(([at]) => at >= start);
    for (const [i, [at, until]] of ranges.entries()) {
      expect(until).toBe(end);
      const before = ranges[i - 1]?.[0] ?? start;
      expect(at).toBeGreaterThanOrEqual(before);
      if (i > 0) expect(at - before).toBe(server.log[i + server.log.length - ranges.length - 1].sent);
    }
  }

  test("at hundreds of places, each is resumed at the byte", { timeout: 60_000 }, async () => {
    const { server, source } = await then({});
    const [start, end] = [40_000, 140_000];
    for (const cut of cutsOf(0, end - start - 1, 300, 5)) {
      server.log.length = 0;
      server.rule = first(1, { cutAfter: cut });
      let heard = 0;
      const onBytes = (count: number) => {
        heard += count;
      };
      expectBytes(await source.slice(start, end, { onBytes }), part(start, end));
      expect(heard).toBe(end - start);
      expect(requestsOf(server)).toEqual([`bytes=${start}-${end - 1}`, `bytes=${start + cut}-${end - 1}`]);
      expect(server.log.map(({ sent }) => sent)).toEqual([cut, end - start - cut]);
    }
  });

  test("many in one run, while its slices are read", async () => {
    const places = cutsOf(0, 30_000, 20, 8);
    const { server, source } = await then(({ index }) => ({ cutAfter: places[index % places.length] + 1 }));
    await readAll(source, FILE, cutsOf(40_000, SIZE, 30), SIZE);
    expect(server.log.length).toBeGreaterThan(10);
    expectNoneTwice(server, 40_000, SIZE);
  });

  test("in the prefix", async () => {
    for (const cut of [1, 40, 47, 48, 87, 88, 5000, PREFIX - 1]) {
      for (const faults of [{}, { total: "*" } as const, { etag: null }]) {
        const server = await served(FILE, ({ index }) => (index < 2 ? { ...faults, cutAfter: cut } : faults));
        const source = await sourceAt(server);
        expectBytes(await source.slice(0, PREFIX), part(0, PREFIX));
        const resumed = [cut, Math.min(2 * cut, PREFIX)].filter((at) => at < PREFIX).map((at) => `bytes=${at}-8191`);
        expect(requestsOf(server)).toEqual(["bytes=0-8191", ...resumed]);
      }
    }
  });

  test("If-Range names the version: a strong ETag, or else the date", async () => {
    const date = "Wed, 21 Oct 2015 07:28:00 GMT";
    const versions: [Faults, string | undefined][] = [
      [{}, '"v1"'],
      [{ etag: '"v2"', lastModified: date }, '"v2"'],
      [{ etag: null, lastModified: date }, date],
      [{ etag: 'W/"v1"', lastModified: date }, date],
      [{ etag: 'W/"v1"' }, undefined],
      [{ etag: null }, undefined],
    ];
    for (const [faults, expected] of versions) {
      const { server, source } = await then(
        ({ index }) => (index < 2 ? { ...faults, cutAfter: 100 } : faults),
        {},
        faults,
      );
      expectBytes(await source.slice(50_000, 60_000), part(50_000, 60_000));
      expect(server.log.map(({ headers }) => headers["if-range"])).toEqual([undefined, expected, expected]);
      expect(server.log.map(({ status }) => status)).toEqual([206, 206, 206]);
    }
  });
});

describe("a file that changes", () => {
  const OTHER = fileOf(SIZE, 2);
  const changes: [string, Faults][] = [
    ["If-Range is answered with all of it", { etag: '"v2"' }],
    ["If-Range is ignored", { etag: '"v2"', ifRange: false }],
    ["there are only weak ETags", { etag: 'W/"v2"' }],
    ["there are only dates", { etag: null, lastModified: "Wed, 21 Oct 2020 07:28:00 GMT" }],
  ];
  const starts: Faults[] = [{}, {}, { etag: 'W/"v1"' }, { etag: null, lastModified: "Wed, 21 Oct 2015 07:28:00 GMT" }];

  test.each(changes.map(([name, faults], i) => [name, faults, starts[i]] as const))(
    "is refused, now and later, if it is another: %s",
    async (_, faults, start) => {
      const { server, source } = await then(
        from(2, { ...faults, bytes: OTHER }, { ...start, cutAfter: 100 }),
        {},
        start,
      );
      const other = source.slice(70_000, 80_000);
      const error = await failureOf(source.slice(50_000, 60_000));
      expect(error).toMatchObject({ name: "LoadError", code: "changed" });
      expect(error.message).toContain(server.url);
      expect(error.message).toContain("open it again");
      expect(await codeOf(other)).toBe("changed");
      expect(await codeOf(source.slice(0, 88))).toBe("changed");
      await server.quiet();
    },
  );

  test.each(changes.map(([name, faults], i) => [name, faults, starts[i]] as const))(
    "is read on if it is the same: %s",
    async (_, faults, start) => {
      const { server, source } = await then(from(2, faults, { ...start, cutAfter: 100 }), {}, start);
      await readAll(source, FILE, cutsOf(40_000, SIZE, 10), SIZE);
      const requests = server.log.length;
      // Compared once: the version is known from now on.
      expectBytes(await source.slice(50_000, 60_000), part(50_000, 60_000));
      expect(server.log.slice(requests).map(({ range, status }) => [range, status])).toEqual([[[50_000, 60_000], 206]]);
      await server.quiet();
    },
  );

  test("while its first bytes come", async () => {
    for (const cut of [20, 88, 1000]) {
      const server = await served(FILE, script({ cutAfter: cut }, { etag: '"v2"', bytes: OTHER }));
      const source = await sourceAt(server);
      expect(await codeOf(source.slice(0, 2000))).toBe("changed");
    }
  });

  test("servers that each have another ETag for the same file will do", async () => {
    const { source } = await then(({ index }) => ({ etag: `"${index}"`, cutAfter: 60_000 }));
    await readAll(source, FILE, cutsOf(40_000, SIZE, 10), SIZE);
  });

  test("a file that is no .quern file is never taken for the same", async () => {
    const plain = FILE.slice();
    plain[0] = 0;
    const server = await served(plain, ({ index }) => ({ etag: `"${index}"` }));
    const source = await sourceAt(server);
    await source.slice(0, PREFIX);
    expect(await codeOf(source.slice(50_000, 60_000))).toBe("changed");
  });
});

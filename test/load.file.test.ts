import { beforeAll, describe, expect, test } from "vitest";
import { FormatError, type Kernels, type LoadError, type LoadProgress, load, loadKernels, open } from "../src/read.ts";
import { counting, modelOf, noise, packed, tensorOf } from "./files.ts";
import { random, weights } from "./helpers.ts";
import { allOf, boundsOf, expectedOf, mixedFile } from "./load.model.ts";
import { codeOf, failureOf, served } from "./load.ts";
import { first, from } from "./server.ts";

// Whole files over real HTTP: order, progress, abort, budget, integrity, damage.

let bytes: Uint8Array<ArrayBuffer>;
let expected: Map<string, Float32Array>;
let bounds: number[];
const request = { backoff: 1 };

beforeAll(async () => {
  bytes = await mixedFile();
  expected = await expectedOf(bytes);
  bounds = await boundsOf(bytes);
});

function same(actual: ReadonlyMap<string, Float32Array>): void {
  expect([...actual.keys()]).toEqual([...expected.keys()]);
  for (const [name, data] of actual) {
    const equal = Buffer.compare(Buffer.from(data.buffer), Buffer.from((expected.get(name) as Float32Array).buffer));
    expect(equal, name).toBe(0);
  }
}

describe("open takes what holds a file", () => {
  test("an address, a URL, an answer, a stream, a Blob, a handle", async () => {
    const server = await served(bytes);
    const handle = { kind: "file", name: "m", getFile: async () => new File([bytes], "m") } as FileSystemFileHandle;
    const inputs = [
      server.url,
      new URL(server.url),
      await fetch(server.url),
      new Blob([bytes]).stream(),
      new Blob([bytes]),
      handle,
    ];
    for (const input of inputs) same(await allOf(await open(input)));
  });

  test("what is none is refused with what would do", async () => {
    for (const input of [null, 5, {}, { byteLength: 3 }]) {
      await expect(open(input as never)).rejects.toThrow(/"input" expected a URL, Response, stream, Blob, bytes/);
    }
  });

  test("the whole file takes three requests at most, and the rest of the first is not lost", async () => {
    const server = await served(bytes);
    same(await allOf(await open(server.url)));
    expect(server.log.length).toBeLessThanOrEqual(3);
    const sent = server.log.reduce((sum, entry) => sum + entry.sent, 0);
    expect(sent).toBe(bytes.length);
  });

  test("of names far apart only their ranges are fetched", async () => {
    const server = await served(bytes);
    const file = await open(server.url);
    const names: string[] = [];
    for await (const { name } of file.stream({ names: ["norm", "b"] })) names.push(name);
    expect(names).toEqual(["b", "norm"]);
    const wanted = file.index
      .filter(({ name }) => names.includes(name))
      .reduce((sum, entry) => sum + entry.storedBytes, 0);
    await server.quiet();
    const sent = server.log.reduce((sum, entry) => sum + entry.sent, 0);
    expect(sent).toBeLessThan(wanted + 3 * 32 * 1024 + file.totals.header);
  });
});

describe("progress", () => {
  test.each([
    ["ranges", {}],
    ["no ranges", { ranges: false }],
    ["gzip", { ranges: false, gzip: true }],
    ["cut connections", first(6, { cutAfter: 70_000 })],
  ])("over %s never goes back and ends at exactly 1", async (_, rule) => {
    const server = await served(bytes, rule);
    const seen: LoadProgress[] = [];
    const file = await open(server.url, { request, onProgress: (progress) => seen.push(progress) });
    expect(seen).toEqual([]);
    same(await allOf(file));
    const keys = ["stored", "verified", "decoded", "tensors"] as const;
    for (const [i, progress] of seen.entries()) {
      const before = seen[i - 1] ?? progress;
      expect(progress.fraction).toBeGreaterThanOrEqual(before.fraction);
      for (const key of keys) {
        expect(progress[key].done).toBeGreaterThanOrEqual(before[key].done);
        expect(progress[key].done).toBeLessThanOrEqual(progress[key].total);
        expect(progress[key].total).toBe(before[key].total);
      }
      expect(progress.verified.done).toBeLessThanOrEqual(progress.stored.done);
    }
    const last = seen.at(-1) as LoadProgress;
    expect(last.fraction).toBe(1);
    for (const key of keys) expect(last[key].done).toBe(last[key].total);
    expect([last.stored.total, last.decoded.total]).toEqual([bytes.length, file.totals.decoded]);
    expect(last.tensors.total).toBe(expected.size);
    // Bytes are told as they arrive, not by the chunk.
    expect(seen.length).toBeGreaterThan(2 * file.totals.chunks);
  });

  test("of some tensors is about these", async () => {
    const file = await open(bytes);
    const seen: LoadProgress[] = [];
    await file.tensor("norm", { onProgress: (progress) => seen.push(progress) });
    expect(seen.at(-1)).toMatchObject({ fraction: 1, tensors: { done: 1, total: 1 } });
    expect(seen.at(-1)?.stored.total).toBeLessThan(file.totals.header + 2000);
  });
});

describe("abort", () => {
  test("at any point ends every request, and rejects with the signal's reason", async () => {
    const next = random(11);
    const unhandled: unknown[] = [];
    const listener = (error: unknown) => unhandled.push(error);
    process.on("unhandledRejection", listener);
    const server = await served(bytes, {}, { rate: 40e6 });
    for (let i = 0; i < 150; i++) {
      const controller = new AbortController();
      const { signal } = controller;
      const reason = new Error(`abort ${i}`);
      setTimeout(() => controller.abort(reason), next() * 40);
      const loading = (async () => allOf(await open(server.url, { signal, request }), signal))();
      const error = await failureOf(loading).catch(() => reason);
      expect(error).toBe(reason);
      controller.abort(reason);
      await server.quiet();
    }
    process.off("unhandledRejection", listener);
    expect(unhandled).toEqual([]);
  }, 60_000);

  test("leaving the loop ends the request", async () => {
    const server = await served(bytes, {}, { rate: 5e6 });
    const file = await open(server.url);
    for await (const { name } of file.stream()) {
      expect(name).toBe("a");
      break;
    }
    await server.quiet();
    expect(server.log.at(-1)?.aborted).toBe(true);
  });

  test("close ends what a server without ranges sends, and later reads reject", async () => {
    const server = await served(bytes, { ranges: false }, { rate: 1e6 });
    const file = await open(server.url);
    expect(server.open()).toBe(1);
    file.close();
    await server.quiet();
    await expect(file.tensor("b")).rejects.toThrow(/closed/);
  });

  test("one of two callers who wait for a chunk that tensors share may stop", async () => {
    const server = await served(bytes, { latency: 30 });
    const file = await open(server.url);
    const controller = new AbortController();
    const stopped = file.tensor("bias", { signal: controller.signal });
    const goesOn = file.tensor("norm");
    controller.abort(new Error("enough"));
    await expect(stopped).rejects.toThrow("enough");
    expect((await goesOn).data).toEqual(expected.get("norm"));
  });
});

describe("budget", () => {
  test("what does not fit is refused before it is downloaded, with what it needs", async () => {
    const server = await served(bytes);
    const refused = (await failureOf(open(server.url, { budget: 1e6 }))) as LoadError;
    expect(refused.code).toBe("budget");
    const { peak } = (await open(server.url)).totals;
    expect(refused.message).toContain(`up to ${peak} bytes`);
    const budget = peak + 4 * 64;
    const file = await open(server.url, { budget });
    expect((await file.tensor("bias")).data).toEqual(expected.get("bias"));
    await server.quiet();
    server.log.length = 0;
    const why = `reading a takes up to ${peak + 4 * 600_000} bytes of memory, more than the budget of ${budget}`;
    await expect(file.tensor("a")).rejects.toThrow(why);
    expect(await codeOf(allOf(file))).toBe("budget");
    expect(server.log).toEqual([]);
    // Memory that the caller has already is not counted.
    const into = new Float32Array(600_000);
    expect((await file.tensor("a", { into })).data).toBe(into);
    const all = [...expected.values()].reduce((sum, { length }) => sum + 4 * length, peak);
    expect(await codeOf(load(server.url, { budget: all - 1 }))).toBe("budget");
    expect((await load(server.url, { budget: all })).size).toBe(expected.size);
  });

  test("what has been asked for and is not verified yet never takes more than was told", async () => {
    const kernels = await loadKernels({ encode: false });
    const { largestStored } = (await open(bytes)).totals;
    // Chunks of that size fill none of these windows exactly.
    for (const window of [1, Math.round(1.5 * largestStored), Math.round(2.5 * largestStored)]) {
      let [asked, verified, most] = [0, 0, 0];
      const slice = async (start: number, end: number) => {
        asked += end - start;
        most = Math.max(most, asked - verified);
        return bytes.subarray(start, end);
      };
      const file = await open({ byteLength: bytes.length, slice }, { kernels, window });
      const { header, peak } = file.totals;
      const onProgress = (progress: LoadProgress) => {
        verified = progress.verified.done;
      };
      verified = header;
      most = 0;
      for await (const _ of file.stream({ onProgress }));
      expect(most).toBeGreaterThanOrEqual(Math.min(window, largestStored));
      expect(most, `window ${window}`).toBeLessThanOrEqual(peak - header - kernels.bytes().length);
    }
  });
});

describe("integrity", () => {
  test("another file than the one that was named is refused before its header is read", async () => {
    const { integrity } = await open(bytes);
    expect(integrity).toMatch(/^sha256-[A-Za-z0-9+/]{43}=$/);
    same(await allOf(await open(bytes, { integrity })));
    const source = counting(bytes);
    const other = integrity.replace(/-./, integrity[7] === "A" ? "-B" : "-A");
    await expect(open(source, { integrity: other })).rejects.toMatchObject({
      code: "integrity",
      offset: 56,
      actual: integrity,
    });
    expect(source.ranges).toEqual([[0, 88]]);
    await expect(open(bytes, { integrity: "sha384-x" })).rejects.toThrow(/"integrity" expected sha256- and 44 digits/);
  });

  test("a chunk that was forged with its XXH64 is found by its SHA-256", async () => {
    const { integrity } = await open(bytes);
    const [start, end] = bounds.slice(2, 4) as [number, number];
    const forged = bytes.slice();
    forged[start + 900] ^= 1;
    // As if someone had made bytes with the XXH64 of others, which is not hard: it is that of the bytes without the change.
    const real = await loadKernels({ encode: false });
    const xxh64 = (src: number, n: number, dst: number): number => {
      const memory = real.bytes();
      const hit = n === end - start;
      if (hit) memory[src + 900] ^= 1;
      const result = real.run.xxh64(src, n, dst);
      if (hit) memory[src + 900] ^= 1;
      return result;
    };
    const kernels: Kernels = { ...real, run: { ...real.run, xxh64 } };
    await expect(allOf(await open(forged, { integrity, kernels }))).rejects.toMatchObject({
      code: "checksum",
      offset: start,
      expected: expect.stringMatching(/^SHA-256 /),
    });
  });
});

describe("damage", () => {
  test("a chunk that arrives damaged is fetched once more", async () => {
    const at = (bounds[2] as number) + 5000;
    // The rest of the file with a bit flipped, the chunk alone without.
    const server = await served(bytes, ({ range }) => (range && range[1] - range[0] > 100_000 ? { flip: at } : {}));
    same(await allOf(await open(server.url)));
    const again = server.log.filter(({ range }) => range?.[0] === bounds[2]);
    expect(again.map(({ range }) => range)).toEqual([[bounds[2], bounds[3]]]);
  });

  test("a chunk that stays damaged is named, and asked for twice", async () => {
    const at = (bounds[2] as number) + 5000;
    const server = await served(bytes, { flip: at });
    const error = (await failureOf(open(server.url).then((file) => allOf(file)))) as FormatError;
    expect(error).toBeInstanceOf(FormatError);
    expect(error).toMatchObject({ code: "checksum", offset: bounds[2], field: 'chunk 2 of tensor "a"' });
    expect(server.log.filter(({ range }) => range?.[0] === bounds[2])).toHaveLength(1);
  });

  test("of a stream it cannot be fetched again", async () => {
    const damaged = bytes.slice();
    damaged[(bounds[2] as number) + 5000] ^= 8;
    const file = await open(new Blob([damaged]).stream());
    await expect(allOf(file)).rejects.toMatchObject({ code: "checksum", offset: bounds[2] });
  });

  test("10,000 changes of a byte are all found before use, each in the right place", async () => {
    const next = random(5);
    const kernels = await loadKernels({ encode: false });
    const tensors = ["q", "k", "v", "o"].map((name, i) => tensorOf(name, "F32", [8, 300], weights(2400, i)));
    const small = (await packed(modelOf([...tensors, noise("ids", "I32", [40])]), "int8 channel > auto")).bytes;
    const places = await boundsOf(small);
    for (let i = 0; i < 10_000; i++) {
      const at = Math.floor(next() * small.length);
      const was = small[at] as number;
      small[at] = was ^ (1 + Math.floor(next() * 255));
      const error = (await failureOf(open(small, { kernels }).then((file) => allOf(file)))) as FormatError;
      expect(error, `byte ${at}`).toBeInstanceOf(FormatError);
      if (at >= (places[0] as number)) {
        const chunk = places.findLast((place) => place <= at);
        expect([error.code, error.offset], `byte ${at}`).toEqual(["checksum", chunk]);
      }
      small[at] = was;
    }
  }, 120_000);
});

describe("a file that changes", () => {
  test("load begins anew with the one that is there now", async () => {
    const other = bytes.slice();
    const { bytes: others } = await packed((await open(other)).model(), "int4 group 32 > auto");
    const rule = from(1, { bytes: others, etag: '"v2"' });
    const server = await served(bytes, rule, { rate: 60e6 });
    const fractions: number[] = [];
    const loaded = await load(server.url, { request, onProgress: ({ fraction }) => fractions.push(fraction) });
    const wanted = await expectedOf(others);
    for (const [name, { data }] of loaded)
      expect(Buffer.compare(Buffer.from(data.buffer), Buffer.from((wanted.get(name) as Float32Array).buffer))).toBe(0);
    expect(fractions).toEqual([...fractions].sort((a, b) => a - b));
    expect(fractions.at(-1)).toBe(1);
  });

  test("an open file says so", async () => {
    const { bytes: others } = await packed((await open(bytes)).model(), "int4 group 32 > auto");
    const server = await served(bytes);
    const file = await open(server.url, { request });
    server.rule = { bytes: others, etag: '"v2"' };
    expect(await codeOf(file.tensor("norm"))).toBe("changed");
  });
});

describe("into the caller's memory", () => {
  test("of a heap that moves while it is written", async () => {
    const memory = new WebAssembly.Memory({ initial: 60 });
    const places = new Map<string, number>();
    let end = 64;
    const file = await open(bytes);
    for (const { name, elements } of file.index) {
      places.set(name, end);
      end += 4 * elements;
    }
    memory.grow(Math.ceil(end / 65536));
    let calls = 0;
    const into = ({ name, shape }: { name: string; shape: readonly number[] }) => {
      // Growing detaches every view that was made before.
      if (calls++ % 2 === 0) memory.grow(1);
      return new Float32Array(
        memory.buffer,
        places.get(name),
        shape.reduce((a, b) => a * b, 1),
      );
    };
    for await (const _ of file.stream({ into }));
    for (const [name, data] of expected) {
      const written = Buffer.from(memory.buffer, places.get(name), 4 * data.length);
      expect(written.equals(Buffer.from(data.buffer)), name).toBe(true);
    }
  });

  test("of another size is refused", async () => {
    const file = await open(bytes);
    await expect(file.tensor("b", { into: new Float32Array(5) })).rejects.toThrow(
      /"into" expected 36864 elements, got 5/,
    );
    await expect(file.tensor("b", { into: () => new Float32Array(5) })).rejects.toThrow(/"into" expected 36864/);
  });
});

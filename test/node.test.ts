import { mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, test } from "vitest";
import { type Model, memorySink, open, pack, verify } from "../src/index.ts";
import { fileSink, fileSource } from "../src/node.ts";
import { modelOf, noise, packed, SIMD, tensorOf } from "./files.ts";
import { expectSame, weights } from "./helpers.ts";

const PLAN = "int8 channel > auto";

function mixed(): Model {
  return modelOf([tensorOf("w", "F32", [32, 64], weights(2048, 2)), noise("b", "F32", [32])], { task: "test" });
}

describe("files", () => {
  const folder = mkdtemp(join(tmpdir(), "quern-"));
  afterAll(async () => rm(await folder, { recursive: true }));
  const entries = async () => (await readdir(await folder)).sort();

  test("appear under their name only when they are whole", async () => {
    const path = join(await folder, "model.quern");
    await writeFile(path, "before");
    const sink = await fileSink(path);
    const seen: string[] = [];
    const watching = { ...sink, close: async () => seen.push(await readFile(path, "latin1"), ...(await entries())) };
    await pack(mixed(), PLAN, watching as never, { kernels: SIMD });
    expect(seen[0]).toBe("before");
    expect(seen).toHaveLength(3);
    await sink.close();
    await sink.discard();
    expect(await entries()).toEqual(["model.quern"]);
    expectSame(await readFile(path), (await packed(mixed(), PLAN)).bytes);
    const source = await fileSource(path);
    expect((await verify(await open(source))).chunks).toBe(2);
    expectSame(await source.slice(3, 9), (await readFile(path)).subarray(3, 9));
    await source.close();
    await rm(path);
  });

  test("leave nothing behind when packing is stopped", async () => {
    const sink = await fileSink(join(await folder, "stopped.quern"));
    const bad = modelOf([
      noise("fine", "U8", [70_000]),
      tensorOf("bad", "F32", [40, 40], new Float32Array(1600).fill(NaN)),
    ]);
    await expect(pack(bad, PLAN, sink, { kernels: SIMD })).rejects.toThrow(/"bad"/);
    expect(await entries()).toHaveLength(1);
    await sink.discard();
    await sink.discard();
    expect(await entries()).toEqual([]);
  });

  test("say what they miss", async () => {
    await expect(fileSource(join(await folder, "missing"))).rejects.toThrow(/ENOENT/);
    await expect(fileSink(join(await folder, "missing", "model"))).rejects.toThrow(/ENOENT/);
    const path = join(await folder, "shrinking");
    await writeFile(path, (await packed(mixed(), PLAN)).bytes);
    const source = await fileSource(path);
    const file = await open(source);
    await writeFile(path, (await readFile(path)).subarray(0, -9));
    await expect(verify(file)).rejects.toThrow(/source gave/);
    await source.close();
    await rm(path);
  });
});

test("a sink in memory takes writes in any order", async () => {
  const sink = memorySink();
  await sink.write(Uint8Array.of(4, 5), 6000);
  await sink.write(Uint8Array.of(1, 2, 3), 0);
  const expected = new Uint8Array(6002);
  expected.set([1, 2, 3]);
  expected.set([4, 5], 6000);
  expectSame(sink.bytes(), expected);
});

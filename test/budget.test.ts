import { describe, expect, test } from "vitest";
import { diffModels, type Model, open } from "../src/index.ts";
import { modelOf, packed, tensorOf } from "./files.ts";
import { weights } from "./helpers.ts";

// A size for the whole file: kept, used up, and spent with less error than evenly.

function layers(): Model {
  const shapes: [string, number[], number][] = [
    ["a", [60, 300], 1],
    ["a.bias", [60], 0.1],
    ["b", [40, 20, 3, 3], 8],
    ["b.bias", [40], 0.1],
    ["c", [100, 120], 0.05],
    ["zeros", [40, 50], 0],
  ];
  return modelOf(
    shapes.map(([name, shape, factor], i) => {
      const n = shape.reduce((x, y) => x * y);
      return tensorOf(
        name,
        "F32",
        shape,
        weights(n, i + 1).map((x) => factor * x),
      );
    }),
  );
}

const ELEMENTS = 60 * 300 + 60 + 40 * 180 + 40 + 12000 + 2000;

async function errors(model: Model, bytes: Uint8Array) {
  return diffModels(model, (await open(bytes)).model("f32"));
}

describe("a budget", () => {
  test.each([9000, 16000, 25000, 40000])("of %d bytes is kept, and nearly used up", async (bytes) => {
    const { bytes: file, report } = await packed(layers(), "int8 > auto", { budget: { bytes } });
    expect(report.fileBytes).toBe(file.length);
    expect(file.length).toBeLessThanOrEqual(bytes);
    expect(file.length).toBeGreaterThan(0.985 * bytes);
  });

  test("of any size above the least is met, however small the model", async () => {
    const model = modelOf([
      tensorOf("a", "F32", [64, 96], weights(64 * 96, 1)),
      tensorOf("b", "F32", [64], weights(64, 2)),
    ]);
    for (const bytes of [1164, 1500, 2222, 3333, 4399, 5555]) {
      const { bytes: file } = await packed(model, "int8 > auto", { budget: { bytes } });
      expect(file.length).toBeLessThanOrEqual(bytes);
      expect(file.length).toBeGreaterThan(0.97 * bytes);
    }
  });

  test("of bits is one of bytes", async () => {
    const { bytes: file } = await packed(layers(), "int8 > auto", { budget: { bits: 4 } });
    expect(8 * file.length).toBeLessThanOrEqual(4 * ELEMENTS);
    expect(8 * file.length).toBeGreaterThan(3.94 * ELEMENTS);
  });

  test("does better than as many bits for every tensor", async () => {
    const even = await packed(layers(), "int8 bits 3.5 > auto");
    const spent = await packed(layers(), "int8 > auto", { budget: { bytes: even.bytes.length } });
    const [a, b] = [await errors(layers(), even.bytes), await errors(layers(), spent.bytes)];
    expect(b.total.snr).toBeGreaterThan(a.total.snr + 1);
  });

  test("says in the plans what it came to, which gives the same file without it", async () => {
    const spent = await packed(layers(), "int8 > auto", { budget: { bytes: 16000 } });
    const file = await open(spent.bytes);
    const plans = new Map(file.index.map(({ name, plan }) => [name, plan]));
    expect(plans.get("a")).toMatch(/^int(8|16) tensor step \S+ > auto$/);
    expect(plans.get("a.bias")).toBe("lossless");
    const rules = [...plans].map(([name, plan]) => `${name}=${plan}`).join("; ");
    const again = await packed(layers(), `${rules}; raw`);
    for (const name of plans.keys()) {
      const { data } = await (await open(again.bytes)).tensor(name);
      expect(data).toEqual((await file.tensor(name)).data);
    }
  });

  test("counts an error in an important tensor more", async () => {
    const importance = (name: string) => (name === "c" ? 1e4 : 1);
    const plain = await packed(layers(), "int8 > auto", { budget: { bytes: 16000 } });
    const shifted = await packed(layers(), "int8 > auto", { budget: { bytes: 16000, importance } });
    const [a, b] = [await errors(layers(), plain.bytes), await errors(layers(), shifted.bytes)];
    const snr = (diff: typeof a, name: string) => diff.tensors.find((tensor) => tensor.name === name)?.snr ?? 0;
    expect(snr(b, "c")).toBeGreaterThan(snr(a, "c") + 6);
    expect(snr(b, "b")).toBeLessThan(snr(a, "b"));
  });

  test("that is large leaves tensors without loss", async () => {
    const { bytes } = await packed(layers(), "int8 > auto", { budget: { bytes: 1e6 } });
    expect((await errors(layers(), bytes)).total.maxAbs).toBe(0);
    const plans = (await open(bytes)).index.map(({ plan }) => plan);
    // Zeros cost nothing either way.
    expect(plans).toEqual([...Array(5).fill("lossless"), expect.stringMatching(/^int8 tensor step \S+ > auto$/)]);
  });

  test("reports both phases, each to its end", async () => {
    const phases = new Map<string, number>();
    const onProgress = ({ phase, done, total }: { phase: string; done: number; total: number }) => {
      expect(done).toBeLessThanOrEqual(total);
      phases.set(phase, done / total);
    };
    await packed(layers(), "int8 > auto", { budget: { bytes: 16000 }, onProgress });
    expect([...phases]).toEqual([
      ["choosing", 1],
      ["packing", 1],
    ]);
  });

  test("stops when told", async () => {
    const controller = new AbortController();
    const onProgress = () => controller.abort(new Error("enough"));
    const budget = { bytes: 16000 };
    await expect(packed(layers(), "int8 > auto", { budget, onProgress, signal: controller.signal })).rejects.toThrow(
      "enough",
    );
  });

  test.each<[string, string, object, string]>([
    ["too small", "int8 > auto", { bytes: 300 }, "too small"],
    ["zero", "int8 > auto", { bytes: 0 }, "above 0"],
    ["neither", "int8 > auto", {}, "either bytes or bits"],
    ["both", "int8 > auto", { bytes: 9000, bits: 3 }, "either bytes or bits"],
    ["for nothing", "lossless", { bytes: 9000 }, "there are none"],
    ["for int4", "int4 > auto", { bytes: 9000 }, "there are none"],
    ["of no importance", "int8 > auto", { bytes: 9000, importance: () => 0 }, "importance"],
  ])("that is %s is refused", async (_, plan, budget, why) => {
    await expect(packed(layers(), plan, { budget })).rejects.toThrow(why);
  });
});

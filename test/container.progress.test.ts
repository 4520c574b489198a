import { describe, expect, test } from "vitest";
import { open, type Progress, verify } from "../src/index.ts";
import { modelOf, noise, packed, tensorOf } from "./files.ts";
import { weights } from "./helpers.ts";

const PLAN = "int8 channel > auto";

describe("progress and cancelling", () => {
  const model = modelOf([tensorOf("a", "F32", [2, 400_000], weights(800_000, 1)), noise("b", "I16", [9])]);

  test("progress grows to the total, which is the source's size", async () => {
    const steps: Progress[] = [];
    const { report } = await packed(model, PLAN, { onProgress: (step) => steps.push(step) });
    const done = steps.map((step) => step.done);
    expect(done).toEqual([...done].sort((a, b) => a - b));
    expect(steps.at(-1)).toEqual({
      phase: "packing",
      tensor: "b",
      done: report.sourceBytes,
      total: report.sourceBytes,
    });
    expect(steps.filter(({ tensor }) => tensor === "a").length).toBeGreaterThan(2);
  });

  test("a signal stops pack with its reason, before or while it runs", async () => {
    const early = AbortSignal.abort(new Error("not at all"));
    await expect(packed(model, PLAN, { signal: early })).rejects.toThrow("not at all");
    for (let at = 1; at <= 4; at++) {
      const controller = new AbortController();
      let steps = 0;
      const onProgress = () => {
        if (++steps === at) controller.abort(new Error("enough"));
      };
      await expect(packed(model, PLAN, { signal: controller.signal, onProgress })).rejects.toThrow("enough");
      expect(steps).toBe(at);
    }
  });

  test("a signal stops open, tensor, stream and verify", async () => {
    const { bytes } = await packed(model, PLAN);
    const signal = AbortSignal.abort(new Error("no more"));
    await expect(open(bytes, { signal })).rejects.toThrow("no more");
    const file = await open(bytes);
    await expect(file.tensor("a", { signal })).rejects.toThrow("no more");
    await expect(verify(file, { signal })).rejects.toThrow("no more");
    const controller = new AbortController();
    const stream = file.stream({ signal: controller.signal });
    expect((await stream.next()).value?.name).toBe("a");
    controller.abort(new Error("no more"));
    await expect(stream.next()).rejects.toThrow("no more");
  });
});

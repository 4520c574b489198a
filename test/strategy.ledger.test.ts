import { describe, expect, test } from "vitest";
import { DataError } from "../src/index.ts";
import { memoryLedger, memoryPlace, openLedger } from "../src/strategy/ledger.ts";

const HEAD = { model: "0123", seed: 1, goal: "size" };

async function filled(): Promise<string> {
  const kept = memoryPlace();
  const ledger = await openLedger(kept, HEAD);
  await ledger.recall("trial", "int8 channel > auto", async () => ({ loss: 0.5, bytes: 100 }));
  await ledger.recall("trial", "q=int4; lossless", async () => ({ loss: Number.POSITIVE_INFINITY, bytes: 50 }));
  await ledger.recall("cell", "a int8", async () => 0.25);
  return kept.text as string;
}

const never = async (): Promise<never> => {
  throw new Error("it was known");
};

describe("a ledger", () => {
  test("is lines of JSON, the first what it is of, each written when its figure came", async () => {
    const lines = (await filled()).split("\n");
    expect(lines.length).toBe(5);
    expect(JSON.parse(lines[0])).toEqual({ quern: "ledger", version: 1, ...HEAD });
    expect(JSON.parse(lines[3])).toEqual({ kind: "cell", key: "a int8", value: 0.25 });
    expect(lines[4]).toBe("");
    expect(await filled()).toBe(await filled());
  });

  test("gives back what it knows, infinity too, and makes nothing anew", async () => {
    const kept = memoryPlace(await filled());
    const ledger = await openLedger(kept, HEAD);
    expect(ledger).toMatchObject({ known: 3, made: 0 });
    expect(ledger.has("cell", "a int8")).toBe(true);
    expect(ledger.has("trial", "a int8")).toBe(false);
    expect(await ledger.recall("trial", "q=int4; lossless", never)).toEqual({
      loss: Number.POSITIVE_INFINITY,
      bytes: 50,
    });
    expect(await ledger.recall("cell", "b int8", async () => 2)).toBe(2);
    expect(ledger.made).toBe(1);
    expect(kept.text?.endsWith('{"kind":"cell","key":"b int8","value":2}\n')).toBe(true);
  });

  test("leaves out a last line that is torn, wherever it is torn", async () => {
    const text = await filled();
    for (let length = 0; length < text.length; length++) {
      const kept = memoryPlace(text.slice(0, length));
      const ledger = await openLedger(kept, HEAD);
      const ends = text.slice(0, length).split("\n").length - 1;
      expect(ledger.known).toBe(Math.max(ends - 1, 0));
      await ledger.recall("trial", "int8 channel > auto", async () => ({ loss: 0.5, bytes: 100 }));
      await ledger.recall("trial", "q=int4; lossless", async () => ({ loss: Number.POSITIVE_INFINITY, bytes: 50 }));
      await ledger.recall("cell", "a int8", async () => 0.25);
      expect(kept.text).toBe(text);
    }
  });

  test("of another run is refused with what differs", async () => {
    const kept = memoryPlace(await filled());
    const opening = openLedger(kept, { ...HEAD, seed: 2, samples: 9 });
    await expect(opening).rejects.toThrow(DataError);
    await expect(opening).rejects.toThrow("another run: seed was 1 and is 2; samples was nothing and is 9");
    expect(kept.text).toBe(await filled());
  });

  test.each([
    ["{}\n", "line 1: expected a ledger of quern"],
    ["x,y\n", "line 1: expected an object of JSON"],
    ['{"quern":"ledger","version":2}\n', "version: expected 1, got 2"],
    [`${JSON.stringify({ quern: "ledger", version: 1, ...HEAD })}\n[1]\n`, "line 2: expected kind, key and value"],
    [`${JSON.stringify({ quern: "ledger", version: 1, ...HEAD })}\n}{\n`, "line 2: expected an object of JSON"],
  ])("%j is refused", async (text, message) => {
    const opening = openLedger(memoryPlace(text), HEAD);
    await expect(opening).rejects.toThrow(DataError);
    await expect(opening).rejects.toThrow(message);
  });

  test("what fails is not known", async () => {
    const ledger = memoryLedger();
    await expect(ledger.recall("trial", "a", async () => Promise.reject(new Error("no")))).rejects.toThrow("no");
    expect(await ledger.recall("trial", "a", async () => 1)).toBe(1);
  });

  test("knows tensors of any name, and no values that cannot be", async () => {
    const kept = memoryPlace();
    const ledger = await openLedger(kept, HEAD);
    await ledger.recall("rms", "infinite", async () => 0.5);
    await ledger.recall("bytes", "a", async () => null);
    const again = await openLedger(kept, HEAD);
    expect(await again.recall("rms", "infinite", never)).toBe(0.5);
    expect(await again.recall("bytes", "a", never)).toBeNull();
    const values = ["null", '"x"', "-1", "{}", "[]", "true"];
    const lines = [
      ...values.map((value) => `{"kind":"all","key":"a","value":${value}}`),
      ...values.slice(1).map((value) => `{"kind":"bytes","key":"a","value":${value}}`),
      ...["5", "null", '{"loss":"abc","bytes":1}', '{"loss":1,"bytes":null}'].map(
        (value) => `{"kind":"trial","key":"a","value":${value}}`,
      ),
    ];
    for (const line of lines)
      await expect(openLedger(memoryPlace(`${await filled()}${line}\n`), HEAD)).rejects.toThrow(/line 5: expected/);
  });

  test("takes the place of nothing that is no ledger", async () => {
    const texts = [
      '{"my":"settings"}',
      "notes",
      '{"quern":"ledger","version":1,"model":"0123","seed":2,"goal":"size"}',
    ];
    for (const text of texts) {
      const kept = memoryPlace(text);
      await expect(openLedger(kept, HEAD)).rejects.toThrow(DataError);
      expect(kept.text).toBe(text);
    }
  });
});

import { describe, expect, test } from "vitest";
import type { Interval } from "../src/latency/interval.ts";
import { parseCandidate } from "../src/strategy/candidate.ts";
import type { Goal, Limits } from "../src/strategy/job.ts";
import { metBy, misses, missesAll } from "../src/strategy/limits.ts";
import type { Priced } from "../src/strategy/price.ts";
import type { Priority } from "../src/strategy/priority.ts";
import { rank, whyBehind } from "../src/strategy/select.ts";
import { described } from "./strategy.chain.ts";

// Candidates in their order, by figures that are made up.

const interval = (ms: number, off = 0.1): Interval => ({ ms, low: ms * (1 - off), high: ms * (1 + off) });

interface Made {
  readonly ms?: number;
  readonly off?: number;
  readonly bytes?: number;
  readonly load?: number | null;
  readonly memory?: number;
}

function priced(text: string, { ms = 10, off, bytes = 1000, load = 50, memory = 5000 }: Made = {}): Priced {
  const candidate = parseCandidate(text);
  const loading = load === null ? null : { ...interval(load), known: 1, first: interval(load / 2), memory };
  return { candidate, text, latency: { ...interval(ms, off), known: 0.5 }, load: loading, bytes, memory };
}

const PRIORITY: Priority = [
  { match: { format: ["int8"] }, reason: "eight before four" },
  { match: { scales: ["channel"] }, reason: "channels before one for all" },
];

const texts = (all: readonly Priced[]): string[] => all.map(({ text }) => text);

async function order(all: readonly Priced[], goal: Goal, limits: Limits = {}) {
  return rank(all, { goal, limits, priority: PRIORITY, description: await described() });
}

describe("the order of candidates", () => {
  const quick = priced("int4 tensor > auto", { ms: 10, bytes: 500, load: 20 });
  const tied = priced("int8 channel > auto", { ms: 10.25, bytes: 900, load: 60 });
  const slow = priced("int8 tensor > auto", { ms: 20, bytes: 800, load: 40 });
  const late = priced("lossless", { ms: 40, bytes: 4000, load: 100 });

  test("is that of latency; intervals that overlap with the first one's are ties, which the list of priorities breaks", async () => {
    const { ranked, excluded } = await order([late, slow, quick, tied], "latency");
    expect(texts(ranked)).toEqual(texts([tied, quick, slow, late]));
    expect(excluded).toEqual([]);
  });

  test("is the same however candidates come", async () => {
    const expected = texts((await order([late, slow, quick, tied], "latency")).ranked);
    for (const all of [
      [quick, tied, slow, late],
      [tied, late, quick, slow],
    ])
      expect(texts((await order(all, "latency")).ranked)).toEqual(expected);
  });

  test("an interval that overlaps with a tie and not with the first is no tie: chains do not make everything equal", async () => {
    const chain = [10, 10.25, 10.55, 10.9].map((ms, i) => priced(`prune 0.${i + 1} > int4 tensor > auto`, { ms }));
    const last = priced("int8 channel > auto", { ms: 10.54 });
    const { ranked } = await order([...chain, last], "latency");
    expect(texts(ranked).indexOf(last.text)).toBe(2);
  });

  test("a candidate that is slower by more than 3 % is no tie, however wide the intervals are", async () => {
    const [fast, near, far] = [10, 10.3, 10.4].map((ms, i) =>
      priced(i === 0 ? "int4 tensor > auto" : `small ${i}=lossless; int8 channel > auto`, { ms, off: 0.5 }),
    ) as [Priced, Priced, Priced];
    expect(texts((await order([far, fast, near], "latency")).ranked)).toEqual(texts([near, fast, far]));
  });

  test("has candidates whose time is no number, and ends", async () => {
    const all = ["int8 channel > auto", "int4 channel > auto"].map((text) => priced(text, { ms: Number.NaN }));
    expect(texts((await order(all, "latency")).ranked).sort()).toEqual(texts(all).sort());
  });

  test("is that of bytes, which have no interval, or of loading", async () => {
    expect(texts((await order([late, slow, quick, tied], "size")).ranked)).toEqual(texts([quick, slow, tied, late]));
    expect(texts((await order([late, slow, quick, tied], "load")).ranked)).toEqual(texts([quick, slow, tied, late]));
  });

  test("has no candidate that cannot meet a limit, and says by how much", async () => {
    const limits = { bytes: 850, latency: 19, memory: 6000, loss: 0.01 };
    const { ranked, excluded } = await order([late, slow, quick, tied], "latency", limits);
    // 20 ms may be 18.
    expect(texts(ranked)).toEqual(texts([quick, slow]));
    expect(excluded).toEqual([
      { candidate: late.text, reason: "its file takes 4,000 bytes, and the limit is 850 bytes" },
      { candidate: tied.text, reason: "its file takes 900 bytes, and the limit is 850 bytes" },
    ]);
    const some = await order([late, quick], "size", { latency: 12 });
    expect(some.excluded).toEqual([
      { candidate: late.text, reason: "its latency is at least 36 ms, and the limit is 12 ms" },
    ]);
  });

  test("has all of them where none can, the nearest to the limits first", async () => {
    const { ranked, excluded } = await order([late, slow, quick, tied], "latency", { bytes: 400 });
    expect(texts(ranked)).toEqual(texts([quick, slow, tied, late]));
    expect(excluded).toEqual([]);
  });

  test("why one is behind another: by how much, or what the list says", async () => {
    const rules = { goal: "latency", limits: {}, priority: PRIORITY, description: await described() } as const;
    expect(whyBehind(tied, quick, rules)).toBe(
      'as good as "int8 channel > auto" by latency, which goes first: eight before four',
    );
    expect(whyBehind(quick, late, rules)).toBe('its latency is 40 ms, and that of "int4 tensor > auto" is 10 ms');
    expect(whyBehind(quick, late, { ...rules, goal: "size" })).toContain("4,000 bytes");
  });
});

describe("limits", () => {
  const one = { ...priced("lossless", { ms: 10, bytes: 1000, memory: 5000 }), loss: 0.02 };

  test("are met or missed by a share of them", () => {
    expect(misses(one, { bytes: 800 }, "bytes")).toBeCloseTo(0.25);
    expect(misses(one, { loss: 0.02, bytes: 1000, latency: 10, memory: 5000 }, "loss")).toBe(0);
    expect(missesAll(one, { loss: 0.02, bytes: 1000, latency: 10, memory: 5000 })).toBe(0);
    expect(missesAll(one, { loss: 0.01, latency: 5 })).toBeCloseTo(2);
    expect(missesAll(one, {})).toBe(0);
  });

  test("are told with what was got; an infinite loss misses any, and is null", () => {
    expect(metBy(one, { loss: 0.03, bytes: 999 })).toEqual([
      { limit: "loss", asked: 0.03, got: 0.02, ok: true },
      { limit: "bytes", asked: 999, got: 1000, ok: false },
    ]);
    const broken = { ...one, loss: Number.POSITIVE_INFINITY };
    expect(metBy(broken, { loss: 0.03 })).toEqual([{ limit: "loss", asked: 0.03, got: null, ok: false }]);
    expect(missesAll(broken, { loss: 0 })).toBeGreaterThan(missesAll(one, { loss: 1e-6 }));
  });
});

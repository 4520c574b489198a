import { describe, expect, test } from "vitest";
import { DataError } from "../src/errors.ts";
import { settled } from "../src/measure/loop.ts";
import type { OpenUnit } from "../src/measure/unit.ts";
import { timeInVisits } from "../src/measure/visits.ts";

// A machine whose time is made.

function machine() {
  const on = { time: 0, opened: [] as string[], now: () => on.time, resolution: 2 ** -20 };
  const task = (ms: number | (() => number)) => async () => {
    on.time += typeof ms === "number" ? ms : ms();
  };
  const model = (name: string, ms: () => number) => async (): Promise<OpenUnit> => {
    on.opened.push(name);
    return { copies: 1, run: task(ms()), base: null, close: () => void on.opened.push(`-${name}`) };
  };
  return { on, task, model };
}

describe("visits", () => {
  test("open each in turn, and close it before the next", async () => {
    const { on, task, model } = machine();
    const reference = { run: task(2), ms: 2 };
    const opens = [model("a", () => 3), model("b", () => 5)];
    const times = await timeInVisits(opens, { reference, clock: on, visits: 2, each: 10 });
    expect(on.opened).toEqual(["a", "-a", "b", "-b", "a", "-a", "b", "-b"]);
    expect(times).toEqual([
      { ms: 3, low: 3, high: 3 },
      { ms: 5, low: 5, high: 5 },
    ]);
  });

  test("are told by their middle, between the least and the most", async () => {
    const { on, task, model } = machine();
    const each = [4, 3, 9, 5];
    const [time] = await timeInVisits([model("a", () => each.shift() as number)], {
      ...{ reference: { run: task(2), ms: 2 }, clock: on, each: 10 },
    });
    expect(time).toEqual({ ms: 4.5, low: 3, high: 9 });
  });

  test("are of a machine on which the reference takes what it is said to", async () => {
    const { on, task, model } = machine();
    const reference = { run: task(4), ms: 2 };
    const [time] = await timeInVisits([model("a", () => 6)], { reference, clock: on, visits: 1, each: 10 });
    expect(time?.ms).toBe(3);
  });

  test("that were disturbed do not count where others were not, and are made up for", async () => {
    const { on, task, model } = machine();
    let slow = false;
    const reference = { ms: 2, run: () => task(slow ? 4 : 2)() };
    const visited = model("a", () => 6);
    let visit = 0;
    const open = async () => {
      // The first three of four, at first.
      slow = visit++ < 3;
      return visited();
    };
    const [time] = await timeInVisits([open], { reference, clock: on, each: 10 });
    expect(time).toEqual({ ms: 6, low: 6, high: 6 });
    expect(visit).toBe(5);
  });

  test("tell how far they are, and find no time where there is no model", async () => {
    const { on, task, model } = machine();
    const told: [number, number][] = [];
    const opens = [async () => null, model("a", () => 6)];
    const times = await timeInVisits(opens, {
      ...{ reference: { run: task(2), ms: 2 }, clock: on, visits: 2, each: 10 },
      onVisit: (done, total) => void told.push([done, total]),
    });
    expect(times[0]).toBeNull();
    expect(times[1]?.ms).toBe(6);
    expect(told).toEqual([0, 1, 3].map((done) => [done, 4]));
  });

  test("are told by no reference that takes something else altogether", async () => {
    const { on, task, model } = machine();
    for (const ms of [0.1, 1e9]) {
      const timing = timeInVisits([model("a", () => 3)], { reference: { run: task(2), ms }, clock: on });
      await expect(timing).rejects.toThrow(DataError);
    }
    expect(on.opened).toEqual([]);
  });

  test("close what is open when they are cancelled", async () => {
    const { on, task, model } = machine();
    const control = new AbortController();
    const stopping = model("a", () => {
      control.abort(new Error("enough"));
      return 6;
    });
    const reference = { run: task(2), ms: 2 };
    await expect(timeInVisits([stopping], { reference, clock: on, signal: control.signal })).rejects.toThrow("enough");
    expect(on.opened).toEqual(["a", "-a"]);
  });
});

describe("a reference", () => {
  test("is run until it gets no faster, and then for a window", async () => {
    const { on, task } = machine();
    // Compiled well after a second.
    const { times: readings } = await settled(on, () => task(on.time < 1100 ? 16 : 1)());
    expect(readings.every((ms) => ms === 1)).toBe(true);
    expect(on.time).toBeLessThan(7000);
  });

  test("is taken as it is when the time is up", async () => {
    const { on, task } = machine();
    const { times: readings } = await settled(on, task(1), { long: 250 });
    expect(readings.length).toBe(50);
    expect(on.time).toBeLessThan(350);
  });

  test("is left when the signal says so, though runs never give way to events", async () => {
    const { on, task } = machine();
    const control = new AbortController();
    setTimeout(() => control.abort(new Error("enough")), 0);
    const { signal } = control;
    await expect(timeInVisits([], { reference: { run: task(1), ms: 1 }, clock: on, signal })).rejects.toThrow("enough");
    expect(on.time).toBeLessThan(1000);
  });

  test("that gets faster without an end is taken as it is", async () => {
    const { on, task } = machine();
    const { times: readings } = await settled(on, () => task(() => 64 * 0.9 ** Math.floor(on.time / 400))());
    expect(readings.length).toBeGreaterThan(0);
  });
});

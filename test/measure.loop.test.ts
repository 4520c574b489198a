import { describe, expect, test } from "vitest";
import { meter, withResolution } from "../src/measure/clock.ts";
import { measureUnit, quartiles } from "../src/measure/loop.ts";
import type { OpenUnit } from "../src/measure/unit.ts";

// A machine whose time is made: tasks take what they are said to take, and the clock tells as much of it as it is said to tell.

interface Machine {
  /** Milliseconds that have passed. */
  time: number;
  /** How much longer everything takes than at first. */
  slower: number;
  readonly log: string[];
  now(): number;
  /** A task that takes so long: a number, or one for each time. */
  task(name: string, ms: number | ((run: number) => number)): () => Promise<void>;
}

/** @param resolution - what the clock tells apart @param look - what looking at it takes */
function machine(resolution: number, look = 0): Machine {
  return {
    time: 0,
    slower: 1,
    log: [],
    now() {
      this.time += look;
      return resolution * Math.floor(this.time / resolution);
    },
    task(name, ms) {
      let run = 0;
      return async () => {
        this.log.push(name);
        this.time += this.slower * (typeof ms === "number" ? ms : ms(run));
        run++;
      };
    },
  };
}

const FINE = 2 ** -20;

function unit(on: Machine, ms: number | ((run: number) => number), base: number | null = 1, copies = 1): OpenUnit {
  const close = () => {};
  return { copies, run: on.task("run", ms), base: base === null ? null : on.task("base", base), close };
}

const reference = (on: Machine, ms = 2) => ({ run: on.task("reference", ms), ms });

describe("a clock's resolution", () => {
  test.each([0.125, 0.0078125, 1])("of %s ms is found", (resolution) => {
    expect(withResolution(machine(resolution, 0.0009765625)).resolution).toBe(resolution);
  });

  test("is what it tells of itself, and then it is not looked at", () => {
    const clock = { now: () => expect.unreachable(), resolution: 0.1 };
    expect(withResolution(clock).resolution).toBe(0.1);
  });

  test("is the least of its steps, as there may be others between two looks", () => {
    const on = machine(0.125);
    let looks = 0;
    const now = () => {
      on.time += [0.5, 0.0625, 3][looks++ % 3];
      return on.now();
    };
    expect(withResolution({ now }).resolution).toBe(0.125);
  });

  test("of one that stands does not keep anybody waiting", () => {
    expect(withResolution({ now: () => 7 }).resolution).toBe(0);
  });

  test("of this process is far below what units take", () => {
    const clock = withResolution(performance);
    expect(clock.resolution).toBeLessThan(0.01);
    expect(clock.now()).toBeLessThanOrEqual(performance.now());
  });
});

describe("a meter", () => {
  test("of a fine clock runs its task twice a reading, and tells of the second time", async () => {
    const on = machine(FINE);
    const task = on.task("x", (run) => [1, 8, 0.25][run] as number);
    const { warm, read } = meter({ now: () => on.now(), resolution: FINE }, task);
    await warm();
    expect(on.log).toHaveLength(1);
    expect(await read()).toBe(0.25);
    expect(on.log).toHaveLength(3);
  });

  test("runs what is short so often that a reading is a quarter of a millisecond", async () => {
    const on = machine(FINE);
    const { warm, read } = meter({ now: () => on.now(), resolution: FINE }, on.task("x", 0.0625));
    await warm();
    const before = on.log.length;
    expect(await read()).toBe(0.0625);
    expect(on.log.length - before).toBe(1 + 4);
  });

  test("of a coarse clock runs it so often that a reading is 50 times what the clock tells apart", async () => {
    const on = machine(0.125);
    const { warm, read } = meter({ now: () => on.now(), resolution: 0.125 }, on.task("x", 0.03));
    await warm();
    const before = on.time;
    expect(await read()).toBeCloseTo(0.03, 3);
    const took = on.time - before;
    expect(took).toBeGreaterThanOrEqual(50 * 0.125);
    expect(took).toBeLessThan(100 * 0.125 + 0.125);
  });

  test("of a clock that does not tell its resolution takes it to be fine", async () => {
    const on = machine(1);
    const { warm } = meter({ now: () => on.now() }, on.task("x", 1));
    await warm();
    expect(on.log).toHaveLength(1);
  });

  test("of a task that takes no time at all comes to an end", async () => {
    const on = machine(1);
    const { warm, read } = meter({ now: () => on.now(), resolution: 1 }, () => {});
    await warm();
    expect(await read()).toBe(0);
  });
});

describe("measuring a unit", () => {
  test("takes reference, unit and base in turn, and drops the first three rounds", async () => {
    const on = machine(FINE);
    // Rounds that are dropped take a hundred times as long.
    const slow = unit(on, (run) => (run < 3 ? 500 : 5));
    const { count, median, spread, drift, calm } = await measureUnit(on, reference(on), slow, 0);
    const round = ["reference", "run", "base"];
    // Then each is run once before it is read, and the reference is read before and after each round.
    const look = (name: string): string[] => [name, name];
    const rounds = Array(9).fill(["run", "base", "reference"].flatMap(look));
    expect(on.log).toEqual([...Array(3).fill(round), look("reference"), ...rounds].flat());
    expect([count, median, spread, drift, calm]).toEqual([9, 4, 0, 1, true]);
  });

  test("goes on until the time is up, and takes 9 rounds where it is up at once", async () => {
    const on = machine(FINE);
    // A round takes 16 ms.
    expect((await measureUnit(on, reference(on), unit(on, 5), 800)).count).toBe(50);
    expect((await measureUnit(on, reference(on), unit(on, 5), 1)).count).toBe(9);
  });

  test("divides by the copies, and takes a base that is null for nothing", async () => {
    const on = machine(FINE);
    expect((await measureUnit(on, reference(on), unit(on, 9, 1, 4), 0)).median).toBe(2);
    expect((await measureUnit(on, reference(on), unit(on, 9, null, 4), 0)).median).toBe(2.25);
  });

  test("on a machine that has become slower gives what it took before, and says so", async () => {
    const on = machine(FINE);
    on.slower = 1.5;
    const { median, drift, calm } = await measureUnit(on, reference(on), unit(on, 5), 0);
    expect([median, drift, calm]).toEqual([4, 1.5, false]);
  });

  /** A reference of 2 ms on a machine that is as slow as is said of each time that it is run. */
  function changing(on: Machine, slower: (run: number) => number) {
    const beside = on.task("reference", 2);
    let run = 0;
    return {
      ms: 2,
      run() {
        on.slower = slower(run++);
        return beside();
      },
    };
  }

  test("counts what was read while the reference took its least, and nothing else", async () => {
    const on = machine(FINE);
    // Not everything gets slower alike.
    const uneven = unit(on, () => (on.slower > 1 ? 50 : 5), null);
    const times = [1, 1, 1, 1, 1, 1, 1.25, 1.25, 1.25, 1.25, 2, 2, 2, 2];
    const found = await measureUnit(
      on,
      changing(on, (run) => times[run % times.length] as number),
      uneven,
      400,
    );
    expect([found.median, found.spread, found.calm]).toEqual([5, 0, true]);
    expect(found.drift).toBeGreaterThan(1);
  });

  test("does not count what was disturbed while it ran, though the reference was not before", async () => {
    const on = machine(FINE);
    const beside = on.task("reference", 2);
    const reference = {
      ms: 2,
      async run() {
        await beside();
        // For this one and the one behind it.
        if (!on.log.slice(-2).includes("run")) on.slower = 1;
      },
    };
    const own = on.task("run", 5);
    const run = (): Promise<void> => {
      // In two of three rounds.
      if (Math.floor(on.log.filter((name) => name === "run").length / 2) % 3 > 0) on.slower = 3;
      return own();
    };
    const found = await measureUnit(on, reference, { copies: 1, run, base: null, close() {} }, 1000);
    expect([found.median, found.spread, found.calm]).toEqual([5, 0, true]);
  });

  test("has enough of undisturbed rounds where it is told how many are", async () => {
    const on = machine(FINE);
    expect((await measureUnit(on, reference(on), unit(on, 5), 800, { enough: 15 })).count).toBe(15);
    expect((await measureUnit(on, reference(on), unit(on, 5), 200, { enough: 15 })).count).toBe(13);
  });

  test("runs the reference alone while it waits, once there are enough rounds that are disturbed", async () => {
    const on = machine(FINE);
    const beside = changing(on, () => 2);
    await measureUnit(on, beside, unit(on, 5, null), 100, { patience: 12 });
    // Three that are dropped, and two for each reading.
    expect(on.log.filter((name) => name === "run")).toHaveLength(3 + 2 * 9);
  });

  test("that is faster than it was at first is what counts from then on", async () => {
    const on = machine(FINE);
    const beside = changing(on, () => 0.5);
    // In milliseconds of the first reference.
    expect((await measureUnit(on, beside, unit(on, 5), 100)).median).toBe(4);
    const later = { ...beside, ...changing(on, () => 1), least: 1 };
    const { median, calm } = await measureUnit(on, later, unit(on, 5), 100);
    expect([median, calm]).toEqual([4, false]);
  });

  test("waits for the machine to be left alone, four times the budget at most", async () => {
    const late = machine(FINE);
    const calmed = await measureUnit(
      late,
      changing(late, () => (late.time < 300 ? 2 : 1)),
      unit(late, 5),
      100,
    );
    expect([calmed.count, calmed.median, calmed.calm]).toEqual([9, 4, true]);
    const never = machine(FINE);
    const start = never.time;
    const found = await measureUnit(
      never,
      changing(never, () => 2),
      unit(never, 5),
      100,
    );
    expect(never.time - start).toBeLessThan(4 * 100 + 100);
    expect([found.median, found.calm]).toEqual([4, false]);
  });

  test("gives the median and half of the distance between the quartiles", async () => {
    const on = machine(FINE);
    // After the three that are dropped, where they are read: 1 to 9, and an outlier.
    const times = [4, 2, 8, 1, 900, 3, 7, 5, 6];
    const { median, spread } = await measureUnit(
      on,
      reference(on),
      unit(on, (run) => times[(run - 4) / 2] ?? 1, null),
      0,
    );
    expect([median, spread]).toEqual([5, 2]);
  });

  test("never gives less than nothing", async () => {
    const on = machine(FINE);
    expect((await measureUnit(on, reference(on), unit(on, 1, 3), 0)).median).toBe(0);
  });

  test("with a clock of 0.1 ms finds what takes a tenth of that", async () => {
    const on = machine(0.1);
    const clock = { now: () => on.now(), resolution: 0.1 };
    const { median, drift } = await measureUnit(clock, reference(on, 0.04), unit(on, 0.015, 0.005), 0);
    expect(median / 0.01).toBeGreaterThan(0.9);
    expect(median / 0.01).toBeLessThan(1.1);
    expect(drift).toBeCloseTo(1, 1);
  });

  test("ends with the reason of the signal", async () => {
    const on = machine(FINE);
    const control = new AbortController();
    const stopping = unit(on, (run) => {
      if (run === 4) control.abort(new Error("enough"));
      return 5;
    });
    await expect(measureUnit(on, reference(on), stopping, 1e6, { signal: control.signal })).rejects.toThrow("enough");
    expect(on.log.filter((name) => name === "run")).toHaveLength(5);
  });
});

test("quartiles lie between values where there is none of their own", () => {
  expect(quartiles([4, 1, 3, 2])).toEqual([1.75, 2.5, 3.25]);
  expect(quartiles([7])).toEqual([7, 7, 7]);
});

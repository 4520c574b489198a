import { describe, expect, test } from "vitest";
import type { UnitSpec } from "../src/latency/spec.ts";
import type { Runner } from "../src/measure/runner.ts";
import { warmUp } from "../src/measure/warm.ts";

const spec = (form: string): UnitSpec => ({ type: "unit", form, attributes: {}, precision: "f32", batch: 1 });

/** A runtime whose units take 1 ms by a clock that only they move, and whose base takes nothing. */
function simulated(refuses: (form: string) => boolean = () => false) {
  const log: string[] = [];
  const open = new Set<string>();
  const clock = {
    time: 0,
    now() {
      return this.time;
    },
  };
  const runner = {
    *specs() {
      for (let i = 0; ; i++) yield spec(`u${i}`);
    },
    async open({ form }: UnitSpec) {
      if (refuses(form)) throw new Error("no such unit");
      open.add(form);
      const run = () => {
        clock.time += 1;
        log.push(form);
      };
      return { copies: 1, run, base: () => log.push(`${form} base`), close: () => open.delete(form) };
    },
  } as unknown as Runner;
  return { log, open, clock, runner };
}

const given = { first: [spec("call")], seconds: 1.45, onUnit: () => {} };

describe("warming up", () => {
  test("shares its time among the first units, each of which is run with its base and closed", async () => {
    const { log, open, clock, runner } = simulated();
    await warmUp(runner, clock, given);
    // 145 units: one that was given, and 144 of the runner's.
    const runs = log.filter((name) => !name.endsWith("base"));
    expect(new Set(runs).size).toBe(145);
    expect(runs).toHaveLength(1450);
    expect(runs.filter((name) => name === "call")).toHaveLength(10);
    expect(log.slice(0, 2)).toEqual(["call", "call base"]);
    expect(log).toHaveLength(2900);
    expect(open.size).toBe(0);
  });

  test("tells of units before they are run, and leaves out those that are refused", async () => {
    const { log, clock, runner } = simulated((form) => form === "u1");
    const told: string[] = [];
    await warmUp(runner, clock, { ...given, onUnit: async ({ form }) => void told.push(form) });
    expect(told).toHaveLength(145);
    expect(told.slice(0, 3)).toEqual(["call", "u0", "u1"]);
    expect(log).not.toContain("u1");
  });

  test("goes on behind units that cannot be run", async () => {
    const { log, open, clock, runner } = simulated();
    const broken = {
      ...runner,
      async open(spec: UnitSpec) {
        const unit = await runner.open(spec);
        const run = () => Promise.reject(new Error("cannot run"));
        return unit && spec.form === "u1" ? { ...unit, run } : unit;
      },
    };
    await warmUp(broken, clock, given);
    expect(log).not.toContain("u1");
    expect(log).toContain("u143");
    expect(open.size).toBe(0);
  });

  test("ends where its time is up, whatever is left", async () => {
    const { log, clock, runner } = simulated();
    const onUnit = () => {
      clock.time += 500;
    };
    await warmUp(runner, clock, { ...given, onUnit });
    expect(log.filter((name) => !name.endsWith("base"))).toEqual(["call", "u0", "u1"]);
  });

  test("of no time opens nothing", async () => {
    const { log, clock, runner } = simulated();
    await warmUp(runner, clock, { ...given, seconds: 0, onUnit: () => expect.unreachable() });
    expect(log).toEqual([]);
  });

  test("ends with the reason of the signal", async () => {
    const { log, open, clock, runner } = simulated();
    const control = new AbortController();
    const onUnit = ({ form }: UnitSpec) => form === "u2" && control.abort(new Error("enough"));
    const warming = warmUp(runner, clock, { ...given, signal: control.signal, onUnit: (unit) => void onUnit(unit) });
    await expect(warming).rejects.toThrow("enough");
    expect(log).not.toContain("u4");
    expect(open.size).toBe(0);
  });
});

import { MIB, type Section } from "./figures.ts";
import { packedModel, unequal } from "./weights.ts";

// Loads that are aborted at random times leave nothing.

interface Left {
  unhandled: number;
  finished: number;
  others: number;
  before: string[];
  after: string[];
  growth: number;
  ended: number;
}

export const aborts: Section = async (bench, { quick, status }) => {
  const loads = quick ? 100 : 1000;
  status(`${loads} aborted loads`);
  const url = await bench.share("aborts.quern", await packedModel(unequal(2 ** 20, 6), 30));
  await bench.order("begin", null);
  const left = await bench.run<Left>("aborts", { url, loads, longest: 25 }, ["--expose-gc"]);
  const exit = Date.now() - left.ended;
  const { length } = await bench.order("log", null);
  const { sockets, open } = await bench.order("sockets", null);
  const more = left.after.filter(
    (name, i) => left.after.indexOf(name) === i && count(left.after, name) > count(left.before, name),
  );
  const section = `${loads} loads aborted at random times`;
  const of = `${loads - left.finished} aborted, ${left.finished} ended before; ${length} requests`;
  const row = (name: string, value: number, most: number, unit = "", text = "") => ({
    section,
    name,
    value,
    unit,
    bar: { most },
    of: text,
  });
  return [
    row("unhandled rejections", left.unhandled, 0, "", of),
    row("errors other than the signal's reason", left.others, 0),
    row("timers and handles left", more.length, 0, "", more.join(" ")),
    row("sockets and answers open at the server", sockets + open, 0),
    row("heap grown from load 100 on", left.growth / MIB, 1, "MiB"),
    row("exit after the last load", exit, 3000, "ms"),
  ];
};

function count(names: readonly string[], name: string): number {
  return names.filter((other) => other === name).length;
}

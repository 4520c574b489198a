import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { gzip } from "node:zlib";
import { open } from "../../src/read.ts";
import { must } from "../harness.ts";
import { coldAndWarm, type Figure, inTurn, linkOf, type Section } from "./figures.ts";
import type { Bench } from "./processes.ts";
import { packedModel, unequal } from "./weights.ts";

// The same codes and scales end to end at 1 Gbit/s: a .quern file, a .zst through zstddec, a .gz through DecompressionStream.

const MEGABITS = 1000;
const COLUMNS = 4096;
const REPEAT = 6;

interface Ran {
  ms: number[];
  sum?: number;
}

export const gigabit: Section = async (bench, { quick, runs, status }) => {
  const section = `From address to f32 at ${MEGABITS} Mbit/s`;
  const figures: Figure[] = [];
  for (const sigma of quick ? [30] : [30, 10, 4]) {
    const tensors = unequal(quick ? 2 ** 21 : 2 ** 24, 8);
    const elements = tensors.reduce((sum, tensor) => sum + tensor.elements, 0);
    status(`1 Gbit/s: packing sigma ${sigma}`);
    const bytes = await packedModel(tensors, sigma);
    const payload = await payloadOf(bytes);
    const files = {
      quern: bytes,
      zst: await zstd19(bench, payload),
      gz: await promisify<Uint8Array, { level: number }, Uint8Array>(gzip)(payload, { level: 9 }),
    };
    const urls = { quern: "", zst: "", gz: "" };
    for (const kind of ["quern", "zst", "gz"] as const)
      urls[kind] = await bench.share(`gigabit.${sigma}.${kind}`, files[kind]);
    status(`1 Gbit/s: sigma ${sigma}`);
    await bench.order("rate", linkOf(MEGABITS));
    const given = { elements, columns: COLUMNS, repeat: REPEAT };
    const found = await inTurn<"quern" | "zstd" | "gzip" | "plain", Ran>(runs, {
      quern: () => bench.run("quern", { ...given, url: urls.quern }),
      zstd: () => bench.run("zstd", { ...given, url: urls.zst }),
      gzip: () => bench.run("gzip", { ...given, url: urls.gz }),
      plain: () => bench.run("plain", { ...given, url: urls.quern }),
    });
    await bench.order("rate", 0);
    const sums = [...found.quern, ...found.zstd, ...found.gzip].map(({ sum }) => sum);
    must(new Set(sums).size === 1, "three ways, but not one result");
    figures.push(...rowsOf(section, sigma, found, files));
  }
  return figures;
};

function rowsOf(
  section: string,
  sigma: number,
  found: Record<"quern" | "zstd" | "gzip" | "plain", Ran[]>,
  files: Record<"quern" | "zst" | "gz", Uint8Array>,
): Figure[] {
  const ours = coldAndWarm(found.quern);
  const download = coldAndWarm(found.plain);
  const text = ({ cold, warm }: { cold: number; warm: number }) => `${warm.toFixed(0)} (first ${cold.toFixed(0)}) ms`;
  const name = `codes of sigma ${sigma}`;
  const of = `${files.quern.length} bytes, only downloaded ${text(download)}; first in its process ${ours.cold.toFixed(0)} ms`;
  const peers = [
    ["zstd -19", found.zstd, files.zst],
    ["gzip -9", found.gzip, files.gz],
  ] as const;
  return [
    { section, name: `${name}: .quern`, value: ours.warm, unit: "ms", bar: null, of },
    ...peers.map(([peer, ran, { length }]): Figure => {
      const theirs = coldAndWarm(ran);
      const first = theirs.cold / ours.cold;
      return {
        section,
        name: `${name}: faster than ${peer}`,
        value: theirs.warm / ours.warm,
        unit: "times",
        bar: { least: 1.5 },
        of: `${length} bytes, ${text(theirs)}; first in its process ${first.toFixed(2)} times`,
      };
    }),
  ];
}

async function zstd19(bench: Bench, payload: Uint8Array): Promise<Uint8Array> {
  const [from, to] = ["payload", "payload.zst"].map((name) => join(bench.folder, "..", name));
  await writeFile(from, payload);
  await bench.run("zstd19", { from, to });
  return readFile(to);
}

/** Scales as f32, then codes, of all tensors in order. */
async function payloadOf(bytes: Uint8Array): Promise<Uint8Array> {
  const file = await open(bytes);
  const parts: Uint8Array[][] = [[], []];
  for await (const { bytes, quantization } of file.stream({ as: "stored" })) {
    const { scales } = quantization ?? { scales: new Float32Array(0) };
    parts[0].push(new Uint8Array(scales.slice().buffer));
    parts[1].push(bytes.slice());
  }
  return Buffer.concat(parts.flat());
}

// Times the units of decoding in turn: medians (or least times), and half the distance between the quartiles.
import { loadKernels } from "../../../src/kernels.ts";
import { decodeUnits } from "../../../src/measure/decode.ts";
import { args, report } from "./report.ts";

const { rounds, best } = args<{ rounds: number; best: boolean }>();
/** Rounds that are not counted: code gets warm. */
const DROPPED = 3;
const units = await decodeUnits(await loadKernels());
const lanes = [];
for (const { spec, open } of units) lanes.push({ spec, unit: await open(), ms: [] as number[] });
for (let round = 0; round < rounds + DROPPED; round++) {
  for (const { unit, ms } of round % 2 === 0 ? lanes : lanes.toReversed()) {
    const start = performance.now();
    await unit.run();
    if (round >= DROPPED) ms.push(performance.now() - start);
  }
}
const rows = lanes.map(({ spec, unit, ms }) => {
  unit.close();
  const sorted = ms.sort((a, b) => a - b);
  const at = (share: number) => sorted[Math.floor(share * (sorted.length - 1))] as number;
  return { ...spec, count: ms.length, median: at(best ? 0 : 0.5), spread: (at(0.75) - at(0.25)) / 2 };
});
report({ rows });

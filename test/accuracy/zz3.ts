import { readFileSync } from "node:fs";
import { parseLines } from "../../src/latency/lines.ts";
import { latencyModel, predictWhole, specsOf } from "../../src/latency/predict.ts";
import { relative } from "../../src/measure/family.ts";
import { wholeFrom, wholeOf } from "../../src/measure/whole.ts";
const [tableFile, measuredFile, verbose] = process.argv.slice(2);
const table = parseLines(readFileSync(tableFile, "utf8"), { torn: true });
const environment = [...table.environments.values()][0];
const model = latencyModel(table, environment, wholeOf);
console.log("factor", model.whole);
const all = JSON.parse(readFileSync(measuredFile, "utf8"));
const rank = (a: number[]) => { const o = a.map((x, i) => [x, i]).sort((p, q) => p[0] - q[0]); const r: number[] = []; o.forEach(([, i], k) => { r[i] = k; }); return r; };
for (const run of ["f32", "int8", "w8", "all"]) {
  const rows = all.filter((m: any) => (run === "all" || m.run === run) && m.i % 3 === 2);
  const e = rows.map((m: any) => { const p = predictWhole(model, wholeFrom(relative(m.i), m.run)); return { m, p, err: p.ms / m.median - 1, in: m.median >= p.low && m.median <= p.high }; });
  const n = e.length;
  const [a, b] = [rank(e.map((x: any) => x.p.ms)), rank(e.map((x: any) => x.m.median))];
  const rho = 1 - (6 * a.reduce((s, x, i) => s + (x - b[i]) ** 2, 0)) / (n * (n * n - 1));
  console.log(run, n, "MAE", (100 * e.reduce((s: number, x: any) => s + Math.abs(x.err), 0) / n).toFixed(1) + "%", "max", (100 * Math.max(...e.map((x: any) => Math.abs(x.err)))).toFixed(0) + "%", "<10%:", (100 * e.filter((x: any) => Math.abs(x.err) < 0.1).length / n).toFixed(0) + "%", "cover", (100 * e.filter((x: any) => x.in).length / n).toFixed(0) + "%", "rho", rho.toFixed(3));
  if (run !== "all" && verbose) for (const x of e) console.log("   ", x.m.name.padEnd(15), x.m.median.toFixed(3), x.p.ms.toFixed(3), (100 * x.err).toFixed(0) + "%", `[${x.p.low.toFixed(3)} ${x.p.high.toFixed(3)}]`, x.p.known.toFixed(2), "drift", x.m.drift.toFixed(2));
}
if (verbose === "parts") { const w = wholeFrom(relative(Number(process.argv[5])), process.argv[6] as any); for (const s of specsOf(w)) { const u = model.unit(s); console.log((u.ms * 1000).toFixed(1).padStart(9), u.deviation.toFixed(2), u.from, s.form, s.precision, JSON.stringify(s.attributes)); } }

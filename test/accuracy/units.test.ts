import { expect, test } from "vitest";
import type { UnitSpec } from "../../src/latency/spec.ts";
import { design } from "../../src/measure/design.ts";
import { unitGraphs } from "../../src/measure/onnx.ts";
import { counted, operatorsIn } from "./graphs.written.ts";

// A unit is timed as copies of it, less the same graph without them: the two may differ by nothing else, as small operators take as long as small units.

const COPIES = 3;

/** The first of each form. */
function firsts(precision: string): UnitSpec[] {
  const found = new Map<string, UnitSpec>();
  let drawn = 0;
  for (const spec of design()) {
    if (drawn++ === 1500) break;
    const kind = `${spec.type} ${spec.form}`;
    if (spec.precision === precision && !found.has(kind)) found.set(kind, spec);
  }
  return [...found.values()];
}

/** What ONNX Runtime makes of a unit. */
function operatorsOf({ type, form }: UnitSpec): string[] {
  const [head = "", ...rest] = form.split("+");
  if (type === "conv" || type === "depthwise") return ["QLinearConv"];
  if (type === "matmul") return ["MatMul"];
  if (form === "MatMul") return ["MatMulIntegerToFloat"];
  if (form === "MatMul+Add") return ["Reshape", "QGemm", "Reshape"];
  if (head === "Gemm") return ["QGemm", ...rest.filter((operator) => operator !== "QuantizeLinear")];
  // Else the next would undo it.
  if (head === "Transpose") return ["Transpose", "Reshape"];
  return [head];
}

const CASES = [...firsts("int8"), ...firsts("f32").filter(({ type }) => type === "matmul")].map(
  (spec) => [`${spec.type} ${spec.form} ${spec.precision}`, spec] as const,
);

test("all forms of integers are there", () => {
  expect(CASES.map(([name]) => name)).toEqual(
    expect.arrayContaining([
      "conv Conv int8",
      "depthwise Conv int8",
      "dense Gemm+QuantizeLinear int8",
      "pool NhwcMaxPool int8",
    ]),
  );
});

/** What there is more of with copies than without. */
async function moreIn(spec: UnitSpec, level: "extended" | "all"): Promise<Record<string, number>> {
  const graphs = unitGraphs(spec, COPIES);
  if (!graphs) throw new Error("no graphs");
  const [run, base] = [await operatorsIn(graphs.run, level), await operatorsIn(graphs.base, level)];
  const more: Record<string, number> = {};
  for (const operator of new Set([...Object.keys(run), ...Object.keys(base)])) {
    const count = (run[operator] ?? 0) - (base[operator] ?? 0);
    if (count !== 0) more[operator] = count;
  }
  return more;
}

test.each(CASES)("%s", async (_, spec) => {
  expect(await moreIn(spec, "all")).toEqual(counted(Array.from({ length: COPIES }, () => operatorsOf(spec)).flat()));
});

const FLOATS = ["f32", "w8", "w4"]
  .flatMap(firsts)
  .map((spec) => [`${spec.type} ${spec.form} ${spec.precision}`, spec] as const);

test.each(FLOATS)("%s has as much of each operator more as it has copies", async (_, spec) => {
  // Beyond it, native packages lay out channels of floats in blocks.
  const counts = Object.values(await moreIn(spec, "extended"));
  expect(counts.length).toBeGreaterThan(0);
  for (const count of counts) expect([COPIES, 2 * COPIES]).toContain(count);
});

import { reportPage } from "../src/report/report.ts";
import { HOSTILE } from "./names.ts";
import { foldedOf, reportOf } from "./report.data.ts";

// Pages for test/browser, by name, as JSON on stdout.

const units = Array.from({ length: 5 }, (_, i) => `layers.${i}.attention.query`);
const many = Array.from({ length: 200 }, (_, i) => `model.layers.${i}.attention.output.dense`);
const hostile = [...HOSTILE, "a_name_without_any_place_to_break_".repeat(8)];
const pages = {
  whole: reportPage({ ...reportOf(units, 172), plan: foldedOf(units, 172) }),
  hostile: reportPage({ ...reportOf(hostile), plan: foldedOf(hostile, 64) }),
  many: reportPage({ ...reportOf(many, 1024), facts: [] }),
  nothing: reportPage({ title: "nothing" }),
};
process.stdout.write(JSON.stringify(pages));

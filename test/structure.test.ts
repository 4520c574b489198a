import { readdirSync, readFileSync } from "node:fs";
import { basename, dirname, join, normalize } from "node:path";
import { fileURLToPath } from "node:url";
import { gzipSync } from "node:zlib";
import { build } from "esbuild";
import { describe, expect, test } from "vitest";

// The plan of the house as far as a machine can see it.

const ROOT = fileURLToPath(new URL("..", import.meta.url));

function filesIn(folder: string, extension = ".ts"): string[] {
  const all = readdirSync(join(ROOT, folder), { recursive: true, encoding: "utf8" });
  return all.filter((file) => file.endsWith(extension)).sort();
}

function textOf(path: string): string {
  return readFileSync(join(ROOT, path), "utf8");
}

/** What a file imports, statically or not, types included. */
function importsOf(path: string): string[] {
  const found = textOf(path).matchAll(
    /^(?:import|export)\b[^"']*?from "([^"]+)"|\bimport\("([^"]+)"\)|^import "([^"]+)"/gm,
  );
  return [...found].map(([, from, dynamic, bare]) => from ?? dynamic ?? bare);
}

const SRC = filesIn("src").filter((file) => !file.startsWith("embedded"));

/** Imports of files of src, as paths from src. */
function insideOf(file: string): string[] {
  const relative = importsOf(join("src", file)).filter((from) => from.startsWith("."));
  return relative.map((from) => normalize(join(dirname(file), from)));
}

const PROTOBUF = "@bufbuild/protobuf/wire";
const DRAWING = ["d3-scale", "d3-shape"];
// What files of data need: loaded when such a file is read, and not before.
const DECODING: Record<string, string[]> = {
  "data/csv.ts": ["csv-parse/browser/esm/sync"],
  "data/inflate.ts": ["fflate"],
  "data/jpeg.ts": ["jpeg-js"],
  "data/png.ts": ["fast-png", "fflate"],
};

// Each layer may import those before it, and files of its own folder.
const LAYERS = [
  "errors",
  "bytes",
  "tensor",
  "plan",
  "kernels",
  "codec",
  "container",
  "load",
  "plain.ts",
  "worker",
  "workers",
  "read",
  "index",
  "node",
  "cli",
];
const ONLY: Record<string, string[]> = {
  errors: [],
  embedded: [],
  plain: [],
  bytes: ["errors"],
  tensor: ["errors"],
  model: ["errors", "bytes", "tensor"],
  // What pages that are written have in common.
  page: [],
  compare: ["errors", "bytes", "tensor", "plan", "kernels", "container", "load", "model", "page"],
  worker: ["kernels", "container"],
  workers: ["errors", "kernels", "container"],
  cache: ["errors", "container", "load"],
  node: ["errors", "bytes", "kernels", "container", "load", "latency"],
  // What other software takes: they read files as pages do.
  fit: ["errors", "bytes", "tensor", "plan", "model", "read"],
  tfjs: ["fit"],
  onnx: ["fit"],
  // What compression costs a model: software that runs models, what it runs on, how far outputs are apart, and what is done about it.
  engine: ["errors", "bytes", "tensor", "model"],
  random: [],
  // Where models run, and how long their parts take there.
  latency: ["errors", "engine"],
  data: ["errors", "bytes", "tensor", "random", "engine"],
  loss: ["errors", "random", "engine"],
  activations: ["errors", "bytes", "tensor", "plan", "kernels", "codec", "engine", "data", "loss"],
  tune: [
    "errors",
    "bytes",
    "tensor",
    "plan",
    "kernels",
    "codec",
    "container",
    "load",
    "model",
    "engine",
    "data",
    "loss",
  ],
  evaluate: [
    "errors",
    "bytes",
    "tensor",
    "plan",
    "kernels",
    "container",
    "load",
    "model",
    "engine",
    "data",
    "loss",
    "activations",
    "tune",
  ],
  predict: ["latency"],
  // How long units take where this runs.
  measure: [
    ...["errors", "bytes", "tensor", "plan", "kernels", "codec", "container", "load", "model", "random", "engine"],
    "latency",
  ],
  // Which compression is chosen for a place, and why.
  strategy: [
    "errors",
    "bytes",
    "tensor",
    "plan",
    "kernels",
    "codec",
    "container",
    "load",
    "model",
    "random",
    "engine",
    "data",
    "loss",
    "activations",
    "tune",
    "evaluate",
    "latency",
  ],
  // Pages of what was found.
  calibrate: ["activations"],
  report: ["page", "engine", "loss", "activations", "tune", "evaluate", "latency", "strategy"],
};

function layerOf(file: string): string {
  // The entry, not the folder of the kernels that it is named after.
  if (file === "plain.ts") return file;
  return file.split("/")[0].replace(/\.ts$/, "");
}

function allowed(layer: string): string[] {
  if (ONLY[layer]) return [layer, ...ONLY[layer]];
  const below = LAYERS.slice(0, LAYERS.indexOf(layer));
  if (layer === "plain.ts") below.push("plain");
  const extra: Record<string, string[]> = {
    kernels: ["embedded", "plain"],
    index: ["model"],
    cli: [
      ...["model", "compare", "engine", "data", "loss", "activations", "tune", "evaluate", "latency"],
      ...["measure", "strategy", "page", "report"],
    ],
  };
  return [
    ...below,
    ...(extra[layer] ?? []),
    ...(["plan", "kernels", "codec", "container", "load", "cli"].includes(layer) ? [layer] : []),
  ];
}

describe("imports", () => {
  test.each(SRC)("src/%s imports only what lies below it", (file) => {
    const layer = layerOf(file);
    expect([...LAYERS, ...Object.keys(ONLY)]).toContain(layer);
    const wrong = insideOf(file).filter((from) => !allowed(layer).includes(layerOf(from)));
    expect(wrong).toEqual([]);
  });

  test("there are no cycles", () => {
    const done = new Set<string>();
    const visit = (file: string, path: string[]): void => {
      expect(path, `a cycle: ${[...path, file].join(" > ")}`).not.toContain(file);
      if (!done.has(file) && !file.startsWith("embedded"))
        for (const from of insideOf(file)) visit(from, [...path, file]);
      done.add(file);
    };
    for (const file of SRC) visit(file, []);
    expect(done.size).toBeGreaterThanOrEqual(SRC.length);
  });

  test("kernels are only loaded where they run", () => {
    const needed = [...textOf("src/kernels.ts").matchAll(/^import .* from "([^"]+)"/gm)].map(([, from]) => from);
    expect(needed).toEqual(["./errors.ts", "./kernels/abi.ts", "./kernels/arena.ts", "./kernels/instance.ts"]);
    const others = SRC.filter((file) => insideOf(file).some((from) => ["plain", "embedded"].includes(layerOf(from))));
    const loading = ["kernels.ts", "kernels/core.ts", "plain.ts"];
    expect(others.filter((file) => layerOf(file) !== "plain").sort()).toEqual(loading);
  });

  test("only the command line imports packages, its drawings d3, node a pool of threads and SQLite, ONNX protobuf, data decoders; only they builtins", () => {
    for (const file of SRC.filter((name) => layerOf(name) !== "cli")) {
      const foreign = importsOf(join("src", file)).filter((from) => !from.startsWith("."));
      const node =
        layerOf(file) === "node" ? foreign.filter((from) => /^(node:.*|piscina|node-sqlite3-wasm)$/.test(from)) : [];
      const protobuf = file.startsWith("model/onnx/") ? foreign.filter((from) => from === PROTOBUF) : [];
      const drawing = /^(compare\/page|report)\//.test(file) ? foreign.filter((from) => DRAWING.includes(from)) : [];
      const decoding = foreign.filter((from) => DECODING[file]?.includes(from));
      expect(foreign.sort(), file).toEqual([...node, ...protobuf, ...drawing, ...decoding].sort());
    }
  });

  test("decoders of data are loaded when they are needed", () => {
    for (const [file, packages] of Object.entries(DECODING)) {
      const dynamic = [...textOf(join("src", file)).matchAll(/await import\("([^"]+)"\)/g)].map(([, from]) => from);
      expect(dynamic.sort(), file).toEqual(packages);
      expect(textOf(join("src", file)), file).not.toMatch(/^import (?!type\b)[^;]* from "[^.]/m);
    }
  });

  test("SQLite is loaded when a file of it is opened", () => {
    const loading = SRC.filter((file) => importsOf(join("src", file)).includes("node-sqlite3-wasm"));
    expect(loading).toEqual(["node/sqlite.ts"]);
    expect(textOf("src/node/sqlite.ts")).not.toMatch(/^import [^;]*"node-sqlite3-wasm"/m);
  });

  test("builtins of Node are asked of the process where pages have none, in one file of latency", () => {
    const asking = SRC.filter((file) => textOf(join("src", file)).includes("getBuiltinModule"));
    expect(asking).toEqual(["latency/host.ts"]);
  });

  test("assembly imports nothing outside its folder", () => {
    for (const file of filesIn("assembly")) {
      for (const from of importsOf(join("assembly", file))) expect(from, file).toMatch(/^\.\/[a-z]+$/);
    }
  });
});

describe("files", () => {
  // What has no export is reached through the kernels that import it.
  const stems = importsOf("assembly/index.ts")
    .map((from) => from.slice(2))
    .filter((stem) => stem !== "heap");

  test("the ABI has many stems, each a file, and every other file but the entries is imported by one", () => {
    expect(new Set(stems).size).toBe(stems.length);
    expect(stems.length).toBeGreaterThan(10);
    const files = filesIn("assembly").map((file) => file.slice(0, -3));
    expect(files).toEqual(expect.arrayContaining(stems));
    const imported = files.flatMap((file) => importsOf(`assembly/${file}.ts`)).map((from) => from.slice(2));
    const lone = files.filter((file) => !["index", "read", "core"].includes(file) && !imported.includes(file));
    expect(lone).toEqual([]);
  });

  test.each(stems)("%s has a test and a bench of its name", (stem) => {
    const tests = filesIn("test").filter((file) => new RegExp(`^${stem}(\\.\\w+)?\\.test\\.ts$`).test(file));
    expect(tests).not.toEqual([]);
    expect(filesIn("bench")).toContain(`${stem}.ts`);
  });

  test.each(SRC)("src/%s is not long, nor are its functions", (file) => {
    expect(textOf(join("src", file)).trimEnd().split("\n").length).toBeLessThanOrEqual(300);
    // Kernels may be longer, in either language.
    expect(longFunctions(textOf(join("src", file)), file.startsWith("plain/") ? 80 : 50)).toEqual([]);
  });

  test.each(filesIn("bench/page"))("bench/page/%s is not long, nor are its functions", (file) => {
    expect(textOf(join("bench/page", file)).trimEnd().split("\n").length).toBeLessThanOrEqual(300);
    expect(longFunctions(textOf(join("bench/page", file)), 50)).toEqual([]);
  });

  test.each(filesIn("assembly"))("the functions of assembly/%s are not long", (file) => {
    expect(longFunctions(textOf(join("assembly", file)), 80)).toEqual([]);
  });
});

/** Functions of more than `most` lines. The source is formatted: a function ends at the next brace as far in as it. */
function longFunctions(text: string, most: number): string[] {
  const lines = text.split("\n");
  return lines.filter((line, start) => {
    const [, indent] =
      /^(\s*)(?:export |default |async )*(?:function\b|const \w+(?:: \w+)? = .*=> \{$|(?:async )?\w+\(.*\{$)/.exec(
        line,
      ) ?? [];
    if (indent === undefined) return false;
    return lines.findIndex((l, i) => i > start && l.startsWith(`${indent}}`)) - start + 1 > most;
  });
}

test("long functions are found", () => {
  const body = "\n  x();".repeat(50);
  expect(longFunctions(`export function f(\n  a: number,\n): void {${body}\n}`, 53)).toEqual(["export function f("]);
  expect(longFunctions(`  const g = () => {${body}\n  };`, 51)).toHaveLength(1);
  expect(longFunctions(`  const g = () => {${body}\n  };`, 52)).toHaveLength(0);
});

const READ = [
  "FormatError",
  "LoadError",
  "blobSource",
  "bytesSource",
  "load",
  "loadKernels",
  "open",
  "responseSource",
  "streamSource",
  "urlSource",
];
const PLAIN = ["FormatError", "decodeTensor", "dequantize", "parseSteps", "plainKernels"];
const DATA = [
  "batches",
  "joinedData",
  "labelled",
  "openCsv",
  "openData",
  "openPictures",
  "prepared",
  "shuffled",
  "split",
];
const LATENCY = [
  "FEATURES",
  "FIRST_LINE",
  "addEnvironment",
  "addRow",
  "detectEnvironment",
  "environmentId",
  "environmentLine",
  "latencies",
  "lookup",
  "measureLine",
  "mergeTables",
  "newEnvironment",
  "newTable",
  "parseEnvironment",
  "parseLines",
  "printEnvironment",
  "printLines",
  "rowLine",
  "rowsOf",
  "supports",
];
const PREDICT = ["RUNS", "latencyModel", "predictLoad", "predictRun", "specOf"];
const MEASURE = ["buildTable", "onnxRunner", "quernRunner", "tfjsRunner", "wholeOf"];
const STRATEGY = [
  "DEFAULT_PRIORITY",
  "candidatesOf",
  "compress",
  "expandPlan",
  "parseCandidate",
  "parsePriority",
  "presetSpace",
  "printCandidate",
  "printPriority",
  "solve",
];
const INDEX = [
  ...READ,
  "DataError",
  "PlanError",
  "decodeTensor",
  "dequantize",
  "diffModels",
  "encodeTensor",
  "lazyTensor",
  "memorySink",
  "modelGraph",
  "pack",
  "parsePlan",
  "parseSteps",
  "printPlan",
  "printSteps",
  "quantize",
  "formatOf",
  "readGguf",
  "readModel",
  "readOnnx",
  "readSafetensors",
  "readTfjs",
  "resolveSteps",
  "smoothFactors",
  "stepsFor",
  "verify",
  "writeGguf",
  "writeOnnx",
  "writeSafetensors",
  "writeTfjs",
];

describe("the package", () => {
  test("exports what it is meant to, and nothing else", async () => {
    expect(Object.keys(await import("../src/read.ts")).sort()).toEqual([...READ].sort());
    expect(Object.keys(await import("../src/index.ts")).sort()).toEqual([...INDEX].sort());
    expect(Object.keys(await import("../src/plain.ts")).sort()).toEqual(PLAIN);
    expect(Object.keys(await import("../src/node.ts")).sort()).toEqual([
      "addToLatencyFile",
      "fileFolder",
      "fileSink",
      "fileSource",
      "folderStore",
      "nodeWorkers",
      "openLatencyFile",
    ]);
    expect(Object.keys(await import("../src/workers.ts"))).toEqual(["webWorkers"]);
    expect(Object.keys(await import("../src/tfjs.ts")).sort()).toEqual(["progressCallback", "quernIO"]);
    expect(Object.keys(await import("../src/onnx.ts")).sort()).toEqual(["createSession", "progressCallback"]);
    expect(Object.keys(await import("../src/engine/onnx.ts")).sort()).toEqual(["onnxEngine", "writeQdq"]);
    expect(Object.keys(await import("../src/engine/tfjs.ts"))).toEqual(["tfjsEngine"]);
    expect(Object.keys(await import("../src/data.ts")).sort()).toEqual(DATA);
    expect(Object.keys(await import("../src/evaluate.ts")).sort()).toEqual(["evaluate", "newLoss"]);
    expect(Object.keys(await import("../src/latency.ts")).sort()).toEqual(LATENCY);
    expect(Object.keys(await import("../src/predict.ts")).sort()).toEqual(PREDICT);
    expect(Object.keys(await import("../src/measure.ts")).sort()).toEqual(MEASURE);
    expect(Object.keys(await import("../src/tune.ts")).sort()).toEqual(["DivergedError", "tune"]);
    expect(Object.keys(await import("../src/strategy.ts")).sort()).toEqual(STRATEGY);
    expect(Object.keys(await import("../src/calibrate.ts")).sort()).toEqual([
      "activationCodes",
      "channelsOf",
      "editsOf",
      "packingOf",
      "planFolded",
      "planModel",
    ]);
    expect(Object.keys(await import("../src/cache.ts")).sort()).toEqual([
      "cacheApiStore",
      "indexedDbStore",
      "memoryStore",
      "opfsStore",
    ]);
  });

  test("depends on three packages for the command line and two for its drawings, one for threads and one for SQLite in Node, one for protobuf, and four that decode data", () => {
    const manifest = JSON.parse(textOf("package.json"));
    const { dependencies, peerDependencies, peerDependenciesMeta, optionalDependencies } = manifest;
    expect(Object.keys(dependencies)).toEqual([
      "@bufbuild/protobuf",
      "cli-progress",
      "cli-table3",
      "commander",
      "csv-parse",
      "d3-scale",
      "d3-shape",
      "fast-png",
      "fflate",
      "jpeg-js",
      "node-sqlite3-wasm",
      "piscina",
    ]);
    expect(optionalDependencies).toBeUndefined();
    // Who uses quern/tfjs or quern/onnx has them; engines take them from their caller, or load them when they are needed.
    const optional = Object.keys(peerDependencies).map((name) => [name, { optional: true }]);
    expect(peerDependenciesMeta).toEqual(Object.fromEntries(optional));
    expect(Object.keys(peerDependencies)).toEqual([
      "@tensorflow/tfjs-backend-wasm",
      "@tensorflow/tfjs-core",
      "@tensorflow/tfjs-layers",
      "onnxruntime-node",
      "onnxruntime-web",
    ]);
  });

  test("is small: what a page downloads to read a common file below 19.1 KB compressed, for any file below 44.5 KB", async () => {
    expect(gzipSync(readFileSync(join(ROOT, "build/quern.read.wasm"))).length).toBeLessThanOrEqual(8 * 1024);
    expect(gzipSync(readFileSync(join(ROOT, "build/quern.simd.wasm"))).length).toBeLessThanOrEqual(18 * 1024);
    const entryPoints = [join(ROOT, "src/read.ts")];
    const options = { bundle: true, minify: true, format: "esm", splitting: true, outdir: "out" } as const;
    const { outputFiles, metafile } = await build({ entryPoints, ...options, write: false, metafile: true });
    const sizes = new Map(outputFiles.map(({ path, contents }) => [basename(path), gzipSync(contents).length]));
    /** Files that are loaded with one of these names, and all that they import. */
    const loaded = (...names: string[]): string[] => {
      const found = new Set(names);
      for (const name of found) {
        for (const { kind, path } of metafile.outputs[`out/${name}`].imports)
          if (kind === "import-statement") found.add(basename(path));
      }
      return [...found];
    };
    const sum = (names: string[]) => names.reduce((all, name) => all + (sizes.get(name) ?? Number.NaN), 0);
    const named = (stem: string) => [...sizes.keys()].filter((name) => name.startsWith(`${stem}-`));
    const [core, whole, read] = ["core", "whole", "read"].map((stem) => {
      expect(named(stem)).toHaveLength(1);
      return named(stem)[0];
    });
    expect(sum([core])).toBeGreaterThan(3 * 1024);
    expect(sum([core])).toBeLessThanOrEqual(3.7 * 1024);
    // A page loads the entry, what it shares with what is loaded on demand, and the module of core kernels.
    expect(sum(loaded("read.js", core))).toBeLessThanOrEqual(19.1 * 1024);
    // For a file that is not common, also the rest.
    expect(sum(loaded("read.js", core, whole, read))).toBeLessThanOrEqual(44.5 * 1024);
    const writing = Object.keys(metafile.inputs).filter((path) =>
      /writer|model|node\.ts|cli|encode|cut\.ts|resolve|asked|estimate|container.costs?/.test(path),
    );
    expect(writing).toEqual([]);
  });

  test("is small in other software: what quern/tfjs adds to quern/read below 2.5 KB, quern/onnx below 7 KB, and neither writes", async () => {
    const options = { bundle: true, minify: true, format: "esm", write: false, metafile: true } as const;
    const sizeOf = async (entry: string) => {
      const { outputFiles, metafile } = await build({ entryPoints: [join(ROOT, "src", entry)], ...options });
      const writing = Object.keys(metafile.inputs).filter((path) =>
        /writer|write\.ts|detach|segments|node\.ts|cli|encode|cut\.ts|resolve|asked|estimate/.test(path),
      );
      expect(writing, entry).toEqual([]);
      return gzipSync(outputFiles[0].contents).length;
    };
    const [read, tfjs, onnx] = await Promise.all(["read.ts", "tfjs.ts", "onnx.ts"].map(sizeOf));
    expect(tfjs - read).toBeLessThanOrEqual(2.5 * 1024);
    expect(onnx - read).toBeLessThanOrEqual(7 * 1024);
  });

  test("brings data and losses with little: quern/data below 12 KB without the decoders that it loads when needed, quern/evaluate below 8 KB, quern/latency below 7 KB, quern/predict below 10 KB", async () => {
    const options = { bundle: true, minify: true, format: "esm", write: false, packages: "external" } as const;
    const [data, evaluation, latency, prediction] = await Promise.all(
      ["data.ts", "evaluate.ts", "latency.ts", "predict.ts"].map(async (entry) => {
        const { outputFiles } = await build({ entryPoints: [join(ROOT, "src", entry)], ...options });
        return gzipSync(outputFiles[0].contents).length;
      }),
    );
    expect(data).toBeLessThanOrEqual(12 * 1024);
    expect(evaluation).toBeLessThanOrEqual(8 * 1024);
    expect(latency).toBeLessThanOrEqual(7 * 1024);
    expect(prediction).toBeLessThanOrEqual(10 * 1024);
  });

  test("keeps chunks with little: quern/cache below 2.5 KB, any one of its stores below 1.5 KB", async () => {
    const options = { bundle: true, minify: true, format: "esm", write: false } as const;
    const entries = ["cache.ts", ...filesIn("src/load/stores").map((file) => `load/stores/${file}`)];
    for (const entry of entries) {
      const { outputFiles } = await build({ entryPoints: [join(ROOT, "src", entry)], ...options });
      const most = entry === "cache.ts" ? 2.5 * 1024 : 1.5 * 1024;
      expect(gzipSync(outputFiles[0].contents).length, entry).toBeLessThanOrEqual(most);
    }
  });

  test("is small without WebAssembly: the plain kernels below 8 KB, quern/plain with them below 18.75 KB", async () => {
    const options = { bundle: true, minify: true, format: "esm", write: false } as const;
    const sizes = ["src/plain/index.ts", "src/plain.ts"].map(async (entry) => {
      const { outputFiles } = await build({ entryPoints: [join(ROOT, entry)], ...options });
      return gzipSync(outputFiles[0].contents).length;
    });
    const [kernels, all] = await Promise.all(sizes);
    expect(kernels).toBeLessThanOrEqual(8 * 1024);
    expect(all).toBeLessThanOrEqual(18.75 * 1024);
  });
});

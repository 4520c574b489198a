import { boundOf } from "../latency/roofline.ts";
import { listOf, numberOf, type UnitSpec } from "../latency/spec.ts";
import { design } from "./design.ts";
import type { LayersModule, Net } from "./layers.ts";
import type { OpenModel, Runner } from "./runner.ts";
import { callAlone, copiesWithin, givenTo, type OpenUnit } from "./unit.ts";
import { layersRelative, referenceSpec } from "./whole.ts";

/** Modules of TensorFlow.js, with a backend that is ready. */
export interface TfjsModulesReady {
  readonly core: {
    readonly version_core: string;
    getBackend(): string;
    tidy<T>(work: () => T): T;
    tensor(data: Float32Array, shape: readonly number[]): { dispose(): void };
  };
  readonly layers: object;
}

/** Layers of TensorFlow.js, as models of layers run them. */
export function tfjsRunner(modules: TfjsModulesReady): Runner {
  const { core } = modules;
  const layers = modules.layers as LayersModule;
  return {
    runtime: `tfjs-${core.getBackend()} ${core.version_core}`,
    reference: referenceSpec("layers"),
    *specs() {
      for (const spec of design()) {
        const own = tfjsSpec(spec);
        if (own) yield own;
      }
    },
    family: "layers",
    runs: ["f32"],
    async open(spec) {
      if (spec.type === "model")
        return openNet(core, layers, numberOf(spec, "index"), numberOf(spec, "seed"))?.unit ?? null;
      return spec.type === "run" ? openCall(core, layers, spec) : openLayers(core, layers, spec);
    },
    openModel: async (index, seed) => openNet(core, layers, index, seed),
  };
}

type Core = TfjsModulesReady["core"];

/** @param nets - what is run, and what all of it but the copies is */
function opened(core: Core, [net, base]: readonly [Net, Net?], shape: readonly number[], copies: number): OpenUnit {
  const x = core.tensor(givenTo(shape), shape);
  const running = (each: Net) => () =>
    core.tidy(() => {
      // What a model gives is read, as it is by those who ask for it; of many outputs one is enough.
      const result = each.predict(x);
      (Array.isArray(result) ? result[0] : result)?.dataSync();
    });
  const close = (): void => {
    x.dispose();
    net.dispose();
    base?.dispose();
  };
  return { copies, run: running(net), base: base ? running(base) : null, close };
}

function openNet(core: Core, layers: LayersModule, index: number, seed: number): OpenModel | null {
  const drawn = layersRelative(index, seed, layers);
  return drawn?.net ? { unit: opened(core, [drawn.net], drawn.shape, 1), whole: drawn.whole } : null;
}

function openCall(core: Core, layers: LayersModule, spec: UnitSpec): OpenUnit {
  const shape = [1, listOf(spec, "in")[0] ?? 1];
  const [once, twice] = [1, 2].map((count) => {
    const input = layers.input({ shape: shape.slice(1) });
    let at = input;
    for (let i = 0; i < count; i++) at = (layers.layers.reLU as Make)({}).apply(at);
    return layers.model({ inputs: input, outputs: at });
  }) as [Net, Net];
  const { run, base, close } = opened(core, [once, twice], shape, 1);
  return { ...callAlone(run, base as OpenUnit["run"]), close };
}

function openLayers(core: Core, layers: LayersModule, spec: UnitSpec): OpenUnit | null {
  const given = listOf(spec, "in").map((extent, i) => (i === 0 ? extent * spec.batch : extent));
  const shape = given.length > 0 ? given : [spec.batch * numberOf(spec, "rows"), numberOf(spec, "inputs")];
  const wanted = Math.max(2, Math.round(LONG / boundOf(spec, 1)));
  const copies = copiesWithin(spec, Math.min(MOST_COPIES, wanted));
  const [net, base] = [copies, 0].map((count) => copied(layers, spec, shape, count));
  return net && base ? opened(core, [net, base], shape, copies) : null;
}

type Make = (config: object) => { apply(from: object | readonly object[]): object };

const [LONG, MOST_COPIES] = [1, 12];

/**
 * A model with so many layers of a unit beside each other, behind what is read in their place. Without them it has none of their weights, which in a net
 * that was only shorter would take caches from those of the longer one. null: there is no such layer.
 */
function copied(
  { layers, input, model }: LayersModule,
  spec: UnitSpec,
  shape: readonly number[],
  count: number,
): Net | null {
  const given = input({ shape: shape.slice(1) });
  const x = (layers.reLU as Make)({}).apply(given);
  const outputs: object[] = [x];
  for (let i = 0; i < count; i++) {
    const parts = layersOf(spec);
    if (!parts) return null;
    let at: object = x;
    for (const [name, config] of parts) {
      const make = layers[name] as Make | undefined;
      if (!make) return null;
      at = make(config).apply(name === "add" ? [at, x] : at);
    }
    outputs.push(at);
  }
  return model({ inputs: given, outputs });
}

type Part = readonly [layer: string, config: object];

function layersOf(spec: UnitSpec): readonly Part[] | null {
  const [head = "", ...rest] = spec.form.split("+");
  const behind: readonly Part[] = rest.includes("ReLU") ? [["reLU", { maxValue: 6 }]] : [];
  const own = rest.find((name) => name !== "ReLU");
  const activation = own ? { activation: own } : {};
  const strides = listOf(spec, "strides");
  const kernel = listOf(spec, "kernel");
  const conv = { kernelSize: kernel, strides, padding: "same", ...activation };
  if (head === "Conv2D") return [["conv2d", { ...conv, filters: listOf(spec, "out").at(-1) }], ...behind];
  if (head === "DepthwiseConv2D") return [["depthwiseConv2d", conv], ...behind];
  if (head === "Dense") return [["dense", { units: numberOf(spec, "outputs"), ...activation }], ...behind];
  if (head === "MaxPooling2D") return [["maxPooling2d", { poolSize: kernel, strides }]];
  const plain = PLAIN[head];
  return plain ? [plain] : null;
}

const PLAIN: Readonly<Record<string, Part>> = {
  GlobalAveragePooling2D: ["globalAveragePooling2d", {}],
  ReLU: ["reLU", {}],
  Softmax: ["softmax", {}],
  Flatten: ["flatten", {}],
  Add: ["add", {}],
  LayerNormalization: ["layerNormalization", {}],
};

const FORMS: Readonly<Record<string, string>> = {
  Conv: "Conv2D",
  "Conv+Relu": "Conv2D+relu",
  "Conv+Clip": "Conv2D+ReLU",
  Gemm: "Dense",
  "Gemm+Relu": "Dense+relu",
  "Gemm+Tanh": "Dense+tanh",
  "Gemm+Sigmoid": "Dense+sigmoid",
  "Gemm+Softmax": "Dense+softmax",
  MaxPool: "MaxPooling2D",
  GlobalAveragePool: "GlobalAveragePooling2D",
  Relu: "ReLU",
  Add: "Add",
  LayerNormalization: "LayerNormalization",
};

/** A unit of the family's shapes as layers have it; null: they do not. */
function tfjsSpec(spec: UnitSpec): UnitSpec | null {
  const deep = spec.type === "depthwise";
  const form = deep && spec.form === "Conv+Relu" ? "Conv2D+ReLU" : FORMS[spec.form];
  if (spec.precision !== "f32" || form === undefined) return null;
  const { attributes } = spec;
  const last = (name: "in" | "out"): readonly number[] => {
    const [batch = 1, channels = 1, ...extents] = listOf(spec, name);
    return extents.length === 2 ? [batch, ...extents, channels] : listOf(spec, name);
  };
  if (spec.type === "dense")
    return { ...spec, form, batch: numberOf(spec, "rows"), attributes: { ...attributes, rows: 1 } };
  const shapes = { in: last("in"), out: form.startsWith("Global") ? [1, listOf(spec, "in")[1] ?? 1] : last("out") };
  return {
    ...spec,
    form: deep ? form.replace("Conv2D", "DepthwiseConv2D") : form,
    attributes: { ...attributes, ...shapes },
  };
}

import { createSession, isNative, type OnnxRuntime, type OnnxSession, runtimeName } from "../engine/onnx/runtime.ts";
import { boundOf } from "../latency/roofline.ts";
import type { Run } from "../latency/run.ts";
import { numberOf, type UnitSpec } from "../latency/spec.ts";
import { FLOAT, graphBuilder } from "../model/onnx/build.ts";
import { deployed } from "./deployed.ts";
import { design } from "./design.ts";
import { relative } from "./family.ts";
import { unitGraphs } from "./onnx.ts";
import type { Runner } from "./runner.ts";
import { callAlone, copiesWithin, givenTo, type OpenUnit } from "./unit.ts";
import { referenceSpec, wholeFrom } from "./whole.ts";

/** Units and models in ONNX Runtime, as applications run them: at its full optimisation. @param ort - the module */
export function onnxRunner(ort: OnnxRuntime, threads = 1): Runner {
  const create = (model: Uint8Array): Promise<OnnxSession> => createSession(ort, model, threads, "all");
  const native = isNative(ort);
  const openModel: Runner["openModel"] = async (index, seed, run) => {
    const model = relative(index, seed);
    const { bytes, units, input } = model;
    const feeds = inputOf(ort, input.shape);
    const session = await create(await deployed(bytes, units, () => run));
    return { unit: alone(session, feeds), whole: wholeFrom(model, run) };
  };
  return {
    runtime: runtimeName(ort),
    reference: referenceSpec("family"),
    specs: () => design(),
    family: "family",
    runs: ["f32", "int8", "w8"],
    async open(spec) {
      if (spec.type === "model")
        return (await openModel(numberOf(spec, "index"), numberOf(spec, "seed"), spec.precision as Run))?.unit ?? null;
      if (spec.type === "run") {
        const feeds = inputOf(ort, [sizeOf(spec, "in")]);
        return called(await both(create, callGraph(spec, 1), callGraph(spec, 2)), feeds);
      }
      const graphs = unitGraphs(spec, copiesOf(spec, threads, native));
      if (!graphs) return null;
      const { copies, input } = graphs;
      const feeds = inputOf(ort, input.shape);
      const [run, base] = await both(create, graphs.run, graphs.base);
      const close = async (): Promise<void> => {
        await run.release();
        await base.release();
      };
      return {
        copies,
        run: () => run.run(feeds as never, ["y"] as never),
        base: () => base.run(feeds as never, ["y"] as never),
        close,
      };
    },
    openModel,
  };
}

/** Two sessions, or none. */
async function both(
  create: (model: Uint8Array) => Promise<OnnxSession>,
  first: Uint8Array,
  second: Uint8Array,
): Promise<[OnnxSession, OnnxSession]> {
  const session = await create(first);
  try {
    return [session, await create(second)];
  } catch (error) {
    await session.release();
    throw error;
  }
}

function alone(session: OnnxSession, feeds: object): OpenUnit {
  const run = () => session.run(feeds as never, ["y"] as never);
  return { copies: 1, run, base: null, close: () => session.release() };
}

function inputOf(ort: OnnxRuntime, shape: readonly number[]): object {
  return { x: new ort.Tensor("float32" as never, givenTo(shape) as never, shape) };
}

/** A run takes about so many milliseconds, by what WebAssembly takes: native code takes a quarter, and its calls vary more. */
const LONG = { web: 1, native: 5 };
const MOST_COPIES = { web: 16, native: 40 };
function copiesOf(spec: UnitSpec, threads: number, native: boolean): number {
  const kind = native ? "native" : "web";
  const wanted = Math.round(LONG[kind] / boundOf(spec, threads));
  return copiesWithin(spec, Math.min(MOST_COPIES[kind], wanted));
}

const sizeOf = (spec: UnitSpec, name: "in" | "out"): number => (spec.attributes[name] as readonly number[])[0] ?? 1;

function called(sessions: readonly [OnnxSession, OnnxSession], feeds: object): OpenUnit {
  const [once, twice] = sessions.map((session) => alone(session, feeds)) as [OpenUnit, OpenUnit];
  const close = async (): Promise<void> => {
    await once.close();
    await twice.close();
  };
  return { ...callAlone(once.run, twice.run), close };
}

/** Values in, and others out. */
function callGraph(spec: UnitSpec, times: number): Uint8Array {
  const [from, to] = [sizeOf(spec, "in"), sizeOf(spec, "out")];
  const build = graphBuilder();
  let value = build.input("x", FLOAT, [from]);
  for (let i = 1; i <= times; i++) {
    const first = build.node("Slice", [value, build.integers([0]), build.integers([1])]);
    // Made of one element, as a model's output is made and not handed through.
    value = build.node("Expand", [first, build.integers([to])], {}, i === times ? { outputs: ["y"] } : {});
  }
  build.output("y");
  return build.bytes();
}

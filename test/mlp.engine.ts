import type { Description, Edits, Engine, InputEdit, Unit, Value, Values } from "../src/engine/engine.ts";
import { DataError } from "../src/index.ts";

// An engine for chains of dense layers, in plain JavaScript: what the tests without runtimes run.

export interface Layer {
  readonly name: string;
  /** Rows are inputs. */
  readonly weight: Float32Array;
  readonly bias: Float32Array;
  readonly activation?: "relu" | "softmax";
}

interface Options {
  /** Samples that the model takes at once; default: any. */
  readonly batch?: number;
  readonly integer?: boolean;
  /** Of a sample; default: flat. */
  readonly inputShape?: readonly number[];
  /** Counts engines that are open. */
  readonly open?: { count: number };
}

/** Values are called by the layers: "a" goes from "x" to "a:out". Weights: "a.weight", "a.bias". */
export function mlpEngine(layers: readonly Layer[], options: Options = {}, edits: Edits = {}, input = "x"): Engine {
  const { open = { count: 0 } } = options;
  const sizes = layers.map(({ bias }) => bias.length);
  const first = (layers[0] as Layer).weight.length / sizes[0];
  const parameter = (name: string, own: Float32Array): Float32Array => {
    const edited = edits.weights?.get(name) ?? own;
    if (edited.length !== own.length) throw new DataError(`${name} has ${own.length} elements, got ${edited.length}`);
    return edited;
  };
  const names = layers.flatMap(({ name }) => [`${name}.weight`, `${name}.bias`]);
  for (const name of edits.weights?.keys() ?? [])
    if (!names.includes(name)) throw new DataError(`no parameter ${name}`);
  open.count++;
  const output = `${(layers.at(-1) as Layer).name}:out`;
  return {
    runtime: "plain JavaScript",
    describe: async () => described(layers, options, input, output, first),
    async run(inputs, tap = []) {
      const values = new Map<string, Value>();
      let flow = inputs.get(input);
      if (!flow) throw new DataError(`no input ${input}`);
      if (flow.data.length !== flow.shape[0] * first) throw new DataError(`input of shape ${flow.shape}`);
      if (options.batch && flow.shape[0] !== options.batch)
        throw new DataError(`the model takes ${options.batch} samples`);
      for (const { name, weight, bias, activation } of layers) {
        flow = dense(
          edited(flow, edits.inputs?.get(name)),
          parameter(`${name}.weight`, weight),
          parameter(`${name}.bias`, bias),
          activation,
        );
        values.set(`${name}:out`, flow);
      }
      for (const name of tap) if (!values.has(name)) throw new DataError(`no value ${name}`);
      return new Map([output, ...tap].map((name) => [name, values.get(name) as Value])) satisfies Values;
    },
    withWeights: async (next) => mlpEngine(layers, options, next, input),
    async only(unit) {
      const at = layers.findIndex(({ name }) => name === unit);
      if (at < 0) throw new DataError(`no unit ${unit}`);
      const own = [...(edits.weights ?? [])].filter(([name]) => name.startsWith(`${unit}.`));
      const before = at === 0 ? input : `${layers[at - 1].name}:out`;
      const inputs = new Map([...(edits.inputs ?? [])].filter(([name]) => name === unit));
      return mlpEngine([layers[at]], { open }, { weights: new Map(own), inputs }, before);
    },
    async close() {
      open.count--;
    },
  };
}

/** Divided, then coded, as QuantizeLinear and DequantizeLinear would. */
function edited({ shape, data }: Value, edit: InputEdit | undefined): Value {
  if (!edit) return { shape, data };
  const { factors, codes } = edit;
  const out = Float32Array.from(data, (x, i) => {
    const y = x / (factors?.[i % factors.length] ?? 1);
    if (!codes) return y;
    const { scale, zeroPoint, least, most } = codes;
    const floor = Math.floor(y / scale);
    const rest = y / scale - floor;
    const round = rest > 0.5 || (rest === 0.5 && floor % 2 !== 0) ? floor + 1 : floor;
    return (Math.min(most, Math.max(least, round + zeroPoint)) - zeroPoint) * scale;
  });
  return { shape, data: out };
}

function dense({ shape: [count], data }: Value, weight: Float32Array, bias: Float32Array, activation?: string): Value {
  const wide = bias.length;
  const deep = weight.length / wide;
  const out = new Float32Array(count * wide);
  for (let n = 0; n < count; n++) {
    const row = Array.from(bias, (b, j) => {
      let sum = b;
      for (let i = 0; i < deep; i++) sum += data[n * deep + i] * weight[i * wide + j];
      return activation === "relu" ? Math.max(0, sum) : sum;
    });
    const most = Math.max(...row);
    const powers = row.map((x) => Math.exp(x - most));
    const all = powers.reduce((a, b) => a + b, 0);
    out.set(activation === "softmax" ? powers.map((x) => x / all) : row, n * wide);
  }
  return { shape: [count, wide], data: out };
}

function described(
  layers: readonly Layer[],
  { batch = -1, integer = false, inputShape }: Options,
  input: string,
  output: string,
  first: number,
): Description {
  const units = layers.map(({ name, weight, bias, activation }, i): Unit => {
    const deep = weight.length / bias.length;
    return {
      name,
      type: "dense",
      operators: ["Dense"],
      inputs: [i === 0 ? input : `${layers[i - 1].name}:out`],
      output: `${name}:out`,
      inputShape: [1, deep],
      outputShape: [1, bias.length],
      weight: { name: `${name}.weight`, shape: [deep, bias.length], inputAxis: 0, outputAxis: 1, channelAxis: -1 },
      parameters: [`${name}.weight`, `${name}.bias`],
      attributes: activation ? { activation } : {},
      macs: weight.length,
      bytes: 4 * (weight.length + bias.length),
    };
  });
  return {
    kind: "mlp",
    inputs: [{ name: input, integer, shape: [batch, ...(inputShape ?? [first])] }],
    outputs: [{ name: output, integer: false, shape: [batch, (layers.at(-1) as Layer).bias.length] }],
    units,
  };
}

import type { Facts, RuntimeName } from "./environment.ts";

// What each runtime can do: data only, read by support.ts. Facts about ONNX Runtime 1.30.0 and TensorFlow.js 4.22.0 are tried by
// test/accuracy/support.test.ts; those about other versions come from where their comments say.

export interface Fact {
  readonly ok: boolean;
  readonly reason: string;
  /** The first version that has it, as major.minor. */
  readonly since?: string;
  readonly needs?: readonly (keyof Facts["wasm"])[];
}
type Row = Readonly<Record<RuntimeName, Fact>>;

const yes = (reason: string, more: Omit<Fact, "ok" | "reason"> = {}): Fact => ({ ok: true, reason, ...more });
const no = (reason: string): Fact => ({ ok: false, reason });

const NO_QDQ = no("TensorFlow.js has no operators for quantized values: its WASM backend multiplies f32");
const NOTHING = no("quern's kernels decode weights, and multiply nothing");

/** The same for both packages of ONNX Runtime: its CPU provider is what both are built of. */
const onnx = (fact: Fact): Row => ({
  "onnxruntime-node": fact,
  "onnxruntime-web": fact,
  "tfjs-wasm": NO_QDQ,
  quern: NOTHING,
});

export const FACTS = {
  /** A model of floats. */
  f32: {
    ...onnx(yes("runs f32")),
    "tfjs-wasm": yes("runs f32"),
  },
  /** Any plan whose weights are decoded to f32 before the model runs: it costs or saves nothing then. */
  decode: {
    ...onnx(yes("any plan is decoded to f32 when it is loaded, by quern/onnx")),
    "tfjs-wasm": yes("any plan is decoded to f32 when it is loaded, by quern/tfjs"),
    quern: yes("any plan is decoded; where WebAssembly has no SIMD by slower kernels"),
  },
  /** Weights of 8 bits behind DequantizeLinear with a scale per tensor or channel (ONNX opset 13). */
  "DequantizeLinear int8": onnx(yes("DequantizeLinear per tensor or channel")),
  /** Weights of 8 bits in blocks behind DequantizeLinear (opset 21: github.com/microsoft/onnxruntime/pull/20901, after 1.18). */
  "DequantizeLinear int8 blocks": onnx(yes("DequantizeLinear in blocks, opset 21", { since: "1.19" })),
  /** Weights of 4 bits likewise (github.com/microsoft/onnxruntime/pull/20362, after 1.18). */
  "DequantizeLinear int4 blocks": onnx(yes("DequantizeLinear of int4 in blocks, opset 21", { since: "1.19" })),
  /** Weights and activations of 8 bits, with scales that are known before: what writeQdq gives. */
  QDQ: onnx(yes("QuantizeLinear and DequantizeLinear around operators become int8 arithmetic")),
  /** Activations whose scale is found while the model runs. */
  MatMulInteger: onnx(yes("DynamicQuantizeLinear and MatMulInteger")),
  ConvInteger: onnx(yes("DynamicQuantizeLinear and ConvInteger")),
  /** com.microsoft, weights of 4 bits in blocks. */
  MatMulNBits: onnx(yes("MatMulNBits with 4 bits")),
  /** Runtimes that compute in more than one thread. */
  threads: {
    ...onnx(yes("threads of its own")),
    "onnxruntime-web": yes("threads of WebAssembly", { needs: ["threads"] }),
    "tfjs-wasm": yes("threads of WebAssembly", { needs: ["threads"] }),
    quern: yes("chunks are decoded in workers, which need no shared memory"),
  },
  /** Training, which fine-tuning needs. */
  fit: {
    ...onnx(no("these packages of ONNX Runtime run models and do not train")),
    "tfjs-wasm": yes("layers models are trained on the WASM backend"),
  },
} satisfies Readonly<Record<string, Row>>;

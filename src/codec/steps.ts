import type { Code, CodeStep, QuantizeStep, Step } from "../plan.ts";
import type { DType, TensorInfo } from "../tensor.ts";
import type { Coding } from "./coding.ts";
import type { Layout } from "./layout.ts";
import { sure } from "./sure.ts";

// Steps as most sections have them, and the layout that follows. The second of two parsers: it gives what parseSteps and layoutOf give, or
// throws, and then they are to be asked.

const STEPS =
  /^(?:prune (\d[\d.e-]*)( global)? > )?(?:int([48]) (tensor|channel|group ([1-9]\d*))( asymmetric)? > )?(lossless|raw|constant|huffman|pivot|mask|zrl|auto|smallest)$/;

/** The steps of a section of this dtype, from their one spelling. */
export function commonSteps(text: string, dtype: DType): readonly Step[] {
  const [, share, global, bits, rows, group = "0", asymmetric, word] = STEPS.exec(text) as unknown as string[];
  const steps: Step[] = [];
  if (share) {
    const sparsity = Number(share);
    sure(`${sparsity}` === share && sparsity <= 1);
    steps.push({ op: "prune", by: "magnitude", sparsity, over: global ? "model" : "tensor" });
  }
  if (bits) {
    const per = (rows as string).split(" ")[0] as QuantizeStep["per"];
    const size = Number(group);
    sure(per !== "group" || (size >= 8 && size <= 65536));
    steps.push({ op: "quantize", bits: Number(bits) as 4 | 8, per, group: size, asymmetric: !!asymmetric });
  }
  // Of elements of other types there is nothing to round; an F64 that is pruned needs a step of codes.
  sure(steps.length === 0 || /F(32|16)/.test(dtype));
  const lossless = word === "lossless";
  sure(steps.length > 0 ? !lossless : word !== "auto");
  const code = (lossless ? "auto" : word) as Code;
  return [...steps, { op: "code", code, grouping: { by: "chunk", size: 0 } }];
}

// The coding of rows under f32 scales.
function linearCoding(bits: Coding["bits"], asymmetric: boolean): Coding {
  const content = (width: 1 | 4) => ({ width, float: width > 1, nibbles: 0 }) as const;
  return {
    bits,
    rule: "linear",
    scales: content(4),
    offsets: asymmetric ? content(1) : null,
    offsetName: "zero points",
    any: false,
  };
}

/** The layout of a tensor of so many elements under such steps. Of no use to an encoder: kernel and widths are not found. */
export function commonLayout(
  tensor: TensorInfo,
  elements: number,
  steps: readonly Step[],
  chunkElements: number,
): Layout {
  const line = Math.max(elements, 1);
  const quantize = steps.find((step) => step.op === "quantize") ?? null;
  const { per, group } = quantize ?? { per: "group", group: 1 };
  const cols = per === "group" ? group : per === "channel" ? Math.max(line / (tensor.shape[0] || 1), 1) : line;
  return {
    tensor,
    elements,
    chunkElements,
    chunks: Math.ceil(elements / chunkElements),
    smooth: null,
    quantize,
    code: steps[steps.length - 1] as CodeStep,
    coding: quantize && linearCoding(quantize.bits, quantize.asymmetric),
    blocks: false,
    grid: { line, cols, cycle: 1, share: 1 },
    kernel: 1,
    widths: [],
  };
}

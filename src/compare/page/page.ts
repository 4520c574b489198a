import { all, element, type Markup, nameOf } from "../../page/markup.ts";
import { pageOf } from "../../page/page.ts";
import { bitsText, bytesText, percentText, section, snrText, tableOf } from "../../page/words.ts";
import type { Comparison, FormatFigures } from "../comparison.ts";
import { byteBars } from "./bars.ts";
import { histograms } from "./histograms.ts";
import { plotLegend, ratePlot } from "./plot.ts";
import { OWN_STYLE } from "./style.ts";

/** A comparison as one HTML page, which fetches nothing and runs nothing. */
export function comparisonPage(name: string, comparison: Comparison): string {
  const title = `${name}: bits and error`;
  const plot = ratePlot(comparison);
  const bars = byteBars(comparison);
  const main = element(
    "main",
    {},
    element("h1", {}, nameOf(name)),
    summary(comparison),
    section(
      "rate",
      "Bits against error",
      plot ?? element("p", {}, "No file has an error."),
      plot && plotLegend(),
      formatTable(comparison),
    ),
    bars && section("bytes", "Where the bytes go", barsNote(comparison), bars),
    section("weights", "Weights", weightsNote(comparison), histograms(comparison)),
    section("how", "How this was measured", ...method(comparison)),
  );
  return pageOf(title, OWN_STYLE, main);
}

function summary({ formats, elements, sourceBytes, quantized }: Comparison): Markup {
  const sentences = formats
    .filter(({ name, own, equal }) => (name === "q4_0" || name === "q8_0") && own && equal)
    .map(({ label, own, equal }) => {
      if (!own || !equal) return null;
      const less = equal.saved >= 0 ? "fewer" : "more";
      const share = percentText(Math.abs(equal.saved));
      const words = `With no more squared error than ${label} on any tensor, the .quern file takes ${bytesText(equal.bytes)} bytes: ${share} ${less} than ${bytesText(own.bytes)}.`;
      return element("p", { class: "lead" }, words);
    });
  const size = `${elements.toLocaleString("en")} weights, ${bytesText(sourceBytes)} bytes as they are`;
  const share = `${quantized.elements.toLocaleString("en")} of them, in ${quantized.tensors} tensors, are quantized; the rest is kept without loss.`;
  return all([...sentences, element("p", { class: "faint" }, `${size}. ${share}`)]);
}

function formatTable({ formats, curve }: Comparison): Markup {
  const rows = formats.map((format) => [format.label, ...formatCells(format)]);
  const head = [
    "format",
    "bits per weight",
    "bytes",
    "SNR, dB",
    "its codes in .quern",
    ".quern, no more error",
    "bytes saved",
  ];
  const points = curve.map(({ budget, bits, bytes, snr }) => [
    bitsText(budget),
    bitsText(bits),
    bytesText(bytes),
    snrText(snr),
  ]);
  const notes = formats.filter(({ why }) => why !== null).map(({ label, why }) => element("p", {}, `${label}: ${why}`));
  return all([
    tableOf("Formats", head, rows),
    ...notes,
    points.length === 0
      ? null
      : tableOf("Files under a budget", ["budget, bits", "bits per weight", "bytes", "SNR, dB"], points),
  ]);
}

function formatCells({ own, same, equal }: FormatFigures): string[] {
  return [
    own ? bitsText(own.bits) : "–",
    own ? bytesText(own.bytes) : "–",
    own ? snrText(own.snr) : "–",
    same ? bytesText(same.bytes) : "–",
    equal ? bytesText(equal.bytes) : "–",
    equal ? percentText(equal.saved) : "–",
  ];
}

function labelOf({ formats, reference }: Comparison): string {
  return formats.find(({ name }) => name === reference)?.label ?? "";
}

function barsNote(comparison: Comparison): Markup {
  return element("p", {}, `The .quern file with no more error than ${labelOf(comparison)}, tensor by tensor.`);
}

function weightsNote({ tensors, reference, quantized }: Comparison): Markup {
  const drawn = tensors.filter(({ histogram }) => histogram !== null).length;
  const which =
    drawn < quantized.tensors
      ? `The largest ${drawn} of ${quantized.tensors} quantized tensors`
      : "All quantized tensors";
  const step = reference === null ? "" : " The mark below the axis is one step of the file above.";
  return element("p", {}, `${which}: how many weights have which value, counts as logarithms.${step}`);
}

function method({ plan }: Comparison): Markup[] {
  return [
    element(
      "p",
      {},
      "Every file was packed, decoded to f32 and compared with the model: SNR is 10 log",
      element("sub", {}, "10"),
      "(sum of squares / sum of squared differences) over all tensors, those kept without loss among them. Sizes are those of whole files, names and metadata included.",
    ),
    element(
      "p",
      {},
      "GGUF formats are counted as the GGUF file of these tensors, in blocks of 32 over all elements. NF4 is counted as a safetensors file with two codes to a byte and an f32 scale for 64 weights, int8 and int4 with an f32 scale for each index of the first dimension. What is not quantized keeps its dtype in all of them.",
    ),
    element("p", {}, "The curve was made under the plan ", element("code", {}, plan), "."),
  ];
}

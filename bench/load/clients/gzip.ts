// Downloads scales and codes as .gz, inflates and dequantizes them as they come.
import { dequantizer } from "./dequantize.ts";
import { args, held, report, sumOf, times, warm } from "./report.ts";

const { url, elements, columns, repeat } = args<{ url: string; elements: number; columns: number; repeat: number }>();
const memory = held(elements);
await warm(url);
const ms = await times(repeat, async () => {
  const ready = dequantizer(memory, columns);
  const body = (await fetch(url)).body as ReadableStream<Uint8Array<ArrayBuffer>>;
  const { scale, put } = await ready;
  const scales = new Uint8Array((4 * elements) / columns);
  let at = 0;
  for await (const piece of body.pipeThrough(new DecompressionStream("gzip")) as unknown as AsyncIterable<Uint8Array>) {
    const part = piece.subarray(0, Math.max(scales.length - at, 0));
    if (part.length > 0) {
      scales.set(part, at);
      if (at + part.length === scales.length) scale(new Float32Array(scales.buffer));
    }
    if (part.length < piece.length) put(piece.subarray(part.length), at + part.length - scales.length);
    at += piece.length;
  }
  return at;
});
report({ ms, sum: sumOf(memory) });

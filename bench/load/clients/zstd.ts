// Downloads scales and codes as one .zst, decodes it, dequantizes.
import { ZSTDDecoder } from "zstddec";
import { dequantizer } from "./dequantize.ts";
import { args, held, report, sumOf, times, warm } from "./report.ts";

const { url, elements, columns, repeat } = args<{ url: string; elements: number; columns: number; repeat: number }>();
const memory = held(elements);
const rows = elements / columns;
await warm(url);
const ms = await times(repeat, async () => {
  const zstd = new ZSTDDecoder();
  // Ready while the first bytes are on their way.
  const ready = Promise.all([zstd.init(), dequantizer(memory, columns)]);
  const stored = new Uint8Array(await (await fetch(url)).arrayBuffer());
  const [, { scale, put }] = await ready;
  const plain = zstd.decode(stored, 4 * rows + elements);
  scale(new Float32Array(plain.buffer, plain.byteOffset, rows));
  put(plain.subarray(4 * rows), 0);
  return plain.length;
});
report({ ms, sum: sumOf(memory) });

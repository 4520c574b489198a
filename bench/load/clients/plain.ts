// Fetches an address as a stream to its end, several times; of the bytes nothing is made. With `bytes`, only so many of the first.
import { args, report, times, warm } from "./report.ts";

const { url, repeat, bytes } = args<{ url: string; repeat: number; bytes?: number }>();
await warm(url);
const ms = await times(repeat, async () => {
  const { body } = await fetch(url, bytes ? { headers: { Range: `bytes=0-${bytes - 1}` } } : {});
  let got = 0;
  for await (const piece of body as AsyncIterable<Uint8Array> & ReadableStream) got += piece.length;
  return got;
});
report({ ms });

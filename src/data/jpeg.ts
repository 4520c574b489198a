import { demand } from "../errors.ts";
import { MAX_PIXELS } from "./limits.ts";
import type { Picture } from "./pixels.ts";

// JPEG by jpeg-js: baseline and progressive, 8 bits.

export function looksLikeJpeg(head: Uint8Array): boolean {
  return head[0] === 0xff && head[1] === 0xd8 && head[2] === 0xff;
}

/** @throws FormatError */
export async function readJpeg(file: Uint8Array): Promise<Picture> {
  const components = checkFrame(file);
  const { default: jpeg } = await import("jpeg-js");
  try {
    const options = { useTArray: true, formatAsRGBA: false, tolerantDecoding: false } as const;
    const limits = { maxResolutionInMP: MAX_PIXELS / 1e6, maxMemoryUsageInMB: 2048 };
    const { height, width, data } = jpeg.decode(file, { ...options, ...limits });
    return { height, width, channels: 3, data };
  } catch (error) {
    demand(false, "jpeg", 2, `jpeg of ${components} components`, "a picture", (error as Error).message);
  }
}

// What the frame says is looked at before anything is made of that size. Decoders fill up what a cut file lacks, so the end is looked for too.
function checkFrame(file: Uint8Array): number {
  demand(looksLikeJpeg(file), "magic", 0, "jpeg signature", "ff d8 ff", file.subarray(0, 3).join(" "));
  let at = 2;
  for (;;) {
    demand(
      at + 4 <= file.length && file[at] === 0xff,
      "truncated",
      at,
      "jpeg marker",
      "ff and a segment",
      "something else",
    );
    const marker = file[at + 1] as number;
    const length = ((file[at + 2] as number) << 8) | (file[at + 3] as number);
    if (marker === 0xff) at++;
    else if (marker >= 0xc0 && marker <= 0xcf && ![0xc4, 0xc8, 0xcc].includes(marker)) break;
    else {
      demand(marker !== 0xda && marker !== 0xd9, "jpeg", at, "jpeg frame", "before the pixels", "none");
      at += 2 + length;
    }
  }
  demand(at + 10 <= file.length, "truncated", at, "jpeg frame", "10 bytes", file.length - at);
  const [height, width] = [at + 5, at + 7].map((i) => ((file[i] as number) << 8) | (file[i + 1] as number)) as [
    number,
    number,
  ];
  const fits = height > 0 && width > 0 && height * width <= MAX_PIXELS;
  demand(fits, "size", at + 5, "jpeg size", `1 to ${MAX_PIXELS} pixels`, `${width} x ${height}`);
  const end = file.length - 2;
  let last = end;
  // Some cameras write more behind the end.
  while (last > at && !(file[last] === 0xff && file[last + 1] === 0xd9)) last--;
  demand(last > at, "truncated", file.length, "jpeg", "the marker of its end", "the end of the file");
  return file[at + 9] as number;
}

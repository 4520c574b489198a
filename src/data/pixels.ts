import { argument } from "../errors.ts";

// Pictures as rows of pixels, each with its channels.

export interface Picture {
  readonly height: number;
  readonly width: number;
  /** 1: grey; 2: grey and alpha; 3: RGB; 4: RGB and alpha */
  readonly channels: number;
  /** From 0 to 255, which may lie between whole numbers: of 16 bits, or resized. */
  readonly data: Float32Array | Uint8Array;
}

export type Resampling = "nearest" | "bilinear";

/** Grey or RGB. Alpha is left out, as if the picture were opaque; grey is Rec. 601's luma, 0.299 R + 0.587 G + 0.114 B. */
export function inChannels({ height, width, channels, data }: Picture, wanted: 1 | 3): Picture {
  const out = new Float32Array(height * width * wanted);
  const colours = channels >= 3;
  for (let i = 0, from = 0; i < height * width; i++, from += channels) {
    const [r, g, b] = [data[from] as number, data[from + 1] as number, data[from + 2] as number];
    if (wanted === 1) out[i] = colours ? 0.299 * r + 0.587 * g + 0.114 * b : r;
    else out.set(colours ? [r, g, b] : [r, r, r], 3 * i);
  }
  return { height, width, channels: wanted, data: out };
}

/**
 * Another size. Pixels are areas: the middle of the new one is looked up in the old picture (half-pixel centres). `nearest` takes the pixel it lies in,
 * `bilinear` weighs the four around it, edges repeated. Neither averages over the pixels that shrinking leaves out.
 */
export function resized(picture: Picture, height: number, width: number, how: Resampling = "bilinear"): Picture {
  if (picture.height === height && picture.width === width) return picture;
  argument(picture.height > 0 && picture.width > 0, "picture", "one pixel or more", "none");
  const { channels, data } = picture;
  const rows = taps(picture.height, height, how);
  const columns = taps(picture.width, width, how);
  const out = new Float32Array(height * width * channels);
  let at = 0;
  for (const { low: top, high: bottom, share: down } of rows) {
    for (const { low: left, high: right, share: across } of columns) {
      for (let c = 0; c < channels; c++) {
        const pixel = (y: number, x: number): number => data[(y * picture.width + x) * channels + c] as number;
        const above = (1 - across) * pixel(top, left) + across * pixel(top, right);
        const below = (1 - across) * pixel(bottom, left) + across * pixel(bottom, right);
        out[at++] = (1 - down) * above + down * below;
      }
    }
  }
  return { height, width, channels, data: out };
}

function taps(from: number, to: number, how: Resampling): { low: number; high: number; share: number }[] {
  return Array.from({ length: to }, (_, i) => {
    const middle = ((i + 0.5) * from) / to;
    if (how === "nearest") return { low: Math.floor(middle), high: Math.floor(middle), share: 0 };
    const place = Math.min(Math.max(middle - 0.5, 0), from - 1);
    const low = Math.floor(place);
    return { low, high: Math.min(low + 1, from - 1), share: place - low };
  });
}

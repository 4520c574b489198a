// NF4. Levels and the tree of comparisons: QLoRA and bitsandbytes; the tree's thresholds are midpoints. Codes are c - 8.

const f = Math.fround;

export const NF4_LEVELS = [
  -1, -0.6961928009986877, -0.5250730514526367, -0.39491748809814453, -0.28444138169288635, -0.18477343022823334,
  -0.09105003625154495, 0, 0.07958029955625534, 0.16093020141124725, 0.24611230194568634, 0.33791524171829224,
  0.44070982933044434, 0.5626170039176941, 0.7229568362236023, 1,
];

/** As bitsandbytes prints them. */
export const NF4_THRESHOLDS = [
  -0.8480964004993439, -0.6106329262256622, -0.4599952697753906, -0.33967943489551544, -0.23460740596055984,
  -0.13791173323988914, -0.045525018125772476, 0.03979014977812767, 0.1202552504837513, 0.2035212516784668,
  0.2920137718319893, 0.3893125355243683, 0.5016634166240692, 0.6427869200706482, 0.8614784181118011,
].map(f);

export function quantizeNormal(x: Float32Array, rows: number, cols: number, scales: Float32Array): Int8Array {
  return Int8Array.from({ length: rows * cols }, (_, i) => {
    const inverse = f(1 / scales[Math.floor(i / cols)]);
    const t = f(x[i] * (Number.isFinite(inverse) ? inverse : 0));
    return NF4_THRESHOLDS.filter((threshold) => t > threshold).length - 8;
  });
}

export function dequantizeNormal(codes: Int8Array, rows: number, cols: number, scales: Float32Array): Float32Array {
  return Float32Array.from({ length: rows * cols }, (_, i) =>
    f(f(NF4_LEVELS[codes[i] + 8]) * scales[Math.floor(i / cols)]),
  );
}

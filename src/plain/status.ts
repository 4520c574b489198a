// Negative results of kernels, as in assembly/status.ts.
export const NOT_FINITE = -1;
export const LENGTHS = -2;
export const KRAFT = -3;
export const SIZES = -4;
export const BITS = -5;
export const PADDING = -6;
export const SYMBOL = -7;
export const RUN = -8;
export const COUNT = -9;
export const LEVEL = -10;
export const KIND = -11;

// Negative results of kernels. src/kernels.ts holds the same list with the text of each error.
export const NOT_FINITE: i32 = -1;
export const LENGTHS: i32 = -2;
export const KRAFT: i32 = -3;
export const SIZES: i32 = -4;
export const BITS: i32 = -5;
export const PADDING: i32 = -6;
export const SYMBOL: i32 = -7;
export const RUN: i32 = -8;
export const COUNT: i32 = -9;
export const LEVEL: i32 = -10;
export const KIND: i32 = -11;

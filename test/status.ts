export const STATUS = {
  NOT_FINITE: -1,
  LENGTHS: -2,
  KRAFT: -3,
  SIZES: -4,
  BITS: -5,
  PADDING: -6,
  SYMBOL: -7,
  RUN: -8,
  COUNT: -9,
  LEVEL: -10,
  KIND: -11,
} as const;

export function nameOf(status: number): string {
  return Object.entries(STATUS).find(([, value]) => value === status)?.[0] ?? `status ${status}`;
}

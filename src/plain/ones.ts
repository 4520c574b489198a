const ONES = new Uint8Array(256);
for (let byte = 1; byte < 256; byte++) ONES[byte] = (ONES[byte >> 1] as number) + (byte & 1);

/** Ones in n bytes. */
export function countOnes(b: Uint8Array, at: number, n: number): number {
  var p = at;
  var ones = ONES;
  var sum = 0;
  var end = at + n;
  for (; p < end; ++p) sum += ones[b[p] as number] as number;
  return sum;
}

const ONES = new Uint8Array(256);
for (let byte = 1; byte < 256; byte++) ONES[byte] = (ONES[byte >> 1] as number) + (byte & 1);

/** Ones in n bytes of a memory whose words of 32 bits are `words`. */
export function countOnes(b: Uint8Array, words: Int32Array, at: number, n: number): number {
  const end = at + n;
  const first = Math.min((at + 3) & -4, end);
  const last = Math.max(end & -4, first);
  return onesOfBytes(b, at, first) + onesOfWords(words, first >> 2, last >> 2) + onesOfBytes(b, last, end);
}

function onesOfBytes(b: Uint8Array, at: number, end: number): number {
  let sum = 0;
  for (let p = at; p < end; p++) sum += ONES[b[p] as number] as number;
  return sum;
}

// Sums of two, of four, of eight bits side by side; then the four bytes together.
function onesOfWords(words: Int32Array, at: number, end: number): number {
  var w = words;
  var p = at;
  var x = 0;
  var sum = 0;
  for (; p < end; ++p) {
    x = w[p] as number;
    x = (x - ((x >>> 1) & 0x55555555)) | 0;
    x = (x & 0x33333333) + ((x >>> 2) & 0x33333333);
    x = (x + (x >>> 4)) & 0x0f0f0f0f;
    x += x >>> 8;
    sum += (x + (x >>> 16)) & 63;
  }
  return sum;
}

// Powers by the four operations alone: Math.pow and Math.log differ between engines, and the same input must give the same file.

/** x^y for a normal x > 0 and |y| <= 1, to some 1e-15 of it. */
export function power(x: number, y: number): number {
  return exp2(y * log2(x));
}

// x = 2^e m with m around 1; ln m = 2 atanh t, t = (m - 1) / (m + 1), |t| < 0.172: the 12th term is below 2^-60.
function log2(x: number): number {
  let [e, m] = [0, x];
  for (; m >= Math.SQRT2; e++) m /= 2;
  for (; m < Math.SQRT1_2; e--) m *= 2;
  const t = (m - 1) / (m + 1);
  let sum = 0;
  for (let k = 23; k >= 1; k -= 2) sum = sum * t * t + 1 / k;
  return e + (2 * t * sum) / Math.LN2;
}

// The Taylor series of e^z, |z| <= ln 2 / 2: the 15th term is below 2^-60.
function exp2(y: number): number {
  const whole = Math.round(y);
  const z = (y - whole) * Math.LN2;
  let sum = 1;
  for (let k = 15; k >= 1; k--) sum = 1 + (z / k) * sum;
  for (let i = 0; i < whole; i++) sum *= 2;
  for (let i = 0; i > whole; i--) sum /= 2;
  return sum;
}

const P1 = 0x9e3779b185ebca87n;
const P2 = 0xc2b2ae3d27d4eb4fn;
const P3 = 0x165667b19e3779f9n;
const P4 = 0x85ebca77c2b2ae63n;
const P5 = 0x27d4eb2f165667c5n;

function u64(x: bigint): bigint {
  return BigInt.asUintN(64, x);
}

function rotl(x: bigint, r: bigint): bigint {
  return u64((x << r) | (x >> (64n - r)));
}

function round(lane: bigint, input: bigint): bigint {
  return u64(rotl(u64(lane + input * P2), 31n) * P1);
}

/** XXH64 with seed 0, as in the published description of the algorithm. */
export function xxh64(bytes: Uint8Array): bigint {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const striped = bytes.length - (bytes.length % 32);
  const start = bytes.length < 32 ? P5 : stripes(view, striped);
  return avalanche(tail(view, striped, u64(start + BigInt(bytes.length))));
}

function stripes(view: DataView, end: number): bigint {
  const lanes = [u64(P1 + P2), P2, 0n, u64(-P1)];
  for (let i = 0; i < end; i += 8) {
    const lane = (i / 8) % 4;
    lanes[lane] = round(lanes[lane], view.getBigUint64(i, true));
  }
  const [a, b, c, d] = lanes;
  let hash = u64(rotl(a, 1n) + rotl(b, 7n) + rotl(c, 12n) + rotl(d, 18n));
  for (const lane of lanes) hash = u64((hash ^ round(0n, lane)) * P1 + P4);
  return hash;
}

function tail(view: DataView, start: number, seed: bigint): bigint {
  let hash = seed;
  let i = start;
  for (; i + 8 <= view.byteLength; i += 8) {
    hash = u64(rotl(hash ^ round(0n, view.getBigUint64(i, true)), 27n) * P1 + P4);
  }
  if (i + 4 <= view.byteLength) {
    hash = u64(rotl(hash ^ u64(BigInt(view.getUint32(i, true)) * P1), 23n) * P2 + P3);
    i += 4;
  }
  for (; i < view.byteLength; i++) hash = u64(rotl(hash ^ u64(BigInt(view.getUint8(i)) * P5), 11n) * P1);
  return hash;
}

function avalanche(hash: bigint): bigint {
  let h = hash;
  h = u64((h ^ (h >> 33n)) * P2);
  h = u64((h ^ (h >> 29n)) * P3);
  return h ^ (h >> 32n);
}

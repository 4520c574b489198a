import { createHash } from "node:crypto";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { decodeTiers, expectSame, inout, out, randomBytes, run, SIZES, type Tier } from "./helpers.ts";
import { xxh64 } from "./reference.ts";

// Published with other implementations (xxHash, python-xxhash).
const XXH64: [text: string, hash: bigint][] = [
  ["", 0xef46db3751d8e999n],
  ["a", 0xd24ec4f1a98c6e5bn],
  ["as", 0x1c330fb2d66be179n],
  ["asd", 0x631c37ce72a97393n],
  ["asdf", 0x415872f599cea71en],
  ["abc", 0x44bc2cf5ad770999n],
  ["xxhash", 0x32dd38952c4bc720n],
  ["Nobody inspects the spammish repetition", 0xfbcea83c8a378bf1n],
  ["Call me Ishmael. Some years ago--never mind how long precisely-", 0x02a2e85470d6fd96n],
];

// FIPS 180-2, appendix B.
const SHA256: [text: string, hash: string][] = [
  ["abc", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"],
  [
    "abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq",
    "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1",
  ],
  ["", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"],
];

const START = Uint32Array.of(
  0x6a09e667,
  0xbb67ae85,
  0x3c6ef372,
  0xa54ff53a,
  0x510e527f,
  0x9b05688c,
  0x1f83d9ab,
  0x5be0cd19,
);

function utf8(text: string): Uint8Array {
  return new TextEncoder().encode(text);
}

/** The message, a bit 1, zeros, and the length in bits, to whole blocks. */
function padded(bytes: Uint8Array): Uint8Array {
  const blocks = new Uint8Array(64 * Math.ceil((bytes.length + 9) / 64));
  blocks.set(bytes);
  blocks[bytes.length] = 0x80;
  new DataView(blocks.buffer).setBigUint64(blocks.length - 8, 8n * BigInt(bytes.length));
  return blocks;
}

/** In two calls, so that the state is seen to run on. */
function sha256(tier: Tier, bytes: Uint8Array): string {
  const blocks = padded(bytes);
  const cut = 64 * Math.floor(blocks.length / 128);
  let state: Uint8Array<ArrayBuffer> = new Uint8Array(START.buffer);
  for (const part of [blocks.subarray(0, cut), blocks.subarray(cut)]) {
    const result = run(tier, "sha256", inout(state), part, part.length / 64);
    expect(result.status).toBe(part.length / 64);
    state = result.out[0];
  }
  return [...new Uint32Array(state.buffer)].map((word) => word.toString(16).padStart(8, "0")).join("");
}

function checkXxh64(tier: Tier, bytes: Uint8Array, expected = xxh64(bytes)): void {
  const result = run(tier, "xxh64", bytes, bytes.length, out(8));
  expect(result.status).toBe(8);
  expectSame(result.out[0], BigUint64Array.of(expected), `${bytes.length} bytes`);
}

function checkSha256(tier: Tier, bytes: Uint8Array): void {
  expect(sha256(tier, bytes)).toBe(createHash("sha256").update(bytes).digest("hex"));
}

test.each(XXH64)("the twin hashes %j as published", (text, hash) => {
  expect(xxh64(utf8(text))).toBe(hash);
});

describe.each(decodeTiers())("xxh64 on $name", (tier) => {
  test.each(XXH64)("hashes %j as published", (text, hash) => checkXxh64(tier, utf8(text), hash));

  test("agrees with its twin on every length up to 130", () => {
    for (let n = 0; n <= 130; n++) checkXxh64(tier, randomBytes(n, n));
  });

  test.each(SIZES)("agrees with its twin on %i bytes", (n) => checkXxh64(tier, randomBytes(n, 3)));

  test("agrees with its twin on any bytes", () => {
    fc.assert(fc.property(fc.uint8Array({ maxLength: 300, size: "max" }), (bytes) => checkXxh64(tier, bytes)));
  });
});

describe.each(decodeTiers())("sha256 on $name", (tier) => {
  test.each(SHA256)("hashes %j as published", (text, hash) => expect(sha256(tier, utf8(text))).toBe(hash));

  test("agrees with node:crypto on every length up to 130", () => {
    for (let n = 0; n <= 130; n++) checkSha256(tier, randomBytes(n, n));
  });

  test.each(SIZES)("agrees with node:crypto on %i bytes", (n) => checkSha256(tier, randomBytes(n, 4)));

  test("agrees with node:crypto on any bytes", () => {
    fc.assert(fc.property(fc.uint8Array({ maxLength: 300, size: "max" }), (bytes) => checkSha256(tier, bytes)));
  });

  test("leaves the state alone when there is no block", () => {
    const result = run(tier, "sha256", inout(START), new Uint8Array(0), 0);
    expect(result.status).toBe(0);
    expectSame(result.out[0], START);
  });
});

import { describe, expect, test } from "vitest";
import { FormatError, open, verify } from "../src/index.ts";
import {
  BOTH,
  ENTRY,
  modelOf,
  noise,
  PRELUDE,
  packed,
  partsOf,
  readAll,
  SIMD,
  sealed,
  sha256,
  specimens,
} from "./files.ts";
import { bytesOf } from "./helpers.ts";

// Damage: whatever changes in a file, open or verify says where.

const SPECIMENS = await specimens();

/** The error of open and verify, checked for what it must tell. */
async function refusal(bytes: Uint8Array, what: string): Promise<FormatError> {
  let error: unknown = new Error(`${what}: taken`);
  try {
    await verify(await open(bytes, { kernels: SIMD }));
  } catch (thrown) {
    error = thrown;
  }
  if (!(error instanceof FormatError)) throw error;
  const { offset, field, expected, actual, code } = error;
  const told = Number.isInteger(offset) && offset >= 0 && offset <= bytes.length;
  if (!told || [field, expected, actual, code].includes("")) expect.fail(`${what}: ${JSON.stringify(error)}`);
  return error;
}

test("the specimens have the codes that they are for", () => {
  const codes = SPECIMENS.map(([, file]) => partsOf(file).chunks.map(({ code }) => code));
  expect(codes).toEqual([[0], [1], [2], [2], [3], [4], [3], [5], [5], [6], [6], [3], [7], [7], [4], [5]]);
});

describe.each(SPECIMENS)("%s", (_, file) => {
  test("is good as it is, and the same on both tiers", async () => {
    const [simd, scalar] = await Promise.all(BOTH.map((kernels) => readAll(file, kernels)));
    expect(scalar).toBe(simd);
  });

  test("every prefix is refused", async () => {
    for (let end = 0; end < file.length; end++) {
      const { code } = await refusal(file.slice(0, end), `${end} bytes`);
      expect(code).toBe(end < 8 ? "magic" : end < PRELUDE ? "truncated" : "file-length");
    }
  });

  test("one byte more is refused, whatever it is", async () => {
    for (const byte of [0, 32, 255]) {
      const { code } = await refusal(Uint8Array.from([...file, byte]), `${byte} behind`);
      expect(code).toBe("file-length");
    }
  });

  test("every single flipped bit is refused", async () => {
    const bytes = bytesOf(file);
    for (let bit = 0; bit < 8 * bytes.length; bit++) {
      bytes[bit >> 3] ^= 1 << (bit & 7);
      await refusal(bytes, `bit ${bit}`);
      bytes[bit >> 3] ^= 1 << (bit & 7);
    }
  });

  test("zeroed and repeated blocks are refused", async () => {
    for (let at = 0; at + 16 <= file.length; at += 8) {
      const zeroed = bytesOf(file).fill(0, at, at + 16);
      const repeated = bytesOf(file).copyWithin(at, at + 16, at + 32);
      for (const bytes of [zeroed, repeated]) {
        if (Buffer.compare(bytes, file) !== 0) await refusal(bytes, `block at ${at}`);
      }
    }
  });

  test("a forger who mends XXH64 and the header's hash, but not SHA-256, is found out by verify", async () => {
    const parts = partsOf(file);
    const [chunk] = parts.chunks;
    const table = PRELUDE + parts.json.length;
    for (let at = 0; at < chunk.bytes.length; at++) {
      const bytes = chunk.bytes.slice();
      bytes[at] ^= 1;
      const forged = sealed({ ...parts, chunks: [{ ...chunk, bytes }] }, (header) => {
        new Uint8Array(header.buffer).set(sha256(chunk.bytes).subarray(0, 16), table + ENTRY - 16);
      });
      await refusal(forged, `byte ${at}`);
    }
  });
});

test("a damaged chunk is refused by tensor and stream too, by its XXH64, and the others are not touched", async () => {
  const model = modelOf([noise("a", "U8", [100]), noise("b", "F32", [100]), noise("c", "I8", [100])]);
  const { bytes, report } = await packed(model, "raw");
  for (let at = report.headerBytes + 104; at < report.headerBytes + 508; at++) {
    bytes[at] ^= 64;
    const file = await open(bytes, { kernels: SIMD });
    await expect(file.tensor("b")).rejects.toMatchObject({ name: "FormatError", code: "checksum" });
    expect((await file.tensor("a")).data).toHaveLength(100);
    const stream = file.stream({ as: "stored" });
    expect((await stream.next()).value?.name).toBe("a");
    await expect(stream.next()).rejects.toThrow(/"b".*XXH64/);
    bytes[at] ^= 64;
  }
});

test("text-mode transfers are seen at the magic", async () => {
  const [, file] = SPECIMENS[0];
  const text = Buffer.from(file).toString("latin1");
  const damaged = [text.replaceAll("\r\n", "\n"), text.replaceAll("\n", "\r\n"), text.slice(1)];
  for (const each of damaged) expect((await refusal(Buffer.from(each, "latin1"), "text")).code).toBe("magic");
  const stripped = Uint8Array.from(file, (byte) => byte & 0x7f);
  expect((await refusal(stripped, "7 bits")).code).toBe("magic");
  expect((await refusal(Buffer.from(text, "utf8"), "UTF-8")).code).toBe("magic");
});

test("another version is refused by its number", async () => {
  const bytes = bytesOf(SPECIMENS[0][1]);
  bytes[8] = 2;
  expect(await refusal(bytes, "version 2")).toMatchObject({ code: "version", offset: 8, expected: "1", actual: "2" });
});

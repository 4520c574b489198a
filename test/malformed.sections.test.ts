import { describe, expect, test } from "vitest";
import { FormatError, open } from "../src/index.ts";
import { BOTH, modelOf, noise, type Parts, packed, partsOf, readAll, SIMD, sealed } from "./files.ts";

// Sections that tensors share, and names that keep parts of others, where they lie: refused by open, before a chunk is read.

const MODEL = modelOf([
  noise("block.a", "F32", [2, 3]),
  noise("block.b", "F32", [5]),
  noise("other", "U8", [2000]),
  noise("block.c", "F32", []),
]);
const { bytes: FILE } = await packed(MODEL, "lossless");
const PARTS = partsOf(FILE);

interface Value {
  sections: unknown[][];
  tensors: unknown[][];
}

function forged(edit: (value: Value) => void, lie?: Parameters<typeof sealed>[1], parts: Parts = PARTS): Uint8Array {
  const value = JSON.parse(parts.json) as Value;
  edit(value);
  return sealed({ ...parts, json: JSON.stringify(value) }, lie);
}

async function refusal(file: Uint8Array): Promise<FormatError> {
  const errors = BOTH.map((kernels) => open(file, { kernels }).catch((error: unknown) => error));
  const [error, again] = await Promise.all(errors);
  if (!(error instanceof FormatError)) throw new Error("it was taken", { cause: error });
  expect(again).toEqual(error);
  return error;
}

test("the file that is forged below is good, and shares a chunk", async () => {
  expect(forged(() => {})).toEqual(FILE);
  expect(JSON.parse(PARTS.json)).toMatchObject({
    sections: [
      ["F32", "lossless", 12],
      ["U8", "lossless", 262_144],
    ],
    tensors: [
      [0, "block.a", [2, 3], 0],
      [6, "b", [5], 0],
      [0, "other", [2000], 1],
      [0, "block.c", [], 0],
    ],
  });
});

test("every byte that is damaged is noticed", async () => {
  for (let at = 0; at < FILE.length; at++) {
    if (at >= 16 && at < 20) continue;
    const damaged = FILE.slice();
    damaged[at] ^= 1 << (at % 8);
    await expect(readAll(damaged, SIMD), `byte ${at}`).rejects.toBeInstanceOf(FormatError);
  }
});

describe("shared sections", () => {
  test.each<[string, RegExp, (value: Value) => void]>([
    [
      "more than one chunk",
      /chunk of the section of "block.a" and 2 more/,
      ({ sections }) => {
        sections[0][2] = 6;
      },
    ],
    [
      "a chunk beyond its elements",
      /expected all 12 elements, got 13/,
      ({ sections }) => {
        sections[0][2] = 13;
      },
    ],
    [
      "steps before the code",
      /plan of the section/,
      ({ sections }) => {
        sections[0][1] = "int8 channel > auto";
      },
    ],
    [
      "pruning",
      /plan of the section/,
      ({ sections }) => {
        sections[0][1] = "prune 0.5 > auto";
      },
    ],
    [
      "a dtype of blocks",
      /plan of the section/,
      ({ sections }) => {
        sections[0][0] = "Q8_0";
      },
    ],
    [
      "a tensor without elements",
      /each with elements/,
      ({ sections, tensors }) => {
        sections[0][2] = 7;
        tensors[1][2] = [0];
      },
    ],
    [
      "more than 64 KiB",
      /size of the section/,
      ({ sections, tensors }) => {
        sections[0][2] = 16_385;
        tensors[1][2] = [16_385 - 7];
      },
    ],
    [
      "totals beyond 2^53",
      /size of the section/,
      ({ sections, tensors }) => {
        sections[0][2] = 2 ** 53 - 1;
        for (const i of [0, 1]) tensors[i][2] = [2 ** 53 - 1];
      },
    ],
    [
      "a shape beyond 2^53",
      /shape of tensor "block.b"/,
      ({ tensors }) => {
        tensors[1][2] = [2 ** 30, 2 ** 30];
      },
    ],
    [
      "17 dimensions",
      /shape of tensor "block.b"/,
      ({ tensors }) => {
        tensors[1][2] = new Array(17).fill(1);
      },
    ],
    [
      "a tensor of the wrong section",
      /./,
      ({ tensors }) => {
        tensors[3][3] = 1;
      },
    ],
    [
      "a section that is first used out of turn",
      /section of tensor "block.a"/,
      ({ tensors }) => {
        for (const tensor of tensors) tensor[3] = 1 - (tensor[3] as number);
      },
    ],
    ["a section that no tensor uses", /each with a tensor/, ({ sections }) => void sections.push(["U8", "raw", 1])],
    [
      "a tensor of a section that is not there",
      /section of tensor "other"/,
      ({ tensors }) => {
        tensors[2][3] = 2;
      },
    ],
  ])("refuses %s", async (_, message, edit) => {
    const error = await refusal(forged(edit));
    expect(error.code).toBe("json");
    expect(error.message).toMatch(message);
  });

  test("that are larger than what lies in the chunk are refused", async () => {
    const { code } = await refusal(
      forged(({ sections, tensors }) => {
        sections[0][2] = 13;
        tensors[1][2] = [6];
      }),
    );
    expect(code).toBe("total");
    const lie = (header: DataView) => header.setBigUint64(48, 2052n, true);
    const file = forged(({ sections, tensors }) => {
      sections[0][2] = 13;
      tensors[1][2] = [6];
    }, lie);
    await expect(readAll(file, SIMD)).rejects.toBeInstanceOf(FormatError);
  });

  test("under another code alone are read: no writer of ours makes them", async () => {
    const file = forged(({ sections }) => {
      sections[0][1] = "zrl kernel";
    });
    expect(await readAll(file, SIMD)).toBe(await readAll(FILE, SIMD));
  });
});

describe("names", () => {
  test.each<[string, RegExp, (value: Value) => void]>([
    [
      "more kept than there is",
      /0 to 7 units kept, got 8/,
      ({ tensors }) => {
        tensors[1][0] = 8;
      },
    ],
    [
      "anything kept by the first",
      /0 to 0 units kept, got 1/,
      ({ tensors }) => {
        tensors[0][0] = 1;
      },
    ],
    [
      "less than nothing kept",
      /got -1/,
      ({ tensors }) => {
        tensors[1][0] = -1;
      },
    ],
    [
      "half a unit kept",
      /got 0.5/,
      ({ tensors }) => {
        tensors[1][0] = 0.5;
      },
    ],
    [
      "2^53 kept",
      /got 9007199254740992/,
      ({ tensors }) => {
        tensors[1][0] = 2 ** 53;
      },
    ],
    [
      "null kept",
      /got null/,
      ({ tensors }) => {
        tensors[1][0] = null;
      },
    ],
    [
      "text kept",
      /got "6"/,
      ({ tensors }) => {
        tensors[1][0] = "6";
      },
    ],
    [
      "a rest that is a number",
      /a string, got 7/,
      ({ tensors }) => {
        tensors[1][1] = 7;
      },
    ],
    ["less kept than there is alike", /canonical/, ({ tensors }) => void tensors[1].splice(0, 2, 5, ".b")],
    ["nothing kept", /canonical/, ({ tensors }) => void tensors[1].splice(0, 2, 0, "block.b")],
    ["the same name", /each only once, got "block.a"/, ({ tensors }) => void tensors[1].splice(0, 2, 7, "")],
    [
      "the same name later",
      /each only once, got "block.b"/,
      ({ tensors }) => void tensors[3].splice(0, 2, 0, "block.b"),
    ],
  ])("refuses %s", async (_, message, edit) => {
    expect((await refusal(forged(edit))).message).toMatch(message);
  });

  test("do not cut a surrogate pair in two, and take halves as they are", async () => {
    const names = ["\u{1f600}", "\u{1f601}", "\ud83d", "\ud83dx", "\ud83d\ud83d", "\ude00", "\ude00\ude00"];
    const { bytes } = await packed(modelOf(names.map((name, i) => noise(name, "U8", [i + 1]))), "raw");
    const parts = partsOf(bytes);
    const { tensors } = JSON.parse(parts.json) as Value;
    expect(tensors.map(([kept]) => kept)).toEqual([0, 0, 0, 0, 0, 0, 1]);
    expect((await open(bytes)).index.map(({ name }) => name)).toEqual(names);
    const cut = (value: Value) => void value.tensors[1].splice(0, 2, 1, "\ude01");
    const escaped = (json: string) => json.replace(/[^ -~]/g, (c) => `\\u${c.charCodeAt(0).toString(16)}`);
    const value = JSON.parse(parts.json) as Value;
    expect(sealed({ ...parts, json: escaped(JSON.stringify(value)) })).toEqual(bytes);
    cut(value);
    expect((await refusal(sealed({ ...parts, json: escaped(JSON.stringify(value)) }))).message).toMatch(/canonical/);
  });

  /** A file of tensors without elements, each in a section of its own, of the given names. */
  function named(names: readonly (readonly [kept: number, rest: string])[]): Uint8Array {
    const value = {
      plan: "raw",
      metadata: null,
      sections: names.map(() => ["U8", "raw", 1]),
      tensors: names.map(([kept, rest], i) => [kept, rest, [0], i]),
    };
    const zeros = (header: DataView) => {
      header.setUint32(36, 0, true);
      header.setBigUint64(48, 0n, true);
    };
    return sealed({ ...PARTS, json: JSON.stringify(value), chunks: [] }, zeros);
  }

  test("of 4095 units are taken, longer ones are not, put together or written out", async () => {
    const most = "x".repeat(4095);
    const file = await open(
      named([
        [0, most],
        [4094, "y"],
      ]),
    );
    expect(file.index.map(({ name }) => name.length)).toEqual([4095, 4095]);
    const model = modelOf([noise(most, "U8", [1]), noise(`${most.slice(1)}y`, "U8", [1])]);
    expect((await open((await packed(model, "raw")).bytes)).index[1].name).toBe(`${most.slice(1)}y`);
    for (const names of [
      [[0, `${most}x`]],
      [
        [0, most],
        [4095, "y"],
      ],
    ] as [number, string][][]) {
      expect((await refusal(named(names))).message).toMatch(/at most 4095 UTF-16 units, got 4096/);
    }
  });

  test("that would take 4095 units for a few bytes each are refused at 100 million", async () => {
    const short = Array.from({ length: 24_500 }, (_, i): [number, string] => [4091, i.toString(36).padStart(4, "0")]);
    const names: [number, string][] = [[0, "x".repeat(4095)], ...short];
    expect((await refusal(named(names))).message).toMatch(/names .*at most 100000000 UTF-16 units together/);
  });
});

import { execFileSync } from "node:child_process";
import { mkdir, mkdtemp, rename, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { FormatError, readModel } from "../src/index.ts";
import { fileFolder, fileSource } from "../src/node.ts";
import { elementBytes } from "./files.ts";
import { expectSame } from "./helpers.ts";
import { modelFile, outside } from "./onnx.files.ts";
import { jsonOf } from "./tfjs.files.ts";

// The files beside a model on a real disk, with links in the way.

let folder = "";
let secret = "";

beforeAll(async () => {
  const root = await mkdtemp(join(tmpdir(), "quern-folder-"));
  folder = join(root, "model");
  secret = join(root, "secret.bin");
  await mkdir(join(folder, "sub"), { recursive: true });
  await writeFile(secret, Uint8Array.of(1, 2, 3, 4));
  await writeFile(join(folder, "data.bin"), Uint8Array.of(5, 6, 7, 8));
  await writeFile(join(folder, "sub", "data.bin"), Uint8Array.of(9, 9, 9, 9));
  await symlink("data.bin", join(folder, "inside.bin"));
  await symlink("../secret.bin", join(folder, "outside.bin"));
  await symlink(secret, join(folder, "absolute.bin"));
  await symlink("..", join(folder, "up"));
  await symlink("a-loop", join(folder, "b-loop"));
  await symlink("b-loop", join(folder, "a-loop"));
  await symlink("nowhere", join(folder, "dangling"));
  execFileSync("mkfifo", [join(folder, "pipe")]);
  await mkdir(`${folder}-beside`);
  await writeFile(`${folder}-beside/data.bin`, "");
  await symlink("../model-beside/data.bin", join(folder, "beside.bin"));
});
afterAll(() => rm(join(folder, ".."), { recursive: true }));

describe("fileFolder", () => {
  test("opens files in the folder and below it, and links that stay there", async () => {
    for (const name of ["data.bin", "inside.bin", "./data.bin"]) {
      const source = await fileFolder(folder).open(name);
      expect(source.byteLength).toBe(4);
      expectSame(await source.slice(1, 3), Uint8Array.of(6, 7));
    }
    expectSame(await (await fileFolder(folder).open("sub/data.bin")).slice(0, 1), Uint8Array.of(9));
    expectSame(await (await fileFolder(join(folder, "up", "model")).open("data.bin")).slice(0, 1), Uint8Array.of(5));
  });

  test.each(["outside.bin", "absolute.bin", "up/secret.bin", "../secret.bin", "beside.bin", "up", "."])(
    "refuses %s, which leaves it",
    async (name) => {
      const error = await fileFolder(folder)
        .open(name)
        .catch((e: unknown) => e);
      expect(error).toBeInstanceOf(FormatError);
      expect((error as FormatError).code).toBe("path");
    },
  );

  test.each(["sub", "pipe"])("refuses %s, which is no file", async (name) => {
    await expect(fileFolder(folder).open(name)).rejects.toThrow(/regular file/);
  });

  test.each([
    ["a-loop", /ELOOP/],
    ["dangling", /ENOENT/],
    ["none.bin", /ENOENT/],
  ])("says what is wrong with %s", async (name, message) => {
    await expect(fileFolder(folder).open(name)).rejects.toThrow(message);
  });

  test("notices that a file was exchanged for another", async () => {
    const path = join(folder, "later.bin");
    await writeFile(path, "1234");
    const source = await fileFolder(folder).open("later.bin");
    await writeFile(`${path}.new`, "5678");
    await rename(`${path}.new`, path);
    await expect(source.slice(0, 4)).rejects.toThrow(/exchanged/);
    await rm(path);
    await symlink("../secret.bin", path);
    await expect(source.slice(0, 4)).rejects.toThrow(/exchanged/);
    await rm(path);
  });
});

test("models read their files through it, and none outside", async () => {
  const models: [string, (name: string) => Uint8Array][] = [
    ["model.onnx", (name) => modelFile({ initializers: [outside("w", [1], { location: name })] })],
    ["model.json", (name) => jsonOf([{ name: "w", shape: [1], dtype: "float32" }], [name])],
  ];
  for (const [file, make] of models) {
    const read = async (name: string) => {
      await writeFile(join(folder, file), make(name));
      const source = await fileSource(join(folder, file));
      try {
        return await elementBytes((await readModel(source, fileFolder(folder))).tensors[0]);
      } finally {
        await source.close();
      }
    };
    expectSame(await read("data.bin"), Uint8Array.of(5, 6, 7, 8));
    for (const name of ["outside.bin", "absolute.bin", "up/secret.bin", "../secret.bin", secret]) {
      await expect(read(name), name).rejects.toThrow(FormatError);
    }
  }
});

import { lstat, mkdir, mkdtemp, readdir, readFile, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { demandApart, demandPlaces, watchedFolder } from "../src/cli/places.ts";
import { UsageError } from "../src/cli/terminal.ts";
import { DataError } from "../src/index.ts";
import { fileSink } from "../src/node.ts";

// Where verbs write.

test("what is read is not written, and two places are not one, however they are spelt", () => {
  const read = ["a/model.onnx", undefined, "data.npy"];
  demandApart({ "-o": "a/model.quern", "--ledger": undefined, "--report": "page.html" }, read);
  for (const path of ["data.npy", "./data.npy", "a/../data.npy"])
    expect(() => demandApart({ "-o": "x.quern", "--report": path }, read)).toThrow(
      new UsageError("--report would replace data.npy: name another file"),
    );
  expect(() => demandApart({ "-o": "x", "--ledger": "./x" }, read)).toThrow(/^--ledger would replace/);
});

test("places that cannot be are told before anything is done", async () => {
  const folder = await mkdtemp(join(tmpdir(), "quern-places-"));
  await mkdir(join(folder, "inner"));
  await writeFile(join(folder, "file"), "");
  await demandPlaces({ "-o": join(folder, "new"), "--ledger": join(folder, "file"), "--report": undefined });
  await expect(demandPlaces({ "-o": "" })).rejects.toThrow(UsageError);
  await expect(demandPlaces({ "-o": join(folder, "inner") })).rejects.toThrow(/got a folder or device/);
  await expect(demandPlaces({ "-o": join(folder, "none", "x") })).rejects.toThrow(/none: no such folder, for .*x/);
  await expect(demandPlaces({ "-o": join(folder, "file", "x") })).rejects.toThrow(DataError);
});

test("a file does not take the place of a device, nor of a link", async () => {
  await expect(fileSink("/dev/null")).rejects.toThrow(/got a folder or device/);
  const folder = await mkdtemp(join(tmpdir(), "quern-places-"));
  await mkdir(join(folder, "inner"));
  const [target, link] = [join(folder, "inner", "file"), join(folder, "link")];
  await writeFile(target, "before");
  await symlink(target, link);
  const sink = await fileSink(link);
  await sink.write(new TextEncoder().encode("after"), 0);
  await sink.close();
  expect((await lstat(link)).isSymbolicLink()).toBe(true);
  expect(await readFile(target, "utf8")).toBe("after");
  expect(await readdir(join(folder, "inner"))).toEqual(["file"]);
});

test("a folder tells what was opened in it", async () => {
  const path = await mkdtemp(join(tmpdir(), "quern-places-"));
  await writeFile(join(path, "shard.bin"), "abc");
  const folder = watchedFolder(path);
  const source = await folder.open("shard.bin");
  expect(source.byteLength).toBe(3);
  expect(folder.opened).toEqual([join(path, "shard.bin")]);
  expect(await readFile(folder.opened[0] as string, "utf8")).toBe("abc");
});

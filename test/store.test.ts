import { type ChildProcess, execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { chmod, mkdir, mkdtemp, readdir, readFile, rm, symlink, utimes, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { afterAll, describe, expect, test } from "vitest";
import { memoryStore } from "../src/cache.ts";
import { folderStore } from "../src/node.ts";
import { A, B, bytesFor, CASES, expectWhole } from "./store.cases.ts";

// Stores in Node: the same cases for each, and what processes do to each other and to a disk.

const WRITER = fileURLToPath(new URL("./store/writer.mjs", import.meta.url));
const folders: string[] = [];
afterAll(() => Promise.all(folders.map((folder) => rm(folder, { recursive: true, force: true }))));

async function newFolder(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), "quern-store-"));
  folders.push(folder);
  return folder;
}

interface Written {
  put: number;
  codes: string[];
  kept: number;
  evict: string | null;
  parts: number;
}

function started(args: (string | number)[], env = {}): ChildProcess {
  const options = {
    env: { ...process.env, ...env },
    stdio: ["ignore", "pipe", "inherit"] as ["ignore", "pipe", "inherit"],
  };
  return spawn(process.execPath, [WRITER, ...args.map(String)], options);
}

async function written(child: ChildProcess): Promise<Written> {
  let text = "";
  child.stdout?.on("data", (data) => {
    text += data;
  });
  const [code] = await once(child, "close");
  expect(code).toBe(0);
  return JSON.parse(text.replace("ready\n", ""));
}

async function limited(command: string, args: string[]): Promise<Written> {
  const { stdout } = await promisify(execFile)(command, args, { env: { ...process.env, EVICT: "1" } });
  return JSON.parse(stdout.replace("ready\n", ""));
}

const parts = async (folder: string) => (await readdir(folder)).filter((name) => name.endsWith(".part"));

describe.each(Object.keys(CASES))("%s", (name) => {
  test("in memory", () => CASES[name](memoryStore()));
  test("in a folder that is not there yet", async () => CASES[name](folderStore(join(await newFolder(), "new", "er"))));
});

describe("a folder", () => {
  test("has a file for every entry, of its bytes alone, and nothing else", async () => {
    const folder = await newFolder();
    await folderStore(folder).put(A, -1, bytesFor(-1, 99));
    await folderStore(folder).put(A, 4, bytesFor(4, 0));
    expect(await readdir(folder)).toEqual([A]);
    expect((await readdir(join(folder, A))).sort()).toEqual(["-1", "4"]);
    expect(new Uint8Array(await readFile(join(folder, A, "-1")))).toEqual(bytesFor(-1, 99));
  });

  test("keeps what no store wrote, and neither lists nor follows it", async () => {
    const folder = await newFolder();
    const outside = await newFolder();
    await writeFile(join(outside, "0"), "secret");
    const store = folderStore(folder);
    await store.put(A, 1, bytesFor(1, 10));
    await symlink(outside, join(folder, B));
    await symlink(join(outside, "0"), join(folder, A, "0"));
    await promisify(execFile)("mkfifo", [join(folder, A, "2")]);
    await mkdir(join(folder, A, "3"));
    await writeFile(join(folder, A, "01"), "other");
    await writeFile(join(folder, "notes.txt"), "other");
    expect(await store.list()).toEqual([{ file: A, entries: 1, bytes: 10 }]);
    expect([await store.entries(A), await store.entries(B)]).toEqual([[1], []]);
    for (const entry of [0, 2, 3]) expect(await store.get(A, entry)).toBe(null);
    expect(await store.get(B, 0)).toBe(null);
    await expect(store.put(B, 0, bytesFor(0, 10))).rejects.toThrow(/is a link|EEXIST/);
    await expect(store.put(A, 3, bytesFor(3, 10))).rejects.toThrow(/EISDIR|ENOTEMPTY|EEXIST|EPERM/);
    await store.put(A, 0, bytesFor(0, 10));
    expect(await store.get(A, 0)).toEqual(bytesFor(0, 10));
    await store.evict();
    expect(await readFile(join(outside, "0"), "latin1")).toBe("secret");
    expect((await readdir(folder)).sort()).toEqual([B, A, "notes.txt"]);
    expect((await readdir(join(folder, A))).sort()).toEqual(["01", "2", "3"]);
  });

  test("two processes that put the same entries leave whole ones, while they are read here", async () => {
    const folder = await newFolder();
    const children = [1, 2].map(() => started([folder, A, 8, 200_000, 25]));
    const ends = Promise.all(children.map(written));
    const store = folderStore(folder);
    let done = false;
    void ends.finally(() => {
      done = true;
    });
    let seen = 0;
    while (!done) seen += await expectWhole(store, A);
    for (const ended of await ends) expect(ended).toMatchObject({ put: 200, codes: [], kept: 8 });
    expect(seen).toBeGreaterThan(0);
    expect(await expectWhole(store, A)).toBe(8);
    expect(await parts(join(folder, A))).toEqual([]);
  });

  test("a writer that others evict under puts again", async () => {
    const folder = await newFolder();
    const ended = written(started([folder, A, 4, 2000, 150]));
    const store = folderStore(folder);
    let done = false;
    void ended.finally(() => {
      done = true;
    });
    let evicted = 0;
    while (!done) {
      evicted += (await store.entries(A)).length;
      await store.evict();
    }
    expect(evicted).toBeGreaterThan(0);
    const { put, codes } = await ended;
    // The folder may go three times in a row: then a put fails, and says so.
    expect(codes.filter((code) => code !== "ENOENT")).toEqual([]);
    expect(put).toBeGreaterThan(300);
  });

  test("a process killed in the midst of puts leaves whole entries, and what it leaves aside is swept", async () => {
    const folder = await newFolder();
    const store = folderStore(folder);
    let left = 0;
    for (let round = 0; round < 12; round++) {
      const child = started([folder, A, 16, 400_000, 1000]);
      const killed = once(child, "close");
      const begun = async () => (await parts(join(folder, A)).catch(() => [])).length > 0;
      while (!(await begun())) await new Promise((next) => setTimeout(next, 1));
      await new Promise((next) => setTimeout(next, round * 5));
      child.kill("SIGKILL");
      expect((await killed)[1]).toBe("SIGKILL");
      left += (await parts(join(folder, A)).catch(() => [])).length;
      await expectWhole(store, A);
      if (round % 2) await store.list();
      else await store.evict(A);
      expect(await parts(join(folder, A)).catch(() => [])).toEqual([]);
    }
    // Else nothing was killed in the midst of anything.
    expect(left).toBeGreaterThan(0);
  }, 120_000);

  test("what a living process writes aside stays, unless it is old", async () => {
    const folder = await newFolder();
    const store = folderStore(folder);
    await store.put(A, 0, bytesFor(0, 10));
    const aside = join(folder, A, `.0.${process.pid}.${crypto.randomUUID()}.part`);
    await writeFile(aside, "begun");
    await store.list();
    await store.evict();
    expect(await readdir(join(folder, A))).toHaveLength(1);
    const before = new Date(Date.now() - 3_600_000);
    await utimes(aside, before, before);
    await store.evict();
    expect(await readdir(folder)).toEqual([]);
  });

  test("that may not be written keeps what it has, and says so", async () => {
    const folder = await newFolder();
    const store = folderStore(folder);
    await store.put(A, 0, bytesFor(0, 10));
    await chmod(folder, 0o555);
    await chmod(join(folder, A), 0o555);
    const found = [A, B].map((file) => written(started([folder, file, 2, 100], { NOBODY: 1, EVICT: 1 })));
    const [own, other] = await Promise.all(found);
    await chmod(folder, 0o755);
    await chmod(join(folder, A), 0o755);
    expect(own).toEqual({ put: 0, codes: ["EACCES"], kept: 1, evict: "EACCES", parts: 0 });
    expect(other).toEqual({ put: 0, codes: ["EACCES"], kept: 0, evict: "done", parts: 0 });
    await writeFile(join(folder, "file"), "");
    const under = folderStore(join(folder, "file"));
    await expect(under.put(A, 0, bytesFor(0, 1))).rejects.toThrow(/ENOTDIR|EEXIST/);
    expect([await under.get(A, 0), await under.entries(A), await under.list()]).toEqual([null, [], []]);
  });

  test("that takes only a part of an entry rejects, and leaves nothing partial", async () => {
    const folder = await newFolder();
    // Files of this shell end after 10 or 20 KiB: a write stops midway, as on a disk that is full.
    const script = 'ulimit -f 20 && exec "$@"';
    const ended = await limited("sh", ["-c", script, "sh", process.execPath, WRITER, folder, A, "3", "30000"]);
    expect(ended).toEqual({ put: 0, codes: ["EFBIG"], kept: 0, evict: "done", parts: 0 });
  });

  test("on a disk that is full rejects, leaves nothing partial, and keeps what was there", async (context) => {
    // In a namespace of its own: what it mounts goes with it, and no one need be root.
    const mount = ["-rm", "sh", "-c", 'mount -t tmpfs -o size=64k none "$1" && shift && exec "$@"', "sh"];
    const folder = await newFolder();
    const possible = await promisify(execFile)("unshare", [...mount, folder, "true"]).catch((error: Error) => error);
    if (possible instanceof Error) return context.skip(`no small disk can be mounted here: ${possible.message}`);
    const ended = await limited("unshare", [...mount, folder, process.execPath, WRITER, folder, A, "9", "20000"]);
    expect(ended.codes).toEqual(["ENOSPC"]);
    expect(ended.put).toBeGreaterThan(0);
    expect(ended).toMatchObject({ kept: ended.put, parts: 0, evict: "done" });
  });
});

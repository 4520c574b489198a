import { type ChildProcess, fork, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdir, mkdtemp, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";
import type { Order, Orders } from "./serve.ts";

// The processes of the bench: a server, and clients that each load something once or a few times. All are plain JavaScript made of the
// sources, as a loader of TypeScript would be counted in their memory and time.

const HERE = fileURLToPath(new URL(".", import.meta.url));
const CLIENTS = [
  "hold",
  "memory",
  "plain",
  "quern",
  "first",
  "zstd",
  "zstd19",
  "gzip",
  "aborts",
  "killed",
  "loads",
  "line",
  "decode",
] as const;
export type Client = (typeof CLIENTS)[number];

export interface Bench {
  /** A folder for files. What `share` puts there can be had from the server. */
  readonly folder: string;
  share(name: string, bytes: Uint8Array): Promise<string>;
  order<K extends Order>(order: K, value: Orders[K]["takes"]): Promise<Orders[K]["gives"]>;
  /** Bytes of bodies that the server has sent since the log began. */
  sent(): Promise<number>;
  /** Runs a client to its end, and gives what it prints. @param flags - of Node */
  run<T>(client: Client, args: object, flags?: readonly string[]): Promise<T>;
  /** Starts a client that is to be killed. */
  start(client: Client, args: object): ChildProcess;
  close(): Promise<void>;
}

export async function newBench(): Promise<Bench> {
  const root = await mkdtemp(join(tmpdir(), "quern-load-"));
  const [code, folder] = [join(root, "code"), join(root, "files")];
  await mkdir(folder);
  await writeBundles(code);
  await symlink(fileURLToPath(new URL("../../node_modules", import.meta.url)), join(root, "node_modules"));
  const server = fork(join(code, "serve.js"), [folder], { execArgv: [] });
  await once(server, "message");
  // One at a time: answers have no number.
  let last: Promise<unknown> = Promise.resolve();
  const order = <K extends Order>(name: K, value: Orders[K]["takes"]): Promise<Orders[K]["gives"]> => {
    const ask = async () => {
      server.send({ order: name, value });
      return (await once(server, "message"))[0] as Orders[K]["gives"];
    };
    const answer = last.then(ask);
    last = answer.catch(() => {});
    return answer;
  };
  const start = (client: Client, args: object, flags: readonly string[] = []) =>
    spawn(process.execPath, [...flags, join(code, "clients", `${client}.js`), JSON.stringify(args)], {
      stdio: ["ignore", "pipe", "inherit"],
    });
  return {
    folder,
    order,
    start,
    async sent() {
      return (await order("log", null)).reduce((sum, { sent }) => sum + sent, 0);
    },
    async share(name, bytes) {
      await writeFile(join(folder, name), bytes);
      return `${await order("files", null)}${name}`;
    },
    async run(client, args, flags) {
      const child = start(client, args, flags);
      let text = "";
      child.stdout?.on("data", (piece) => {
        text += piece;
      });
      const [status, signal] = await once(child, "close");
      if (status !== 0) throw new Error(`bench: client ${client} ended with ${signal ?? status}`);
      return JSON.parse(text.trim().split("\n").at(-1) as string);
    },
    async close() {
      server.disconnect();
      await once(server, "exit");
      await rm(root, { recursive: true, force: true });
    },
  };
}

async function writeBundles(outdir: string): Promise<void> {
  const clients = CLIENTS.map((name) => join(HERE, "clients", `${name}.ts`));
  await build({
    entryPoints: [join(HERE, "serve.ts"), ...clients],
    entryNames: "[dir]/[name]",
    outbase: HERE,
    outdir,
    bundle: true,
    splitting: true,
    format: "esm",
    platform: "node",
    target: "node20",
    packages: "external",
    logLevel: "warning",
  });
  await writeFile(join(outdir, "package.json"), JSON.stringify({ name: basename(outdir), type: "module" }));
}

// npm run page: a page that loads models and shows what happens meanwhile. Nothing is fetched from anywhere else.
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { pathToFileURL } from "node:url";
import { parseArgs } from "node:util";
import { type Asset, siteAssets } from "./bundle.ts";
import { raceCodes } from "./codes.ts";
import { type Line, newLine } from "./line.ts";
import { type Served, servedModels } from "./models.ts";
import { ortAssets } from "./ort.ts";

const HEADERS = {
  "content-security-policy":
    "default-src 'none'; script-src 'self' 'wasm-unsafe-eval'; style-src 'self'; img-src 'self'; connect-src 'self'; " +
    "worker-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
  // Isolated, so that the page may measure its memory, and times to 5 us and not to 100.
  "cross-origin-opener-policy": "same-origin",
  "cross-origin-embedder-policy": "require-corp",
  "cross-origin-resource-policy": "same-origin",
  "referrer-policy": "no-referrer",
  "x-content-type-options": "nosniff",
};
/** Lines that are remembered: one for each page that was opened. */
const MAX_LINES = 64;
const MAX_SETTINGS = 1024;

interface Site {
  readonly assets: ReadonlyMap<string, Asset>;
  readonly models: readonly Served[];
  lineOf(id: string): Line;
}

/** Makes the models, then serves the pages. @param port - 0 for any that is free @param ort - the folder of onnxruntime-web */
export async function servePage(port: number, ort?: string): Promise<{ url: string; close(): Promise<void> }> {
  const [assets, models, codes, runtime] = await Promise.all([
    siteAssets(),
    servedModels(),
    raceCodes(),
    ortAssets(ort),
  ]);
  for (const [path, asset] of runtime.assets) assets.set(path, asset);
  assets.set("/latency.json", json(runtime.facts));
  assets.set("/models.json", json(models.map(({ bytes, ...told }) => ({ ...told, fileBytes: bytes.length }))));
  assets.set("/codes.json", json({ sigma: codes.sigma, chunks: codes.chunks }));
  assets.set("/codes.bin", { type: "application/octet-stream", body: codes.bytes });
  const site: Site = { assets, models, lineOf: lines() };
  const server = createServer((request, response) => {
    for (const [name, value] of Object.entries(HEADERS)) response.setHeader(name, value);
    handle(site, request, response).catch((error) => {
      console.error(error);
      response.destroy();
    });
  });
  await new Promise<void>((resolve, reject) => server.once("error", reject).listen(port, "127.0.0.1", resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/`,
    close: () => closed(server),
  };
}

async function handle({ assets, models, lineOf }: Site, request: IncomingMessage, response: ServerResponse) {
  const { pathname, searchParams } = new URL(request.url ?? "/", "http://page");
  const [, folder, name = "", action] = pathname.split("/");
  const read = request.method === "GET" || request.method === "HEAD";
  const model = folder === "models" && models.find(({ id }) => `${id}.quern` === name);
  if (read && model) return lineOf(searchParams.get("line") ?? "").answer(request, response, model);
  if (request.method === "POST" && folder === "lines") {
    const line = lineOf(name);
    if (action === "cut") return end(response, 200, json({ cut: line.cut() }));
    const settings = await settingsOf(request);
    if (settings) line.set(settings);
    return end(response, settings ? 200 : 400, json({}));
  }
  const asset = read && assets.get(pathname);
  if (asset) return end(response, 200, asset);
  end(response, 404, { type: "text/plain", body: Buffer.from("There is no such file.\n") });
}

function end(response: ServerResponse, status: number, { type, body }: Asset): void {
  response.writeHead(status, { "content-type": type, "content-length": body.length, "cache-control": "no-store" });
  response.end(body);
}

function json(value: unknown): Asset {
  return { type: "application/json", body: Buffer.from(JSON.stringify(value)) };
}

/** The object that a request brings, or null. */
async function settingsOf(request: IncomingMessage): Promise<Record<string, unknown> | null> {
  let text = "";
  for await (const part of request.setEncoding("utf8")) if (text.length <= MAX_SETTINGS) text += part;
  try {
    return Object(JSON.parse(text));
  } catch {
    return null;
  }
}

function lines(): (id: string) => Line {
  const known = new Map<string, Line>();
  return (id) => {
    const line = known.get(id) ?? newLine();
    known.delete(id);
    known.set(id, line);
    for (const oldest of known.keys()) if (known.size > MAX_LINES) known.delete(oldest);
    return line;
  };
}

function closed(server: Server): Promise<void> {
  return new Promise((resolve) => {
    server.close(() => resolve());
    server.closeAllConnections();
  });
}

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: { port: { type: "string", default: "8080" }, ort: { type: "string" } },
  });
  const { url, close } = await servePage(Number(values.port), values.ort);
  console.log(`${url}  (Ctrl-C ends it)`);
  for (const signal of ["SIGINT", "SIGTERM"] as const) process.once(signal, () => void close());
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? "").href) {
  await main().catch((error) => {
    console.error(`page: ${error instanceof Error ? error.message : error}`);
    process.exitCode = 1;
  });
}

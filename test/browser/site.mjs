// The built package on a real server, and a real Chromium to open it. Needs `npm run build`.
import { createHash } from "node:crypto";
import { createReadStream, existsSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { createServer } from "node:http";
import { tmpdir } from "node:os";
import { extname, join, normalize } from "node:path";
import { fileURLToPath } from "node:url";
import { chromium } from "playwright-core";

const DIST = fileURLToPath(new URL("../../dist/", import.meta.url));
const PROTOBUF = fileURLToPath(new URL("../../node_modules/@bufbuild/protobuf/dist/esm/", import.meta.url));
// Bundlers know where the one package is that `quern` imports; a page without one has to say so. `quern/read` imports none.
const MAP = JSON.stringify({ imports: { "@bufbuild/protobuf/wire": "/protobuf/wire/index.js" } });
const PAGE = `<!doctype html><title>quern</title><script type="importmap">${MAP}</script>`;
const TYPES = { ".js": "text/javascript", ".mjs": "text/javascript", ".wasm": "application/wasm" };
// No page may do less: no blob: workers, no data: URLs, no eval, and no cross-origin isolation.
const MAP_HASH = `'sha256-${createHash("sha256").update(MAP).digest("base64")}'`;
const POLICY = `default-src 'none'; script-src 'self' 'wasm-unsafe-eval' ${MAP_HASH}; worker-src 'self'; connect-src 'self'`;
export const FLAGS = [
  "--no-sandbox",
  "--disable-gpu",
  "--disable-quic",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
  "--no-first-run",
  "--host-resolver-rules=MAP insecure.test 127.0.0.1",
];

/**
 * Serves the package at "/", with `scripts` (path to text, or to what answers) beside it, and starts a browser with a profile of its own.
 * `close` ends both.
 */
export async function site(scripts = {}) {
  const server = createServer((request, response) => {
    const path = normalize(new URL(request.url, "http://localhost").pathname);
    response.setHeader("content-security-policy", POLICY);
    if (path === "/") return response.setHeader("content-type", "text/html").end(PAGE);
    if (typeof scripts[path] === "function") return scripts[path](request, response);
    if (scripts[path]) return response.setHeader("content-type", TYPES[".js"]).end(scripts[path]);
    const file = path.startsWith("/protobuf/") ? join(PROTOBUF, path.slice("/protobuf/".length)) : join(DIST, path);
    if (!existsSync(file)) return response.writeHead(404).end();
    response.setHeader("content-type", TYPES[extname(file)] ?? "application/octet-stream");
    createReadStream(file).pipe(response);
  });
  // Any host's name: an origin that is not localhost is no secure context.
  await new Promise((resolve) => server.listen(0, resolve));
  const profile = await mkdtemp(join(tmpdir(), "quern-browser-"));
  const executablePath = process.env.CHROMIUM ?? "/usr/bin/chromium";
  const launch = () => chromium.launchPersistentContext(profile, { executablePath, headless: true, args: FLAGS });
  let context = await launch();
  const { port } = server.address();
  return {
    session: (page) => context.newCDPSession(page),
    /** As session, for the whole browser. */
    browserSession: () => context.browser().newBrowserCDPSession(),
    origin: `http://localhost:${port}`,
    port,
    async page(origin = `http://localhost:${port}`) {
      const page = await context.newPage();
      await page.goto(`${origin}/`);
      return page;
    },
    /** Ends the browser and starts another with the same profile. */
    async restart() {
      await context.close();
      context = await launch();
    },
    async close() {
      await context.close();
      server.close();
      await rm(profile, { recursive: true, force: true });
    },
  };
}

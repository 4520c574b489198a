// What the tests of this folder share: models on disk, files on a server, and models packed by the built package.
import { readFileSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { bytesSource, memorySink, modelGraph, pack, readModel } from "../../dist/index.js";
import { fileFolder } from "../../dist/node.js";

const DATA = fileURLToPath(new URL("../../../shared/data/", import.meta.url));

/** Where a file of the shared data is, if it is there. */
export const dataFile = (name) => join(DATA, name);

/** Pseudo-random values in -1..1, the same in every run. */
export function values(count, seed = 1) {
  let state = Math.imul(seed, 0x9e3779b1);
  return Float32Array.from({ length: count }, () => {
    state = (Math.imul(state, 1664525) + 1013904223) | 0;
    return state / 2 ** 31;
  });
}

/** A model on disk as a .quern file with its graph, or without. */
export async function packed(path, plan, { graph = true } = {}) {
  const source = bytesSource(readFileSync(path));
  const folder = fileFolder(dirname(path));
  const sink = memorySink();
  const options = graph ? { graph: await modelGraph(source, folder) } : {};
  await pack(await readModel(source, folder), plan, sink, options);
  return sink.bytes();
}

/** A model.json and its one shard. */
export function writeModel(folder, { weightSpecs, weightData, ...rest }) {
  const path = join(folder, "model.json");
  writeFileSync(join(folder, "weights.bin"), new Uint8Array(weightData));
  writeFileSync(path, JSON.stringify({ ...rest, weightsManifest: [{ paths: ["weights.bin"], weights: weightSpecs }] }));
  return path;
}

/** A server that gives files by range, and notes what was asked for. */
export async function serve(files) {
  const asked = [];
  const server = createServer((request, response) => {
    const bytes = files[request.url.slice(1)];
    const [, from, to] = /^bytes=(\d+)-(\d+)$/.exec(request.headers.range ?? "") ?? [];
    asked.push([request.method, request.url, request.headers.range, request.headers["x-key"]]);
    if (!bytes) response.writeHead(404).end();
    else if (from === undefined) response.writeHead(200, { "content-length": bytes.length }).end(bytes);
    else {
      const part = bytes.subarray(Number(from), Number(to) + 1);
      const range = `bytes ${from}-${Number(from) + part.length - 1}/${bytes.length}`;
      response.writeHead(206, { "content-length": part.length, "content-range": range }).end(part);
    }
  });
  await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
  const close = () => new Promise((resolve) => server.close(resolve).closeAllConnections());
  return { asked, close, url: (name) => `http://127.0.0.1:${server.address().port}/${name}` };
}

// Loads with a cache in a folder, and tells at once of all that arrives: it may be killed at any time.
import { subscribe } from "node:diagnostics_channel";
import { writeSync } from "node:fs";
import type { Socket } from "node:net";
import { folderStore } from "../../../src/node/store.ts";
import { open } from "../../../src/read.ts";
import { args } from "./report.ts";

const { url, folder, integrity } = args<{ url: string; folder: string; integrity?: string }>();
// Bytes of bodies that the loader has taken, and bytes of connections that have left the system for this process, heads of answers included.
const told = { taken: 0, arrived: 0, done: false };
const tell = () => writeSync(1, `${JSON.stringify(told)}\n`);

subscribe("undici:client:connected", (message) => {
  const { socket } = message as { socket: Socket };
  const push = socket.push.bind(socket);
  socket.push = (piece, encoding) => {
    told.arrived += piece?.length ?? 0;
    tell();
    return push(piece, encoding);
  };
});

// What the loader takes out of a body, by whichever reader.
const counted: typeof fetch = async (input, init) => {
  const response = await fetch(input, init);
  const body = response.body as unknown as { getReader(options?: object): { read(view?: object): Promise<Piece> } };
  const getReader = body.getReader.bind(body);
  body.getReader = (options) => {
    const reader = getReader(options);
    const read = reader.read.bind(reader);
    reader.read = async (view) => {
      const piece = await read(view);
      told.taken += piece.value?.length ?? 0;
      tell();
      return piece;
    };
    return reader;
  };
  return response;
};
interface Piece {
  value?: Uint8Array;
}

const file = await open(url, { cache: folderStore(folder), integrity, request: { fetch: counted } });
for await (const _ of file.stream());
file.close();
told.done = true;
tell();

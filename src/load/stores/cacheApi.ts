import type { ChunkStore } from "../../container/store.ts";
import { checkEntry, checkFile, summed } from "./kept.ts";

// Of its file and size, so that a list need not read bodies: the URL of a response that was not fetched is empty.
const LABEL = "quern-entry";

/**
 * A store in the Cache API: a response for every entry, in the cache `name`, under a URL of this origin that is never fetched. For pages
 * and workers in secure contexts (https:, localhost); elsewhere there is no Cache API: nothing is found, and all else rejects. The browser
 * takes it away with other site data: on `Clear-Site-Data: "storage"`, on the user's wish, and where disks are full unless
 * navigator.storage.persist() was granted. What is then asked for is not there; what is put then begins anew.
 */
export function cacheApiStore(name = "quern"): ChunkStore {
  const urlOf = (file: string, entry = "") => `${globalThis.origin}/${encodeURIComponent(name)}/${file}?${entry}`;
  // Every time: a cache that was deleted meanwhile would still take what nobody finds again.
  const opened = async () => caches.open(name);
  return {
    async entries(file) {
      checkFile(file);
      const requests = await (await opened()).keys(urlOf(file), { ignoreSearch: true });
      return requests.map(({ url }) => Number(new URL(url).search.slice(1)));
    },
    async get(file, entry) {
      checkEntry(file, entry);
      try {
        const found = await caches.match(urlOf(file, `${entry}`), { cacheName: name });
        return found ? new Uint8Array(await found.arrayBuffer()) : null;
      } catch {
        return null;
      }
    },
    async put(file, entry, bytes) {
      checkEntry(file, entry);
      const headers = { [LABEL]: `${file} ${bytes.length}` };
      // A copy: a response takes no shared memory, and reads the bytes only later.
      await (await opened()).put(urlOf(file, `${entry}`), new Response(bytes.slice(), { headers }));
    },
    async list() {
      const responses = await (await opened()).matchAll();
      const labels = responses.flatMap(({ headers }) => headers.get(LABEL) ?? []).map((label) => label.split(" "));
      return summed(labels.map(([file = "", size]) => [file, Number(size)]));
    },
    async evict(file) {
      if (file === undefined) return void (await caches.delete(name));
      checkFile(file);
      await (await opened()).delete(urlOf(file), { ignoreSearch: true });
    },
  };
}

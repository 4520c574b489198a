import type { ChunkStore } from "../../container/store.ts";
import { checkEntry, checkFile, summed } from "./kept.ts";

// Of its file and size, so that a list need not read bodies: the URL of a response that was not fetched is empty.
const LABEL = "quern-entry";
// Where a tab ends while it puts, Chromium at times answers nothing more about the cache, to no tab, until it is started again.
const PATIENCE_MS = 5000;

/**
 * A store in the Cache API: a response for every entry, in the cache `name`, under a URL of this origin that is never fetched. For pages
 * and workers in secure contexts (https:, localhost); elsewhere there is no Cache API: nothing is found, and all else rejects. The browser
 * takes it away with other site data: on `Clear-Site-Data: "storage"`, on the user's wish, and where disks are full unless
 * navigator.storage.persist() was granted. What is then asked for is not there; what is put then begins anew. Where
 * opfsStore or indexedDbStore can be had, prefer them: a tab closed in the midst of a put can leave Chromium's cache without answers until the
 * browser is started again. Everything here then rejects, or gives null, after 5 seconds.
 */
export function cacheApiStore(name = "quern"): ChunkStore {
  const urlOf = (file: string, entry = "") => `${globalThis.origin}/${encodeURIComponent(name)}/${file}?${entry}`;
  // Opened every time: a cache that was deleted meanwhile would still take what nobody finds again.
  const within = async <T>(use: (cache: Cache) => Promise<T>): Promise<T> => answered(caches.open(name).then(use));
  return {
    async entries(file) {
      checkFile(file);
      const requests = await within((cache) => cache.keys(urlOf(file), { ignoreSearch: true }));
      return requests.map(({ url }) => Number(new URL(url).search.slice(1)));
    },
    async get(file, entry) {
      checkEntry(file, entry);
      try {
        const found = caches.match(urlOf(file, `${entry}`), { cacheName: name });
        const body = await answered(found.then((response) => response?.arrayBuffer()));
        return body ? new Uint8Array(body) : null;
      } catch {
        return null;
      }
    },
    async put(file, entry, bytes) {
      checkEntry(file, entry);
      const headers = { [LABEL]: `${file} ${bytes.length}` };
      // A copy: a response takes no shared memory, and reads the bytes only later.
      const response = new Response(bytes.slice(), { headers });
      await within((cache) => cache.put(urlOf(file, `${entry}`), response));
    },
    async list() {
      const responses = await within((cache) => cache.matchAll());
      const labels = responses.flatMap(({ headers }) => headers.get(LABEL) ?? []).map((label) => label.split(" "));
      return summed(labels.map(([file = "", size]) => [file, Number(size)]));
    },
    async evict(file) {
      if (file === undefined) return void (await answered(caches.delete(name)));
      checkFile(file);
      await within((cache) => cache.delete(urlOf(file), { ignoreSearch: true }));
    },
  };
}

function answered<T>(answer: Promise<T>): Promise<T> {
  return new Promise((resolve, reject) => {
    const late = () => reject(new Error("the Cache API gave no answer"));
    const timer = setTimeout(late, PATIENCE_MS);
    answer.then(resolve, reject).finally(() => clearTimeout(timer));
  });
}

// npm run test:browser: stores of chunks in a real browser: pages, workers, two tabs, no room, tabs that end. Needs `npm run build`.
import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { after, before, describe, test } from "node:test";
import { transform } from "esbuild";
import { site } from "./site.mjs";

const PLACES = ["opfs", "cacheApi", "indexedDb"];

let served;

async function scripts() {
  const [page, worker, source] = await Promise.all(
    ["stores.page.mjs", "stores.worker.mjs", "../store.cases.ts"].map((name) =>
      readFile(new URL(name, import.meta.url), "utf8"),
    ),
  );
  const { code } = await transform(source, { loader: "ts" });
  return { "/stores.page.mjs": page, "/stores.worker.mjs": worker, "/store.cases.js": code };
}

before(async () => {
  served = await site(await scripts());
});
after(() => served?.close());

/** Runs a function of stores.page.mjs in a page. */
function run(page, name, ...args) {
  return page.evaluate(
    ([name, args]) => import("/stores.page.mjs").then((module) => module[name](...args)),
    [name, args],
  );
}

/** The same in a worker of the page. */
function runInWorker(page, name, ...args) {
  return page.evaluate(
    (message) =>
      new Promise((resolve, reject) => {
        const worker = new Worker("/stores.worker.mjs", { type: "module" });
        worker.onerror = ({ message }) => reject(new Error(message));
        worker.onmessage = ({ data }) => ("error" in data ? reject(new Error(data.error)) : resolve(data.value));
        worker.postMessage(message);
      }),
    [name, ...args],
  );
}

for (const place of PLACES) {
  describe(place, () => {
    for (const [where, how] of [
      ["a page", run],
      ["a worker", runInWorker],
    ]) {
      test(`does all that a store has to do, in ${where}`, async () => {
        const page = await served.page();
        const found = await how(page, "cases", place);
        assert.ok(Object.keys(found).length > 5);
        assert.deepEqual(found, Object.fromEntries(Object.keys(found).map((name) => [name, "ok"])));
        await page.close();
      });
    }

    test("two tabs and a worker put and read the same entries at once", async () => {
      const [a, b] = [await served.page(), await served.page()];

      const options = { n: 6, length: 150_000, count: 12 };
      const found = await Promise.all([
        run(a, "rounds", place, options),
        run(b, "rounds", place, { ...options, first: 1000 }),
        runInWorker(b, "rounds", place, { ...options, first: 2000 }),
      ]);
      for (const { put, whole } of found) {
        assert.equal(put, 72);
        assert.ok(whole > 0);
      }
      assert.equal(await run(a, "whole", place), 6);
      await run(a, "evict", place);
      await Promise.all([a.close(), b.close()]);
    });

    test("a tab that is closed or crashes in the midst of puts leaves whole entries", async () => {
      let watching = await served.page();
      let kept = 0;
      for (let round = 0; round < 8; round++) {
        const page = await served.page();
        await run(page, "endless", place, { n: 8, length: 400_000, first: round * 1000 });
        await new Promise((next) => setTimeout(next, 150 + round * 37));
        if (round % 2) await page.close();
        else await crash(page);
        const found = await run(watching, "whole", place).catch((error) => error);
        if (typeof found === "number") {
          kept += found;
          continue;
        }
        // Chromium's own fault: the store has to say so instead of waiting, and what was kept has to be there in the end.
        assert.equal(place, "cacheApi", found.message);
        assert.match(found.message, /gave no answer|is not there/);
        await served.restart();
        watching = await served.page();
        kept += await run(watching, "whole", place);
      }
      assert.ok(kept > 0);
      // Nothing that ended holds a lock.
      assert.deepEqual(await run(watching, "rounds", place, { n: 8, length: 10, count: 1 }), { put: 8, whole: 8 });
      await run(watching, "evict", place);
      assert.equal(await run(watching, "whole", place), 0);
      await watching.close();
    });

    test("evict takes what is there, while another tab puts", async () => {
      const [a, b] = [await served.page(), await served.page()];
      await run(b, "endless", place, { n: 4, length: 300_000 });
      for (let i = 0; i < 25; i++) await run(a, "evict", place);
      await run(a, "whole", place);
      await run(b, "stop");
      await run(a, "evict", place);
      assert.equal(await run(a, "whole", place), 0);
      await Promise.all([a.close(), b.close()]);
    });

    test("goes on where the user or a page deletes all", async () => {
      const [a, b] = [await served.page(), await served.page()];
      const session = await served.session(a);
      const { origin } = served;
      const ways = [
        () => run(b, "deleteAll"),
        () => session.send("Storage.clearDataForOrigin", { origin, storageTypes: "all" }),
      ];
      for (const way of ways) {
        await run(a, "hold", place);
        await way();
        assert.deepEqual(await run(a, "again", place), [true, 1]);
      }
      await run(a, "evict", place);
      await Promise.all([a.close(), b.close()]);
    });

    test("where there is no more room, put rejects, and what was there stays", async () => {
      // An origin of its own: for half a minute, IndexedDB goes by the room that it once had.
      const origin = `http://${place.toLowerCase()}.localhost:${served.port}`;
      const page = await served.page(origin);
      const session = await served.session(page);
      await session.send("Storage.overrideQuotaForOrigin", { origin, quotaSize: 6_000_000 });
      const before = await run(page, "fill", place, { first: 0, length: 100_000, most: 4 });
      assert.deepEqual(before, { error: null, whole: 4 });
      const { entry, ...found } = await run(page, "fill", place, { first: 4, length: 300_000, most: 100 });
      assert.deepEqual(found, { error: "QuotaExceededError", got: true, whole: entry });
      assert.ok(entry > 4 && entry < 30, `${entry}`);
      const replaced = await run(page, "overwrites", place, { entry: 1, length: 5_500_000, times: 30 });
      assert.deepEqual(replaced, ["QuotaExceededError", 100_000]);
      await run(page, "evict", place);
      await session.send("Storage.overrideQuotaForOrigin", { origin });
      await run(page, "put", place, { entry: 1, length: 300_000 });
      assert.equal(await run(page, "whole", place), 1);
      await run(page, "evict", place);
      await page.close();
    });
  });
}

test("in an insecure context there is IndexedDB; the others have nothing, and say so", async () => {
  const page = await served.page(`http://insecure.test:${served.port}`);
  const found = await run(page, "cases", "indexedDb");
  assert.deepEqual(new Set(Object.values(found)), new Set(["ok"]));
  const nothing = [false, null, "ReferenceError", "ReferenceError", "ReferenceError", "ReferenceError"];
  assert.deepEqual(await run(page, "refusals", "cacheApi"), nothing);
  assert.deepEqual(
    await run(page, "refusals", "opfs"),
    nothing.map((name) => (typeof name === "string" ? "TypeError" : name)),
  );
  await page.close();
});

test("a database of the name that is someone else's is left alone", async () => {
  for (const [version, expected] of [
    [1, "NotFoundError"],
    [2, "VersionError"],
  ]) {
    const page = await served.page(`http://other${version}.localhost:${served.port}`);
    await run(page, "occupy", version);
    const found = await run(page, "refusals", "indexedDb");
    assert.deepEqual(found, [true, null, expected, expected, expected, expected]);
    await page.close();
  }
});

async function crash(page) {
  const session = await served.session(page);
  const crashed = page.waitForEvent("crash");
  session.send("Page.crash").catch(() => {});
  await crashed;
  await page.close();
}

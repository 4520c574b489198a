// npm run test:browser: the page of `--report` in a real Chromium, from a server that allows it nothing but its own style.
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { createServer } from "node:http";
import { after, before, describe, test } from "node:test";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import axe from "axe-core";
import { chromium } from "playwright-core";
import { FLAGS } from "./site.mjs";

const ROOT = fileURLToPath(new URL("../..", import.meta.url));
const DESKTOP = { width: 1280, height: 900 };
const PHONE = { width: 360, height: 780 };
const POLICY = "default-src 'none'; style-src 'unsafe-inline'";

let server;
let browser;
let asked = [];

before(async () => {
  const run = promisify(execFile);
  const { stdout } = await run(process.execPath, ["--import", "tsx", "test/report.write.ts"], {
    cwd: ROOT,
    maxBuffer: 2 ** 26,
  });
  const pages = JSON.parse(stdout);
  server = createServer((request, response) => {
    asked.push(request.url);
    response.setHeader("content-security-policy", POLICY);
    response.setHeader("content-type", "text/html").end(pages[decodeURIComponent(request.url.slice(1))]);
  });
  await new Promise((resolve) => server.listen(0, resolve));
  const executablePath = process.env.CHROMIUM ?? "/usr/bin/chromium";
  browser = await chromium.launch({ executablePath, headless: true, args: FLAGS });
});

after(async () => {
  await browser?.close();
  server?.close();
});

/** Opens a page, and gives it to `use`; nothing else may be asked for, and nothing may go wrong. */
async function withPage(name, options, use) {
  asked = [];
  const trouble = [];
  const context = await browser.newContext({ viewport: DESKTOP, ...options });
  const page = await context.newPage();
  page.on("console", (message) => message.type() === "error" && trouble.push(message.text()));
  page.on("pageerror", (error) => trouble.push(`${error}`));
  page.on("dialog", (dialog) => trouble.push(dialog.message()));
  await page.goto(`http://localhost:${server.address().port}/${encodeURIComponent(name)}`);
  await use(page);
  await context.close();
  assert.deepEqual(trouble, []);
  assert.deepEqual(asked, [`/${encodeURIComponent(name)}`]);
}

async function fits(page) {
  const [wide, window] = await page.evaluate(() => [document.documentElement.scrollWidth, innerWidth]);
  assert.ok(wide <= window, `${wide} pixels wide in a window of ${window}`);
  // What does not scroll in a box of its own keeps within its card.
  const wider = await page.$$eval(".card table, .card figure, .card li", (parts) =>
    parts.filter(
      (part) => part.getBoundingClientRect().right > part.closest(".card").getBoundingClientRect().right - 8,
    ),
  );
  assert.equal(wider.length, 0);
  // Texts of drawings that are shown lie within their drawings, but for half a pixel.
  const outside = await page.$$eval("svg text", (texts) =>
    texts.flatMap((text) => {
      const [own, all] = [text.getBoundingClientRect(), text.closest("svg").getBoundingClientRect()];
      const within = own.left >= all.left - 0.5 && own.right <= all.right + 0.5 && own.bottom <= all.bottom + 0.5;
      return within || own.width === 0 ? [] : [text.textContent];
    }),
  );
  assert.deepEqual(outside, []);
}

async function accessible(page) {
  await page.evaluate(axe.source);
  const violations = await page.evaluate(async () =>
    (await globalThis.axe.run()).violations.map(({ id, nodes }) => [id, nodes.map(({ html }) => html)]),
  );
  assert.deepEqual(violations, []);
}

/** Unfolds what is folded. */
async function unfold(page) {
  await page.$$eval("details", (all) => {
    for (const one of all) one.open = true;
  });
}

describe("the page of a report", () => {
  for (const [where, options] of Object.entries({
    "a desktop": {},
    "the dark": { colorScheme: "dark" },
    "a phone": { viewport: PHONE, isMobile: true, hasTouch: true },
    "a phone in the dark": { viewport: PHONE, isMobile: true, hasTouch: true, colorScheme: "dark" },
  }))
    for (const name of ["whole", "hostile", "choice", "choice hostile", "nothing"])
      test(`"${name}" on ${where} fits and is accessible, folded or not`, async () => {
        await withPage(name, options, async (page) => {
          await fits(page);
          await accessible(page);
          await unfold(page);
          await fits(page);
          await accessible(page);
        });
      });

  test("is dark in the dark, with all its groups in other colours", async () => {
    const colours = {};
    for (const colorScheme of ["light", "dark"])
      await withPage("whole", { colorScheme }, async (page) => {
        colours[colorScheme] = await page.evaluate(() => {
          const fill = (selector) => getComputedStyle(document.querySelector(selector)).fill;
          return [getComputedStyle(document.body).backgroundColor, fill(".g0"), fill(".g1")];
        });
      });
    const [light, dark] = [colours.light, colours.dark];
    assert.equal(light[0], "rgb(255, 255, 255)");
    assert.equal(dark[0], "rgb(13, 17, 23)");
    assert.equal(new Set([...light.slice(1), ...dark.slice(1)]).size, 4);
  });

  test("shows what is hostile as text", async () => {
    await withPage("hostile", {}, async (page) => {
      assert.equal(await page.locator("script").count(), 0);
      assert.equal(await page.locator("h1").innerText(), `</title><script>alert("1")</script>`);
    });
  });

  test("is unfolded with keys alone", async () => {
    await withPage("whole", {}, async (page) => {
      const card = page.locator(".card:not([open])").first();
      const [name, drawings] = [await card.locator("h4").innerText(), card.locator(".panels svg")];
      assert.equal(await drawings.first().isVisible(), false);
      await card.locator("summary").first().focus();
      await page.keyboard.press("Enter");
      const opened = page.locator(".card[open]", { hasText: name });
      assert.equal(await opened.locator(".panels svg:visible").count(), 4);
    });
  });

  test("of 200 units has all of them, folded, on a phone too", async () => {
    await withPage("many", { viewport: PHONE, isMobile: true }, async (page) => {
      await fits(page);
      assert.equal(await page.locator(".card").count(), 200);
      assert.equal(await page.locator(".card[open]").count(), 3);
      assert.equal(await page.locator(".card .panels svg:visible").count(), 12);
    });
  });

  for (const name of ["choice", "choice many"])
    test(`of a ${name} has labels that are apart, and all is told without a script`, async () => {
      await withPage(name, {}, async (page) => {
        const overlaps = await page.$$eval(".curves svg", (drawings) =>
          drawings.flatMap((svg) => {
            const texts = [...svg.querySelectorAll("text")];
            const boxes = texts.map((text) => [text.textContent, text.getBoundingClientRect()]);
            return boxes.flatMap(([a, one], i) =>
              boxes.slice(i + 1).flatMap(([b, other]) => {
                const wide = Math.min(one.right, other.right) - Math.max(one.left, other.left);
                const high = Math.min(one.bottom, other.bottom) - Math.max(one.top, other.top);
                // Lines of text have room above and below their letters.
                return wide > 0.5 && high > 5 ? [[a, b]] : [];
              }),
            );
          }),
        );
        assert.deepEqual(overlaps, []);
        assert.equal(await page.locator(".curves svg .ring").count(), 2);
      });
      await withPage(name, { javaScriptEnabled: false }, async (page) => {
        assert.equal(await page.locator(".curves svg:visible").count(), 2);
      });
    });

  test("of a choice is printed whole: what is folded, too, and nothing that scrolls", async () => {
    await withPage("choice", { viewport: { width: 700, height: 990 } }, async (page) => {
      await page.emulateMedia({ media: "print" });
      const [wide, window] = await page.evaluate(() => [document.documentElement.scrollWidth, innerWidth]);
      assert.ok(wide <= window, `${wide} pixels wide in a window of ${window}`);
      const cut = await page.$$eval(
        ".wide",
        (all) => all.filter((one) => one.scrollWidth > one.clientWidth + 1).length,
      );
      assert.equal(cut, 0);
      assert.equal(await page.locator(".reasons:visible").count(), await page.locator(".reasons").count());
      assert.ok((await page.pdf({ format: "A4" })).length > 10_000);
    });
  });
});

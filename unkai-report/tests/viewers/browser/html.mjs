// Opens the built-in report in Chromium, uses it as people do, and leaves screenshots.
//
// node html.mjs <chromium> <what> <page> <start of the names of screenshots> <title> <live,allocated,freed,peak bytes>

import assert from "node:assert/strict";
import { pathToFileURL } from "node:url";
import puppeteer from "puppeteer-core";

const [chromium, what, file, pictures, title, expected] = process.argv.slice(2);
const [live, allocated, freed, peak] = expected.split(",").map(BigInt);
const url = pathToFileURL(file).href;

const browser = await puppeteer.launch({ executablePath: chromium, args: ["--no-sandbox", "--force-color-profile=srgb"] });
const page = await browser.newPage();
const requests = [], errors = [];
page.on("request", request => requests.push(request.url()));
page.on("console", message => ["error", "warn"].includes(message.type()) && errors.push(message.text()));
page.on("pageerror", error => errors.push(String(error)));
page.on("dialog", dialog => { errors.push(`dialog: ${dialog.message()}`); dialog.dismiss(); });
await page.evaluateOnNewDocument(() => { window.alert = words => { window.alerted = words; }; });

async function open(width = 1400, height = 1000, theme = "light") {
  await page.setViewport({ width, height });
  await page.emulateMediaFeatures([{ name: "prefers-color-scheme", value: theme }]);
  const start = performance.now();
  await page.goto(url, { waitUntil: "load" });
  await page.waitForSelector("#canvas .cell");
  return performance.now() - start;
}

async function picture(name, fullPage = true) {
  if (fullPage) await page.evaluate(() => scrollTo(0, 0));
  await settled();
  await page.screenshot({ path: `${pictures}-${name}.png`, fullPage });
}
const textOf = selector => page.$eval(selector, element => element.textContent);
const textsOf = selector => page.$$eval(selector, elements => elements.map(element => element.textContent));
const cells = () => page.$$eval("#canvas .cell", cells => cells.length);
const settled = () => page.evaluate(() => new Promise(resolve => requestAnimationFrame(() => requestAnimationFrame(resolve))));
const choose = async (name, value) => {
  await page.click(`#controls input[name=${name}][value=${value}]`);
  await settled();
};

async function search(words) {
  const before = await textOf("#matched");
  await page.$eval("#search", field => { field.value = ""; });
  await page.type("#search", words);
  await page.waitForFunction(before => document.getElementById("matched").textContent !== before, {}, before);
}

/** All digits of the totals, as numbers. */
async function exactTotals() {
  const numbers = await page.$$eval(".card", cards => Object.fromEntries(cards.map(card => [
    card.className.split(" ").pop(),
    card.querySelector(".exact").textContent.split(" B")[0].replaceAll(",", ""),
  ])));
  return Object.fromEntries(Object.entries(numbers).map(([name, digits]) => [name, BigInt(digits)]));
}

const parts = {
  async totals() {
    await open();
    assert.deepEqual(await exactTotals(), { live, allocated, freed, peak });
    assert.match(await textOf(".card.live .figure"), /^72\.7 MiB$/);
    assert.match(await textOf(".machine .note"), /takes 135 MiB/);
    assert.match(await textOf("#trust"), /Nothing was lost/);
    await picture("light");
  },

  async use() {
    await open();
    assert.equal(await textOf("h1"), title);
    assert.deepEqual(await exactTotals(), { live, allocated, freed, peak });
    await picture("light");
    await picture("first-screen", false);

    // Zoom in and out: by a click, by the keyboard, by the path.
    const all = await cells();
    const inner = (await page.$$("#canvas .cell[data-node]"))[3];
    const name = (await inner.evaluate(cell => cell.getAttribute("aria-label"))).split(",")[0];
    await inner.click();
    assert.equal(await page.$eval("#canvas .cell:not(.above)", cell => cell.getAttribute("aria-label").split(",")[0]), name);
    assert.ok(await page.$eval("#reset", button => !button.disabled));
    await page.click("#reset");
    assert.equal(await cells(), all);
    await page.focus("#canvas .cell[tabindex='0']");
    await page.keyboard.press("ArrowDown");
    await page.keyboard.press("ArrowDown");
    assert.equal(await page.$eval("#tip", tip => tip.hidden), false);
    await page.keyboard.press("Enter");
    assert.equal(await page.$$eval("#canvas .above", cells => cells.length), 2);
    assert.equal(await page.evaluate(() => document.activeElement.tabIndex), 0);
    await page.keyboard.press("Escape");
    await page.keyboard.press("Escape");
    assert.equal(await cells(), all);

    // A zoom into the cache, with what the pointer is on.
    const target = await page.evaluateHandle(() => [...document.querySelectorAll("#canvas .cell[data-node]")]
      .find(cell => cell.getAttribute("aria-label").startsWith("shop::catalog::Catalog::add")));
    await target.click();
    await page.mouse.move(500, 500);
    const below = (await page.$$("#canvas .cell[data-node]:not(.above)"))[1];
    await below.hover();
    assert.match(await textOf("#tip"), /of all.*%.*samples/);
    await page.$eval("#flame", section => section.scrollIntoView());
    await below.hover();
    await picture("zoomed", false);
    await page.click("#reset");

    // A search counts each call stack once.
    await search("Session::open");
    assert.match(await textOf("#matched"), /^matched [\d.]+ [KMG]iB, [\d.]+ %$/);
    assert.ok(await page.$$eval("#canvas .match", cells => cells.length) > 0);
    const matching = await textsOf("#sites tbody tr[data-group] .name");
    assert.ok(matching.length > 0 && matching.length < 15, matching.join());
    await page.$eval("#controls", controls => controls.scrollIntoView());
    await picture("search", false);
    await search("there is no such function");
    assert.match(await textOf("#sites tbody"), /No site's call stacks match/);
    assert.match(await textOf("#matched"), /^matched 0 B, 0.0 %$/);
    await page.keyboard.press("Escape");
    assert.equal(await textOf("#matched"), "");

    // The measure and the unit change all that shows one.
    const atFirst = await textOf("#canvas .cell");
    await choose("measure", "allocated");
    const byAllocated = await textOf("#canvas .cell");
    assert.notEqual(byAllocated, atFirst);
    await choose("unit", "blocks");
    assert.match(await textOf("#canvas .cell"), /all sites: [\d.]+ M$/);
    assert.equal(await page.$eval("th[aria-sort=descending]", head => head.dataset.column), "blocks");
    await picture("allocated-blocks");
    await choose("unit", "bytes");
    assert.equal(await textOf("#canvas .cell"), byAllocated);
    await choose("measure", "live");
    await page.click("#hide-library");
    assert.ok(!(await textsOf("#canvas .cell")).some(words => words.includes("Vec::")));
    await page.click("#hide-library");
    assert.ok((await textsOf("#canvas .cell")).some(words => words.includes("Iterator::")));

    // Each column sorts, both ways.
    for (const column of ["name", "live", "peak", "allocated", "share", "blocks", "samples", "lifetime", "age"]) {
      await page.click(`th[data-column=${column}] button`);
      const once = await page.$eval(`th[data-column=${column}]`, head => head.getAttribute("aria-sort"));
      const first = await textOf("#sites tbody tr");
      await page.click(`th[data-column=${column}] button`);
      const twice = await page.$eval(`th[data-column=${column}]`, head => head.getAttribute("aria-sort"));
      assert.deepEqual([once, twice].sort(), ["ascending", "descending"], column);
      assert.notEqual(await textOf("#sites tbody tr"), first, column);
      assert.equal(await page.$$eval("th[aria-sort$=cending]", heads => heads.length), 1, column);
    }
    await page.click("th[data-column=live] button");

    // A row unfolds its call stacks, and leads back into the flame graph.
    await page.click("#sites tbody .site");
    assert.equal(await page.$eval("#sites tbody .site", button => button.getAttribute("aria-expanded")), "true");
    assert.ok(await page.$$eval(".stacks .callstack li", frames => frames.length) > 2);
    await page.$eval("#sites", section => section.scrollIntoView());
    await picture("unfolded", false);
    assert.equal(await page.$$eval(".stacks details[open]", stacks => stacks.length), 1);
    assert.match(await textOf(".stacks details:nth-of-type(2) summary"), /through shop::api::search::search$/);
    await page.click(".stacks .callstack button");
    assert.ok(await page.$$eval("#canvas .above", cells => cells.length) > 2);
    await page.click("#reset");
    await page.click(".largest button");
    assert.equal(await page.evaluate(() => document.activeElement.getAttribute("aria-expanded")), "true");

    // The theme stays over a reload.
    const colour = () => page.evaluate(() => getComputedStyle(document.body).backgroundColor);
    const light = await colour();
    await page.click("#theme");
    const dark = await colour();
    assert.notEqual(dark, light);
    await page.reload({ waitUntil: "load" });
    assert.equal(await colour(), dark);
    await picture("dark");
    await page.click("#theme");
    assert.equal(await colour(), light);
    await page.evaluate(() => sessionStorage.clear());
    await open(1400, 1000, "dark");
    assert.equal(await colour(), dark);

    await open(400, 800);
    const [wide, narrow] = await page.evaluate(() => [document.documentElement.scrollWidth, innerWidth]);
    assert.ok(wide <= narrow, `${wide} wider than the screen of ${narrow}`);
    await picture("narrow", false);
    await page.$eval("#controls", controls => controls.scrollIntoView());
    await picture("narrow-flame", false);
    await page.click("#sites tbody .site");
    await page.$eval("#sites", section => section.scrollIntoView());
    await picture("narrow-sites", false);

    // On paper: everything is unfolded, nothing is to be clicked, and dark pages are white.
    await open(1000, 1400, "dark");
    await page.emulateMediaType("print");
    await page.evaluate(() => dispatchEvent(new Event("beforeprint")));
    assert.equal(await colour(), "rgb(255, 255, 255)");
    assert.equal(await page.$eval("#controls", controls => getComputedStyle(controls).display), "none");
    assert.equal(await page.$$eval("details:not([open])", folded => folded.length), 0);
    await picture("print");
    await page.pdf({ path: `${pictures}.pdf`, format: "A4" });
  },

  async difference() {
    await open();
    assert.match(await textOf("header"), /Change over 15 min/);
    assert.equal(await page.$("input[value=peak]"), null);
    assert.match(await textOf("#sites tbody .grew"), /^\+/);
    assert.match(await textOf("#sites tbody .shrank"), /^−/);
    await picture("light");
    await page.click("#theme");
    await picture("dark");
  },

  async troubled() {
    await open();
    const trust = await textOf("#trust");
    assert.match(trust, /Sampling is paused/);
    assert.match(trust, /Losses: 11 kinds/);
    const totals = await textOf("#totals");
    assert.match(totals, /1 request refused at the limit\./);
    assert.match(totals, /1 request refused by the allocator\./);
    assert.match(totals, /Its limit is 15\.3 MiB of live bytes: exceeded by 1\.91 MiB\./);
    assert.ok(!(await textOf("#sites")).includes("called by"));
    assert.equal(await page.$eval("#trust details", details => details.open), false);
    await page.click("#trust summary");
    assert.equal((await textsOf("#trust dt")).length, 11);
    await picture("light");
    await page.click("#theme");
    await picture("dark", false);
  },

  async hostile() {
    await open();
    assert.equal(await page.title(), title);
    assert.equal(await textOf("h1"), title);
    for (const row of await page.$$("#sites tbody .site")) await row.click();
    const shown = [];
    for (const cell of (await page.$$("#canvas .cell[data-node]"))) {
      await cell.hover();
      shown.push(await textOf("#tip strong"));
    }
    assert.equal(shown.length, 14);
    assert.ok(shown.includes("my_app::<img src=x onerror=alert(1)>::f"), shown.join("\n"));
    assert.ok(shown.includes("my_app::</script><script>alert(1)</script>"), shown.join("\n"));
    await page.$$eval("details", all => all.forEach(details => { details.open = true; }));
    assert.equal(await page.evaluate(() => document.querySelectorAll("img, iframe, script:not([id=data], [type=module])").length), 0);
    assert.equal(await page.evaluate(() => document.querySelectorAll("script").length), 2);
    const [wide, room] = await page.evaluate(() => [document.documentElement.scrollWidth, innerWidth]);
    assert.ok(wide <= room, `${wide} wider than the window of ${room}`);
    await page.mouse.move(0, 0);
    await picture("light");
  },

  async suspects() {
    await open();
    const first = await textOf("#suspects li");
    assert.match(first, /Cache::insert.*called by shop::session::Session::open.*290 MiB live.*Grew by [\d.]+ MiB \(± /);
    assert.match(await textOf("#suspects .note"), /snapshots/);
    await page.$eval("#suspects", section => section.scrollIntoView({ block: "end" }));
    await picture("light", false);
    await page.click("#suspects button");
    assert.equal(await page.evaluate(() => document.activeElement.getAttribute("aria-expanded")), "true");
  },

  async empty() {
    await open();
    assert.match(await textOf("#sites"), /there is no site/);
    await picture("light");
  },

  async deep() {
    await open();
    assert.match(await textOf("#flame"), /zoom in to see more/);
    await (await page.$("#canvas .cell:last-child")).evaluate(cell => cell.click());
    // Callers further up are behind the path above.
    const shown = await cells();
    assert.ok(shown > 180 && shown < 200, `${shown} rectangles`);
    await picture("light", false);
  },

  async large() {
    const loaded = await open();
    assert.ok(await cells() < 5_000, `${await cells()} rectangles`);
    const took = await page.evaluate(() => new Promise(resolve => {
      const field = document.getElementById("search"), start = performance.now();
      field.value = "layer23::worker";
      field.dispatchEvent(new Event("input"));
      new MutationObserver(() => requestAnimationFrame(() => resolve(performance.now() - start)))
        .observe(document.getElementById("matched"), { childList: true });
    }));
    console.log(`50,000 call stacks: drawn after ${Math.round(loaded)} ms, searched in ${Math.round(took)} ms, ${await cells()} rectangles`);
    await picture("search", false);
    await page.$eval("#search", field => { field.value = ""; field.dispatchEvent(new Event("input")); });
    await page.waitForFunction(() => document.getElementById("matched").textContent === "");
    const rows = await page.$$eval("#sites tbody tr", rows => rows.length);
    await page.click(".more");
    assert.ok(await page.$$eval("#sites tbody tr", rows => rows.length) > rows);
    await open();
    await picture("light", false);
    // Generous: other tests may run on the same machine.
    assert.ok(loaded < 20_000 && took < 5_000, `${loaded} ms, ${took} ms`);
  },
};

try {
  await parts[what]();
  assert.deepEqual(errors, []);
  assert.equal(await page.evaluate(() => window.alerted), undefined);
  const elsewhere = requests.filter(request => request !== url && !request.startsWith("data:"));
  assert.deepEqual(elsewhere, []);
} catch (error) {
  await picture("failed").catch(() => {});
  throw error;
} finally {
  await browser.close();
}

// Opens the graph, the flame graph and the table of a running pprof, takes a picture of each, and prints what it names.
//
// node pprof.mjs CHROMIUM HOST:PORT START-OF-PICTURE-NAMES
import puppeteer from "puppeteer-core";

const [chromium, address, pictures] = process.argv.slice(2);
const browser = await puppeteer.launch({
  executablePath: chromium,
  args: ["--no-sandbox"],
  defaultViewport: { width: 1400, height: 900 },
});
try {
  const page = await browser.newPage();
  page.on("pageerror", (error) => console.log(`error: ${error}`));
  page.on("dialog", (dialog) => {
    console.log(`error: a dialog says ${dialog.message()}`);
    dialog.dismiss();
  });
  for (const [name, path, elements] of [
    ["graph", "/ui/", "g.node title"],
    ["flamegraph", "/ui/flamegraph", "g title"],
    ["top", "/ui/top", "#toptable td"],
  ]) {
    await page.goto(`http://${address}${path}`, { waitUntil: "networkidle0" });
    await page.waitForSelector(elements, { timeout: 20000 });
    const texts = await page.$$eval(elements, (all) =>
      all.map((each) => each.textContent.trim()),
    );
    console.log(texts.join("\n"));
    // Flames grow for a moment before they are named.
    await new Promise((resolve) => setTimeout(resolve, 1500));
    await page.screenshot({ path: `${pictures}-${name}.png` });
  }
} finally {
  await browser.close();
}

// Loads profiles into DHAT's viewer: `node dhat.mjs CHROMIUM VIEWER PICTURE PROFILE…`.
// Prints the text of the page for each, as a list in JSON; the picture is of the first.

import { pathToFileURL } from 'node:url';
import { withPage } from './page.mjs';

const [chromium, viewer, picture, ...profiles] = process.argv.slice(2);

const results = await withPage(chromium, async (page, errors) => {
  const results = [];
  for (const profile of profiles) {
    await page.goto(pathToFileURL(viewer));
    const input = await page.$('input[type=file]');
    await input.uploadFile(profile);
    // The timings are written last; an error stands in their place if there is one.
    await page.waitForSelector('.timings p, .error', { timeout: 30000 });
    // Every sort metric that the viewer offers for the file.
    const metrics = await page.$$eval('select option:not([disabled])', (options) => options.map((o) => o.value));
    for (const metric of metrics) {
      await page.select('select', metric);
    }
    const byLive = await page.$$eval('select option', (options) =>
      options.find((o) => o.label === 'At t-end (bytes)').value);
    await page.select('select', byLive);
    results.push({
      text: await page.$eval('pre, .error', (element) => element.textContent),
      error: await page.$eval('.error', (element) => element.textContent).catch(() => null),
      metrics: metrics.length,
      errors: errors.splice(0),
    });
    if (results.length === 1) {
      await page.screenshot({ path: picture, fullPage: true });
    }
  }
  return results;
});
console.log(JSON.stringify(results));

// Opens flame graphs and uses them: `node flamegraph.mjs CHROMIUM FOLDER WORD GRAPH…`.
// Zooms by a click on the first box that has the word in its name, and searches for it. Prints what is seen then, as a list
// in JSON; pictures go into the folder.

import { basename, dirname, join } from 'node:path';
import { withPage, withServer } from './page.mjs';

const [chromium, folder, word, ...graphs] = process.argv.slice(2);

const results = await withServer(dirname(graphs[0]), {}, (address) => withPage(chromium, async (page, errors) => {
  page.on('dialog', (dialog) => dialog.accept(word));
  const results = [];
  for (const graph of graphs) {
    const name = basename(graph, '.svg');
    const picture = (of) => page.screenshot({ path: join(folder, `flamegraph-${name}${of}.png`) });
    await page.goto(`${address}/${basename(graph)}`);
    // The script lays boxes out after the page is loaded.
    await new Promise((done) => setTimeout(done, 300));
    await picture('');
    const see = () => page.evaluate(() => {
      const boxes = [...document.querySelectorAll('#frames > g')];
      const visible = boxes.filter((box) => !box.classList.contains('hide'));
      return {
        boxes: boxes.length,
        visible: visible.length,
        widest: Math.max(0, ...visible.map((box) => box.querySelector('rect').getBoundingClientRect().width)),
        matched: document.getElementById('matched')?.textContent ?? '',
        text: document.documentElement.textContent.includes('nothing to draw'),
        title: document.getElementById('title')?.textContent ?? document.querySelector('text').textContent,
        subtitle: document.getElementById('subtitle')?.textContent ?? '',
      };
    });
    const before = await see();
    const box = await page.evaluateHandle((word) => {
      const boxes = [...document.querySelectorAll('#frames > g')];
      return boxes.find((box) => box.querySelector('title').textContent.includes(word));
    }, word);
    let zoomed = null, searched = null, width = null;
    if (await box.evaluate((box) => box !== undefined)) {
      await box.asElement().click();
      zoomed = await see();
      width = await box.evaluate((box) => box.querySelector('rect').getBoundingClientRect().width);
      await picture('-zoomed');
      await page.click('#unzoom');
      await page.click('#search');
      searched = await see();
      await picture('-searched');
    }
    results.push({ before, zoomed, width, searched, errors: errors.splice(0) });
  }
  return results;
}));
console.log(JSON.stringify(results));

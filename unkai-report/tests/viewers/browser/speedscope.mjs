// Loads profiles into speedscope: `node speedscope.mjs CHROMIUM FOLDER PROFILE…`.
// Prints what it shows of each, as a list in JSON; pictures of its three views go into the folder.

import { readFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import Ajv from 'ajv';
import { withPage, withServer } from './page.mjs';

const [chromium, folder, ...profiles] = process.argv.slice(2);
const release = new URL('node_modules/speedscope/dist/release/', import.meta.url).pathname;
const schema = JSON.parse(await readFile(join(release, 'file-format-schema.json'), 'utf8'));
const validate = new Ajv({ strict: false }).compile(schema);
const files = Object.fromEntries(profiles.map((profile) => [basename(profile), profile]));

const results = await withServer(release, files, (address) => withPage(chromium, async (page, errors) => {
  const results = [];
  for (const profile of profiles) {
    const valid = validate(JSON.parse(await readFile(profile, 'utf8')));
    const name = basename(profile);
    await page.goto('about:blank');
    await page.goto(`${address}/index.html#profileURL=${encodeURIComponent(`${address}/${name}`)}`);
    const words = () => page.evaluate(() => document.body.innerText);
    await page.waitForFunction(() => /Export|Something went wrong/.test(document.body.innerText), { timeout: 30000 });
    const shown = { timeOrder: await words() };
    for (const view of ['Time Order', 'Left Heavy', 'Sandwich']) {
      await page.evaluate((view) => {
        const tab = [...document.querySelectorAll('div')].find((div) => div.children.length <= 1 && div.innerText?.endsWith(view));
        tab.click();
      }, view);
      await new Promise((done) => setTimeout(done, 400));
      const picture = `speedscope-${name.replace(/\..*/, '')}-${view.toLowerCase().replace(' ', '-')}.png`;
      await page.screenshot({ path: join(folder, picture) });
      shown[view] = await words();
    }
    results.push({ valid: valid ? null : validate.errors, title: await page.title(), shown, errors: errors.splice(0) });
  }
  return results;
}));
console.log(JSON.stringify(results));

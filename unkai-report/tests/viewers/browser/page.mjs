// A page of a headless browser that keeps every error, and a server of a few files for it.

import { createServer } from 'node:http';
import { readFile } from 'node:fs/promises';
import { join, extname, normalize } from 'node:path';
import puppeteer from 'puppeteer-core';

/// Calls `use(page, errors)` with a new page; `errors` gets what the page throws, fails to load or writes as an error.
export async function withPage(chromium, use) {
  const browser = await puppeteer.launch({
    executablePath: chromium,
    args: ['--no-sandbox', '--force-device-scale-factor=1', '--use-angle=swiftshader', '--enable-unsafe-swiftshader'],
    defaultViewport: { width: 1280, height: 800 },
  });
  try {
    const page = await browser.newPage();
    const errors = [];
    page.on('pageerror', (error) => errors.push(`thrown: ${error.message}`));
    page.on('requestfailed', (request) => errors.push(`not loaded: ${request.url()}`));
    page.on('console', (message) => {
      if (['error', 'warn', 'assert'].includes(message.type())) {
        errors.push(`${message.type()}: ${message.text()}`);
      }
    });
    return await use(page, errors);
  } finally {
    await browser.close();
  }
}

/// Calls `use(address)` while the files of `folder`, and `files` by name, can be loaded from there.
export async function withServer(folder, files, use) {
  const types = { '.html': 'text/html', '.js': 'text/javascript', '.css': 'text/css', '.svg': 'image/svg+xml' };
  const server = createServer(async (request, response) => {
    const path = normalize(new URL(request.url, 'http://localhost').pathname);
    if (path === '/favicon.ico') {
      // Browsers ask for it by themselves.
      response.statusCode = 204;
      response.end();
      return;
    }
    const file = files[path.slice(1)] ?? join(folder, path);
    try {
      const body = await readFile(file);
      response.setHeader('content-type', types[extname(path)] ?? 'application/octet-stream');
      response.end(body);
    } catch {
      response.statusCode = 404;
      response.end();
    }
  });
  await new Promise((done) => server.listen(0, '127.0.0.1', done));
  try {
    return await use(`http://127.0.0.1:${server.address().port}`);
  } finally {
    server.close();
    server.closeAllConnections();
  }
}

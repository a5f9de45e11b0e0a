// A real server and a real browser for the tests of the pages.
//
// Each test file starts its own server with a data directory of its own; `cargo xtask test` passes where the
// binary, the plugins and the browser are. Nothing here knows how a page is made: a test sees what a person
// sees, by role and label.

import { execFile, spawn } from 'node:child_process';
import { existsSync, mkdtempSync, openSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { createRequire } from 'node:module';
import { createServer, request } from 'node:http';
import { tmpdir } from 'node:os';
import { delimiter, join, resolve } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';
import { chromium } from 'playwright-core';

const workspace = resolve(import.meta.dirname, '../..');
const target = resolve(workspace, process.env.CARGO_TARGET_DIR ?? 'target');
const marque = process.env.XTASK_MARQUE ?? join(target, 'debug/marque');
const plugins = process.env.XTASK_PLUGINS ?? join(target, 'plugins');
const axe = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');

/** How long a page may take to show what it should: longer than a busy machine needs, shorter than patience. */
export const PATIENCE_MS = 20_000;

/** The demo's brands. */
export const BRANDS = ['aurora', 'borealis'];

/** The context of a small phone. */
export const PHONE = { viewport: { width: 375, height: 667 }, hasTouch: true, isMobile: true };

/** A seeded server on a free port, with the demo's people, who can be signed in by brand and role; its data lie in `data`
    until `stop()` ends it and removes them. */
export async function startSite(settings = {}) {
  if (!existsSync(marque)) {
    throw new Error(`There is no server at ${marque}. Run \`cargo xtask test\`, or \`cargo build -p marque-server\` first.`);
  }
  const folder = mkdtempSync(join(tmpdir(), 'marque-browser-'));
  const port = await freePort();
  const env = { ...withoutSettings(process.env), ...settingsFor(folder, port), ...settings };
  const people = await seed(folder, env);
  const log = openSync(join(folder, 'serve.log'), 'w');
  const child = spawn(marque, ['serve'], { cwd: folder, env, stdio: ['ignore', log, log] });
  const ended = new Promise((done) => child.once('exit', (code, signal) => done(signal ?? code)));
  const stop = async () => {
    child.kill('SIGTERM');
    await Promise.race([ended, sleep(5_000).then(() => child.kill('SIGKILL'))]);
    rmSync(folder, { recursive: true, force: true });
  };
  try {
    await ready(port, ended);
  } catch (error) {
    const said = readFileSync(join(folder, 'serve.log'), 'utf8').split('\n').slice(-30).join('\n');
    await stop();
    throw new Error(`${error.message} Its log ends with:\n${said}`);
  }
  const mail = (slug, address, kind) => letter(join(folder, 'var/mail', slug), address, kind);
  const url = (slug, path = '/') => `http://${slug}.localhost:${port}${path}`;
  const person = (slug, role) => {
    const found = people.find(({ host, email }) => host === `${slug}.localhost` && email.startsWith(`${role}@`));
    if (!found) throw new Error(`demo-seed made no ${role} for ${slug}.`);
    return found;
  };
  const signIn = async (page, slug, role) => {
    const { email, password } = person(slug, role);
    await page.goto(url(slug, '/sign-in'));
    await page.getByLabel('E-mail').fill(email);
    await page.getByLabel('Password').fill(password);
    await page.getByRole('button', { name: 'Sign in', exact: true }).click();
    await page.getByRole('button', { name: 'Sign out' }).waitFor();
  };
  return { port, data: join(folder, 'var'), people, person, signIn, stop, mail, url };
}

/** The newest mail of a kind to an address, once it is there: its raw text and the first link in it. */
async function letter(folder, address, kind) {
  for (const began = Date.now(); Date.now() - began < PATIENCE_MS; await sleep(50)) {
    const files = existsSync(folder) ? readdirSync(folder).filter((file) => file.endsWith(`-${kind}.eml`)) : [];
    for (const file of files.sort().reverse()) {
      const raw = readFileSync(join(folder, file), 'utf8');
      if (!raw.includes(address)) continue;
      // Quoted-printable: soft line breaks, and what was escaped.
      const text = raw.replaceAll('=\r\n', '').replace(/=([0-9A-F]{2})/g, (_, hex) => String.fromCharCode(parseInt(hex, 16)));
      return { text, link: text.match(/https?:\/\/[^\s"<)]+\?token=[\w-]{43}/)?.[0] };
    }
  }
  throw new Error(`No mail ${kind} came to ${address}.`);
}

function settingsFor(folder, port) {
  return {
    MARQUE_DATA_DIR: join(folder, 'var'),
    MARQUE_TENANTS_DIR: join(workspace, 'tenants'),
    MARQUE_LISTEN: `127.0.0.1:${port}`,
    MARQUE_LIMITS_SHUTDOWN_S: '1',
    // With one key for all, each site finds what another compiled.
    MARQUE_MASTER_KEY: 'AgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgI',
    MARQUE_COMPILED_DIR: join(target, 'tmp/compiled-by-sites'),
    // Tests sign in as often as they like; what limits do has tests of its own.
    MARQUE_LIMITS_SIGN_IN_ATTEMPTS: '1000',
    MARQUE_LIMITS_TRADING_PER_MINUTE: '1000000',
    MARQUE_LIMITS_API_PER_MINUTE: '1000000',
    // A minute of the market in a second: bars close, strategies trade and equity moves while a test looks.
    MARQUE_FEED_SPEED: '60',
  };
}

/** A developer's own settings may name a real database: none reaches a test. */
function withoutSettings(env) {
  return Object.fromEntries(Object.entries(env).filter(([name]) => !name.startsWith('MARQUE_')));
}

/** Brings an empty data directory to where the demo begins; answers who can sign in. */
async function seed(folder, env) {
  const run = async (...args) => {
    try {
      return (await promisify(execFile)(marque, args, { cwd: folder, env })).stdout;
    } catch (error) {
      throw new Error(`\`marque ${args.join(' ')}\` failed: ${error.stderr || error.message}`);
    }
  };
  await run('migrate');
  await run('tenant', 'apply', join(workspace, 'tenants'));
  const components = readdirSync(plugins).filter((file) => file.endsWith('.wasm'));
  for (const component of components) {
    await run('plugin', 'add', 'aurora', 'borealis', join(plugins, component));
  }
  return JSON.parse((await run('demo-seed')).trim().split('\n').at(-1)).people;
}

function freePort() {
  return new Promise((done, fail) => {
    const server = createServer().on('error', fail);
    server.listen(0, '127.0.0.1', () => {
      const { port } = server.address();
      server.close(() => done(port));
    });
  });
}

/** Waits for `/readyz`; fails at once when the server ends instead. */
async function ready(port, ended) {
  let outcome;
  ended.then((how) => (outcome = how));
  for (const began = Date.now(); Date.now() - began < 60_000; await sleep(50)) {
    if (outcome !== undefined) throw new Error(`The server ended at once (${outcome}).`);
    if ((await statusOf(port)) === 200) return;
  }
  throw new Error('The server was not ready after 60 s.');
}

function statusOf(port) {
  return new Promise((done) => {
    const asked = request({ host: '127.0.0.1', port, path: '/readyz', headers: { host: `localhost:${port}` } }, (answer) => {
      answer.resume();
      done(answer.statusCode);
    });
    asked.on('error', () => done(0));
    asked.end();
  });
}

/** The browser, without the background traffic that a closed network would refuse. */
export function launch() {
  const args = ['--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking', '--disable-component-update', '--disable-sync'];
  // Chromium's own sandbox does not run as root.
  if (process.getuid?.() === 0) args.push('--no-sandbox');
  return chromium.launch({ executablePath: browserPath(), headless: true, args });
}

function browserPath() {
  if (process.env.XTASK_CHROMIUM) return process.env.XTASK_CHROMIUM;
  const folders = (process.env.PATH ?? '').split(delimiter);
  const found = ['chromium', 'chromium-browser', 'google-chrome'].flatMap((name) => folders.map((folder) => join(folder, name))).find(existsSync);
  if (!found) throw new Error('Chromium could not be found. Install it (Debian: `apt-get install chromium`), or set XTASK_CHROMIUM to where it is.');
  return found;
}

/** Runs `look` with a page of a fresh visitor, and fails when the page's own scripts or its policy complained. */
export async function visit(browser, options, look) {
  const context = await browser.newContext(options);
  context.setDefaultTimeout(PATIENCE_MS);
  // A brand's own mode wins over what a browser prefers, unless its visitor chose "Auto".
  if (options.colorScheme) await context.addCookies(BRANDS.map((slug) => ({ name: '__Host-marque-theme', value: 'auto', domain: `${slug}.localhost`, path: '/', secure: true })));
  const page = await context.newPage();
  const complaints = [];
  page.on('pageerror', (error) => complaints.push(String(error)));
  page.on('console', (message) => {
    // A refused page (421, 404) is logged by the browser itself as a failed load; that is no fault of a script.
    if (message.type() === 'error' && !message.text().startsWith('Failed to load resource')) complaints.push(message.text());
  });
  try {
    await look(page);
  } finally {
    await context.close();
  }
  if (complaints.length > 0) throw new Error(`The page complained:\n${complaints.join('\n')}`);
}

/** Loads a page anew until it shows something that comes about in the background. */
export async function until(page, shown) {
  for (const began = Date.now(); !(await shown.count()); await page.reload()) {
    if (Date.now() - began > PATIENCE_MS) throw new Error(`${page.url()} does not show ${shown}.`);
  }
}

/** What axe finds wrong with a page by WCAG 2.2 A and AA, as sentences; empty when all is well. */
export async function faults(page) {
  // By evaluation and not as a script element: the page's policy refuses those, and it should.
  await page.evaluate(axe);
  const { violations } = await page.evaluate(() =>
    globalThis.axe.run(document, { runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa'] }),
  );
  return violations.flatMap(({ id, help, nodes }) => nodes.map((node) => `${id}: ${help} at ${node.target.join(' ')}\n${node.failureSummary}`));
}

/** Whether the page is wider than its window: a phone would scroll sideways. */
export function overflows(page) {
  return page.evaluate(() => document.documentElement.scrollWidth > document.documentElement.clientWidth);
}

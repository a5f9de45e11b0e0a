// Where somebody is signed in and how they end it; tokens for programs, made by hand and used as a program would.

import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { mkdtempSync, readFileSync, readdirSync, rmSync } from 'node:fs';
import { request } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { PHONE, faults, launch, overflows, startSite, visit } from './harness.mjs';

const NUMBERS =
  'zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen eighteen nineteen twenty'.split(' ');
describe('somebody who looks after their access', () => {
  let site, browser, data;
  before(async () => {
    data = mkdtempSync(join(tmpdir(), 'marque-access-'));
    // What comes from here may say where it is: a proxy stands before a real server.
    site = await startSite({ MARQUE_DATA_DIR: data, MARQUE_PROXIES_TRUSTED: '["127.0.0.0/8"]' });
    browser = await launch();
  });
  after(async () => {
    await browser?.close();
    await site?.stop();
    rmSync(data, { recursive: true, force: true });
  });

  /** The code in the newest mail of that kind: without a mail server they are written into a folder. */
  async function mailedCode() {
    for (let tries = 0; tries < 100; tries += 1, await sleep(200)) {
      const files = readdirSync(data, { recursive: true }).filter((file) => file.endsWith('sign-in-code.eml')).sort();
      if (files.length > 0) return readFileSync(join(data, files.at(-1)), 'utf8').match(/\b(\d{3} \d{3})\b/)[1];
    }
    throw new Error('no code was mailed');
  }

  async function confirmIfAsked(page, slug) {
    if (!page.url().includes('/confirm')) return;
    await page.getByLabel('Password').fill(site.person(slug, 'trader').password);
    await page.getByRole('button', { name: /confirm/i }).first().click();
  }

  /** Asks the API as a program does; answers status and body. */
  function call(slug, path, { method = 'GET', token, body } = {}) {
    const headers = { host: `${slug}.localhost:${site.port}`, 'content-type': 'application/json', 'user-agent': 'probe/1.0', 'idempotency-key': 'k1' };
    if (token) headers.authorization = `Bearer ${token}`;
    return new Promise((done, fail) => {
      const asked = request({ host: '127.0.0.1', port: site.port, path: `/api/v1${path}`, method, headers }, (answer) => {
        let text = '';
        answer.on('data', (part) => (text += part));
        answer.on('end', () => done({ status: answer.statusCode, body: JSON.parse(text) }));
      });
      asked.on('error', fail);
      asked.end(body && JSON.stringify(body));
    });
  }

  test('signs another browser out', () =>
    visit(browser, {}, async (here) => {
      await site.signIn(here, 'aurora', 'trader');
      await visit(browser, {}, async (there) => {
        await site.signIn(there, 'aurora', 'trader');
        await here.goto(site.url('aurora', '/security/sessions'));
        const rows = here.getByRole('row').filter({ hasText: 'Chrome on Linux' });
        assert.equal(await rows.count(), 2);
        assert.equal(await rows.filter({ hasText: 'This browser' }).count(), 1);
        assert.ok((await rows.first().innerText()).includes('Local network'));
        await rows.getByRole('button', { name: /^Sign out/ }).click();
        await here.getByRole('heading', { name: 'Where you are signed in' }).waitFor();
        assert.equal(await rows.count(), 1);
        await there.goto(site.url('aurora', '/dashboard'));
        await there.getByLabel('Password').waitFor();
        // Again, by the button for all others.
        await site.signIn(there, 'aurora', 'trader');
        await here.reload();
        await here.getByRole('button', { name: 'Sign out everywhere else' }).click();
        await here.getByRole('heading', { name: 'Where you are signed in' }).waitFor();
        assert.equal(await rows.count(), 1);
        await there.goto(site.url('aurora', '/dashboard'));
        await there.getByLabel('Password').waitFor();
      });
    }));

  test('sees where a browser is and when it was last used', () =>
    visit(browser, { extraHTTPHeaders: { 'x-forwarded-for': '81.91.170.1' } }, async (page) => {
      await site.signIn(page, 'aurora', 'owner');
      await page.goto(site.url('aurora', '/security/sessions'));
      const row = page.getByRole('row').filter({ hasText: 'This browser' });
      const cells = await row.locator('td').evaluateAll((cells) => cells.map((cell) => [cell.dataset.label, cell.innerText.trim()]));
      const shown = Object.fromEntries(cells.filter(([label]) => label));
      assert.deepEqual([shown.Place, shown.Address], ['Germany', '81.91.170.1']);
      const year = String(new Date().getFullYear());
      assert.ok(shown['Last used'].includes(year) || /\d\d:\d\d/.test(shown['Last used']), JSON.stringify(shown));
    }));

  test('sees a program that signed in, and signs it out', () =>
    visit(browser, {}, async (page) => {
      const { email, password } = site.person('borealis', 'trader');
      const { status, body } = await call('borealis', '/tokens', { method: 'POST', body: { email, password } });
      assert.equal(status, 200);
      const token = body.access_token;
      assert.equal((await call('borealis', '/session', { token })).body.email, email);
      assert.equal((await call('aurora', '/session', { token })).status, 401, 'a token of another brand');
      await site.signIn(page, 'borealis', 'trader');
      await page.goto(site.url('borealis', '/security/sessions'));
      await page.getByRole('row').filter({ hasText: 'probe' }).getByRole('button', { name: /^Sign out/ }).click();
      await page.getByText('No program is signed in').waitFor();
      assert.equal((await call('borealis', '/session', { token })).status, 401);
    }));

  test('makes a token that may only look, uses it and ends it', () =>
    visit(browser, {}, async (page) => {
      await site.signIn(page, 'aurora', 'trader');
      await page.goto(site.url('aurora', '/security/tokens'));
      await confirmIfAsked(page, 'aurora');
      await page.getByText('No tokens yet').waitFor();
      await page.getByLabel('Name').fill('Spreadsheet');
      await page.getByRole('button', { name: 'Make the token' }).click();
      const token = await page.locator('#token').innerText();
      assert.match(token, /^mq_[A-Za-z0-9_-]{43}$/);
      assert.equal((await call('aurora', '/accounts', { token })).status, 200);
      const account = { method: 'POST', token, body: { name: 'X' } };
      assert.equal((await call('aurora', '/accounts', account)).body.code, 'scope-missing');
      await page.goto(site.url('aurora', '/security/tokens'));
      assert.equal(await page.locator('#token').count(), 0, 'it is shown once');
      await page.getByRole('button', { name: 'End Spreadsheet' }).click();
      await page.getByText('No tokens yet').waitFor();
      assert.equal((await call('aurora', '/accounts', { token })).status, 401);
      // A form that is not filled in says so.
      await page.getByLabel('Name').fill('Nothing');
      await page.getByRole('checkbox', { name: /See accounts/ }).uncheck();
      await page.getByRole('button', { name: 'Make the token' }).click();
      await page.getByText('Choose at least one thing').waitFor();
    }));

  test('is asked for a mailed code after wrong passwords in a new browser', () =>
    visit(browser, {}, async (page) => {
      const person = site.person('borealis', 'trader');
      const enter = async (password) => {
        await page.goto(site.url('borealis', '/sign-in'));
        await page.getByLabel('E-mail').fill(person.email);
        await page.getByLabel('Password').fill(password);
        await page.getByRole('button', { name: 'Sign in', exact: true }).click();
      };
      // Somebody who was here before.
      await visit(browser, {}, (known) => site.signIn(known, 'borealis', 'trader'));
      for (let tries = 0; tries < 3; tries += 1) {
        await enter('not the password');
        await page.locator('#form-error').waitFor();
      }
      // By now the page may ask for a sum as well.
      const question = page.getByLabel(/^What is/);
      if (await question.count()) {
        const [, one, other] = (await page.getByText(/^What is/).first().innerText()).match(/What is (\w+) plus (\w+)/);
        await question.fill(String(NUMBERS.indexOf(one) + NUMBERS.indexOf(other)));
      }
      await page.getByLabel('E-mail').fill(person.email);
      await page.getByLabel('Password').fill(person.password);
      await page.getByRole('button', { name: 'Sign in', exact: true }).click();
      await page.getByRole('heading', { name: 'Check your mail' }).waitFor();
      assert.deepEqual(await faults(page), []);
      await page.getByLabel('Code').fill('000 000');
      await page.getByRole('button', { name: 'Go on' }).click();
      await page.getByText('tries are left').waitFor();
      await page.getByLabel('Code').fill(await mailedCode());
      await page.getByRole('button', { name: 'Go on' }).click();
      await page.getByRole('heading', { name: 'Your accounts' }).waitFor();
    }));

  for (const slug of ['aurora', 'borealis']) {
    for (const colorScheme of ['light', 'dark']) {
      test(`finds no accessibility fault at ${slug} in ${colorScheme} mode, nor on a phone`, () =>
        visit(browser, { ...PHONE, colorScheme }, async (page) => {
          await site.signIn(page, slug, 'trader');
          for (const path of ['/security/sessions', '/security/tokens']) {
            await page.goto(site.url(slug, path));
            assert.deepEqual(await faults(page), [], path);
            assert.ok(!(await overflows(page)), `${path} is wider than the phone`);
          }
        }));
    }
  }
});

// A vendor's Expert Advisor from its code to a trader's phone: version, file, policy, licence, key, download.

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { after, before, describe, test } from 'node:test';
import { PHONE, faults, launch, overflows, startSite, visit } from './harness.mjs';

const SOURCE = '// Grid Runner\nint OnInit() { return 0; }\n';

describe('an Expert Advisor', () => {
  let site, browser;
  before(async () => {
    site = await startSite();
    browser = await launch();
  });
  after(async () => {
    await browser?.close();
    await site?.stop();
  });

  const section = (page, name) => page.getByRole('region', { name });
  const press = (scope, name) => scope.getByRole('button', { name, exact: true }).click();

  async function offer(page, slug) {
    await site.signIn(page, slug, 'owner');
    await page.goto(site.url(slug, '/admin/eas'));
    const form = section(page, 'Add an Expert Advisor');
    await form.getByLabel('Code').fill('grid-runner');
    await form.getByLabel('Name').fill('Grid Runner');
    await press(form, 'Add');
    await page.getByRole('heading', { level: 1, name: 'Grid Runner' }).waitFor();
  }

  async function addVersion(page) {
    const form = section(page, 'Add a version');
    await form.getByLabel('Version').fill('1.20');
    await form.getByLabel('What changed').fill('Quieter at night');
    await press(form, 'Add the version');
    await section(page, 'Versions').getByText('Quieter at night').waitFor();
  }

  async function addFile(page, name, text) {
    const form = section(page, 'Add a file');
    await form.getByLabel('File').setInputFiles({ name, mimeType: 'text/plain', buffer: Buffer.from(text) });
    await press(form, 'Add the file');
  }

  async function issue(page, slug) {
    const form = section(page, 'Add a policy');
    await form.getByLabel('Name').fill('One computer');
    await press(form, 'Add the policy');
    await section(page, 'Policies').getByText('One computer').waitFor();
    await page.goto(site.url(slug, '/admin/eas'));
    const licence = section(page, 'Issue a licence');
    const policy = await licence.locator('option', { hasText: 'One computer' }).getAttribute('value');
    await licence.getByLabel('Policy').selectOption(policy);
    await licence.getByLabel('E-mail address of its owner').fill(site.person(slug, 'trader').email);
    await press(licence, 'Issue');
    await page.getByRole('heading', { level: 1, name: /^Grid Runner/ }).waitFor();
  }

  test('is offered by its vendor, and downloaded by whom it was licensed to', () =>
    visit(browser, {}, async (vendor) => {
      await offer(vendor, 'aurora');
      await addVersion(vendor);
      // Text is not a compiled program, whatever it is called.
      await addFile(vendor, 'grid-runner.ex5', 'not a program');
      await vendor.getByRole('alert').first().waitFor();
      assert.equal(await section(vendor, 'Versions').getByText('grid-runner.ex5').count(), 0);
      await addFile(vendor, 'grid-runner.mq5', SOURCE);
      await section(vendor, 'Versions').locator('.file-name', { hasText: 'grid-runner.mq5' }).waitFor();
      assert.deepEqual(await faults(vendor), []);
      await issue(vendor, 'aurora');

      await visit(browser, { ...PHONE, acceptDownloads: true }, async (trader) => {
        await site.signIn(trader, 'aurora', 'trader');
        await trader.goto(site.url('aurora', '/eas'));
        await trader.getByRole('link', { name: 'Grid Runner' }).click();
        await press(trader, 'Show the key');
        assert.match(await trader.locator('#key').innerText(), /^[A-Z0-9-]{20,}$/);
        const download = trader.waitForEvent('download');
        await trader.getByRole('button', { name: /^Download/ }).click();
        assert.equal(readFileSync(await (await download).path(), 'utf8'), SOURCE);
        assert.deepEqual(await faults(trader), []);
        assert.equal(await overflows(trader), false);
      });
      // Another brand's trader has none of it.
      await visit(browser, {}, async (stranger) => {
        await site.signIn(stranger, 'borealis', 'trader');
        await stranger.goto(site.url('borealis', '/eas'));
        await stranger.getByRole('heading', { level: 1, name: 'Expert Advisors' }).waitFor();
        assert.equal(await stranger.getByText('Grid Runner').count(), 0);
      });
    }));
});

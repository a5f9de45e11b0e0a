// What somebody reads who writes a program against the API: its description, and what each refusal means.

import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { PHONE, faults, launch, overflows, startSite, visit } from './harness.mjs';

const BRANDS = ['aurora', 'borealis'];
describe('the reference', () => {
  let site, browser;
  before(async () => {
    site = await startSite();
    browser = await launch();
  });
  after(async () => {
    await browser?.close();
    await site?.stop();
  });

  async function openViewer(page, slug) {
    await page.goto(site.url(slug, '/api/docs'));
    // It reads the description and draws it in a shadow tree, which Playwright and axe look into.
    await page.getByText('Place an order').locator('visible=true').first().waitFor();
  }

  for (const slug of BRANDS) {
    for (const colorScheme of ['light', 'dark']) {
      test(`the viewer of the API has no accessibility fault at ${slug} in ${colorScheme} mode`, () =>
        visit(browser, { colorScheme }, async (page) => {
          await openViewer(page, slug);
          assert.deepEqual(await faults(page), []);
        }));
    }

    test(`the viewer of the API fits a phone at ${slug}`, () =>
      visit(browser, PHONE, async (page) => {
        await openViewer(page, slug);
        assert.equal(await overflows(page), false);
      }));

    test(`every code has a page that explains it at ${slug}`, () =>
      visit(browser, {}, async (page) => {
        await page.goto(site.url(slug, '/problems'));
        assert.deepEqual(await faults(page), []);
        const links = await page.locator('main table a').evaluateAll((all) => all.map((link) => link.getAttribute('href')));
        assert.ok(links.length > 20, `${links.length} codes`);
        const refused = await page.evaluate(async () => (await fetch('/api/v1/session')).json());
        assert.ok(links.includes(refused.type), 'the type of a refusal leads to one of them');
        await page.locator('main table a').first().click();
        await page.getByRole('heading', { level: 1 }).waitFor();
        assert.deepEqual(await faults(page), []);
        assert.equal((await page.goto(site.url(slug, '/problems/nothing'))).status(), 404);
      }));

    test(`the pages of codes fit a phone at ${slug}`, () =>
      visit(browser, PHONE, async (page) => {
        for (const path of ['/problems', '/problems/plan-refused']) {
          await page.goto(site.url(slug, path));
          assert.equal(await overflows(page), false, path);
          assert.deepEqual(await faults(page), [], path);
        }
      }));
  }
});

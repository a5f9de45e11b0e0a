// What a strategy does while it runs, on its own page, and what all of them use up.

import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { PATIENCE_MS, PHONE, faults, launch, overflows, startSite, visit } from './harness.mjs';

describe('a running strategy', () => {
  let site, browser;
  before(async () => {
    site = await startSite();
    browser = await launch();
  });
  after(async () => {
    await browser?.close();
    await site?.stop();
  });

  /** The page of the first strategy of the trader's busy account. */
  async function openStrategy(page, slug) {
    await site.signIn(page, slug, 'trader');
    await page.goto(site.url(slug, '/dashboard'));
    await page.locator('main h2 a', { hasText: 'Fast' }).first().click();
    await page.getByRole('region', { name: 'Strategies' }).locator('a[href^="/deployments/"]').first().click();
    await page.getByRole('heading', { name: /^Version / }).waitFor();
  }

  test('is stopped and started again on its own page', () =>
    visit(browser, {}, async (page) => {
      await openStrategy(page, 'aurora');
      const own = page.url();
      const main = page.getByRole('main');
      await main.getByRole('button', { name: 'Stop', exact: true }).click();
      await main.getByRole('button', { name: 'Start', exact: true }).click();
      await main.getByRole('button', { name: 'Stop', exact: true }).waitFor();
      assert.equal(page.url(), own);
    }));

  test('shows what it used, and the page of all of them does so for the days that were chosen', () =>
    visit(browser, {}, async (page) => {
      await openStrategy(page, 'borealis');
      // What was used is committed every few seconds.
      const used = page.locator('#usage tbody tr').first();
      for (const began = Date.now(); Date.now() - began < PATIENCE_MS && !(await used.isVisible()); ) await page.reload();
      await used.waitFor();
      await page.goto(site.url('borealis', '/usage'));
      await page.getByRole('heading', { name: 'Usage' }).waitFor();
      const days = page.getByRole('navigation', { name: 'How many days' });
      const chosen = () => days.locator('[aria-current]').allInnerTexts();
      assert.deepEqual(await chosen(), ['7 days']);
      await days.getByRole('link', { name: 'Today' }).click();
      await page.waitForURL(/days=1/);
      assert.deepEqual(await chosen(), ['Today']);
      await page.locator('#deployments tbody tr').first().waitFor();
      // A number that is none of the choices.
      await page.goto(site.url('borealis', '/usage?days=12'));
      assert.deepEqual(await chosen(), []);
    }));

  test("shows the owner what everybody's use, by plan", () =>
    visit(browser, {}, async (page) => {
      await site.signIn(page, 'aurora', 'owner');
      await page.goto(site.url('aurora', '/usage'));
      await page.locator('#plans tbody tr').first().waitFor();
    }));

  for (const colorScheme of ['light', 'dark']) {
    test(`has pages without an accessibility fault in ${colorScheme} mode, and none is wider than a phone`, () =>
      visit(browser, { ...PHONE, colorScheme }, async (page) => {
        await openStrategy(page, 'borealis');
        assert.deepEqual(await faults(page), []);
        assert.equal(await overflows(page), false);
        await page.goto(site.url('borealis', '/usage'));
        await page.getByRole('heading', { name: 'Usage' }).waitFor();
        assert.deepEqual(await faults(page), []);
        assert.equal(await overflows(page), false);
      }));
  }
});

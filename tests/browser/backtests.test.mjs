// A test of a strategy, as a trader runs one: start it, wait, read the figures, look at the charts, take the files. With
// and without scripts, on a desk and on a phone.

import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { PHONE, faults, launch, overflows, startSite, visit } from './harness.mjs';

/** A test build makes up and runs a few days of the market in seconds. */
const DONE_WITHIN_MS = 120_000;

describe('a backtest', () => {
  let site, browser;
  before(async () => {
    site = await startSite();
    browser = await launch();
  });
  after(async () => {
    await browser?.close();
    await site?.stop();
  });

  async function fill(page, slug, more = async () => {}) {
    await page.goto(site.url(slug, '/backtests/new?strategy=ema-cross'));
    await page.getByLabel('Prices').selectOption('synthetic');
    await page.locator('[name="from"]').fill('2026-11-09');
    await page.locator('[name="to"]').fill('2026-11-13');
    for (const [name, value] of [['fast', '5'], ['slow', '13'], ['lots', '0.1']]) {
      await page.locator(`[name="setting.${name}"]`).fill(value);
    }
    await more();
    await page.getByRole('button', { name: 'Start the test' }).click();
  }

  test('is started, followed without a reload, and read', () =>
    visit(browser, {}, async (page) => {
      await site.signIn(page, 'aurora', 'trader');
      await page.getByRole('link', { name: 'Backtests' }).first().click();
      await page.getByRole('link', { name: 'Test a strategy' }).click();
      await fill(page, 'aurora');
      await page.getByRole('heading', { name: 'Equity', exact: true }).waitFor({ timeout: DONE_WITHIN_MS });
      assert.match(await page.locator('.measure-net_profit').innerText(), /USD/);
      assert.ok((await page.locator('.measure').count()) >= 18, 'every figure has its words');
      for (const chart of ['[data-equity] canvas', '[data-price] canvas']) await page.locator(chart).first().waitFor();
      assert.deepEqual(await faults(page), []);
      const [download] = await Promise.all([page.waitForEvent('download'), page.getByRole('link', { name: 'Trades (CSV)' }).click()]);
      assert.match(download.suggestedFilename(), /trades\.csv$/);
      const { keys } = await page.evaluate(async () => (await fetch('/.well-known/marque-keys.json')).json());
      assert.match(keys[0].key, /^ed25519:/);
    }));

  test('needs no scripts, and fits a phone', async () => {
    await visit(browser, { javaScriptEnabled: false, ...PHONE }, async (page) => {
      await site.signIn(page, 'borealis', 'trader');
      await fill(page, 'borealis', async () => {
        await page.locator('details.more summary').click();
        await page.locator('[name="grid"]').fill('fast = 3, 5\nslow = 8, 13');
      });
      for (const began = Date.now(); Date.now() - began < DONE_WITHIN_MS; ) {
        if (await page.getByRole('heading', { name: 'Settings that were tried' }).count()) break;
        await page.waitForTimeout(500);
        await page.reload();
      }
      assert.equal(await page.locator('#tried tbody tr').count(), 4);
      assert.ok(await page.locator('[data-equity] svg').isVisible(), 'the drawing stays');
      assert.ok(!(await overflows(page)), 'it scrolls sideways');
    });
  });

  test('that is wrong says where', () =>
    visit(browser, {}, async (page) => {
      await site.signIn(page, 'aurora', 'trader');
      await fill(page, 'aurora', async () => page.locator('[name="to"]').fill('2026-11-01'));
      await page.getByText('must be later than the beginning').waitFor();
      assert.equal(await page.locator('[name="setting.fast"]').inputValue(), '5', 'what was typed is kept');
    }));
});

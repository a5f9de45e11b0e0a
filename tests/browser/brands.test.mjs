// Two brands, one server: what a visitor sees before signing in.

import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { PHONE, faults, launch, overflows, startSite, visit } from './harness.mjs';

const BRANDS = [
  { slug: 'aurora', name: /Aurora/, other: /Borealis/, plans: [['Start', 'Free'], ['Plus', '29'], ['Desk', '99']] },
  { slug: 'borealis', name: /Borealis/, other: /Aurora/, plans: [['Scout', '49'], ['Ranger', '129'], ['Vanguard', '399']] },
];
describe('the front page', () => {
  let site, browser;
  before(async () => {
    site = await startSite();
    browser = await launch();
  });
  after(async () => {
    await browser?.close();
    await site?.stop();
  });

  for (const { slug, name, other, plans } of BRANDS) {
    test(`${slug} sells its own plans`, () =>
      visit(browser, {}, async (page) => {
        await page.goto(site.url(slug));
        const shown = await page.locator('.plan').evaluateAll((cards) =>
          cards.map((card) => [card.querySelector('h3').innerText, card.querySelector('.plan-amount').innerText]),
        );
        assert.deepEqual(shown, plans);
      }));

    test(`${slug} shows its own name and nobody else's`, () =>
      visit(browser, {}, async (page) => {
        const answer = await page.goto(site.url(slug));
        assert.equal(answer.status(), 200);
        assert.match(await page.title(), name);
        assert.doesNotMatch(await page.innerText('body'), other);
      }));

    for (const colorScheme of ['light', 'dark']) {
      test(`${slug} has no accessibility fault in ${colorScheme} mode`, () =>
        visit(browser, { colorScheme }, async (page) => {
          await page.goto(site.url(slug));
          assert.deepEqual(await faults(page), []);
        }));
    }

    test(`${slug} fits a phone`, () =>
      visit(browser, PHONE, async (page) => {
        await page.goto(site.url(slug));
        assert.equal(await overflows(page), false);
        assert.deepEqual(await faults(page), []);
      }));

    test(`${slug} keeps the colours that a visitor chose`, () =>
      visit(browser, {}, async (page) => {
        await page.goto(site.url(slug));
        await page.getByRole('button', { name: 'Light', exact: true }).click();
        await page.getByRole('button', { name: 'Light', pressed: true }).waitFor();
        await page.goto(site.url(slug, '/sign-in'));
        await page.getByRole('button', { name: 'Light', pressed: true }).waitFor();
        const kept = (await page.context().cookies()).map(({ name, domain, secure }) => [name, domain, secure]);
        assert.ok(kept.some(([name]) => name === '__Host-marque-theme'));
        for (const [name, domain, secure] of kept) {
          assert.match(name, /^__Host-/);
          assert.deepEqual([domain, secure], [`${slug}.localhost`, true], name);
        }
      }));

    test(`${slug} is right before scripts arrive`, () =>
      visit(browser, { javaScriptEnabled: false }, async (page) => {
        await page.goto(site.url(slug));
        await page.getByRole('link', { name: 'Sign in' }).first().click();
        await page.getByRole('heading', { level: 1 }).waitFor();
        assert.equal(await page.locator('input[type=password]').count(), 1);
      }));
  }

  test('the two brands look different', () =>
    visit(browser, {}, async (page) => {
      const looks = [];
      for (const { slug } of BRANDS) {
        await page.goto(site.url(slug));
        looks.push(await page.evaluate(() => getComputedStyle(document.body).backgroundColor + getComputedStyle(document.body).fontFamily));
      }
      assert.notEqual(looks[0], looks[1]);
    }));

  test('an unknown host is refused with a neutral page', () =>
    visit(browser, {}, async (page) => {
      const answer = await page.goto(site.url('nobody'));
      assert.equal(answer.status(), 421);
      for (const { name } of BRANDS) assert.doesNotMatch(await page.content(), name);
      assert.deepEqual(await faults(page), []);
    }));
});

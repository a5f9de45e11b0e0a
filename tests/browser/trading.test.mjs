// A trader's day: sign in, watch the account move, read why, stop and start a strategy. With a mouse, with keys alone, on
// a phone, in the dark.

import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { PATIENCE_MS, PHONE, faults, launch, overflows, startSite, visit } from './harness.mjs';

const BRANDS = ['aurora', 'borealis'];
/** The demo's strategies trade within minutes of the market, and a minute of it takes a second here. */
const TRADES_WITHIN_MS = 90_000;

describe('a trader', () => {
  let site, browser;
  before(async () => {
    site = await startSite();
    browser = await launch();
  });
  after(async () => {
    await browser?.close();
    await site?.stop();
  });

  const trader = (slug) => {
    const person = site.people.find(({ host, email }) => host === `${slug}.localhost` && email.startsWith('trader@'));
    assert.ok(person, `demo-seed made no trader for ${slug}`);
    return person;
  };

  async function signIn(page, slug, person = trader(slug)) {
    await page.goto(site.url(slug, '/sign-in'));
    await page.getByLabel('E-mail').fill(person.email);
    await page.getByLabel('Password').fill(person.password);
    await page.getByRole('button', { name: 'Sign in', exact: true }).click();
  }

  /** Opens an account by its name, or the first. */
  async function openAccount(page, slug, name = '') {
    await signIn(page, slug);
    await page.getByRole('heading', { name: 'Your accounts' }).waitFor();
    await page.locator('main h2 a', { hasText: name }).first().click();
    await figure(page, 'equity').waitFor();
  }

  const figure = (page, key) => page.locator(`[data-figure="${key}"]`);
  const strategies = (page) => page.getByRole('region', { name: 'Strategies' });
  const stopButton = (page) => strategies(page).getByRole('button', { name: /^Stop .+ on / }).first();
  const startButton = (page) => strategies(page).getByRole('button', { name: /^Start .+ on / }).first();

  for (const slug of BRANDS) {
    test(`signs in at ${slug}, and out again`, () =>
      visit(browser, {}, async (page) => {
        await signIn(page, slug);
        await page.getByRole('heading', { name: 'Your accounts' }).waitFor();
        const cookies = await page.context().cookies();
        const session = cookies.find(({ name }) => name === '__Host-marque');
        assert.ok(session?.httpOnly && session.secure && session.sameSite === 'Lax', JSON.stringify(cookies));
        await page.getByRole('button', { name: 'Sign out' }).click();
        await page.getByRole('link', { name: 'Sign in' }).first().waitFor();
        await page.goto(site.url(slug, '/dashboard'));
        await page.getByLabel('Password').waitFor();
      }));

    test(`watches equity move at ${slug}`, () =>
      visit(browser, {}, async (page) => {
        // Its averages cross every few minutes of the market; those of the calm account may not for hours.
        await openAccount(page, slug, 'Fast');
        const before = await figure(page, 'equity').innerText();
        await page.waitForFunction(
          (before) => document.querySelector('[data-figure="equity"]').innerText !== before,
          before,
          { timeout: TRADES_WITHIN_MS },
        );
        // What moved it can be read, and why.
        await page.locator('#decisions li a').first().waitFor({ timeout: TRADES_WITHIN_MS });
        await page.locator('#orders tbody tr').first().waitFor();
      }));

    for (const colorScheme of ['light', 'dark']) {
      test(`finds no accessibility fault at ${slug} in ${colorScheme} mode`, () =>
        visit(browser, { colorScheme }, async (page) => {
          await page.goto(site.url(slug, '/sign-in'));
          assert.deepEqual(await faults(page), [], 'sign in');
          await signIn(page, slug);
          await page.getByRole('heading', { name: 'Your accounts' }).waitFor();
          assert.deepEqual(await faults(page), [], 'dashboard');
          await page.locator('main h2 a').first().click();
          await figure(page, 'equity').waitFor();
          assert.deepEqual(await faults(page), [], 'account');
        }));
    }

    test(`reaches balance, distance to breach and the stop switch on a phone at ${slug}`, () =>
      visit(browser, PHONE, async (page) => {
        await signIn(page, slug);
        await page.getByRole('heading', { name: 'Your accounts' }).waitFor();
        assert.equal(await overflows(page), false, 'dashboard');
        assert.deepEqual(await faults(page), [], 'dashboard');
        await page.locator('main h2 a').first().click();
        await figure(page, 'equity').waitFor();
        assert.equal(await overflows(page), false, 'account');
        assert.deepEqual(await faults(page), [], 'account');
        const bar = page.getByRole('region', { name: 'Account at a glance' });
        for (const what of ['Balance', 'To breach']) {
          assert.ok(await inView(bar.getByText(what)), `${what} is not on the first screen`);
        }
        const stop = bar.getByRole('button', { name: /Stop/ });
        assert.ok(await inView(stop), 'the stop switch is not on the first screen');
        const { width, height } = await stop.boundingBox();
        assert.ok(Math.min(width, height) >= 40, `the stop switch is ${width} by ${height} px: too small for a thumb`);
      }));
  }

  for (const slug of BRANDS) {
    test(`an owner sees every account of ${slug} on a desk and on a phone`, () =>
      visit(browser, PHONE, async (page) => {
        const owner = site.people.find(({ host, email }) => host === `${slug}.localhost` && email.startsWith('owner@'));
        await signIn(page, slug, owner);
        await page.getByRole('heading', { level: 1 }).waitFor();
        const cards = page.locator('main h2 a');
        await cards.first().waitFor();
        assert.ok((await cards.count()) >= 3, 'the accounts of the brand');
        for (const viewport of [PHONE.viewport, { width: 1280, height: 800 }]) {
          await page.setViewportSize(viewport);
          assert.equal(await overflows(page), false, JSON.stringify(viewport));
          assert.deepEqual(await faults(page), [], JSON.stringify(viewport));
        }
        await cards.first().click();
        await figure(page, 'equity').waitFor();
        assert.deepEqual(await faults(page), [], 'account');
      }));
  }

  test('stops a strategy and starts it again', () =>
    visit(browser, {}, async (page) => {
      await openAccount(page, 'aurora');
      await stopButton(page).click();
      await startButton(page).waitFor();
      await page.reload();
      await startButton(page).click();
      await stopButton(page).waitFor();
    }));

  test('signs in and stops a strategy by keys alone', () =>
    visit(browser, {}, async (page) => {
      const { email, password } = trader('borealis');
      await page.goto(site.url('borealis', '/sign-in'));
      await focusByTab(page, page.getByLabel('E-mail'));
      await page.keyboard.type(email);
      await page.keyboard.press('Tab');
      await page.keyboard.type(password);
      await page.keyboard.press('Enter');
      await page.getByRole('heading', { name: 'Your accounts' }).waitFor();
      await focusByTab(page, page.locator('main h2 a').first());
      await page.keyboard.press('Enter');
      await figure(page, 'equity').waitFor();
      await focusByTab(page, stopButton(page));
      assert.ok(await focusIsVisible(page), 'the focus cannot be seen');
      await page.keyboard.press('Enter');
      await startButton(page).waitFor();
      await startButton(page).click();
      await stopButton(page).waitFor();
    }));

  test('is refused with the same words for a wrong password, an unknown address and another brand', () =>
    visit(browser, {}, async (page) => {
      const { email, password } = trader('aurora');
      const said = [];
      for (const person of [
        { email, password: `${password}x` },
        { email: 'nobody@aurora.example', password },
        { email: trader('borealis').email, password: trader('borealis').password },
      ]) {
        await signIn(page, 'aurora', person);
        said.push(await page.locator('#form-error').innerText());
      }
      assert.equal(new Set(said).size, 1, said.join('\n'));
    }));

  test('takes no session from one brand to the other', () =>
    visit(browser, {}, async (page) => {
      await signIn(page, 'aurora');
      await page.getByRole('heading', { name: 'Your accounts' }).waitFor();
      const [session] = (await page.context().cookies()).filter(({ name }) => name === '__Host-marque');
      const stolen = { ...session, domain: 'borealis.localhost' };
      await page.context().addCookies([stolen]);
      await page.goto(site.url('borealis', '/dashboard'));
      await page.getByLabel('Password').waitFor();
    }));

  test('stops and starts without scripts', () =>
    visit(browser, { javaScriptEnabled: false }, async (page) => {
      await openAccount(page, 'aurora');
      await stopButton(page).click();
      await startButton(page).click();
      await stopButton(page).waitFor();
    }));
});

/** Whether the whole of it lies on the first screen. */
async function inView(locator) {
  const box = await locator.first().boundingBox({ timeout: PATIENCE_MS });
  const { width, height } = locator.page().viewportSize();
  return box !== null && box.x >= 0 && box.y >= 0 && box.x + box.width <= width && box.y + box.height <= height;
}

/** Presses Tab until it has the focus, as somebody without a mouse does. */
async function focusByTab(page, locator) {
  await locator.waitFor();
  for (let pressed = 0; pressed < 60; pressed += 1) {
    if (await locator.evaluate((element) => element === document.activeElement)) return;
    await page.keyboard.press('Tab');
  }
  assert.fail('60 presses of Tab did not reach it');
}

/** Whether what has the focus is drawn differently for it. */
function focusIsVisible(page) {
  return page.evaluate(() => {
    const { outlineStyle, outlineWidth, boxShadow } = getComputedStyle(document.activeElement);
    return (outlineStyle !== 'none' && parseFloat(outlineWidth) > 0) || boxShadow !== 'none';
  });
}

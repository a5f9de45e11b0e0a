// A trader's day: sign in, watch the account move, read why, stop and start a strategy. With a mouse, with keys alone, on
// a phone, in the dark.

import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { BRANDS, PATIENCE_MS, PHONE, faults, launch, overflows, startSite, until, visit } from './harness.mjs';
import { focusByTab } from './keyboard.mjs';

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
  const curveInWords = (page) => page.getByRole('region', { name: 'Equity' }).getByRole('img', { name: /^Equity from \S+ USD to \S+ USD, .+ over \d+ points$/ });

  /** Opens a decision of an account at Aurora to buy or to sell. */
  async function openDecision(page, account) {
    await openAccount(page, 'aurora', account);
    // The last of a list in which new ones come first.
    const link = page.getByRole('region', { name: 'Decisions' }).getByRole('link', { name: /^(Buy|Sell) / }).last();
    await link.click({ timeout: TRADES_WITHIN_MS });
    await page.getByRole('heading', { level: 1, name: /^(Buy|Sell) / }).waitFor();
  }

  /** The steps of a decision, one text each, without the marks beside them. */
  function story(page) {
    return page.locator('.story-step > div').evaluateAll((steps) =>
      steps.map((step) => [...step.children].map((line) => line.textContent.replace(/[↗↘]/g, '').trim()).join(' ')),
    );
  }

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
        const position = page.locator('#positions tbody tr').filter({ hasText: /Buy|Sell/ });
        await position.first().waitFor({ timeout: TRADES_WITHIN_MS });
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

  test('sees the equity curve get further points', () =>
    visit(browser, {}, async (page) => {
      await page.addInitScript(noteWhatIsDrawn);
      await openAccount(page, 'borealis', 'Fast');
      // A curve of two points or more fills the chart, but for some room at its end.
      const chart = page.locator('.chart[data-points]');
      await until(page, chart);
      await chart.locator('canvas').first().waitFor();
      const shown = await figure(page, 'equity').innerText();
      const { width, height } = await chart.boundingBox();
      // Under a mouse that rests the points go by, each with its time.
      await chart.hover({ position: { x: width / 10, y: height / 2 } });
      await page.waitForFunction(() => [...globalThis.drawn].filter((text) => text.endsWith('America/New_York')).length >= 4);
      // The newest is what the account is worth.
      await page.waitForFunction(
        (shown) => {
          const now = document.querySelector('[data-figure="equity"]').innerText;
          return now !== shown && globalThis.drawn.has(now.match(/[\d.,]+/)[0]);
        },
        shown,
        { timeout: TRADES_WITHIN_MS },
      );
    }));

  test('is told the equity curve in words without scripts', () =>
    visit(browser, { javaScriptEnabled: false }, async (page) => {
      await openAccount(page, 'aurora', 'Fast');
      await until(page, curveInWords(page));
    }));

  test('is told the equity curve in words', () =>
    visit(browser, {}, async (page) => {
      await openAccount(page, 'aurora', 'Fast');
      await until(page, page.locator('.chart[data-points]'));
      await page.locator('.chart canvas').first().waitFor();
      assert.equal(await curveInWords(page).count(), 1);
    }));

  test('reads what a strategy wanted, what each rule answered and why', () =>
    visit(browser, {}, async (page) => {
      await openDecision(page, 'Oversized');
      const [wanted, rule, outcome, ...more] = await story(page);
      assert.match(wanted, /^What was wanted (Buy|Sell) 20\.00 EURUSD Asked by ema-cross with a stop-loss at [\d.]+ and a take-profit at [\d.]+\.$/);
      const why = 'At its stop-loss this order loses \\d+\\.\\d\\d of equity \\d+\\.\\d\\d; .+ Use fewer lots or a closer stop\\.';
      assert.match(rule, new RegExp(`^Rule Daily loss: Refused ${why}$`));
      assert.match(outcome, new RegExp(`^What came of it Not sent Daily loss: ${why} Code rule_refused$`));
      assert.deepEqual(more, [], 'after a refusal no other rule is asked');
      assert.deepEqual(await faults(page), []);
      await page.getByRole('link', { name: 'Back to Oversized' }).click();
      await page.getByRole('heading', { level: 1, name: /^Oversized/ }).waitFor();
    }));

  test('reads that every rule allowed an order, and what became of it', () =>
    visit(browser, {}, async (page) => {
      await openDecision(page, 'Fast');
      const [wanted, ...answers] = await story(page);
      const outcome = answers.pop();
      assert.match(wanted, /^What was wanted (Buy|Sell) 5\.00 EURUSD Asked by ema-cross\.$/);
      assert.deepEqual(answers, ['Daily loss', 'Max loss', 'Profit target', 'Min days'].map((rule) => `Rule ${rule}: Allowed`));
      assert.match(outcome, /^What came of it Sent 5\.00 lots Order ord_\w+$/);
      const order = page.getByRole('region', { name: 'The order' }).getByRole('row', { name: /EURUSD/ });
      assert.match(await order.innerText(), /5\.00.+ema-cross.+Filled/s);
      assert.deepEqual(await faults(page), []);
    }));

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

/** Runs in the page: keeps the texts that charts draw, which are nowhere else. */
function noteWhatIsDrawn() {
  const { fillText } = CanvasRenderingContext2D.prototype;
  globalThis.drawn = new Set();
  CanvasRenderingContext2D.prototype.fillText = function (text, ...where) {
    globalThis.drawn.add(text);
    fillText.call(this, text, ...where);
  };
}

/** Whether the whole of it lies on the first screen. */
async function inView(locator) {
  const box = await locator.first().boundingBox({ timeout: PATIENCE_MS });
  const { width, height } = locator.page().viewportSize();
  return box !== null && box.x >= 0 && box.y >= 0 && box.x + box.width <= width && box.y + box.height <= height;
}

// Those who run a brand: find people, invite them, decide about them. And who mistypes a password: a question, a wait.

import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { PHONE, faults, launch, overflows, startSite, visit } from './harness.mjs';

describe('people', () => {
  let site, browser;
  before(async () => {
    site = await startSite();
    browser = await launch();
  });
  after(async () => {
    await browser?.close();
    await site?.stop();
  });

  const invite = async (page, slug, email, role) => {
    await page.goto(site.url(slug, '/admin/people/invite'));
    await page.getByLabel('E-mail').fill(email);
    await page.getByLabel('Name').fill('Ina Invited');
    await page.getByRole('combobox', { name: 'Role' }).selectOption({ label: role });
    await page.getByRole('button', { name: 'Send the invitation' }).click();
    await page.getByText('Invitation sent').waitFor();
  };

  test('an owner finds the way by the navigation, and a trader has no such way', () =>
    visit(browser, {}, async (page) => {
      await site.signIn(page, 'aurora', 'owner');
      await page.getByRole('navigation', { name: 'Main' }).getByRole('link', { name: 'Admin' }).click();
      await page.getByRole('link', { name: 'People' }).click();
      await page.getByRole('heading', { level: 1, name: 'People' }).waitFor();
      await page.context().clearCookies();
      await site.signIn(page, 'aurora', 'trader');
      assert.equal(await page.getByRole('link', { name: 'Admin' }).count(), 0);
      for (const path of ['/admin', '/admin/people', '/admin/people/invite']) {
        assert.equal((await page.goto(site.url('aurora', path))).status(), 403);
      }
    }));

  for (const slug of ['aurora', 'borealis']) {
    test(`at ${slug} somebody is invited, found, made something else, shut out and let in again`, () =>
      visit(browser, { javaScriptEnabled: false }, async (page) => {
        await site.signIn(page, slug, 'owner');
        await invite(page, slug, 'ina@firm.example', 'Risk manager');
        await page.getByText('Invited', { exact: true }).waitFor();

        await page.goto(site.url(slug, '/admin/people'));
        await page.getByLabel('Name or e-mail').fill('INA@');
        await page.getByRole('button', { name: 'Search' }).click();
        assert.equal(await page.getByRole('row').count(), 2, 'the head and one person');
        await page.getByRole('link', { name: 'Ina Invited' }).click();

        await page.getByRole('combobox', { name: 'Role' }).selectOption({ label: 'Support' });
        await page.getByRole('button', { name: 'Save' }).click();
        await page.getByText('Saved', { exact: true }).waitFor();
        assert.match(await page.locator('dl').innerText(), /Support/);
        await page.getByRole('button', { name: 'Suspend' }).click();
        await page.getByText('They are shut out.', { exact: false }).waitFor();
        await page.getByRole('button', { name: 'Let them in again' }).click();
        await page.getByText('Reinstated').waitFor();
      }));
  }

  test('a mistyped address is said at its field and nobody is invited twice', () =>
    visit(browser, {}, async (page) => {
      await site.signIn(page, 'aurora', 'owner');
      await page.goto(site.url('aurora', '/admin/people/invite'));
      for (const [email, said] of [['a@b@c.example', /not an e-mail address/], [site.person('aurora', 'trader').email, /another address/]]) {
        await page.getByLabel('E-mail').evaluate((field) => (field.type = 'text'));
        await page.getByLabel('E-mail').fill(email);
        await page.getByLabel('Name').fill('X');
        await page.getByRole('button', { name: 'Send the invitation' }).click();
        await page.locator('.field-error').waitFor();
        assert.match(await page.locator('.field-error').innerText(), said);
      }
      assert.deepEqual(await faults(page), []);
    }));

  test('nobody decides about themselves', () =>
    visit(browser, {}, async (page) => {
      await site.signIn(page, 'aurora', 'owner');
      await page.goto(site.url('aurora', '/admin/people?role=owner'));
      await page.locator('td a').first().click();
      await page.getByText('This is you.', { exact: false }).waitFor();
      assert.equal(await page.getByRole('button', { name: 'Suspend' }).count(), 0);
    }));

  for (const colorScheme of ['light', 'dark']) {
    test(`the pages have no accessibility fault in ${colorScheme} mode, also on a phone`, () =>
      visit(browser, { colorScheme }, async (page) => {
        for (const slug of ['aurora', 'borealis']) {
          await site.signIn(page, slug, 'owner');
          for (const path of ['/admin', '/admin/people', '/admin/people?q=nobody-is-called-that', '/admin/people/invite']) {
            for (const size of [{ width: 1280, height: 800 }, PHONE.viewport]) {
              await page.setViewportSize(size);
              await page.goto(site.url(slug, path));
              assert.deepEqual(await faults(page), [], `${slug}${path}`);
              assert.equal(await overflows(page), false, `${slug}${path} at ${size.width}`);
            }
          }
          await page.goto(site.url(slug, '/admin/people?role=trader'));
          await page.locator('td a').first().click();
          await page.getByRole('heading', { name: 'Access' }).waitFor();
          assert.deepEqual(await faults(page), []);
          assert.equal(await overflows(page), false);
        }
      }));
  }
});

describe('who mistypes a password', () => {
  let site, browser;
  before(async () => {
    site = await startSite({ MARQUE_LIMITS_SIGN_IN_ATTEMPTS: '5', MARQUE_LIMITS_RESETS_PER_HOUR: '1' });
    browser = await launch();
  });
  after(async () => {
    await browser?.close();
    await site?.stop();
  });

  /** Waits until the page's timer says what `said` matches. */
  const says = (page, said) => page.getByRole('timer').filter({ hasText: said }).waitFor();

  test('is asked a question, then sees the minutes go by, and at the end the seconds', () =>
    visit(browser, {}, async (page) => {
      await page.clock.install();
      await page.goto(site.url('aurora', '/sign-in'));
      const attempt = async () => {
        await page.getByLabel('E-mail').fill('nobody@firm.example');
        await page.getByLabel('Password').fill('not the password');
        await page.getByRole('button', { name: 'Sign in', exact: true }).click();
      };
      for (let tries = 0; tries < 3; tries += 1) {
        await attempt();
        await page.locator('#form-error').waitFor();
      }
      await page.getByLabel(/^What is \w+ plus \w+\?$/).waitFor();
      assert.deepEqual(await faults(page), []);
      for (let tries = 0; tries < 3; tries += 1) {
        const question = page.getByLabel(/^What is/);
        if (await question.count()) await question.fill('0');
        await attempt();
        await page.locator('#form-error').waitFor();
      }
      assert.match(await page.getByRole('timer').innerText(), /^Try again in 1[45] minutes$/);
      // Time passes once the script counts.
      await page.waitForLoadState();
      await page.clock.fastForward('02:00');
      await says(page, /^Try again in 1[23] minutes$/);
      await page.clock.fastForward('12:00');
      await says(page, /^Try again in \d+ s$/);
      assert.deepEqual(await faults(page), []);
      const seconds = await page.getByRole('timer').innerText();
      await page.waitForFunction((shown) => document.querySelector('[role=timer]').innerText !== shown, seconds);
      await page.clock.fastForward('02:00');
      await says(page, /^You can try again now\.$/);
    }));

  test('and asks for one mail after the other is told the minutes, with scripts and without', async () => {
    await visit(browser, {}, async (page) => {
      await page.clock.install();
      const ask = async () => {
        await page.goto(site.url('aurora', '/forgot'));
        await page.getByLabel('E-mail').fill('nobody@firm.example');
        await page.getByRole('button', { name: 'Send me a link' }).click();
      };
      await ask();
      await page.getByRole('heading', { name: 'Check your mail' }).waitFor();
      await ask();
      assert.match(await page.getByRole('timer').innerText(), /^Try again in (59|60) minutes$/);
      await page.clock.fastForward('10:00');
      await says(page, /^Try again in (49|50) minutes$/);
      assert.equal(await page.getByLabel('E-mail').inputValue(), 'nobody@firm.example', 'what was filled in stays');
      assert.deepEqual(await faults(page), []);
    });
    await visit(browser, { javaScriptEnabled: false }, async (page) => {
      await page.goto(site.url('aurora', '/forgot'));
      await page.getByLabel('E-mail').fill('nobody@firm.example');
      await page.getByRole('button', { name: 'Send me a link' }).click();
      assert.match(await page.getByRole('timer').innerText(), /^Try again in (59|60) minutes$/);
    });
  });
});

// Signing in by another site, against a real provider: an admin sets it up, somebody new comes, somebody known links it.

import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { PHONE, faults, launch, overflows, startSite, visit } from './harness.mjs';
import { CLIENT, startProvider } from './provider.mjs';

const PEOPLE = {
  newcomer: { email: 'newcomer@acme.example', email_verified: true, name: 'New Comer' },
  former: { email: 'former@acme.example', email_verified: true, name: 'Form Poster' },
  quiet: { email: 'quiet@acme.example', email_verified: true, name: 'No Scripts' },
  unverified: { email: 'unverified@acme.example', email_verified: false, name: 'Un Verified' },
  trader: { email: 'elsewhere@acme.example', email_verified: true, name: 'Elsewhere' },
};

describe('signing in by another site', () => {
  let site, browser, provider;
  before(async () => {
    site = await startSite({ MARQUE_OUTBOUND_ALLOW_LOOPBACK: 'true' });
    const back = ['acme', 'acme-form'].map((slug) => site.url('aurora', `/sso/${slug}/callback`));
    provider = await startProvider(PEOPLE, back);
    browser = await launch();
    await setUp('Acme', 'acme', false);
    await setUp('Acme Forms', 'acme-form', true);
  });
  after(async () => {
    await browser?.close();
    await provider?.stop();
    await site?.stop();
  });

  /** What an owner does in the admin pages to offer the provider. */
  const setUp = (name, slug, asForm) =>
    visit(browser, {}, async (page) => {
      await site.signIn(page, 'aurora', 'owner');
      await page.goto(site.url('aurora', '/admin'));
      await page.getByRole('link', { name: 'Single sign-on' }).click();
      await page.getByRole('link', { name: 'OpenID Connect' }).click();
      await page.getByLabel('Name', { exact: true }).fill(name);
      await page.getByLabel('Short name').fill(slug);
      await page.getByLabel('Issuer').fill(provider.issuer);
      await page.getByLabel('Client id').fill(CLIENT.id);
      await page.getByLabel('Client secret').fill(CLIENT.secret);
      if (asForm) await page.getByLabel(/answers with a form/).check();
      await page.getByRole('button', { name: 'Save' }).click();
      await page.getByText(site.url('aurora', `/sso/${slug}/callback`)).waitFor();
      await page.getByRole('button', { name: 'Test' }).click();
      await page.getByText('The provider answers', { exact: true }).waitFor();
      await page.getByRole('button', { name: 'Switch on' }).click();
      await page.getByRole('button', { name: 'Switch off' }).waitFor();
      assert.doesNotMatch(await page.content(), new RegExp(CLIENT.secret), 'the secret never comes out again');
    });

  async function enterAs(page, name) {
    await page.getByRole('heading', { name: 'The provider' }).waitFor();
    await page.getByLabel('Name').fill(name);
    await page.getByRole('button', { name: 'Enter' }).click();
  }

  async function comeBy(page, button, name) {
    await page.goto(site.url('aurora', '/sign-in'));
    await page.getByRole('button', { name: button, exact: true }).click();
    await enterAs(page, name);
  }

  async function isSignedInAs(page, email) {
    await page.getByRole('button', { name: 'Sign out' }).waitFor();
    assert.equal(new URL(page.url()).host, new URL(site.url('aurora')).host);
    assert.ok((await page.content()).includes(email), `${page.url()} is not ${email}'s`);
  }

  test('somebody new comes in, and is known the next time', async () => {
    for (let time = 0; time < 2; time += 1) {
      await visit(browser, {}, async (page) => {
        await comeBy(page, 'Continue with Acme', 'newcomer');
        await isSignedInAs(page, PEOPLE.newcomer.email);
      });
    }
  });

  test('an answer that comes as a form of the other site finds its browser', () =>
    visit(browser, {}, async (page) => {
      const posts = [];
      page.on('request', (request) => {
        if (request.method() === 'POST' && request.url().endsWith('/sso/acme-form/callback')) posts.push(request.headers().cookie);
      });
      await comeBy(page, 'Continue with Acme Forms', 'former');
      await isSignedInAs(page, PEOPLE.former.email);
      assert.deepEqual(posts, [undefined], 'it was posted once, from another site, without cookies');
    }));

  test('it works without scripts', () =>
    visit(browser, { javaScriptEnabled: false }, async (page) => {
      await comeBy(page, 'Continue with Acme', 'quiet');
      await isSignedInAs(page, PEOPLE.quiet.email);
    }));

  test('who is not verified there, or declines, stays outside', async () => {
    for (const [name, text] of [['unverified', /has not verified your e-mail address/], ['', /did not let you through/]]) {
      await visit(browser, {}, async (page) => {
        await comeBy(page, 'Continue with Acme', name);
        await page.getByText(text).waitFor();
        assert.deepEqual(await faults(page), []);
        const cookies = await page.context().cookies();
        assert.equal(cookies.find((cookie) => cookie.name === '__Host-marque'), undefined);
      });
    }
  });

  test('somebody known links it, comes in by it, and unlinks it', () =>
    visit(browser, {}, async (page) => {
      await site.signIn(page, 'aurora', 'trader');
      await page.goto(site.url('aurora', '/security/sso'));
      await page.getByRole('button', { name: 'Link Acme', exact: true }).click();
      await enterAs(page, 'trader');
      await page.getByText(PEOPLE.trader.email).waitFor();
      assert.deepEqual(await faults(page), []);
      await page.getByRole('button', { name: 'Sign out' }).click();
      await page.getByRole('link', { name: 'Sign in' }).first().waitFor();

      // The provider still knows them; they are let through without being asked.
      await page.goto(site.url('aurora', '/sign-in'));
      await page.getByRole('button', { name: 'Continue with Acme', exact: true }).click();
      await isSignedInAs(page, site.person('aurora', 'trader').email);

      await page.goto(site.url('aurora', '/security/sso'));
      await page.getByRole('button', { name: /^Unlink Acme/ }).click();
      await page.getByText('Nothing is linked yet').waitFor();
    }));

  test('an answer of one browser opens nothing in another', () =>
    // Without scripts the provider's form waits for a click: its answer can be taken away unused.
    visit(browser, { javaScriptEnabled: false }, async (page) => {
      await comeBy(page, 'Continue with Acme Forms', 'newcomer');
      await page.locator('input[name=code]').waitFor({ state: 'attached' });
      const answer = new URLSearchParams();
      for (const name of ['code', 'state', 'iss']) {
        answer.set(name, await page.locator(`input[name=${name}]`).getAttribute('value'));
      }
      await visit(browser, {}, async (other) => {
        await other.goto(site.url('aurora', `/sso/acme-form/callback?${answer}`));
        await other.getByText(/began in another browser/).waitFor();
        const cookies = await other.context().cookies();
        assert.equal(cookies.find((cookie) => cookie.name === '__Host-marque'), undefined);
      });
      await page.locator('[type=submit]').click();
      await isSignedInAs(page, PEOPLE.newcomer.email);
    }));

  for (const colorScheme of ['light', 'dark']) {
    test(`the pages have no accessibility fault in ${colorScheme} mode, also on a phone`, () =>
      visit(browser, { colorScheme, ...PHONE }, async (page) => {
        await page.goto(site.url('aurora', '/sign-in'));
        assert.deepEqual(await faults(page), []);
        await site.signIn(page, 'aurora', 'owner');
        for (const path of ['/admin/sso', '/admin/sso/new?preset=apple', '/admin/sso/acme', '/security/sso']) {
          await page.goto(site.url('aurora', path));
          await page.getByRole('heading', { level: 1 }).waitFor();
          assert.deepEqual(await faults(page), [], path);
          assert.equal(await overflows(page), false, path);
        }
      }));
  }
});

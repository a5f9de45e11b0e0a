// Becoming a trader: open an account, confirm the address, forget the password, change it. Without scripts too, on a
// phone, in the dark. The mails are read where the demo leaves them.

import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { PHONE, faults, launch, overflows, startSite, visit } from './harness.mjs';

const BRANDS = ['aurora', 'borealis'];
const GOOD = 'correct horse battery';
const BETTER = 'staple battery horse';

describe('joining', () => {
  let site, browser;
  before(async () => {
    // All visitors of a test come from one address.
    site = await startSite({ MARQUE_LIMITS_REGISTRATIONS_PER_HOUR: '100', MARQUE_LIMITS_RESETS_PER_HOUR: '100' });
    browser = await launch();
  });
  after(async () => {
    await browser?.close();
    await site?.stop();
  });

  async function register(page, slug, email, { name = 'Ann', password = GOOD } = {}) {
    await page.goto(site.url(slug, '/sign-in'));
    await page.getByRole('link', { name: 'Open an account' }).click();
    await page.getByLabel('Name').fill(name);
    await page.getByLabel('E-mail').fill(email);
    await page.getByLabel('Password').fill(password);
    await page.getByRole('button', { name: 'Open an account' }).click();
  }

  async function signIn(page, slug, email, password) {
    await page.goto(site.url(slug, '/sign-in'));
    await page.getByLabel('E-mail').fill(email);
    await page.getByLabel('Password').fill(password);
    await page.getByRole('button', { name: 'Sign in', exact: true }).click();
  }

  const heading = (page, name) => page.getByRole('heading', { level: 1, name }).waitFor();
  const banner = (page) => page.locator('.banner', { hasText: 'Confirm your address' });

  for (const [slug, javaScriptEnabled] of [['aurora', true], ['borealis', false]]) {
    test(`opens an account at ${slug} ${javaScriptEnabled ? 'with' : 'without'} scripts, and confirms the address`, () =>
      visit(browser, { javaScriptEnabled }, async (page) => {
        const email = `first@${slug}.example`;
        await register(page, slug, email);
        await heading(page, 'Check your mail');
        const { link, text } = await site.mail(slug, email, 'verify-email');
        assert.ok(text.includes('Hello Ann,'), text);

        // Signed in, but not confirmed: every page says so, and trading is refused with what to do.
        await signIn(page, slug, email, GOOD);
        await banner(page).waitFor();
        await page.getByRole('link', { name: 'Send another link' }).click();
        await page.getByRole('button', { name: 'Send another link' }).click();
        await page.getByRole('status').waitFor();

        // The link asks once more: mail programs open links by themselves.
        await page.goto(link);
        await page.getByRole('button', { name: 'Confirm my address' }).click();
        await heading(page, 'Your address is confirmed');
        await page.getByRole('link', { name: 'Go to your accounts' }).click();
        await heading(page, /accounts/i);
        assert.equal(await banner(page).count(), 0);

        await page.goto(link);
        await page.getByRole('button', { name: 'Confirm my address' }).click();
        await heading(page, 'This link does not work any more');
      }));
  }

  test('may not trade before the address is confirmed', () =>
    visit(browser, {}, async (page) => {
      await register(page, 'aurora', 'eager@aurora.example');
      await heading(page, 'Check your mail');
      await signIn(page, 'aurora', 'eager@aurora.example', GOOD);
      await banner(page).waitFor();
      const refused = await page.evaluate(async () => {
        const { csrf_token } = await (await fetch('/api/v1/session')).json();
        const answer = await fetch('/api/v1/accounts', {
          method: 'POST',
          headers: { 'content-type': 'application/json', 'x-csrf-token': csrf_token, 'idempotency-key': 'opens-an-account-unconfirmed' },
          body: JSON.stringify({ name: 'Mine' }),
        });
        return [answer.status, (await answer.json()).code];
      });
      assert.deepEqual(refused, [403, 'verification-required']);
    }));

  test('is told why a password is refused, beside the field', () =>
    visit(browser, {}, async (page) => {
      for (const [password, why] of [['password1', 'leaked'], ['aurora2026', 'guess'], ['short', 'too short']]) {
        await register(page, 'aurora', 'weak@aurora.example', { password });
        const field = page.getByLabel('Password');
        await page.locator('.field-error').waitFor();
        assert.equal(await field.getAttribute('aria-invalid'), 'true');
        const notes = page.locator(`#${await field.getAttribute('aria-describedby')}`);
        assert.match(await notes.innerText(), new RegExp(why));
        assert.equal(await page.getByLabel('E-mail').inputValue(), 'weak@aurora.example', 'the rest stays filled in');
        assert.equal(await field.inputValue(), '', 'the password does not come back');
      }
      assert.deepEqual(await faults(page), []);
    }));

  test('learns nothing about who has an account', () =>
    visit(browser, {}, async (page) => {
      const ask = async (path, fields) => {
        await page.goto(site.url('aurora', path));
        for (const [label, value] of Object.entries(fields)) await page.getByLabel(label).fill(value);
        await page.locator('main form button').click();
        await heading(page, 'Check your mail');
        // What differs between any two answers is the token of their forms.
        return [page.url(), (await page.content()).replace(/name="csrf" value="[^"]*"/g, '')];
      };
      const person = { Name: 'Ann', Password: GOOD };
      const taken = await ask('/register', { ...person, 'E-mail': 'trader@aurora.example' });
      const free = await ask('/register', { ...person, 'E-mail': 'free@aurora.example' });
      assert.deepEqual(taken, free);
      const known = await ask('/forgot', { 'E-mail': 'trader@aurora.example' });
      const unknown = await ask('/forgot', { 'E-mail': 'nobody@aurora.example' });
      assert.deepEqual(known, unknown);
      // Only the owner of the address learns more.
      await site.mail('aurora', 'trader@aurora.example', 'already-registered');
      await site.mail('aurora', 'nobody@aurora.example', 'no-account');
    }));

  test('chooses a new password by mail, and then another one', () =>
    visit(browser, {}, async (page) => {
      const email = 'forgetful@borealis.example';
      await register(page, 'borealis', email);
      await heading(page, 'Check your mail');
      await page.goto(site.url('borealis', '/sign-in'));
      await page.getByRole('link', { name: 'Forgot your password?' }).click();
      await page.getByLabel('E-mail').fill(email);
      await page.getByRole('button', { name: 'Send me a link' }).click();
      await heading(page, 'Check your mail');
      const { link } = await site.mail('borealis', email, 'reset-password');
      await page.goto(link);
      await page.getByLabel('New password').fill('password1');
      await page.getByRole('button', { name: 'Set the password' }).click();
      await page.locator('.field-error').waitFor();
      await page.getByLabel('New password').fill(BETTER);
      await page.getByRole('button', { name: 'Set the password' }).click();
      await heading(page, 'Your password is set');
      await page.goto(link);
      await heading(page, 'This link does not work any more');

      await signIn(page, 'borealis', email, GOOD);
      await page.getByLabel('Password').waitFor();
      await signIn(page, 'borealis', email, BETTER);
      await heading(page, /accounts/i);
      assert.equal(await banner(page).count(), 0, 'the link came by mail, so the address is confirmed');
      await page.goto(site.url('borealis', '/security/password'));
      await page.getByLabel('New password').fill(GOOD);
      await page.getByRole('button', { name: 'Change the password' }).click();
      await heading(page, 'Your password is changed');
      await site.mail('borealis', email, 'password-changed');
    }));

  test('changes the address by a link to the new one', () =>
    visit(browser, {}, async (page) => {
      const { password } = site.people.find(({ email }) => email === 'trader@aurora.example');
      await register(page, 'aurora', 'moving@aurora.example', { password: GOOD });
      await heading(page, 'Check your mail');
      assert.ok(password);
      await signIn(page, 'aurora', 'moving@aurora.example', GOOD);
      await banner(page).waitFor();
      await page.goto(site.url('aurora', '/security/email'));
      await page.getByLabel('New e-mail').fill('moved@aurora.example');
      await page.getByRole('button', { name: 'Send a link to the new address' }).click();
      await heading(page, 'Check your mail');
      await site.mail('aurora', 'moving@aurora.example', 'email-changed');
      await page.goto((await site.mail('aurora', 'moved@aurora.example', 'confirm-email')).link);
      await page.getByRole('button', { name: 'Use this address' }).click();
      await heading(page, 'Your address is changed');
      await page.getByRole('link', { name: 'Go to your accounts' }).click();
      await page.getByText('moved@aurora.example').first().waitFor();
    }));

  test('registers with the keyboard alone', () =>
    visit(browser, {}, async (page) => {
      await page.goto(site.url('aurora', '/register'));
      await page.getByLabel('Name').focus();
      await page.keyboard.type('Ann');
      await page.keyboard.press('Tab');
      await page.keyboard.type('keys@aurora.example');
      await page.keyboard.press('Tab');
      await page.keyboard.type(GOOD);
      await page.keyboard.press('Enter');
      await heading(page, 'Check your mail');
    }));

  const PAGES = [
    '/register',
    '/forgot',
    '/check-mail',
    '/verify?token=x',
    '/reset?token=x',
    '/security/email/confirm?token=x',
    '/sso/link?token=x',
  ];
  const OWN_PAGES = ['/security/password', '/security/email', '/admin/mail', '/admin/mail?status=sent'];
  for (const slug of BRANDS) {
    for (const [how, options] of [['light', { colorScheme: 'light' }], ['dark', { colorScheme: 'dark' }], ['on a phone', PHONE]]) {
      test(`finds no fault with the pages at ${slug} ${how}`, () =>
        visit(browser, options, async (page) => {
          const look = async (path) => {
            await page.goto(site.url(slug, path));
            assert.deepEqual(await faults(page), [], path);
            assert.equal(await overflows(page), false, `${path} is wider than its window`);
          };
          for (const path of PAGES) await look(path);
          const owner = site.people.find(({ host, email }) => host === `${slug}.localhost` && email.startsWith('owner@'));
          await signIn(page, slug, owner.email, owner.password);
          await heading(page, /accounts/i);
          for (const path of OWN_PAGES) await look(path);
        }));
    }
  }
});

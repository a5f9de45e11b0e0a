// What must not need a mouse: looking after one's access, letting people in, showing who one is. Only keys are pressed here.

import assert from 'node:assert/strict';
import { execFile, spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { promisify } from 'node:util';
import { BRANDS, launch, startSite, visit } from './harness.mjs';
import { choose, goesRound, press, type } from './keyboard.mjs';
import { STEP_S, codeOf } from './phone.mjs';

/** Nothing glides: where the focus is shows at once. */
const STILL = { reducedMotion: 'reduce' };
const FIREFOX = 'Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:128.0) Gecko/20100101 Firefox/128.0';
const PYTHON = spawnSync('python3', ['--version']).status === 0;
/** Makes every proof eleven minutes older. */
const AGE = `import sqlite3, sys
with sqlite3.connect(sys.argv[1], timeout=30) as db:
    db.execute("UPDATE sessions SET proved_at = proved_at - 660000")`;

describe('by keys alone somebody', () => {
  let site, browser;
  before(async () => {
    site = await startSite();
    browser = await launch();
  });
  after(async () => {
    await browser?.close();
    await site?.stop();
  });

  const button = (page, name) => page.getByRole('button', { name, exact: true });
  const link = (page, name) => page.getByRole('link', { name, exact: true });
  const heading = (page, name) => page.getByRole('heading', { level: 1, name }).waitFor();

  /** Signs in and goes to the page of that name on the list at Security. */
  async function toSecurity(page, slug, role, name) {
    await enter(page, slug, role);
    await heading(page, 'Security');
    if (name) await press(page, link(page, name));
  }

  async function enter(page, slug, role) {
    const { email, password } = site.person(slug, role);
    await page.goto(site.url(slug, '/sign-in?next=/security'));
    await type(page, page.getByLabel('E-mail'), email);
    await type(page, page.getByLabel('Password'), password);
    await page.keyboard.press('Enter');
  }

  async function confirm(page, password) {
    await heading(page, 'Confirm that it is you');
    await type(page, page.getByLabel('Password'), password);
    await press(page, button(page, 'Confirm with password'));
  }

  /** As if everybody who is signed in had been so for eleven minutes. */
  const letProofsAge = () => promisify(execFile)('python3', ['-c', AGE, join(site.data, 'marque.db')]);

  const isSignedOut = async (page) => {
    await page.goto(site.url('aurora', '/dashboard'));
    await page.getByLabel('Password').waitFor();
  };

  test('signs one other browser out, then all others', () =>
    visit(browser, STILL, (here) =>
      visit(browser, {}, (chrome) =>
        visit(browser, { userAgent: FIREFOX }, async (firefox) => {
          for (const there of [chrome, firefox]) await site.signIn(there, 'aurora', 'trader');
          await toSecurity(here, 'aurora', 'trader', 'Where you are signed in');
          await heading(here, 'Where you are signed in');
          await goesRound(here);
          const row = here.getByRole('row', { name: /^Firefox on Windows/ });
          const others = here.getByRole('button', { name: /^Sign out \w+ on / });
          assert.deepEqual([await row.count(), await others.count()], [1, 2]);
          await press(here, here.getByRole('button', { name: /^Sign out Firefox on Windows/ }));
          await row.waitFor({ state: 'detached' });
          await isSignedOut(firefox);
          assert.equal((await chrome.goto(site.url('aurora', '/security'))).url(), site.url('aurora', '/security'));
          await site.signIn(firefox, 'aurora', 'trader');
          await here.reload();
          await press(here, button(here, 'Sign out everywhere else'), 'Space');
          await row.waitFor({ state: 'detached' });
          assert.equal(await others.count(), 0);
          await isSignedOut(firefox);
          await isSignedOut(chrome);
          await here.reload();
          await heading(here, 'Where you are signed in');
        }),
      ),
    ));

  test('makes a token for what they choose, sees it once and ends it', () =>
    visit(browser, STILL, async (page) => {
      await toSecurity(page, 'borealis', 'trader', 'Tokens for programs');
      await page.getByText('No tokens yet').waitFor();
      await goesRound(page);
      await type(page, page.getByLabel('Name'), 'Journal');
      await press(page, page.getByRole('checkbox', { name: /^Open accounts, place and close orders/ }), 'Space');
      await press(page, button(page, 'Make the token'));
      const token = await page.locator('#token').innerText();
      const headers = { authorization: `Bearer ${token}` };
      const ask = (headers) => fetch('/api/v1/accounts', { headers }).then(({ status }) => status);
      const use = () => page.evaluate(ask, headers);
      assert.equal(await use(), 200);
      await page.getByRole('row', { name: /^Journal read, trade / }).waitFor();
      await goesRound(page);
      await press(page, link(page, 'Security').first());
      await press(page, link(page, 'Tokens for programs'));
      await heading(page, 'Tokens for programs');
      assert.equal(await page.locator('#token').count(), 0, 'it is shown once');
      await press(page, button(page, 'End Journal'));
      await page.getByText('No tokens yet').waitFor();
      assert.equal(await use(), 401);
    }));

  test('invites somebody and makes them something else', () =>
    visit(browser, STILL, async (page) => {
      await toSecurity(page, 'borealis', 'owner');
      await press(page, link(page, 'Admin'));
      await press(page, link(page, 'People'));
      await heading(page, 'People');
      await goesRound(page);
      await press(page, link(page, 'Invite somebody'));
      await heading(page, 'Invite somebody');
      await goesRound(page);
      await type(page, page.getByLabel('E-mail'), 'kim@firm.example');
      await type(page, page.getByLabel('Name'), 'Kim Keys');
      await choose(page, page.getByRole('combobox', { name: 'Role' }), 'Risk manager');
      await press(page, button(page, 'Send the invitation'));
      await page.getByText('Invitation sent').waitFor();
      assert.match((await site.mail('borealis', 'kim@firm.example', 'invitation')).link, /token=/);
      assert.match(await page.locator('dl').innerText(), /Risk manager/);
      await goesRound(page);
      await choose(page, page.getByRole('combobox', { name: 'Role' }), 'Support');
      await press(page, button(page, 'Save'), 'Space');
      await page.getByText('Saved', { exact: true }).waitFor();
      assert.match(await page.locator('dl').innerText(), /Support/);
    }));

  test('confirms that it is them on the way to what asks for it', { skip: !PYTHON && 'Python 3 is not there' }, () =>
    visit(browser, STILL, async (page) => {
      const { password } = site.person('aurora', 'owner');
      await toSecurity(page, 'aurora', 'owner');
      // A page that is there for a form asks before it is filled in, and leads to it.
      await letProofsAge();
      await press(page, link(page, 'Tokens for programs'));
      await heading(page, 'Confirm that it is you');
      await goesRound(page);
      await confirm(page, 'not the password');
      await page.getByRole('alert').getByText('not right').waitFor();
      await goesRound(page);
      await confirm(page, password);
      await heading(page, 'Tokens for programs');

      // Who takes longer over it than a proof lasts is asked when it is sent, and led back to it.
      await letProofsAge();
      await type(page, page.getByLabel('Name'), 'Sheet');
      await press(page, button(page, 'Make the token'));
      await confirm(page, password);
      await heading(page, 'Tokens for programs');
      await page.getByText('No tokens yet').waitFor();
      await type(page, page.getByLabel('Name'), 'Sheet');
      await press(page, button(page, 'Make the token'));
      await page.locator('#token').waitFor();
    }));

  for (const slug of BRANDS) {
    test(`adds an app at ${slug}, takes the one more step it asks for, and confirms with a backup code`, () =>
      visit(browser, STILL, async (page) => {
        await toSecurity(page, slug, 'trader');
        await goesRound(page);
        await press(page, link(page, 'Authenticator app'));
        await heading(page, 'Authenticator app');
        await goesRound(page);
        const key = await page.locator('.key').innerText();
        await type(page, page.getByLabel('Code'), codeOf(key));
        await press(page, button(page, 'Turn it on'));
        await heading(page, 'Keep these codes');
        const [backup] = await page.locator('.codes code').allInnerTexts();
        await goesRound(page);
        await press(page, link(page, 'I have kept them'));
        await page.getByText('Two-step sign-in is on').waitFor();
        await press(page, button(page, 'Sign out'));
        await link(page, 'Sign in').first().waitFor();

        await enter(page, slug, 'trader');
        await heading(page, 'One more step');
        await goesRound(page);
        await type(page, page.getByLabel('Code'), '000000');
        await press(page, button(page, 'Go on'));
        await page.getByRole('alert').getByText('4 tries are left').waitFor();
        await goesRound(page);
        // Each code counts once, and that of the next half minute is taken already.
        await type(page, page.getByLabel('Code'), codeOf(key, Date.now() + STEP_S * 1000));
        await page.keyboard.press('Enter');
        await heading(page, 'Security');

        await page.goto(site.url(slug, '/confirm?next=/security/app'));
        await heading(page, 'Confirm that it is you');
        await goesRound(page);
        await type(page, page.getByLabel('Code'), backup);
        await press(page, button(page, 'Confirm with code'), 'Space');
        await press(page, button(page, 'Remove the app'));
        await page.getByText('Two-step sign-in is off').waitFor();
      }));
  }

  test('sets a way to sign in up, and finds in the log who did', () =>
    visit(browser, STILL, async (page) => {
      await toSecurity(page, 'borealis', 'owner');
      await press(page, link(page, 'Admin'));
      await press(page, link(page, 'Single sign-on'));
      await heading(page, 'Single sign-on');
      await goesRound(page);
      await press(page, link(page, 'OpenID Connect'));
      await heading(page, 'Add OpenID Connect');
      await goesRound(page);
      await type(page, page.getByLabel('Name', { exact: true }), 'Firm');
      await type(page, page.getByLabel('Short name'), 'firm');
      await type(page, page.getByLabel('Issuer'), 'https://login.firm.example');
      await type(page, page.getByLabel('Client id'), 'borealis');
      await type(page, page.getByLabel('Client secret'), 'not a real secret');
      await press(page, button(page, 'Save'));
      await heading(page, 'Firm');
      await goesRound(page);
      await press(page, button(page, 'Switch on'), 'Space');
      await button(page, 'Switch off').waitFor();

      await press(page, link(page, 'Admin').first());
      await press(page, link(page, 'Audit log'));
      await heading(page, 'Audit log');
      await goesRound(page);
      await choose(page, page.getByRole('combobox', { name: 'What' }), 'Added a single sign-on connection');
      await press(page, button(page, 'Show'));
      await page.getByRole('row', { name: /firm/ }).first().waitFor();
      assert.equal(await page.getByRole('row').count(), 2, 'the head and the one entry');
      const saved = page.waitForEvent('download');
      await press(page, link(page, 'Save as CSV'));
      assert.equal((await saved).suggestedFilename(), 'audit.csv');
    }));

  test('forgets their password, takes another, and then another address', () =>
    visit(browser, STILL, async (page) => {
      const { email } = site.person('borealis', 'trader');
      await page.goto(site.url('borealis', '/sign-in'));
      await press(page, link(page, 'Forgot your password?'));
      await heading(page, 'Forgot your password?');
      await goesRound(page);
      await type(page, page.getByLabel('E-mail'), email);
      await press(page, button(page, 'Send me a link'));
      await heading(page, 'Check your mail');
      await page.goto((await site.mail('borealis', email, 'reset-password')).link);
      await heading(page, 'Choose a new password');
      await goesRound(page);
      await type(page, page.getByLabel('New password'), 'seventeen quiet otters');
      await page.keyboard.press('Enter');
      await heading(page, 'Your password is set');
      await press(page, link(page, 'Sign in').first());
      await type(page, page.getByLabel('E-mail'), email);
      await type(page, page.getByLabel('Password'), 'seventeen quiet otters');
      await page.keyboard.press('Enter');
      await page.getByRole('button', { name: 'Sign out' }).waitFor();

      await page.goto(site.url('borealis', '/security'));
      await press(page, link(page, 'E-mail address'));
      await heading(page, 'Change your e-mail');
      await goesRound(page);
      await type(page, page.getByLabel('New e-mail'), 'keys@borealis.example');
      await press(page, button(page, 'Send a link to the new address'));
      await heading(page, 'Check your mail');
      await page.goto((await site.mail('borealis', 'keys@borealis.example', 'confirm-email')).link);
      await press(page, button(page, 'Use this address'));
      await heading(page, 'Your address is changed');
    }));
});

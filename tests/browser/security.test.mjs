// How a person signs in: an authenticator app, backup codes, passkeys; and being asked once more before any of it changes.

import assert from 'node:assert/strict';
import { request } from 'node:http';
import { after, before, describe, test } from 'node:test';
import { BRANDS, PHONE, faults, launch, overflows, startSite, visit } from './harness.mjs';
import { STEP_S, codeOf, scanned } from './phone.mjs';

describe('security', () => {
  let site, browser;
  // Each brand's trader is one test's person: what one sets up must not surprise another.
  before(async () => {
    site = await startSite({ MARQUE_LIMITS_SIGN_IN_ATTEMPTS: '100' });
    browser = await launch();
  });
  after(async () => {
    await browser?.close();
    await site?.stop();
  });

  const person = (slug, role) => site.people.find(({ host, email }) => host === `${slug}.localhost` && email.startsWith(`${role}@`));

  async function password(page, slug, { email, password }) {
    await page.goto(site.url(slug, '/sign-in?next=/security'));
    await page.getByLabel('E-mail').fill(email);
    await page.getByLabel('Password').fill(password);
    await page.getByRole('button', { name: 'Sign in', exact: true }).click();
  }

  const signedIn = (page) => page.getByRole('heading', { name: 'Security', exact: true }).waitFor();
  const asked = (page) => page.getByRole('heading', { name: 'One more step' }).waitFor();

  async function addApp(page) {
    await page.getByRole('link', { name: 'Authenticator app' }).click();
    const key = await page.locator('.key').innerText();
    const picture = await page.locator('img.qr').evaluate((image) => image.decode().then(() => image.naturalWidth));
    assert.ok(picture > 100, 'the picture is shown');
    return key;
  }

  async function answer(page, code, button = 'Go on') {
    await page.getByLabel('Code').fill(code);
    await page.getByRole('button', { name: button }).click();
  }

  test('an app is added by keyboard, asked for at each sign-in, and each code counts once', () =>
    visit(browser, {}, async (page) => {
      const trader = person('aurora', 'trader');
      await password(page, 'aurora', trader);
      await signedIn(page);
      assert.deepEqual(await faults(page), [], 'security');
      const key = await addApp(page);
      assert.deepEqual(await faults(page), [], 'app');
      await page.getByLabel('Code').fill('000000');
      await page.keyboard.press('Enter');
      await page.getByRole('alert').getByText('not right').waitFor();
      assert.equal(await page.locator('.key').innerText(), key, 'the key stays while the code is wrong');
      // The code of the step before is taken too, and leaves that of this step for signing in.
      await page.getByLabel('Code').fill(codeOf(key, Date.now() - STEP_S * 1000));
      await page.keyboard.press('Enter');
      await page.getByRole('heading', { name: 'Keep these codes' }).waitFor();
      assert.deepEqual(await faults(page), [], 'codes');
      const codes = await page.locator('.codes code').allInnerTexts();
      assert.equal(codes.length, 10);
      await page.getByRole('link', { name: 'I have kept them' }).click();
      await page.getByText('Two-step sign-in is on').waitFor();
      await page.getByRole('button', { name: 'Sign out' }).click();

      await password(page, 'aurora', trader);
      await asked(page);
      assert.deepEqual(await faults(page), [], 'one more step');
      await page.goto(site.url('aurora', '/dashboard'));
      await page.getByLabel('Password').waitFor();
      await page.goto(site.url('aurora', '/sign-in/more'));
      await answer(page, '000000');
      await page.getByText('4 tries are left').waitFor();
      const code = codeOf(key);
      await answer(page, code);
      await signedIn(page);
      await page.getByRole('button', { name: 'Sign out' }).click();
      await password(page, 'aurora', trader);
      await asked(page);
      await answer(page, code);
      await page.getByRole('alert').getByText('used before').waitFor();

      // A backup code gets in once.
      await answer(page, codes[0]);
      await signedIn(page);
      await page.getByText('9 codes left').waitFor();
      await page.getByRole('button', { name: 'Sign out' }).click();
      await password(page, 'aurora', trader);
      await answer(page, codes[0]);
      await page.getByRole('alert').getByText('used before').waitFor();
      await answer(page, codes[1].toUpperCase());
      await signedIn(page);

      // Of many at once one gets in.
      await page.getByRole('button', { name: 'Sign out' }).click();
      await password(page, 'aurora', trader);
      await asked(page);
      assert.equal(await race(page, codes[2]), 1);

      // Five wrong ones end the sign-in.
      await page.context().clearCookies();
      await password(page, 'aurora', trader);
      for (let n = 0; n < 5; n += 1) await answer(page, `00000${n}`);
      await page.getByText('too many tries').waitFor();
    }));

  /** Sends the same code a hundred times at once; answers how many sessions that opened. */
  async function race(page, code) {
    const csrf = await page.locator('input[name=csrf]').first().inputValue();
    const cookie = (await page.context().cookies()).map(({ name, value }) => `${name}=${value}`).join('; ');
    const { host, port, origin } = new URL(page.url());
    const body = new URLSearchParams({ csrf, code }).toString();
    const headers = { host, origin, cookie, 'content-type': 'application/x-www-form-urlencoded', 'content-length': body.length };
    const once = () =>
      new Promise((done, fail) => {
        const sent = request({ host: '127.0.0.1', port, path: '/sign-in/more', method: 'POST', headers }, (got) => {
          got.resume();
          done((got.headers['set-cookie'] ?? []).some((set) => /^__Host-marque=./.test(set)));
        });
        sent.on('error', fail);
        sent.end(body);
      });
    const opened = await Promise.all(Array.from({ length: 100 }, once));
    return opened.filter(Boolean).length;
  }

  test('a passkey is added, named, used to sign in and to confirm, and removed', () =>
    visit(browser, {}, async (page) => {
      const trader = person('borealis', 'trader');
      const cdp = await page.context().newCDPSession(page);
      await cdp.send('WebAuthn.enable');
      const options = { protocol: 'ctap2', transport: 'internal', hasResidentKey: true, hasUserVerification: true, isUserVerified: true, automaticPresenceSimulation: true };
      const { authenticatorId } = await cdp.send('WebAuthn.addVirtualAuthenticator', { options });

      await password(page, 'borealis', trader);
      await signedIn(page);
      await page.getByRole('link', { name: 'Passkeys' }).click();
      await page.getByText('No passkeys yet').waitFor();
      assert.deepEqual(await faults(page), [], 'no passkeys');
      await page.getByRole('button', { name: 'Add a passkey' }).waitFor();
      await page.getByLabel('Name').fill('My laptop');
      await page.getByRole('button', { name: 'Add a passkey' }).click();
      await page.getByRole('heading', { name: 'Keep these codes' }).waitFor();
      await page.getByRole('link', { name: 'I have kept them' }).click();
      await page.getByRole('link', { name: 'Passkeys' }).click();
      await page.getByRole('heading', { name: 'My laptop' }).waitFor();
      assert.deepEqual(await faults(page), [], 'a passkey');
      const { text } = await site.mail('borealis', trader.email, 'way-in-changed');
      assert.match(text, /A passkey was added/, 'its owner reads of it');
      assert.doesNotMatch(text, /My laptop/, 'and nothing that whoever added it chose');
      await page.locator('.key-card').getByRole('textbox', { name: 'Name' }).fill('Work laptop');
      await page.getByRole('button', { name: 'Rename My laptop' }).click();
      await page.getByRole('heading', { name: 'Work laptop' }).waitFor();
      await page.getByRole('button', { name: 'Sign out' }).click();

      // Alone, without an address.
      await page.goto(site.url('borealis', '/sign-in?next=/security'));
      await page.getByRole('button', { name: 'Sign in with a passkey' }).click();
      await signedIn(page);
      await page.getByRole('button', { name: 'Sign out' }).click();

      // After a password, which is no longer enough.
      await password(page, 'borealis', trader);
      await asked(page);
      await page.getByRole('button', { name: 'Use a passkey' }).click();
      await signedIn(page);

      // To confirm.
      await page.goto(site.url('borealis', '/confirm?next=/security/passkeys'));
      assert.deepEqual(await faults(page), [], 'confirm');
      await page.getByRole('button', { name: 'Confirm with a passkey' }).click();
      await page.getByText('Last used').waitFor();

      // A device that does not know its owner is refused.
      await cdp.send('WebAuthn.setUserVerified', { authenticatorId, isUserVerified: false });
      await page.goto(site.url('borealis', '/confirm?next=/security'));
      await page.getByRole('button', { name: 'Confirm with a passkey' }).click();
      await page.getByRole('alert').getByText('No passkey was used').waitFor();
      await cdp.send('WebAuthn.setUserVerified', { authenticatorId, isUserVerified: true });

      // It opens nothing at another brand.
      await page.goto(site.url('aurora', '/sign-in'));
      await page.getByRole('button', { name: 'Sign in with a passkey' }).click();
      await page.getByRole('alert').getByText('No passkey was used').waitFor();

      await page.goto(site.url('borealis', '/security/passkeys'));
      await page.getByRole('button', { name: 'Remove Work laptop' }).click();
      await page.getByText('No passkeys yet').waitFor();
      await page.goto(site.url('borealis', '/security'));
      await page.getByText('Two-step sign-in is off').waitFor();
      await page.getByRole('button', { name: 'Sign out' }).click();
      await page.goto(site.url('borealis', '/sign-in'));
      await page.getByRole('button', { name: 'Sign in with a passkey' }).click();
      await page.getByRole('alert').getByText('not known here').waitFor();

      // Whoever runs the brand reads who added it.
      await site.signIn(page, 'borealis', 'owner');
      await page.goto(site.url('borealis', `/admin/audit?${new URLSearchParams({ act: 'passkey-added', person: trader.email })}`));
      const entries = page.getByRole('region', { name: 'What was done' }).locator('tbody tr');
      assert.equal(await entries.count(), 1);
      assert.match(await entries.innerText(), /Added a passkey.*My laptop/s);
    }));

  test('who is invited chooses a password, adds an app, loses it, and is let in again by an owner', () =>
    visit(browser, {}, async (page) => {
      const ina = { email: 'ina@firm.example', password: 'seventeen sailing herons' };
      await site.signIn(page, 'borealis', 'owner');
      await page.goto(site.url('borealis', '/admin/people/invite'));
      await page.getByLabel('E-mail').fill(ina.email);
      await page.getByLabel('Name').fill('Ina Invited');
      await page.getByRole('combobox', { name: 'Role' }).selectOption({ label: 'Support' });
      await page.getByRole('button', { name: 'Send the invitation' }).click();
      await page.getByText('Invitation sent').waitFor();
      const about = page.url();

      const { link } = await site.mail('borealis', ina.email, 'invitation');
      await page.context().clearCookies();
      await page.goto(link);
      await page.getByRole('heading', { name: 'Welcome to Borealis Pro' }).waitFor();
      assert.deepEqual(await faults(page), [], 'invitation');
      await page.getByLabel('Password').fill(ina.password);
      await page.getByRole('button', { name: 'Set the password' }).click();
      await page.getByRole('link', { name: 'Sign in' }).first().waitFor();
      await page.goto(link);
      await page.getByRole('heading', { level: 1 }).waitFor();
      assert.equal(await page.getByLabel('Password').count(), 0, 'a link works once');
      await password(page, 'borealis', ina);
      await signedIn(page);
      const key = await addApp(page);
      await page.getByLabel('Code').fill(codeOf(key, Date.now() - STEP_S * 1000));
      await page.keyboard.press('Enter');
      await page.getByRole('heading', { name: 'Keep these codes' }).waitFor();
      await page.context().clearCookies();
      await password(page, 'borealis', ina);
      await asked(page);

      await page.context().clearCookies();
      await site.signIn(page, 'borealis', 'owner');
      await page.goto(about);
      await page.getByRole('button', { name: 'Take the second factor away' }).click();
      await page.getByRole('button', { name: 'Take the second factor away' }).waitFor({ state: 'detached' });
      await page.context().clearCookies();
      await password(page, 'borealis', ina);
      await signedIn(page);
      await page.getByText('Two-step sign-in is off').waitFor();
    }));

  test('confirming asks for the right password and leads back', () =>
    visit(browser, {}, async (page) => {
      const owner = person('aurora', 'owner');
      await password(page, 'aurora', owner);
      await signedIn(page);
      await page.goto(site.url('aurora', '/confirm?next=/security/app'));
      await page.getByLabel('Password').fill('not the password');
      await page.getByRole('button', { name: 'Confirm with password' }).click();
      await page.getByRole('alert').getByText('not right').waitFor();
      await page.getByLabel('Password').fill(owner.password);
      await page.getByRole('button', { name: 'Confirm with password' }).click();
      await page.getByRole('heading', { name: 'Authenticator app' }).waitFor();
      await page.goto(site.url('aurora', '/confirm?next=//evil.example/'));
      await page.getByLabel('Password').fill(owner.password);
      await page.getByRole('button', { name: 'Confirm with password' }).click();
      await page.waitForURL(site.url('aurora', '/dashboard'));
    }));

  async function removeApp(page, slug) {
    await page.goto(site.url(slug, '/security/app'));
    await page.getByRole('button', { name: 'Remove the app' }).click();
    await page.getByText('Two-step sign-in is off').waitFor();
  }

  for (const slug of BRANDS) {
    test(`a phone reads the picture of ${slug} in the light and in the dark, and shows the right codes`, () =>
      visit(browser, { colorScheme: 'light' }, async (page) => {
        const owner = person(slug, 'owner');
        await password(page, slug, owner);
        await signedIn(page);
        const key = await addApp(page);
        let read;
        for (const colorScheme of ['light', 'dark']) {
          await page.emulateMedia({ colorScheme });
          read = new URL(await scanned(await page.locator('img.qr').screenshot()));
          assert.deepEqual([read.protocol, read.host], ['otpauth:', 'totp'], colorScheme);
          assert.equal(decodeURIComponent(read.pathname), `/${owner.brand}:${owner.email}`);
          const { secret, ...rest } = Object.fromEntries(read.searchParams);
          assert.equal(secret, key.replace(/\s/g, ''), 'what is read is what can be typed');
          assert.deepEqual(rest, { issuer: owner.brand, algorithm: 'SHA1', digits: '6', period: String(STEP_S) });
        }
        await answer(page, codeOf(read.searchParams.get('secret')), 'Turn it on');
        await page.getByRole('heading', { name: 'Keep these codes' }).waitFor();
        await removeApp(page, slug);
      }));

    test(`what ${slug} asks somebody with an app for has no fault in the light, in the dark and on a phone`, () =>
      visit(browser, { colorScheme: 'light', reducedMotion: 'reduce' }, async (page) => {
        const owner = person(slug, 'owner');
        await password(page, slug, owner);
        await signedIn(page);
        const key = await addApp(page);
        await answer(page, codeOf(key), 'Turn it on');
        const codes = await page.locator('.codes code').allInnerTexts();
        await page.getByRole('link', { name: 'I have kept them' }).click();
        await page.getByRole('button', { name: 'Sign out' }).click();

        await password(page, slug, owner);
        await asked(page);
        await holds(page, 'one more step');
        await answer(page, '000000');
        await page.getByText('4 tries are left').waitFor();
        await holds(page, 'one more step, after a wrong code');
        await answer(page, codes[0]);
        await signedIn(page);
        await page.goto(site.url(slug, '/confirm'));
        assert.equal(await page.getByLabel('Password').count(), 0, 'a password alone is not enough');
        await holds(page, 'confirm');
        await answer(page, '000000', 'Confirm with code');
        await page.getByRole('alert').getByText('not right').waitFor();
        await holds(page, 'confirm, after a wrong code');
        await removeApp(page, slug);
      }));
  }

  /** The page that is shown, which may be an answer that cannot be asked for again. */
  async function holds(page, what) {
    const desk = page.viewportSize();
    for (const [colorScheme, size] of [['light', desk], ['dark', desk], ['light', PHONE.viewport], ['dark', PHONE.viewport]]) {
      await page.emulateMedia({ colorScheme });
      await page.setViewportSize(size);
      assert.deepEqual(await faults(page), [], `${what}, ${colorScheme}, ${size.width} wide`);
      assert.equal(await overflows(page), false, `${what}, ${size.width} wide`);
    }
    await page.setViewportSize(desk);
  }

  const LOOKS = [['on a phone', PHONE], ['in the light', { colorScheme: 'light' }], ['in the dark', { colorScheme: 'dark' }], ['without script', { javaScriptEnabled: false }]];
  const SSO = ['/admin/sso', '/admin/sso/new?preset=oidc', '/admin/sso/new?preset=google', '/admin/sso/new?preset=apple', '/security/sso'];
  for (const [slug, name, options] of BRANDS.flatMap((slug) => LOOKS.map(([name, options]) => [slug, name, options]))) {
    test(`the pages of ${slug} hold ${name}`, () =>
      visit(browser, options, async (page) => {
        await password(page, slug, person(slug, 'owner'));
        await signedIn(page);
        for (const path of ['/security', '/security/app', '/security/passkeys', '/security/codes', '/security/password', '/security/email', '/confirm', ...SSO]) {
          assert.equal((await page.goto(site.url(slug, path))).status(), 200, path);
          if (options.javaScriptEnabled === false) {
            assert.equal(await page.getByRole('button', { name: /passkey/ }).count(), 0, 'what needs script does not show');
            continue;
          }
          assert.equal(await overflows(page), false, path);
          assert.deepEqual(await faults(page), [], path);
        }
      }));
  }
});

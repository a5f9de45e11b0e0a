// What owners read about their site: the audit log, with its filters, pages and file; the mails that were refused.

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { request } from 'node:http';
import { createServer } from 'node:net';
import { after, before, describe, test } from 'node:test';
import { createInterface } from 'node:readline';
import { BRANDS, PHONE, faults, launch, overflows, startSite, until, visit } from './harness.mjs';

/** Names of programs that a spreadsheet would take for formulas. */
const FORMULAS = ['=HYPERLINK("http://evil.example","Open")', '+1', '-1+1', '@SUM(1)'];
const STRANGER = '=stranger@evil.example';
/** Entries on a page of the log. */
const PAGE = 50;

describe('an owner', () => {
  let site, browser, server;
  before(async () => {
    server = await mailServer();
    // The market at its own pace: the log holds what the tests do, and little else.
    site = await startSite({ MARQUE_FEED_SPEED: '1', MARQUE_MAIL_SMTP_URL: `smtp://127.0.0.1:${server.port}` });
    browser = await launch();
  });
  after(async () => {
    await browser?.close();
    await site?.stop();
    server?.close();
  });

  const rows = (page) => page.getByRole('region', { name: 'What was done' }).locator('tbody tr');
  const nothing = (page) => page.getByText('Nothing to show').waitFor();

  /** Fills in what is to be shown, and shows it. */
  async function show(page, { what = '', who = '', from = '', to = '' }) {
    const form = page.getByRole('search', { name: 'What to show' });
    const [act] = await form.getByLabel('What').selectOption(what);
    await form.getByLabel('Who, by e-mail').fill(who);
    await form.getByLabel('From').fill(from);
    await form.getByLabel('To').fill(to);
    await form.getByRole('button', { name: 'Show' }).click();
    await page.waitForURL(({ search }) => search === `?${new URLSearchParams({ act, person: who, from, until: to })}`);
  }

  /** The entries on the page: number, who, what, from where. */
  const entries = (page) =>
    rows(page).evaluateAll((all) => all.map((row) => [0, 2, 3, 4].map((n) => row.cells[n].innerText.replace(/\s+/g, ' ').trim())));

  /** A wrong password for the API, by a program of that name. */
  function failToSignIn(slug, email, agent) {
    const headers = { host: `${slug}.localhost:${site.port}`, 'content-type': 'application/json', 'user-agent': agent };
    return new Promise((done, fail) => {
      const sent = request({ host: '127.0.0.1', port: site.port, path: '/api/v1/tokens', method: 'POST', headers }, (answer) => {
        answer.resume();
        answer.on('end', () => done(answer.statusCode));
      });
      sent.on('error', fail);
      sent.end(JSON.stringify({ email, password: 'not the password' }));
    });
  }

  test('reads who did what, from where and with which program', () =>
    visit(browser, { userAgent: 'Ledger Browser/7.1' }, async (trader) => {
      const { email } = site.person('aurora', 'trader');
      await site.signIn(trader, 'aurora', 'trader');
      await visit(browser, {}, async (page) => {
        await site.signIn(page, 'aurora', 'owner');
        await page.getByRole('navigation', { name: 'Main' }).getByRole('link', { name: 'Admin' }).click();
        await page.getByRole('link', { name: 'Audit log' }).click();
        await rows(page).first().waitFor();
        const by = async (name) => (await entries(page)).find(([, who]) => who === name) ?? [];
        const [, , what, where] = await by(email);
        assert.match(what ?? '', /^Signed in usr_\w+ by: password$/);
        assert.equal(where, '127.0.0.1 Ledger Browser/7.1');
        assert.equal((await by('marque demo-seed (automatic)'))[3], 'this server');
      });
    }));

  test('chooses by what, by person and by day', () =>
    visit(browser, {}, async (page) => {
      const { email } = site.person('aurora', 'owner');
      await site.signIn(page, 'aurora', 'owner');
      await page.goto(site.url('aurora', '/admin/audit'));
      const all = await rows(page).count();
      await show(page, { what: 'Signed in' });
      assert.deepEqual(new Set((await entries(page)).map(([, , what]) => what.split(' usr_')[0])), new Set(['Signed in']));
      await show(page, { who: email.toUpperCase() });
      const own = await entries(page);
      assert.deepEqual(new Set(own.map(([, who]) => who)), new Set([email]));
      assert.ok(own.length < all, `${own.length} of ${all}`);

      // The day of the newest on the brand's clock, one before, one after.
      const at = new Date(await rows(page).first().locator('time').getAttribute('datetime'));
      const day = (hours) => new Intl.DateTimeFormat('en-CA', { timeZone: 'Europe/Prague' }).format(at.getTime() + hours * 3_600_000);
      const newest = await rows(page).first().innerText();
      await show(page, { who: email, from: day(0), to: day(0) });
      assert.equal(await rows(page).first().innerText(), newest, 'both days count whole');
      for (const days of [{ from: day(36) }, { to: day(-36) }]) {
        await show(page, { who: email, ...days });
        await nothing(page);
      }
      await show(page, { who: 'nobody@aurora.example' });
      await nothing(page);
    }));

  test('turns the pages', () =>
    visit(browser, {}, async (page) => {
      await site.signIn(page, 'borealis', 'owner');
      // Whoever saves the log stands in it: a page of entries, and some more.
      await page.evaluate((times) => Promise.all(Array.from({ length: times }, () => fetch('/admin/audit.csv?act=audit-exported'))), PAGE + 3);
      await page.goto(site.url('borealis', '/admin/audit'));
      await show(page, { what: 'Exported the audit log' });
      const first = await entries(page);
      await page.getByRole('link', { name: 'Older' }).click();
      await page.getByRole('link', { name: 'Newer' }).waitFor();
      const second = await entries(page);
      assert.equal(first.length, PAGE);
      assert.ok(second.length >= 3, `${second.length} on the second page`);
      const numbers = [...first, ...second].map(([number]) => Number(number));
      assert.deepEqual(numbers, [...new Set(numbers)].sort((a, b) => b - a), 'newest first, none twice');
      assert.ok([...first, ...second].every(([, , what]) => what.startsWith('Exported the audit log')));
      assert.equal(await page.getByRole('link', { name: 'Older' }).count(), 0);
      await page.getByRole('link', { name: 'Newer' }).click();
      await page.getByRole('link', { name: 'Older' }).waitFor();
      assert.deepEqual(await entries(page), first);
    }));

  test('saves what is shown as a file in which nothing is a formula', () =>
    visit(browser, { acceptDownloads: true }, async (page) => {
      for (const agent of FORMULAS) assert.equal(await failToSignIn('aurora', STRANGER, agent), 401);
      await site.signIn(page, 'aurora', 'owner');
      await page.goto(site.url('aurora', '/admin/audit'));
      await show(page, { who: STRANGER });
      const shown = await entries(page);
      assert.deepEqual(shown.map(([, , , where]) => where.replace('127.0.0.1 ', '')), [...FORMULAS].reverse());

      const [download] = await Promise.all([page.waitForEvent('download'), page.getByRole('link', { name: 'Save as CSV' }).click()]);
      assert.equal(download.suggestedFilename(), 'audit.csv');
      const [head, ...saved] = parsed(readFileSync(await download.path(), 'utf8'));
      assert.deepEqual(head, ['number', 'time', 'actor kind', 'actor', 'act', 'target', 'details', 'address', 'agent']);
      const expected = shown.map(([number], n) => [number, 'nobody', `'${STRANGER}`, 'sign-in-failed', '127.0.0.1', `'${FORMULAS.at(-1 - n)}`]);
      assert.deepEqual(saved.map(([number, , kind, actor, act, , , address, agent]) => [number, kind, actor, act, address, agent]), expected);
      await page.reload();
      await show(page, { what: 'Exported the audit log' });
      assert.match((await entries(page))[0][2], /entries: 4/);
    }));

  test('of another brand, and a trader, see nothing of it', () =>
    visit(browser, {}, async (page) => {
      const email = 'stranger@firm.example';
      await failToSignIn('aurora', email, 'probe/1.0');
      await site.signIn(page, 'borealis', 'owner');
      await page.goto(site.url('borealis', '/admin/audit'));
      await rows(page).first().waitFor();
      assert.equal(await page.getByText(/aurora/i).count(), 0);
      await show(page, { who: email });
      await nothing(page);
      const file = await page.evaluate(() => fetch('/admin/audit.csv').then((answer) => answer.text()));
      assert.ok(file.includes('borealis') && !/aurora|stranger/i.test(file), file);
      await page.context().clearCookies();
      await site.signIn(page, 'aurora', 'trader');
      for (const path of ['/admin/audit', '/admin/audit.csv', '/admin/mail']) {
        assert.equal((await page.goto(site.url('aurora', path))).status(), 403, path);
      }
    }));

  for (const slug of BRANDS) {
    test(`sees at ${slug} which mails were refused and why, and sends them again`, () =>
      visit(browser, { colorScheme: 'light' }, async (page) => {
        const [ann, bob] = ['ann', 'bob'].map((name) => `${name}@${slug}-friends.example`);
        const row = (email) => page.getByRole('row').filter({ hasText: email });
        const tryAgain = (email) => row(email).getByRole('button', { name: `Try again to send to ${email}` });
        const tab = async (name, status) => {
          await page.getByRole('navigation', { name: 'Which mail' }).getByRole('link', { name }).click();
          await page.waitForURL(site.url(slug, `/admin/mail?status=${status}`));
        };
        await site.signIn(page, slug, 'owner');
        for (const email of [ann, bob]) {
          server.replies.set(email, '550 5.1.1 no such mailbox');
          await invite(page, slug, email);
        }
        await page.goto(site.url(slug, '/admin'));
        await page.getByRole('link', { name: 'Mail' }).click();
        await page.getByRole('heading', { level: 1, name: 'Mail' }).waitFor();
        for (const email of [ann, bob]) await until(page, tryAgain(email));
        assert.equal(await page.getByRole('row').count(), 3, 'the head and the two of this brand');
        assert.match(await row(ann).innerText(), /Invitation\s.+\s1\s.+no such mailbox/s);
        await looksRight(page, '/admin/mail');

        // Put off: it waits, and is tried again by itself.
        server.replies.set(bob, '450 4.2.1 try later');
        await tryAgain(bob).click();
        await page.waitForURL(site.url(slug, '/admin/mail?status=queued'));
        await until(page, row(bob).filter({ hasText: 'try later' }));
        assert.equal(await tryAgain(bob).count(), 0);

        // Taken.
        server.replies.delete(ann);
        await tab('Failed', 'dead');
        await tryAgain(ann).click();
        await page.waitForURL(site.url(slug, '/admin/mail?status=queued'));
        await tab('Sent', 'sent');
        await until(page, row(ann));
        assert.ok(server.taken.includes(ann), server.taken.join());
        await tab('Failed', 'dead');
        await page.getByText('No mail here').waitFor();

        await page.goto(site.url(slug, '/admin/audit'));
        await show(page, { what: 'Sent a failed mail again' });
        const { email } = site.person(slug, 'owner');
        assert.deepEqual((await entries(page)).map(([, who]) => who), [email, email]);
        await looksRight(page, '/admin/audit');
      }));
  }

  async function invite(page, slug, email) {
    await page.goto(site.url(slug, '/admin/people/invite'));
    await page.getByLabel('E-mail').fill(email);
    await page.getByLabel('Name').fill('Somebody');
    await page.getByRole('combobox', { name: 'Role' }).selectOption({ label: 'Support' });
    await page.getByRole('button', { name: 'Send the invitation' }).click();
    await page.getByText('Invitation sent').waitFor();
  }
});

/** Axe finds nothing in light and in dark, and a phone need not scroll sideways. */
async function looksRight(page, path) {
  const desk = page.viewportSize();
  for (const colorScheme of ['light', 'dark']) {
    await page.emulateMedia({ colorScheme });
    await page.goto(new URL(path, page.url()).href);
    assert.deepEqual(await faults(page), [], `${path}, ${colorScheme}`);
  }
  await page.setViewportSize(PHONE.viewport);
  assert.equal(await overflows(page), false, path);
  await page.setViewportSize(desk);
}

/** A mail server that takes what it has no other of its `replies` for, by recipient, and remembers whom it took mail for. */
function mailServer() {
  const server = createServer((socket) => {
    let letter = false;
    const say = (line) => socket.write(`${line}\r\n`);
    say('220 test');
    socket.on('error', () => {});
    createInterface({ input: socket }).on('line', (line) => {
      const verb = line.slice(0, 4).toUpperCase();
      if (letter) {
        letter = line !== '.';
        if (!letter) say('250 taken');
      } else if (verb === 'RCPT') {
        const [, recipient] = line.match(/<(.+)>/);
        if (!server.replies.has(recipient)) server.taken.push(recipient);
        say(server.replies.get(recipient) ?? '250 fine');
      } else if (verb === 'DATA') {
        letter = true;
        say('354 go on');
      } else say(verb === 'QUIT' ? '221 bye' : '250 fine');
    });
  });
  Object.assign(server, { replies: new Map(), taken: [] });
  return new Promise((done) => server.listen(0, '127.0.0.1', () => done(Object.assign(server, { port: server.address().port }))));
}

/** The cells of a CSV file, line by line. None of the log's holds a line break. */
function parsed(csv) {
  const cells = (line) => [...line.matchAll(/(?:^|,)(?:"((?:[^"]|"")*)"|([^,]*))/g)].map(([, quoted, bare]) => quoted?.replaceAll('""', '"') ?? bare);
  return csv.trimEnd().split('\r\n').map(cells);
}

// The mails as a person gets them: drawn by a real browser in both languages and both themes, with links that lead home,
// headers that other machines understand, and one click that ends them (N4, RFC 8058).
import { mkdir, readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import type { Browser, Page } from 'playwright-core';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { CaughtMail } from '../../sandbox/mail.ts';
import { openBrowser, openPage } from '../support/browser.ts';
import { all, none, setSwitches } from '../support/notices.ts';
import { until } from '../support/wait.ts';
import { newNumber, world, type TestUser, type World } from '../support/world.ts';

let browser: Browser;
beforeAll(async () => void (browser = await openBrowser()));
afterAll(() => browser.close());

const hostile = '<img src=x onerror=alert(1)> "Åsa" & Co';

/** Two conversations with news for everybody who has mails on: one given by a colleague, one of somebody with an odd name. */
async function mailed(): Promise<{ here: World; mailOf(user: TestUser): Promise<CaughtMail> }> {
  const here = await world({ environment: { MAIL_DEBOUNCE_MS: '5000', MAIL_FROM: 'Inbox <inbox@nordtak.example>' } });
  await setSwitches(here.admin, none, all);
  await setSwitches(here.rep, none, all);
  const { number } = await here.whatsapp();
  const hannah = here.sandbox.twilio.customer(newNumber(), { name: 'Hannah Whitcombe-Sjögren' });
  const other = here.sandbox.twilio.customer(newNumber(), { name: hostile });
  await hannah.writes('Is week 24 free? We would like to have the roof done before midsummer.', { to: number });
  await hannah.writes('The house is from 1931, and the north side needs new tiles 🏠', { to: number });
  await other.writes('https://evil.example/?a=<script>alert(1)</script>', { to: number });
  await until(async () => (await here.admin.section('all')).length === 2, 'both conversations');
  await here.settled();
  here.clock.advance(6_000);
  await here.settled();
  return {
    here,
    mailOf: (user) => until(() => here.sandbox.mail.of(user.pipedrive.email)[0], 'the mail'),
  };
}

/** What axe finds in what is drawn. Landmarks are for pages: a mail is drawn inside one. */
async function faultsOf(page: Page): Promise<string[]> {
  await page.evaluate(await readFile(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8'));
  const faults = await page.evaluate(async () => {
    const { axe: checker } = globalThis as unknown as {
      axe: { run(): Promise<{ violations: { id: string; nodes: { html: string }[] }[] }> };
    };
    return (await checker.run()).violations.map(({ id, nodes }) => `${id}: ${nodes[0]?.html}`);
  });
  return faults.filter((fault) => !/^(region|landmark-one-main)/.test(fault));
}

test('a mail looks right and breaks no rule of axe: English and Swedish, light and dark (N4, U1, U2)', async () => {
  const { here, mailOf } = await mailed();
  await mkdir('test-results/mail', { recursive: true });

  for (const [user, words] of [
    [here.admin, ['News in 2 conversations', '23 h left to reply', '2 new messages', 'Open conversation']],
    [here.rep, ['Nytt i 2 konversationer', '23 h kvar att svara', '2 nya meddelanden', 'Öppna konversationen']],
  ] as const) {
    const mail = await mailOf(user);
    for (const colorScheme of ['light', 'dark'] as const) {
      const page = await openPage(browser, { colorScheme, viewport: { width: 640, height: 800 } });
      await page.setContent(mail.html);
      const seen = await page.locator('body').innerText();
      for (const word of words) expect.soft(seen, word).toContain(word);
      // What people write stays what they wrote.
      expect.soft(seen).toContain(hostile);
      expect.soft(seen).toContain('<script>alert(1)</script>');
      expect.soft(await page.locator('img, script, iframe, form').count()).toBe(0);
      expect.soft(await page.evaluate(() => document.documentElement.scrollWidth <= innerWidth)).toBe(true);
      expect.soft(await faultsOf(page)).toEqual([]);
      await page.screenshot({
        path: `test-results/mail/${user.pipedrive.language}-${colorScheme}.png`,
        fullPage: true,
      });
    }
  }
}, 60_000);

test('who is given a conversation reads by whom, and its last lines, though all of it was read before (N1, N4)', async () => {
  const here = await world({ environment: { MAIL_DEBOUNCE_MS: '0' } });
  await setSwitches(here.rep, none, { ...none, assigned: true });
  const { number } = await here.whatsapp();
  const hannah = here.sandbox.twilio.customer(newNumber(), { name: 'Hannah Berg' });
  for (const words of ['Hello', 'Is week 24 free?', 'For the north side', 'And what would it cost?'])
    await hannah.writes(words, { to: number });
  const { id } = await here.rep.conversationWith('Hannah Berg');
  const messages = await until(async () => {
    const found = await here.rep.messages(id);
    return found.length === 4 ? found : undefined;
  }, 'all messages');
  await here.rep.call('PUT', `/api/conversations/${id}/read`, { through: messages.at(-1)!.id });

  await here.admin.call('PUT', `/api/conversations/${id}/assignee`, { userId: here.rep.id });
  const mail = await until(() => here.sandbox.mail.of(here.rep.pipedrive.email)[0], 'the mail');

  expect(mail.subject).toBe('Erik Lund gav dig konversationen med Hannah Berg');
  expect(mail.text).toContain('Erik Lund gav dig konversationen\n');
  expect(mail.text).toContain(`Öppna konversationen: ${here.url}/conversations/${id}`);
  expect(mail.text).toMatch(/Is week 24 free\?\n.*For the north side\n.*And what would it cost\?/);
  expect(mail.text).not.toContain('Hello');
  const page = await openPage(browser, { viewport: { width: 640, height: 800 } });
  await page.setContent(mail.html);
  await page.screenshot({ path: 'test-results/mail/assigned-sv.png', fullPage: true });
  expect(await faultsOf(page)).toEqual([]);
  await here.settled();
  expect(here.sandbox.mail.of(here.admin.pipedrive.email)).toEqual([]);

  // So looks what a colleague asks for.
  const { channel } = await here.whatsapp(here.admin, 'private');
  await here.rep.call('POST', `/api/channels/${channel.id}/ask-owner`, { what: 'share' });
  const wish = await until(() => here.sandbox.mail.of(here.admin.pipedrive.email)[0], 'the wish');
  await page.setContent(wish.html);
  await page.screenshot({ path: 'test-results/mail/wish-en.png', fullPage: true });
  expect(await page.locator('body').innerText()).toContain('Sara Holm asks you to share WhatsApp Gothenburg');
  expect(await faultsOf(page)).toEqual([]);
}, 60_000);

test('its headers say that a machine wrote it, and its links lead home; text and HTML say the same (N4)', async () => {
  const { here, mailOf } = await mailed();
  const mail = await mailOf(here.admin);

  expect(mail.headers).toMatchObject({
    'auto-submitted': 'auto-generated',
    'x-auto-response-suppress': 'All',
    'list-unsubscribe-post': 'List-Unsubscribe=One-Click',
  });
  expect(mail.from).toBe('inbox@nordtak.example');
  expect(mail.messageId).toMatch(/^<[\w-]+@nordtak\.example>$/);
  expect(mail.headers['list-unsubscribe']).toBe(`<${mail.text.match(/http\S+\/unsubscribe\/\S+/)![0]}>`);
  expect(mail.html.length).toBeLessThan(100_000);
  const links = [...mail.html.matchAll(/href="([^"]+)"/g)].map(([, url]) => url!.replaceAll('&#38;', '&'));
  expect(links).toHaveLength(4);
  for (const link of links) {
    expect.soft(new URL(link).origin).toBe(here.url);
    expect.soft(mail.text).toContain(link);
    const answer = await fetch(link, { redirect: 'manual' });
    expect.soft([200, 302], link).toContain(answer.status);
  }
}, 60_000);

test('one click ends the mails and nothing else; looking at the link ends nothing; a changed link is none (RFC 8058)', async () => {
  const { here, mailOf } = await mailed();
  const mail = await mailOf(here.rep);
  const url = mail.headers['list-unsubscribe']!.slice(1, -1);
  const switches = async () =>
    (await here.rep.call<{ desktop: object; email: object }>('GET', '/api/me/notifications')).body;

  const looked = await fetch(url, { headers: { 'accept-language': 'sv' } });
  expect(await looked.text()).toContain('Sluta med aviseringar via e-post?');
  const forged = await fetch(
    url.replace(/.$/, (sign) => (sign === 'A' ? 'B' : 'A')),
    { method: 'POST' },
  );
  expect(forged.status).toBe(404);
  expect((await switches()).email).toEqual(all);
  await setSwitches(here.rep, all, all);
  const clicked = await fetch(url, {
    method: 'POST',
    headers: { 'content-type': 'application/x-www-form-urlencoded' },
    body: 'List-Unsubscribe=One-Click',
  });

  expect(clicked.status).toBe(200);
  expect(await switches()).toEqual({ desktop: all, email: none });
}, 60_000);

test('a company may leave out what was written: then the mail holds names and counts only (N4)', async () => {
  const here = await world({ environment: { MAIL_DEBOUNCE_MS: '0' } });
  await setSwitches(here.rep, none, all);
  await here.admin.call('PATCH', '/api/settings', { mailContent: false });
  const { number } = await here.whatsapp();

  await here.sandbox.twilio.customer(newNumber(), { name: 'Hannah Berg' }).writes('canary words', { to: number });
  const mail = await until(() => here.sandbox.mail.of(here.rep.pipedrive.email)[0], 'the mail');
  await here.settled();

  expect(mail.subject).toBe('Nytt meddelande från Hannah Berg');
  expect(mail.raw + mail.text + mail.html).not.toContain('canary');
}, 60_000);

test('nothing is mailed to the address that mails come from (no loops)', async () => {
  const here = await world({ environment: { MAIL_DEBOUNCE_MS: '0', MAIL_FROM: 'inbox@nordtak.example' } });
  const machine = await here.install(
    here.sandbox.pipedrive.addUser(here.company, { name: 'Shared', email: 'Inbox@nordtak.example' }),
  );
  for (const user of [machine, here.rep]) await setSwitches(user, none, all);
  const { number } = await here.whatsapp();

  await here.sandbox.twilio.customer(newNumber(), { name: 'Hannah Berg' }).writes('Hello', { to: number });
  await until(() => here.sandbox.mail.of(here.rep.pipedrive.email)[0], 'the mail to Sara');
  await here.settled();
  const tried = await machine.call('POST', '/api/me/notifications/test', { via: 'email' });

  expect(here.sandbox.mail.mails.flatMap(({ to }) => to)).toEqual([here.rep.pipedrive.email]);
  expect(tried.body).toMatchObject({ sent: false, reason: 'no_address' });
}, 60_000);

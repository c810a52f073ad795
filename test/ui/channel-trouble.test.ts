// A Page whose permission ends while somebody talks, as rep and admin see it in a real browser (C14, C8).
import type { Browser } from 'playwright-core';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { openBrowser, openPage } from '../support/browser.ts';
import { windowAddress } from '../support/inbox-window.ts';
import { until } from '../support/wait.ts';
import { world } from '../support/world.ts';

let browser: Browser;
beforeAll(async () => void (browser = await openBrowser()));
afterAll(() => browser.close());

test('a Page token revoked in mid-conversation: reason on channel and composer, admins told, nothing missed, healed by signing in', async () => {
  const here = await world({ environment: { MAIL_DEBOUNCE_MS: '20' } });
  const { sandbox, admin, rep } = here;
  const { page: facebook } = await here.messenger();
  const customer = sandbox.meta.customer({ name: 'Johan Mattsson' });
  await customer.writes('Hej', { to: facebook });
  await rep.conversationWith('Johan Mattsson');
  const [page, desk] = [await openPage(browser), await openPage(browser)];
  await page.goto(windowAddress(here, rep));
  await desk.goto(windowAddress(here, admin));
  await page.getByRole('link', { name: /Johan/ }).click();
  const writing = page.getByRole('textbox', { name: /Svara/ });
  await writing.fill('Hej Johan');
  sandbox.meta.revokePageToken(facebook, 460);
  await page.getByRole('button', { name: 'Skicka', exact: true }).click();

  // The rep reads why, in place of the composer, and at his message.
  await page.locator('.foot').getByText('bytt lösenord').waitFor();
  await page.getByRole('article').getByText('190/460').waitFor();
  expect(await writing.count()).toBe(0);
  if (process.env.PICTURES) await page.screenshot({ path: `${process.env.PICTURES}/trouble-rep.png` });
  // The admin in the inbox, by mail, and on the settings page.
  await desk.getByText("Nordtak Sverige can't send").first().waitFor();
  await until(
    () => sandbox.mail.of(admin.pipedrive.email).some(({ subject }) => /can't send/.test(subject)),
    'the mail',
  );
  if (process.env.PICTURES) await desk.screenshot({ path: `${process.env.PICTURES}/trouble-admin.png` });
  // What comes in still does; what Meta does not tell any more is found afterwards.
  await customer.writes('Är du där?', { to: facebook });
  await page.getByRole('log').getByText('Är du där?').waitFor();
  facebook.subscribedFields = null;
  await customer.writes('Det här hörde ingen', { to: facebook });

  const person = [...sandbox.meta.state.people.values()][0]!;
  const begun = await admin.call<{ authorizeUrl: string }>('POST', '/api/channels/messenger/login');
  await fetch(sandbox.meta.authorize(person, begun.body.authorizeUrl));

  await page.getByRole('log').getByText('Det här hörde ingen').waitFor();
  await desk.getByText("Nordtak Sverige can't send").first().waitFor({ state: 'detached' });
  await page.getByRole('button', { name: 'Skicka igen' }).click();
  await until(() => customer.inbox.length === 1, 'the message on the phone');
  await writing.fill('Nu går det igen');
  await page.getByRole('button', { name: 'Skicka', exact: true }).click();
  await until(() => customer.inbox.length === 2, 'the next one too');
  expect(customer.inbox.map(({ text }) => text)).toEqual(['Hej Johan', 'Nu går det igen']);
  await here.settled();
}, 60_000);

// Channels in a real browser. WhatsApp: numbers listed, of a subaccount, Twilio's own for trying, or typed; whose address stands
// at Twilio is asked before it is replaced, and one entered by hand is believed when a message has come by it. Facebook: the
// sign-in in a tab of its own, and a Page whose permission ends while somebody talks (C1, C2, C8, C14).
import type { Browser, Page } from 'playwright-core';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { Channel } from '../../src/web/contract.ts';
import { openBrowser, openPage } from '../support/browser.ts';
import { windowAddress } from '../support/inbox-window.ts';
import { until } from '../support/wait.ts';
import { newNumber, world, type TestUser, type World } from '../support/world.ts';

let browser: Browser;
beforeAll(async () => void (browser = await openBrowser()));
afterAll(() => browser.close());

async function openSettings(here: World, user: TestUser, theme: 'light' | 'dark' = 'light'): Promise<Page> {
  // A refused call is a line in the console of every browser.
  const page = await openPage(browser, { viewport: { width: 900, height: 900 } }, [/status of 4\d\d/]);
  const token = here.sandbox.pipedrive.signedToken(user.pipedrive);
  const who = `userId=${user.id}&companyId=${here.company.id}`;
  await page.goto(`${here.url}/ui/settings?id=1&token=${token}&${who}&theme=${theme}`);
  return page;
}

async function picture(page: Page, name: string): Promise<void> {
  if (process.env.PICTURES) await page.screenshot({ path: `${process.env.PICTURES}/connect-${name}.png` });
}

const channelsOf = async ({ admin }: World): Promise<Channel[]> =>
  (await admin.call<{ data: Channel[] }>('GET', '/api/channels')).body.data;

/** To the list of numbers. */
async function signIn(page: Page, { sid, authToken }: { sid: string; authToken: string }): Promise<void> {
  await page.getByRole('button', { name: 'Connect channel' }).click();
  await page.getByRole('button', { name: /^WhatsApp by Twilio/ }).click();
  await page.getByLabel('Account SID').fill(sid);
  await page.getByLabel('Auth token').fill(authToken);
  await page.getByRole('button', { name: 'Check and choose number' }).click();
}

test('a number of a subaccount is chosen; somebody else’s address gives way when a person says so, and not before', async () => {
  const here = await world();
  const { twilio } = here.sandbox;
  const parent = twilio.addAccount({ name: 'Nordtak' });
  const below = twilio.addAccount({ name: 'Nordtak Support', parent });
  twilio.addSender(parent, newNumber(), { name: 'Sales' });
  const number = newNumber();
  const sender = twilio.addSender(below, number, { name: 'Support' });
  sender.status = 'OFFLINE';
  Object.assign(sender.webhook, { callback_url: 'https://user:secret@other.example/in', callback_method: 'POST' });
  const page = await openSettings(here, here.admin);
  const dialog = page.getByRole('dialog');

  await signIn(page, { ...parent, authToken: 'f'.repeat(32) });
  await dialog.getByRole('alert').getByText('Twilio').waitFor();
  await page.getByLabel('Auth token').fill(parent.authToken);
  await page.getByRole('button', { name: 'Check and choose number' }).click();
  await dialog.getByRole('radio', { name: 'Sales' }).waitFor();
  expect(await dialog.getByRole('radio', { name: 'Sales' }).isChecked()).toBe(true);
  await dialog.getByRole('radio', { name: `Support ${number} · Nordtak Support · Offline at Twilio` }).check();
  await picture(page, 'choose');
  await dialog.getByRole('button', { name: 'Connect', exact: true }).click();

  await dialog.getByText('go to other.example').waitFor();
  expect(await dialog.textContent()).not.toContain('secret');
  await picture(page, 'take-over');
  await dialog.getByRole('button', { name: 'Leave it as it is' }).click();
  expect(sender.webhook.callback_url).toContain('other.example');
  const card = page.getByRole('region', { name: 'Support' });
  await card.getByText('Needs a look').waitFor();
  await card.getByRole('button', { name: 'Send them here' }).click();
  await dialog.getByRole('button', { name: 'Send them here' }).click();
  await card.getByText('Working', { exact: true }).waitFor();
  expect(twilio.state.senders.get(sender.sid)!.webhook.callback_url).toContain(here.url);

  // What Twilio sends of it is signed by the subaccount.
  await twilio.customer(newNumber(), { name: 'Hannah' }).writes('Hello', { to: number });
  await here.admin.conversationWith('Hannah');
  expect((await channelsOf(here)).map(({ account }) => account)).toEqual([below.sid]);
}, 60_000);

test('Twilio’s number for trying: addresses to copy, and word of the first message; a new auth token; a typed number; the end', async () => {
  const here = await world();
  const { twilio } = here.sandbox;
  const account = twilio.addAccount({ name: 'Nordtak' });
  const sender = twilio.addSender(account, '+14155238886', { listed: false });
  const page = await openSettings(here, here.admin);
  const dialog = page.getByRole('dialog');
  await signIn(page, account);
  await dialog.getByText('Twilio lists no WhatsApp number').waitFor();
  await dialog.getByRole('radio', { name: /sandbox/ }).check();
  await dialog.getByRole('button', { name: 'Connect', exact: true }).click();

  const inbound = dialog.getByLabel('When a message comes in');
  const overrides = '#rc=5&rp=all&ct=2000&rt=4000';
  expect(await inbound.first().inputValue()).toBe(`${here.url}/webhooks/twilio${overrides}`);
  expect(await dialog.getByLabel('Status callback URL').first().inputValue()).toBe(
    `${here.url}/webhooks/twilio/status${overrides}`,
  );
  await dialog.getByRole('button', { name: 'Has one arrived?' }).click();
  await dialog.getByText('Nothing yet.').waitFor();
  await picture(page, 'addresses');
  const customer = twilio.customer(newNumber(), { name: 'Hannah' });
  // What a look into Twilio's log finds is no proof that we are told.
  await customer.writes('Nobody is told', { to: sender });
  await dialog.getByRole('button', { name: 'Has one arrived?' }).click();
  await until(async () => (await here.admin.section('all')).length === 1, 'what the log had');
  await here.settled();
  expect((await channelsOf(here))[0]!.health.reasons).toMatchObject([{ code: 'webhook_manual' }]);
  sender.webhook.callback_url = await inbound.first().inputValue();
  await customer.writes('Now we are', { to: sender });
  await dialog.getByText('A message has arrived').waitFor();
  await dialog.getByRole('button', { name: 'Done' }).click();
  const card = page.getByRole('region', { name: "Twilio's sandbox" });
  await card.getByText('Working', { exact: true }).waitFor();

  const authToken = twilio.rotateToken(account);
  await card.getByRole('button', { name: 'More' }).click();
  await page.getByRole('menuitem', { name: 'Check again' }).click();
  await card.getByRole('button', { name: 'Enter the auth token' }).click();
  expect(await dialog.getByLabel('Account SID').inputValue()).toBe(account.sid);
  await dialog.getByLabel('Auth token').fill(authToken);
  await picture(page, 'sign-in-again');
  await dialog.getByRole('button', { name: 'Sign in' }).click();
  await card.getByText('Working', { exact: true }).waitFor();

  const typed = newNumber();
  await signIn(page, { ...account, authToken });
  await dialog.getByRole('radio', { name: 'Another number' }).check();
  await dialog.getByLabel('Number', { exact: true }).fill(typed);
  await dialog.getByRole('button', { name: 'Connect', exact: true }).click();
  await dialog.getByRole('alert').waitFor();
  await dialog.getByRole('button', { name: 'Connect anyway' }).click();
  await dialog.getByRole('button', { name: 'Do it later' }).click();
  expect((await channelsOf(here)).map(({ address }) => address).sort()).toEqual(['+14155238886', typed].sort());

  await card.getByRole('button', { name: 'More' }).click();
  await page.getByRole('menuitem', { name: 'Disconnect' }).click();
  await picture(page, 'disconnect');
  await dialog.getByRole('button', { name: 'Disconnect' }).click();
  await until(
    async () => (await channelsOf(here)).some(({ health }) => health.reasons[0]?.code === 'disconnected'),
    'the disconnection',
  );
}, 60_000);

test('Pages are chosen after a sign-in that grants all; one that does not says what is missing; one without the task cannot be chosen', async () => {
  const here = await world();
  const { meta } = here.sandbox;
  const person = meta.addPerson({ name: 'Erik Lund' });
  const wanted = meta.addPage({ name: 'Nordtak Sverige', ownedBy: person });
  meta.addPage({ name: 'Only adverts', ownedBy: person, tasks: ['ADVERTISE'] });
  const page = await openSettings(here, here.admin, 'dark');
  await page.getByRole('button', { name: 'Connect channel' }).click();
  await page.getByRole('button', { name: /^Facebook Messenger/ }).click();
  const dialog = page.getByRole('dialog');
  const signIn = async (): Promise<Page> => {
    const [tab] = await Promise.all([
      page.waitForEvent('popup'),
      dialog.getByRole('button', { name: 'Sign in with Facebook' }).click(),
    ]);
    await tab.getByRole('button', { name: 'Continue' }).waitFor();
    return tab;
  };

  const first = await signIn();
  await first.getByRole('checkbox', { name: /pages_messaging/ }).uncheck();
  await first.getByRole('button', { name: 'Continue' }).click();
  await first.getByText('pages_messaging').waitFor();
  await first.close();
  const second = await signIn();
  await second.getByRole('button', { name: 'Continue' }).click();

  const usable = dialog.getByRole('checkbox', { name: 'Nordtak Sverige' });
  await usable.waitFor();
  expect(await usable.isChecked()).toBe(true);
  const other = dialog.getByRole('checkbox', { name: /Only adverts/ });
  expect([await other.isDisabled(), await other.isChecked()]).toEqual([true, false]);
  await dialog.getByText('You need the task Messages on this Page').waitFor();
  await picture(page, 'pages');
  await dialog.getByRole('button', { name: 'Connect', exact: true }).click();

  await page.getByRole('region', { name: 'Nordtak Sverige' }).getByText('Working', { exact: true }).waitFor();
  expect(wanted.subscribedFields).toContain('messages');
  await meta.customer({ name: 'Linnea' }).writes('Hej', { to: wanted });
  await here.admin.conversationWith('Linnea');
  await here.settled();
}, 60_000);

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

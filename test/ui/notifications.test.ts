// The dialog behind the bell, and notices as a user meets them: in a real browser with a real service worker (N1 to N3).
import { readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import type { Browser, FrameLocator, Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { openBrowser, openPage } from '../support/browser.ts';
import { withPushService } from '../support/push-browser.ts';
import { until } from '../support/wait.ts';
import { installInBrowser, newNumber, world, type TestUser, type World } from '../support/world.ts';

let browser: Browser;
beforeAll(async () => void (browser = await openBrowser()));
afterAll(() => browser.close());

async function openFullPage(here: World, user: TestUser, page: Page, path = '/'): Promise<void> {
  const cookies = await installInBrowser(here.url, here.sandbox, user.pipedrive);
  await page.context().addCookies(
    cookies.split('; ').map((cookie) => {
      const [name = '', value = ''] = cookie.split('=');
      return { name, value, url: here.url };
    }),
  );
  await page.goto(`${here.url}${path}`);
  await page.getByRole('tablist').waitFor();
}

async function openWindow(here: World, user: TestUser, page: Page): Promise<FrameLocator> {
  await page.goto(`${here.sandbox.pipedrive.url}/?user=${user.id}`);
  await page.getByRole('button', { name: 'Messaging inbox' }).click();
  const frame = page.frameLocator('iframe[name=window]');
  await frame.getByRole('tablist').waitFor();
  return frame;
}

describe('the dialog', () => {
  test('has four triggers by two ways, keeps what is saved and nothing else (N1, N2)', async () => {
    const here = await world();
    const page = await openPage(browser);
    const inbox = await openWindow(here, here.admin, page);

    await inbox.getByRole('button', { name: 'Notifications' }).click();
    const dialog = inbox.getByRole('dialog', { name: 'Notifications' });
    const box = (name: string) => dialog.getByRole('checkbox', { name });
    await dialog.getByRole('checkbox').nth(9).waitFor();
    expect(await dialog.getByRole('checkbox').count()).toBe(10);
    expect(await box('New messages to me In conversations assigned to me Desktop').isChecked()).toBe(true);
    const others = box('New messages to others In conversations assigned to somebody else E-mail');
    expect(await others.isChecked()).toBe(false);
    // The whole cell is the target.
    await others.locator('xpath=ancestor::td').click({ position: { x: 4, y: 4 } });
    expect(await others.isChecked()).toBe(true);
    await dialog.getByRole('button', { name: 'Save' }).click();
    await dialog.waitFor({ state: 'detached' });
    await inbox.getByRole('button', { name: 'Notifications' }).click();
    await box('I get a conversation When a colleague assigns one to me E-mail').click();
    await dialog.getByRole('button', { name: 'Cancel' }).click();

    expect((await here.admin.call('GET', '/api/me/notifications')).body).toEqual({
      desktop: { mine: true, others: false, unassigned: true, assigned: true },
      email: { mine: true, others: true, unassigned: false, assigned: true },
    });
  }, 60_000);

  test('the e-mail test arrives, or says that the server does not answer, or refuses the address (N2)', async () => {
    const here = await world();
    const page = await openPage(browser);
    const inbox = await openWindow(here, here.rep, page);
    await inbox.getByRole('button', { name: 'Aviseringar' }).click();

    await here.sandbox.mail.goesDown();
    await inbox.getByRole('button', { name: 'Testa E-post' }).click();
    await inbox.getByText('E-postservern svarar inte.').waitFor();
    await here.sandbox.mail.comesBack();
    await inbox.getByRole('button', { name: 'Testa E-post' }).click();
    await inbox.getByText('Kom fram', { exact: true }).waitFor();

    const [mail] = here.sandbox.mail.of(here.rep.pipedrive.email);
    expect(mail).toMatchObject({ subject: 'Det här är ett test' });
    expect(mail?.text).toContain('Aviseringar kommer fram hit.');
  }, 60_000);

  test('inside Pipedrive the desktop test leads to the full page, where the browser can be asked (N3)', async () => {
    const here = await world();
    const page = await openPage(browser);
    const inbox = await openWindow(here, here.admin, page);
    await inbox.getByRole('button', { name: 'Notifications' }).click();

    await inbox.getByRole('button', { name: 'Test Desktop' }).click();

    await inbox.getByText('No browser of yours takes notices yet.').waitFor();
    expect(await inbox.getByRole('link', { name: 'Open the full page' }).getAttribute('href')).toBe('/');
  }, 60_000);

  test('a browser that blocks us says so, and how to allow (N2)', async () => {
    const here = await world();
    const page = await openPage(browser);
    await page.addInitScript(() => {
      Object.defineProperty(Notification, 'permission', { get: () => 'denied' });
      Notification.requestPermission = () => Promise.resolve('denied');
    });
    await openFullPage(here, here.admin, page);

    await page.getByRole('button', { name: 'Notifications' }).click();
    await page.getByText('Chrome blocks notices from this site.').waitFor();
    await page.getByRole('button', { name: 'How to allow' }).click();

    await page.getByText('choose the permissions of this site').waitFor();
  }, 60_000);

  test('without a mail server and keys for Web Push each test says what is missing (N2)', async () => {
    const here = await world({
      environment: { SMTP_URL: '', MAIL_FROM: '', VAPID_PUBLIC_KEY: '', VAPID_PRIVATE_KEY: '', VAPID_SUBJECT: '' },
    });
    const page = await openPage(browser);
    const inbox = await openWindow(here, here.admin, page);
    await inbox.getByRole('button', { name: 'Notifications' }).click();

    await inbox.getByRole('button', { name: 'Test Desktop' }).click();
    await inbox.getByRole('button', { name: 'Test E-mail' }).click();

    await inbox.getByText("Desktop notices aren't set up on this server.").waitFor();
    await inbox.getByText("E-mail isn't set up on this server.").waitFor();
  }, 60_000);

  test.each(['light', 'dark'] as const)(
    'has no faults that axe finds, in %s (U2)',
    async (colorScheme) => {
      const here = await world();
      const page = await openPage(browser, { colorScheme });
      await openFullPage(here, here.admin, page, '/?notifications');
      await page.getByRole('dialog', { name: 'Notifications' }).waitFor();
      const axe = await readFile(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');

      const faults = await page.evaluate(async (source) => {
        // The page allows no scripts but its own: this one comes through the debugger, as the test itself does.
        (0, eval)(source);
        const { run } = (globalThis as unknown as { axe: { run(place: string): Promise<{ violations: Fault[] }> } })
          .axe;
        interface Fault {
          id: string;
          nodes: { html: string }[];
        }
        return (await run('dialog')).violations.map(({ id, nodes }) => `${id}: ${nodes[0]?.html}`);
      }, axe);

      expect(faults).toEqual([]);
    },
    60_000,
  );
});

test('on the full page a test arrives, notices replace each other, open their conversation, and go when it is read (N3)', async () => {
  const here = await world();
  const { number } = await here.whatsapp();
  const page = await openPage(browser);
  const service = await withPushService(page, here.sandbox.push);
  await openFullPage(here, here.admin, page);
  await until(() => service.browser(), 'the subscription');

  await page.getByRole('button', { name: 'Notifications' }).click();
  await page.getByRole('button', { name: 'Test Desktop' }).click();
  await page.getByText('Arrived', { exact: true }).waitFor();
  expect(await service.desktop()).toMatchObject([{ title: 'This is a test', tag: 'test' }]);
  await page.getByRole('button', { name: 'Cancel' }).click();

  const customer = here.sandbox.twilio.customer(newNumber(), { name: 'Hannah Berg' });
  await customer.writes('Is week 24 free?', { to: number });
  const { id } = await here.admin.conversationWith('Hannah Berg');
  const ofHannah = async () => (await service.desktop()).filter(({ tag }) => tag === id);
  await until(async () => (await ofHannah())[0]?.body === 'Is week 24 free?', 'the notice');
  here.clock.advance(5_000);
  await customer.writes('Or week 25?', { to: number });
  await until(async () => (await ofHannah())[0]?.body === 'Or week 25?', 'the newer notice');
  expect(await ofHannah()).toEqual([{ title: 'Hannah Berg (2)', body: 'Or week 25?', tag: id }]);

  const messages = await here.admin.messages(id);
  await here.admin.call('PUT', `/api/conversations/${id}/read`, { through: messages.at(-1)!.id });
  await until(async () => (await ofHannah()).length === 0, 'the notice to go');

  // A click opens the conversation in the tab that is there, and takes the notice away.
  here.clock.advance(5_000);
  await customer.writes('Hello?', { to: number });
  await until(async () => (await ofHannah()).length === 1, 'the next notice');
  expect(await service.click(id)).toBeNull();
  await page.getByRole('log').getByText('Hello?').waitFor();
  expect(new URL(page.url()).pathname).toBe(`/conversations/${id}`);
  expect(await ofHannah()).toEqual([]);

  // What one looks at makes no notice (N3): the test says so, and can be sent all the same (N2).
  await page.getByRole('button', { name: 'Notifications' }).click();
  await page.getByRole('button', { name: 'Test Desktop' }).click();
  await page.getByText('you are looking at this conversation').waitFor();
  await page.getByRole('button', { name: 'Test anyway' }).click();
  await page.getByText('Arrived', { exact: true }).waitFor();

  // Where no tab shows the inbox, the click opens one.
  await page.goto(`${here.url}/settings`);
  await page.getByRole('heading', { level: 1 }).waitFor();
  here.clock.advance(100_000);
  await customer.writes('Are you there?', { to: number });
  await until(async () => (await ofHannah()).length === 1, 'the last notice');
  expect(await service.click(id)).toBe(`/conversations/${id}`);

  // A browser that changes its keys by itself goes on being told.
  const renewed = await service.renews();
  await customer.writes('I will call you', { to: number });
  await until(() => JSON.stringify(renewed.received).includes('I will call you'), 'the notice by the new keys');
  await here.settled();
}, 60_000);

/** Runs in every frame: what is played stays what it is, and is counted. */
function countTones(): void {
  const scope = globalThis as unknown as { tones: number };
  scope.tones = 0;
  const start = Object.getOwnPropertyDescriptor(AudioScheduledSourceNode.prototype, 'start')!.value as (
    this: AudioScheduledSourceNode,
    at?: number,
  ) => void;
  AudioScheduledSourceNode.prototype.start = function (at) {
    if (this.context.state === 'running') scope.tones += 1;
    start.call(this, at);
  };
}

test('inside Pipedrive: the badge counts, a line at the foot tells, or window and sound call if one wants it (N3)', async () => {
  const here = await world();
  const { number } = await here.whatsapp();
  const page = await openPage(browser);
  await page.addInitScript(countTones);
  const inbox = await openWindow(here, here.admin, page);
  const tones = () => page.frame('window')!.evaluate(() => (globalThis as unknown as { tones: number }).tones);
  const customer = here.sandbox.twilio.customer(newNumber(), { name: 'Hannah Berg' });
  const floating = page.locator('#floating');
  await floating.getByRole('button', { name: /close/i }).first().click();
  await floating.waitFor({ state: 'hidden' });

  await customer.writes('Is week 24 free?', { to: number });
  await page.getByRole('status').getByText('Hannah Berg: Is week 24 free?').waitFor();
  await page.locator('#dock .badge', { hasText: '1' }).waitFor();
  expect(await tones()).toBe(0);

  await page.getByRole('button', { name: 'Messaging inbox' }).click();
  await inbox.getByRole('button', { name: 'Notifications' }).click();
  await inbox.getByRole('checkbox', { name: 'Bring the window up' }).check();
  await inbox.getByRole('checkbox', { name: 'Play a sound' }).check();
  await inbox.getByRole('button', { name: 'Save' }).click();
  await floating.getByRole('button', { name: /close/i }).first().click();
  await floating.waitFor({ state: 'hidden' });
  await customer.writes('Hello?', { to: number });
  await floating.waitFor({ state: 'visible' });
  await inbox.getByRole('log').getByText('Hello?').waitFor();
  await until(async () => (await tones()) === 2, 'the sound');
  await here.settled();
}, 60_000);

test('who must put something right reads it in the inbox until it is; a wish can be put aside (C14, N5)', async () => {
  const here = await world();
  const { channel } = await here.whatsapp(here.admin, 'private');
  await here.rep.call('POST', `/api/channels/${channel.id}/ask-owner`, { what: 'share' });
  const page = await openPage(browser);
  const inbox = await openWindow(here, here.admin, page);

  await inbox.getByText('Sara Holm asks you to share WhatsApp Gothenburg').waitFor();
  await inbox.getByRole('button', { name: 'Put aside' }).click();
  await inbox.getByText('Sara Holm asks you to share').waitFor({ state: 'detached' });

  await until(
    async () => (await here.admin.call<{ data: [] }>('GET', '/api/me/admin-notices')).body.data.length === 0,
    'the wish to be gone',
  );
  await here.settled();
}, 60_000);

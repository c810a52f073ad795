// Leads Inbox as a rep uses it, in a real browser: the page of the stand-in's CRM knows only the manifest's endpoints and the
// Channels API. Beside it, what the app's own settings say of it.
import type { Browser } from 'playwright-core';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { openBrowser, openPage } from '../support/browser.ts';
import { pngFile } from '../support/files.ts';
import { bridged } from '../support/leads-inbox.ts';
import { until } from '../support/wait.ts';
import { newNumber } from '../support/world.ts';

let browser: Browser;
beforeAll(async () => void (browser = await openBrowser()));
afterAll(() => browser.close());

test('a message arrives, the answer typed there reaches the customer, ticks follow, pictures outlive their links, a template is sent (B1 to B3)', async () => {
  const here = await bridged();
  const { number } = await here.whatsapp();
  const { twilio } = here.sandbox;
  twilio.addTemplate([...twilio.state.accounts.values()].at(-1)!, {
    name: 'visit',
    language: 'en',
    body: 'May we visit on Friday?',
  });
  const customer = twilio.customer(newNumber(), { name: 'Hannah Whitcombe' });
  const page = await openPage(browser, {}, [/404/]);
  await page.goto(`${here.sandbox.pipedrive.url}/leads/messaging?user=${here.admin.id}`);

  await customer.sendsPhoto({ ...pngFile(), contentType: 'image/png' }, { to: number, caption: 'Is this the roof?' });
  await page.getByRole('button', { name: /Hannah Whitcombe/ }).click();
  const thread = page.getByRole('log');
  await thread.getByText('Is this the roof?').waitFor();
  const picture = thread.getByRole('img');
  await picture.waitFor();
  await until(() => picture.evaluate((image: HTMLImageElement) => image.naturalWidth > 0), 'the picture being drawn');

  await page.getByLabel('Message').fill('Yes, that is the one.');
  await page.keyboard.press('Enter');
  await until(() => customer.inbox.some(({ body }) => body === 'Yes, that is the one.'), 'the answer on the phone');
  await thread.getByText('✓✓ Delivered').waitFor();
  await customer.reads();
  await thread.getByText('✓✓ Read').waitFor();

  // A day later the link has expired and only templates may go.
  here.clock.advance(25 * 3_600_000);
  await page.reload();
  await page.getByRole('button', { name: /Hannah Whitcombe/ }).click();
  await until(
    () => picture.evaluate((image: HTMLImageElement) => image.naturalWidth > 0),
    'the picture, by a new link',
  );
  await page.getByLabel('Message').fill('Are you there?');
  await page.keyboard.press('Enter');
  await page
    .getByRole('alert')
    .getByText(/Not sent/)
    .waitFor();
  await page.getByLabel('Template').selectOption({ label: 'visit' });
  await page.getByRole('button', { name: 'Send' }).click();
  await until(() => customer.inbox.some(({ body }) => body === 'May we visit on Friday?'), 'the template on the phone');
  await thread.getByText('May we visit on Friday?').waitFor();
  if (process.env.PICTURES) await page.screenshot({ path: `${process.env.PICTURES}/leads-inbox.png` });
  expect(here.inbox.problems).toEqual([]);

  // Whoever looks at it can end the Channels API, in each of the ways in which it may end, and bring it back.
  for (const mode of ['410', '404', '403', 'alive']) {
    await page.getByLabel('Channels API').selectOption(mode);
    await until(() => String(here.inbox.mode) === mode, `the Channels API: ${mode}`);
  }
}, 60_000);

test('the settings say in words how Leads Inbox stands, and follow when it ends (B4)', async () => {
  const here = await bridged();
  const { number } = await here.whatsapp();
  await here.settled();
  const page = await openPage(browser);
  const clientId = here.environment.PIPEDRIVE_CLIENT_ID;
  await page.goto(
    `${here.sandbox.pipedrive.url}/settings/marketplace/app/${clientId}/app-settings?user=${here.admin.id}`,
  );
  const state = page.frameLocator('iframe[name=settings]').getByRole('region', { name: 'Leads Inbox' });
  await state.getByText('can be answered there').waitFor();

  here.inbox.mode = 410;
  await here.sandbox.twilio.customer(newNumber(), { name: 'Hannah' }).writes('Hello?', { to: number });

  await state.getByText('Pipedrive has ended').waitFor();
  if (process.env.PICTURES) await page.screenshot({ path: `${process.env.PICTURES}/bridge-settings.png` });
  await here.settled();
}, 60_000);

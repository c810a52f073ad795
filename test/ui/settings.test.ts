// The settings page: what an admin sets there holds, what a rep sees there he can only read, and everybody finds his own.
import type { Browser, Page } from 'playwright-core';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { Settings } from '../../src/web/contract.ts';
import { openBrowser, openPage } from '../support/browser.ts';
import { until } from '../support/wait.ts';
import { newNumber, world, type TestUser, type World } from '../support/world.ts';

let browser: Browser;
beforeAll(async () => void (browser = await openBrowser()));
afterAll(() => browser.close());

async function openSettings(here: World, user: TestUser, theme: 'light' | 'dark'): Promise<Page> {
  const page = await openPage(browser, { viewport: { width: 960, height: 900 } }, [/postMessage/]);
  const token = here.sandbox.pipedrive.signedToken(user.pipedrive);
  await page.goto(
    `${here.url}/ui/settings?id=1&token=${token}&userId=${user.id}&companyId=${here.company.id}&theme=${theme}`,
  );
  await page.getByRole('main').waitFor();
  return page;
}

async function picture(page: Page, name: string): Promise<void> {
  if (!process.env.PICTURES) return;
  await page.setViewportSize({ width: 960, height: 2_000 });
  await page.screenshot({ path: `${process.env.PICTURES}/${name}.png` });
}

test('an admin sets all that holds for the company; what would erase is asked first (A7)', async () => {
  const here = await world();
  await here.whatsapp();
  const settings = async (): Promise<Settings> => (await here.rep.call<Settings>('GET', '/api/settings')).body;
  const before = await settings();
  const page = await openSettings(here, here.admin, 'light');
  const company = page.getByRole('region', { name: 'Company', exact: true });

  for (const name of [
    'Return to Unassigned when the assignee is away',
    'Link by itself',
    'Make a lead for who is unknown',
    'Show message text in e-mails',
  ])
    await company.getByRole('switch', { name }).click({ force: true });
  await company.getByRole('combobox', { name: 'New channels are' }).selectOption({ label: 'Private' });
  await company.getByRole('combobox', { name: 'Language of the notes' }).selectOption({ label: 'Svenska' });
  await company.getByRole('combobox', { name: 'Time zone of the notes' }).selectOption('Asia/Tokyo');
  const keep = company.getByRole('combobox', { name: 'Keep messages for' });
  await keep.selectOption({ label: '1 year' });
  await page.getByRole('dialog').getByRole('button', { name: 'Cancel' }).click();

  expect(await keep.inputValue()).toBe('');
  const set = {
    returnToUnassignedWhenAway: !before.returnToUnassignedWhenAway,
    autoLinkExactMatch: !before.autoLinkExactMatch,
    autoCreateLead: !before.autoCreateLead,
    mailContent: !before.mailContent,
    defaultVisibility: 'private',
    language: 'sv',
    timeZone: 'Asia/Tokyo',
  };
  await until(async () => JSON.stringify(await settings()).includes('Asia/Tokyo'), 'the last of the settings');
  expect(await settings()).toEqual({ ...set, retentionDays: null });
  await keep.selectOption({ label: '1 year' });
  await page.getByRole('button', { name: 'Erase for good' }).click();
  await until(async () => (await settings()).retentionDays === 365, 'the days to keep');
  await picture(page, 'settings-en-light');

  await page.getByRole('button', { name: 'Edit' }).click();
  await page.getByRole('dialog').getByRole('button', { name: 'New saved reply' }).click();
  await page.getByRole('textbox', { name: 'Name' }).fill('Thanks');
  await page.getByRole('textbox', { name: 'Text', exact: true }).fill('Thank you, {contact}');
  await page.getByRole('radio', { name: 'Everybody' }).check({ force: true });
  await page.getByRole('button', { name: 'Save' }).click();
  await page.getByRole('dialog').getByText('Thank you').waitFor();
  await page.getByRole('button', { name: 'Close' }).click();
  await page.getByText('1 for everybody').waitFor();
  const refused = await here.admin.call('PATCH', '/api/settings', { timeZone: 'Mars/Phobos' });
  expect(refused.status).toBe(422);
  expect(JSON.stringify(refused.body)).toContain('timeZone');
  await here.settled();
}, 60_000);

test('a rep reads what holds for the company, asks the owner to mend, and switches nobody but himself (A7, V3, N5)', async () => {
  const here = await world();
  const { number } = await here.whatsapp();
  await here.sandbox.twilio.customer(newNumber(), { name: 'Hannah' }).writes('Hello', { to: number });
  const conversation = await here.rep.conversationWith('Hannah');
  here.sandbox.twilio.rotateToken([...here.sandbox.twilio.state.accounts.values()][0]!);
  await here.rep.sends(conversation.id, 'Hi');
  await here.settled();
  const page = await openSettings(here, here.rep, 'dark');

  await page.getByText('Fungerar inte').first().waitFor();
  await picture(page, 'settings-sv-dark');
  await page.getByRole('button', { name: 'Fråga Erik' }).click();
  await page.getByText('Erik Lund har fått frågan').waitFor();
  await page.getByRole('switch', { name: 'Sara Holm är tillgänglig' }).click({ force: true });

  await until(
    async () =>
      (await here.admin.call<{ data: { id: string; available: boolean }[] }>('GET', '/api/users')).body.data.some(
        (user) => user.id === here.rep.id && !user.available,
      ),
    'the rep to be away',
  );
  expect(await page.getByRole('switch', { name: 'Erik Lund är tillgänglig' }).isDisabled()).toBe(true);
  const company = page.getByRole('region', { name: 'Företaget', exact: true });
  for (const control of await company.locator('input, select').all()) expect(await control.isDisabled()).toBe(true);
  expect(await page.getByRole('button', { name: 'Anslut kanal' }).count()).toBe(0);
  await here.settled();
}, 60_000);

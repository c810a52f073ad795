// Connecting Facebook Pages in a real browser: the sign-in in a tab of its own, what was not granted by name, the Pages to
// choose from (C1).
import type { Browser, Page } from 'playwright-core';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { openBrowser, openPage } from '../support/browser.ts';
import { world } from '../support/world.ts';

let browser: Browser;
beforeAll(async () => void (browser = await openBrowser()));
afterAll(() => browser.close());

test('Pages are chosen after a sign-in that grants all; one that does not says what is missing; one without the task cannot be chosen', async () => {
  const here = await world();
  const { meta, pipedrive } = here.sandbox;
  const person = meta.addPerson({ name: 'Erik Lund' });
  const wanted = meta.addPage({ name: 'Nordtak Sverige', ownedBy: person });
  meta.addPage({ name: 'Only adverts', ownedBy: person, tasks: ['ADVERTISE'] });
  const page = await openPage(browser, { viewport: { width: 900, height: 900 } });
  const token = pipedrive.signedToken(here.admin.pipedrive);
  const who = `userId=${here.admin.id}&companyId=${here.company.id}`;
  await page.goto(`${here.url}/ui/settings?id=1&token=${token}&${who}&theme=dark`);
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
  if (process.env.PICTURES) await page.screenshot({ path: `${process.env.PICTURES}/connect-pages.png` });
  await dialog.getByRole('button', { name: 'Connect', exact: true }).click();

  await page.getByRole('region', { name: 'Nordtak Sverige' }).getByText('Working', { exact: true }).waitFor();
  expect(wanted.subscribedFields).toContain('messages');
  await meta.customer({ name: 'Linnea' }).writes('Hej', { to: wanted });
  await here.admin.conversationWith('Linnea');
  await here.settled();
}, 60_000);

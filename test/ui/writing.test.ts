// Writing replies in a real browser: files, emoji, saved replies, templates, a lost network, a colleague who was faster.
import type { Browser } from 'playwright-core';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { openBrowser, openPage } from '../support/browser.ts';
import { pdfFile, pngFile } from '../support/files.ts';
import { openInboxWindow, windowAddress } from '../support/inbox-window.ts';
import { until } from '../support/wait.ts';
import { newNumber, world } from '../support/world.ts';

let browser: Browser;
beforeAll(async () => void (browser = await openBrowser()));
afterAll(() => browser.close());

async function withCustomer(name = 'Hannah Whitcombe') {
  const here = await world();
  const { number, channel } = await here.whatsapp();
  const customer = here.sandbox.twilio.customer(newNumber(), { name });
  await customer.writes('Is week 24 free?', { to: number });
  const conversation = await here.admin.conversationWith(name);
  await here.settled();
  return { here, number, channel, customer, conversation };
}

const file = ({ name, bytes }: { name: string; bytes: Buffer }, mimeType: string) => ({
  name,
  mimeType,
  buffer: bytes,
});

test('files go out with words, a refused one says why, emoji and saved replies go in where the cursor is (C7, V12)', async () => {
  const { here, customer } = await withCustomer();
  await here.admin.call('POST', '/api/saved-replies', {
    name: 'Site visit',
    text: 'Hi {contact}, would Tuesday suit you? /{user}',
    scope: 'company',
  });
  const page = await openPage(browser);
  const inbox = await openInboxWindow(here, here.admin, page);
  await inbox.getByRole('link', { name: /Hannah/ }).click();
  const box = inbox.getByRole('textbox', { name: /Reply to Hannah/ });

  await box.fill('/vis');
  await inbox.getByRole('option', { name: /Site visit/ }).waitFor();
  await page.keyboard.press('Enter');
  expect(await box.inputValue()).toBe('Hi Hannah, would Tuesday suit you? /Erik');
  await inbox.getByRole('button', { name: 'Emoji' }).click();
  await inbox.getByRole('searchbox', { name: 'Search emoji' }).fill('house');
  await inbox.getByRole('button', { name: 'house', exact: true }).click();
  await page.keyboard.press('Escape');
  await inbox
    .locator('input[type=file]')
    .setInputFiles([
      file(pdfFile('Quote 2291.pdf'), 'application/pdf'),
      file({ name: 'tool.exe', bytes: Buffer.from('MZ') }, 'application/x-msdownload'),
    ]);
  await inbox.getByText("WhatsApp doesn't take files like tool.exe").waitFor();
  await inbox.getByRole('button', { name: 'Remove tool.exe' }).click();
  await until(() => inbox.getByRole('button', { name: 'Send', exact: true }).isEnabled(), 'the upload');
  await inbox.getByRole('button', { name: 'Send', exact: true }).click();

  await until(() => customer.inbox.length === 2, 'file and words on the phone');
  expect(customer.inbox.map(({ body }) => body).join('')).toContain('would Tuesday suit you?');
  expect(customer.inbox.map(({ body }) => body).join('')).toContain('🏠');
  await inbox.getByRole('link', { name: /Quote 2291\.pdf/ }).waitFor();
  expect(await box.inputValue()).toBe('');
  await here.settled();
}, 120_000);

test('a pasted picture is a tile at once, and opens in the viewer when it was sent', async () => {
  const { here, customer } = await withCustomer();
  const page = await openPage(browser);
  const inbox = await openInboxWindow(here, here.admin, page);
  await inbox.getByRole('link', { name: /Hannah/ }).click();
  const box = inbox.getByRole('textbox', { name: /Reply to Hannah/ });

  await box.evaluate((element, base64) => {
    const bytes = Uint8Array.from(atob(base64), (letter) => letter.charCodeAt(0));
    const clipboardData = new DataTransfer();
    clipboardData.items.add(new File([bytes], 'roof.png', { type: 'image/png' }));
    element.dispatchEvent(new ClipboardEvent('paste', { clipboardData, bubbles: true, cancelable: true }));
  }, pngFile().bytes.toString('base64'));
  await inbox.getByRole('button', { name: 'Remove roof.png' }).waitFor();
  await until(() => inbox.getByRole('button', { name: 'Send', exact: true }).isEnabled(), 'the upload');
  await box.press('Enter');
  await until(() => customer.inbox.length === 1, 'the picture on the phone');
  await inbox.getByRole('article', { name: /Delivered/ }).waitFor();
  await inbox.getByRole('button', { name: /Open the picture/ }).click();
  await inbox.getByRole('dialog', { name: 'Picture roof.png' }).waitFor();

  expect(await inbox.getByRole('link', { name: 'Save' }).getAttribute('download')).toBe('roof.png');
  await page.keyboard.press('Escape');
  await inbox.getByRole('dialog').waitFor({ state: 'hidden' });
  await here.settled();
}, 120_000);

test('when the reply time is over, a template is chosen, filled in, previewed and sent (C9)', async () => {
  const { here, customer } = await withCustomer('Johan Mattsson');
  const account = [...here.sandbox.twilio.state.accounts.values()].at(-1)!;
  here.sandbox.twilio.addTemplate(account, {
    name: 'pick_up',
    body: 'Hi {{1}}, is the {{2}} settled?',
    variables: { 1: 'Johan', 2: 'permit' },
  });
  await here.app.db.transaction((tx) => tx.query(`update conversation set reply_until = '2020-01-01T00:00:00.000Z'`));
  const page = await openPage(browser);
  const inbox = await openInboxWindow(here, here.admin, page);
  await inbox.getByRole('link', { name: /Johan/ }).click();

  await inbox.getByText('More than 24 hours since Johan wrote.').waitFor();
  const send = inbox.getByRole('button', { name: 'Send template' });
  expect(await send.isDisabled()).toBe(true);
  await inbox.getByLabel('Gap 1').fill('Johan');
  await inbox.getByLabel('Gap 2').fill('building permit');
  const preview = inbox.locator('.preview-bubble');
  expect(await preview.textContent()).toBe('Hi Johan, is the building permit settled?');
  // What will be read and the button stand in sight together, without scrolling (700 px high).
  const body = (await inbox.locator('.templates-body').boundingBox())!;
  for (const part of [preview, send]) {
    const box = (await part.boundingBox())!;
    expect(box.y).toBeGreaterThanOrEqual(body.y);
    expect(box.y + box.height).toBeLessThanOrEqual(body.y + body.height + 1);
  }
  if (process.env.PICTURES) await page.screenshot({ path: `${process.env.PICTURES}/template.png` });
  await send.click();

  await until(() => customer.inbox.length === 1, 'the template on the phone');
  expect(customer.inbox[0]!.body).toBe('Hi Johan, is the building permit settled?');
  await inbox.getByRole('article', { name: /Delivered/ }).waitFor();
  await here.settled();
}, 120_000);

test('a colleague who answered meanwhile is shown first; the words stay a draft or go out (V9)', async () => {
  const { here, customer, conversation } = await withCustomer();
  const page = await openPage(browser, {}, [/409/, /ERR_FAILED/]);
  // No events reach Erik's window, so that he sends on what he had seen when he opened the conversation.
  await page.route(/\/api\/events/, (route) => route.abort());
  const inbox = await openInboxWindow(here, here.admin, page);
  await inbox.getByRole('link', { name: /Hannah/ }).click();
  await inbox.getByRole('log').getByText('Is week 24 free?').waitFor();
  const box = inbox.getByRole('textbox', { name: /Reply to Hannah/ });
  await here.rep.sends(conversation.id, 'Hi! It is free.');

  await box.fill('Yes, it is.');
  await box.press('Enter');
  const question = inbox.getByRole('alertdialog', { name: /Sara answered/ });
  await question.waitFor();
  expect(
    await question.getByRole('button', { name: 'Keep as draft' }).evaluate((e) => e === document.activeElement),
  ).toBe(true);
  await page.keyboard.press('Enter');
  expect(await box.inputValue()).toBe('Yes, it is.');
  await box.press('Enter');
  await question.waitFor();
  await question.getByRole('button', { name: 'Send mine too' }).click();

  await until(() => customer.inbox.length === 2, 'both answers on the phone');
  await here.settled();
}, 120_000);

test('without a network the window says so; what is written waits, survives closing, and goes out once (S-01, S-03)', async () => {
  const { here, customer } = await withCustomer();
  const page = await openPage(browser, {}, [/ERR_INTERNET_DISCONNECTED/, /Failed to fetch/, /ERR_FAILED/]);
  await page.goto(windowAddress(here, here.admin));
  await page.getByRole('link', { name: /Hannah/ }).click();
  const box = page.getByRole('textbox', { name: /Reply to Hannah/ });
  await box.waitFor();

  await page.route(/\/api\//, (route) => route.abort('internetdisconnected'));
  await page.context().setOffline(true);
  await box.fill('Yes. Shall I hold it?');
  await box.press('Enter');
  await page.getByText('Waiting for the network').first().waitFor();
  await page.getByText(/No connection\. Trying again in/).waitFor();
  expect(customer.inbox).toHaveLength(0);
  await page.context().setOffline(false);
  await page.unroute(/\/api\//);
  await page.goto(windowAddress(here, here.admin));

  await until(() => customer.inbox.length > 0, 'the message on the phone');
  await page.getByRole('link', { name: /Hannah/ }).click();
  await page.getByRole('article', { name: /Delivered/ }).waitFor();
  await here.settled();
  expect(customer.inbox.map(({ body }) => body)).toEqual(['Yes. Shall I hold it?']);
}, 120_000);

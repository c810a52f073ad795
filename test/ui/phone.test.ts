// The customer's phone in a real browser, at the size of a phone and on a desk.
import chromium from '@sparticuz/chromium';
import { chromium as playwright, type Browser, type Page } from 'playwright-core';
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest';
import type { MetaPage } from '../../sandbox/meta.ts';
import { startSandbox, type Sandbox } from '../../sandbox/sandbox.ts';
import { startReceiver, until, type WebhookReceiver } from '../support/webhook-receiver.ts';

let browser: Browser;
let app: WebhookReceiver;
let sandbox: Sandbox;
let facebook: MetaPage;

beforeAll(async () => {
  // In one process only, closing a page would end the browser; and pages are held to the web's usual rules.
  const args = chromium.args.filter((arg) => !['--single-process', '--disable-web-security'].includes(arg));
  browser = await playwright.launch({ executablePath: await chromium.executablePath(), args });
});

afterAll(() => browser.close());

beforeEach(async () => {
  app = await startReceiver();
  sandbox = await startSandbox({ appUrl: app.url });
  const sender = sandbox.twilio.addSender(sandbox.twilio.addAccount(), '+46317880100', { name: 'Nordtak Solar' });
  sender.webhook.callback_url = `${app.url}/webhooks/twilio`;
  facebook = sandbox.meta.addPage({ name: 'Nordtak Sverige', ownedBy: sandbox.meta.addPerson({ name: 'Erik Lund' }) });
  facebook.subscribedFields = ['messages', 'message_reads'];
});

afterEach(async () => {
  await sandbox.stop();
  await app.stop();
});

async function opened(width: number, height: number): Promise<{ page: Page; problems: string[] }> {
  const page = await browser.newPage({ viewport: { width, height } });
  const problems: string[] = [];
  page.on('pageerror', (error) => problems.push(error.message));
  page.on('console', (line) => line.type() === 'error' && problems.push(line.text()));
  await page.goto(sandbox.console.phoneUrl());
  return { page, problems };
}

test('a new customer writes on WhatsApp and sends a photo, on a phone', async () => {
  const { page, problems } = await opened(390, 844);

  await page.getByText('+ New customer').click();
  await page.getByLabel('Name').fill('Aisha Rahman');
  await page.getByLabel('Phone number (optional)').fill('+46 73 902 11 36');
  await page.getByRole('button', { name: 'Add customer' }).click();
  await page.getByRole('button', { name: /Nordtak Solar/ }).click();
  await page.getByLabel('Message to Nordtak Solar').fill('It rains in beside the chimney.');
  await page.keyboard.press('Enter');
  await page.getByRole('button', { name: 'Send a photo' }).click();
  await page.getByRole('button', { name: 'The chimney side' }).click();
  await page.getByRole('log').getByRole('img', { name: 'Photo' }).waitFor();

  expect(app.received.map(({ form }) => [form.From, form.Body, form.NumMedia])).toEqual([
    ['whatsapp:+46739021136', 'It rains in beside the chimney.', '0'],
    ['whatsapp:+46739021136', '', '1'],
  ]);
  const width = await page.evaluate(() => document.documentElement.scrollWidth);
  expect(width).toBe(390);
  expect(problems).toEqual([]);
  await page.close();
});

test('an answer appears by itself, is read while the chat lies open, and waits with a number while it does not', async () => {
  const linnea = sandbox.meta.customer({ name: 'Linnea Holmqvist' });
  await linnea.writes('Hej!', { to: facebook });
  const { page, problems } = await opened(1280, 940);
  await sandbox.meta.pageInbox.sends(facebook, linnea, 'Hej Linnea!');
  await page.getByLabel('1 new').first().waitFor();

  await page.getByRole('button', { name: /Linnea Holmqvist/ }).click();
  await page.getByText('Hej Linnea!').waitFor();
  await until('the first answer to be read', () => linnea.inbox.every(({ read }) => read));
  await sandbox.meta.pageInbox.sends(facebook, linnea, 'Passar tisdag?');
  await page.getByText('Passar tisdag?').waitFor();
  await until('the second answer to be read', () => linnea.inbox.every(({ read }) => read));

  expect(problems).toEqual([]);
  await page.close();
});

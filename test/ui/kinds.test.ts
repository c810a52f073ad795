// Each kind of message as it stands in the thread: a place with its way to a map, sound, files that can be taken, what
// was quoted, where somebody came from (C5).
import type { Browser } from 'playwright-core';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { openBrowser, openPage } from '../support/browser.ts';
import { pdfFile, pngFile, voiceFile } from '../support/files.ts';
import { openInboxWindow } from '../support/inbox-window.ts';
import { newNumber, world } from '../support/world.ts';

let browser: Browser;
beforeAll(async () => {
  browser = await openBrowser();
});
afterAll(() => browser.close());

test('a place, a card, a voice message, a document, a sticker, an answer to a message, a forwarded one, an ad, and what cannot be shown', async () => {
  const here = await world();
  const { number } = await here.whatsapp();
  const customer = here.sandbox.twilio.customer(newNumber(), { name: 'Åsa Persson' });
  const writes = (text: string, more: object = {}) => customer.writes(text, { to: number, ...more });
  const { sid } = await writes('The first thing I said');
  const place = { Latitude: '48.8583701', Longitude: '2.2944813', Address: '5 Avenue Anatole France', Label: 'Here' };
  await writes('', { params: place });
  const card = 'BEGIN:VCARD\r\nVERSION:3.0\r\nFN:Jörgen Ek\r\nTEL;TYPE=CELL:+46701740605\r\nEND:VCARD';
  await writes('', { media: [{ contentType: 'text/vcard', bytes: Buffer.from(card) }] });
  await writes('', { media: [{ contentType: 'audio/ogg', bytes: voiceFile().bytes }] });
  await writes('Offert 2026.pdf', {
    media: [{ contentType: 'application/pdf', bytes: pdfFile().bytes }],
    params: { MessageType: 'document' },
  });
  await writes('', {
    media: [{ contentType: 'image/webp', bytes: pngFile().bytes }],
    params: { MessageType: 'sticker' },
  });
  await writes('That is what I meant', { params: { OriginalRepliedMessageSid: sid } });
  await writes('Seen this?', { params: { Forwarded: 'true' } });
  await writes('Can I get more info?', {
    params: {
      ReferralSourceId: '1202',
      ReferralSourceType: 'ad',
      ReferralHeadline: 'Chat with us',
      ReferralSourceUrl: 'https://fb.me/3x',
    },
  });
  await writes('', { params: { MessageType: 'unsupported' } });
  await here.settled();
  const page = await openPage(browser);
  const inbox = await openInboxWindow(here, here.admin, page, { width: 800, height: 2_400 });
  await inbox.getByRole('link', { name: /Åsa Persson/ }).click();
  const log = inbox.getByRole('log');
  await log.getByText('Can I get more info?').waitFor();
  await log.locator('img').first().waitFor();
  if (process.env.PICTURES) await page.locator('#floating').screenshot({ path: `${process.env.PICTURES}/kinds.png` });

  const map = log.getByRole('link').filter({ hasText: 'Here' });
  expect(await map.getAttribute('href')).toMatch(/^https:\/\/.*48\.8583701.*2\.2944813/);
  expect(await map.getAttribute('rel')).toContain('noopener');
  await log.getByText('Jörgen Ek').first().waitFor();
  await log.getByText('+46701740605').first().waitFor();
  // This sound is none that a browser can play: it can be taken as a file.
  const sound = log.getByRole('link').filter({ hasText: 'audio.ogg' });
  expect(await sound.getAttribute('href')).toMatch(/\/media\//);
  const file = log.getByRole('link').filter({ hasText: 'Offert 2026.pdf' });
  expect(await file.getAttribute('href')).toMatch(/\/media\//);
  expect(await file.textContent()).toMatch(/\d+ (B|kB|bytes)/);
  expect(await log.locator('.sticker img').count()).toBe(1);
  expect(await log.locator('.quote').textContent()).toContain('The first thing I said');
  await log.getByText('Forwarded').waitFor();
  const ad = log.getByRole('link').filter({ hasText: 'Chat with us' });
  expect(await ad.getAttribute('href')).toBe('https://fb.me/3x');
  await log.getByText(/we can.t show/).waitFor();
}, 60_000);

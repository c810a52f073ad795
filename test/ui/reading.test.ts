// Reading in a real browser: long threads and lists, what moves and what does not, keys, every size, every theme.
import { readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import type { Browser, Page } from 'playwright-core';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { openBrowser, openPage } from '../support/browser.ts';
import { openInboxWindow, windowAddress } from '../support/inbox-window.ts';
import { makeLong } from '../support/long-thread.ts';
import { until } from '../support/wait.ts';
import { newNumber, world } from '../support/world.ts';

let browser: Browser;
beforeAll(async () => void (browser = await openBrowser()));
afterAll(() => browser.close());

const oldMessage = (index: number): string =>
  `Old message ${index}. ${'It rains in beside the chimney. '.repeat(index % 7)}`;

test('ten thousand messages scroll without a blank frame, and only those in sight are drawn', async () => {
  const here = await world();
  const { number } = await here.whatsapp();
  const customer = here.sandbox.twilio.customer(newNumber(), { name: 'Hannah' });
  await customer.writes('The newest', { to: number });
  const { id } = await here.admin.conversationWith('Hannah');
  await here.settled();
  await makeLong(here, id, { count: 10_000, textOf: oldMessage });
  const newest = (await here.admin.messages(id)).at(-1)!;
  await here.admin.call('PUT', `/api/conversations/${id}/read`, { through: newest.id });
  const page = await openPage(browser, { viewport: { width: 800, height: 700 } });
  await page.goto(windowAddress(here, here.admin));
  await page.getByRole('link', { name: /Hannah/ }).click();
  const log = page.getByRole('log');
  await log.getByText('The newest').waitFor();

  // Up through the pages as a hand does it; every frame is looked at.
  const frames = await log.evaluate(async (box) => {
    const frame = () => new Promise((resolve) => requestAnimationFrame(resolve));
    const blank = (): boolean => {
      const view = box.getBoundingClientRect();
      const items = [...box.querySelectorAll('.thread-item')].map((item) => item.getBoundingClientRect());
      const middle = (view.top + view.bottom) / 2;
      return !items.some(({ top, bottom }) => top <= middle && bottom >= middle - 60);
    };
    let [looked, blanks, most] = [0, 0, 0];
    for (let step = 0; step < 240; step += 1) {
      box.scrollBy(0, -400);
      await frame();
      looked += 1;
      if (blank()) blanks += 1;
      most = Math.max(most, box.querySelectorAll('.thread-item').length);
    }
    return { looked, blanks, most };
  });
  expect(frames.looked).toBe(240);
  expect(frames.blanks).toBe(0);
  expect(frames.most).toBeLessThan(120);

  // What is read stays where it is while older pages come before it.
  const moves = await log.evaluate(async (box) => {
    const frame = () => new Promise((resolve) => requestAnimationFrame(resolve));
    const itemNear = (y: number): Element | undefined =>
      [...box.querySelectorAll('.thread-item')].find((item) => item.getBoundingClientRect().bottom > y);
    const moved: number[] = [];
    for (let page = 0; page < 3; page += 1) {
      box.scrollTop = 300;
      await frame();
      await frame();
      const item = itemNear(box.getBoundingClientRect().top + 200)!;
      const [words, top, height] = [item.textContent, item.getBoundingClientRect().top, box.scrollHeight];
      while (box.scrollHeight === height) await frame();
      // What is drawn for the first time is measured in the next.
      await frame();
      await frame();
      const after = [...box.querySelectorAll('.thread-item')].find(({ textContent }) => textContent === words);
      moved.push(after ? Math.abs(after.getBoundingClientRect().top - top) : Infinity);
    }
    return moved;
  });
  expect(Math.max(...moves)).toBeLessThan(3);
}, 120_000);

test('rows keep still under the pointer; who is new is counted above and comes when the hand is gone', async () => {
  const here = await world();
  const { number } = await here.whatsapp();
  const { twilio } = here.sandbox;
  const [first, second, third] = ['Anna', 'Bo', 'Cecilia'].map((name) => twilio.customer(newNumber(), { name }));
  await first!.writes('one', { to: number });
  await second!.writes('two', { to: number });
  await here.admin.conversationWith('Bo');
  const page = await openPage(browser);
  const inbox = await openInboxWindow(here, here.admin, page);
  const names = (): Promise<string[]> => inbox.locator('a.row .name').allTextContents();
  await until(async () => (await names()).join() === 'Bo,Anna', 'both rows');

  await inbox.getByRole('link', { name: /Bo/ }).hover();
  await first!.writes('one again', { to: number });
  await inbox.getByText('one again').waitFor();
  await third!.writes('three', { to: number });
  await inbox.getByRole('button', { name: '1 new' }).waitFor();
  const tops = await inbox
    .locator('a.row')
    .evaluateAll((rows) =>
      rows.map(
        (row) => [row.querySelector('.name')!.textContent, Math.round(row.getBoundingClientRect().top)] as const,
      ),
    );
  expect(tops.sort((left, right) => left[1] - right[1]).map(([name]) => name)).toEqual(['Bo', 'Anna']);

  await page.mouse.move(2, 2);
  await until(async () => (await names()).length === 3, 'the new row');
  const order = await inbox.locator('.rows > li').evaluateAll((rows) =>
    rows
      .map((row) => [Number(row.getAttribute('aria-posinset')), row.querySelector('.name')!.textContent] as const)
      .sort((left, right) => left[0] - right[0])
      .map(([, name]) => name),
  );
  expect(order).toEqual(['Cecilia', 'Anna', 'Bo']);
  await here.settled();
}, 120_000);

test('everything goes by keys: search, list, reply, close, undo, panes; single keys can be switched off', async () => {
  const here = await world();
  const { number } = await here.whatsapp();
  const { twilio } = here.sandbox;
  await twilio.customer(newNumber(), { name: 'Anna' }).writes('one', { to: number });
  await twilio.customer(newNumber(), { name: 'Bo' }).writes('two', { to: number });
  await here.admin.conversationWith('Bo');
  const page = await openPage(browser, { viewport: { width: 800, height: 700 } });
  await page.goto(windowAddress(here, here.admin));
  await page.getByRole('link', { name: /Anna/ }).waitFor();
  const focused = (): Promise<string> =>
    page.evaluate(() => document.activeElement?.getAttribute('aria-label') ?? document.activeElement?.id ?? '');

  await page.keyboard.press('j');
  await page.getByRole('heading', { level: 2, name: 'Bo' }).waitFor();
  await until(async () => (await focused()) === 'composer', 'the composer');
  await page.keyboard.press('Escape');
  await page.keyboard.press('e');
  await page.getByText('Closed', { exact: true }).last().waitFor();
  await page.keyboard.press('Control+z');
  await until(async () => (await here.admin.section('unassigned')).length === 2, 'the undoing');
  await page.keyboard.press('/');
  await page.keyboard.type('Ann');
  await until(async () => (await page.locator('a.row').count()) === 1, 'the search');
  await page.keyboard.press('Escape');
  await page.keyboard.press('F6');
  await page.keyboard.press('F6');
  await page.keyboard.press('F6');
  expect(await page.evaluate(() => document.activeElement?.closest('.thread-pane') !== null)).toBe(true);

  await page.locator('.messages').focus();
  await page.keyboard.press('?');
  const sheet = page.getByRole('dialog', { name: 'Keyboard' });
  await sheet.getByRole('switch', { name: /single keys/ }).click({ force: true });
  await page.keyboard.press('Escape');
  await sheet.waitFor({ state: 'hidden' });
  await page.locator('.messages').focus();
  await page.keyboard.press('e');
  await page.keyboard.press('?');
  expect(await sheet.count()).toBe(0);
  expect(await here.admin.section('closed')).toEqual([]);
}, 120_000);

interface Violation {
  readonly id: string;
  readonly nodes: readonly { html: string; failureSummary: string }[];
}

async function violations(page: Page): Promise<string[]> {
  return page.evaluate(async () => {
    const { axe } = globalThis as unknown as {
      axe: { run: (options: object) => Promise<{ violations: Violation[] }> };
    };
    const { violations: found } = await axe.run({ runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa'] });
    return found.map(
      ({ id, nodes }) => `${id}: ${nodes[0]?.html.slice(0, 160)} ${nodes[0]?.failureSummary.slice(0, 200)}`,
    );
  });
}

test('at 200, 360, 620 and 1440 across nothing sticks out and axe finds nothing, in both themes (WCAG 2.2 AA)', async () => {
  const here = await world();
  const { number } = await here.whatsapp();
  const customer = here.sandbox.twilio.customer(newNumber(), { name: 'Hannah Whitcombe-Sjögren' });
  await customer.writes('Is week 24 free? https://example.com/roof', { to: number });
  const { id } = await here.admin.conversationWith('Hannah Whitcombe-Sjögren');
  await here.rep.sends(id, 'Yes');
  await here.settled();
  const axe = await readFile(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');

  for (const theme of ['light', 'dark'] as const) {
    const page = await openPage(browser, { bypassCSP: true }, [/postMessage/]);
    await page.setViewportSize({ width: 800, height: 700 });
    await page.goto(windowAddress(here, theme === 'light' ? here.admin : here.rep, theme));
    await page.locator('.list-pane').waitFor();
    await page.evaluate(axe);
    for (const [width, height] of [
      [200, 300],
      [360, 640],
      [620, 480],
      [1_440, 900],
    ] as const) {
      await page.setViewportSize({ width, height });
      for (const place of ['list', 'thread'] as const) {
        if (place === 'thread') {
          await page.getByRole('link', { name: /Hannah/ }).click();
          await page.getByRole('log').getByText('Is week 24 free?').waitFor();
        }
        const wide = await page.evaluate(() => document.documentElement.scrollWidth);
        expect.soft(wide, `${place} ${width}x${height} ${theme}`).toBeLessThanOrEqual(width);
        expect.soft(await violations(page), `${place} ${width}x${height} ${theme}`).toEqual([]);
        if (place === 'thread' && width < 618) await page.locator('.back').click();
      }
    }
  }
}, 120_000);

test('in forced colours nothing is told by a background alone, and twice the size fits (U2, WCAG 1.4.4)', async () => {
  const here = await world();
  const { number } = await here.whatsapp();
  await here.sandbox.twilio.customer(newNumber(), { name: 'Hannah' }).writes('Is week 24 free?', { to: number });
  await here.admin.conversationWith('Hannah');
  // 800 by 700 at 200 %: half as many pixels of the page, each twice as large.
  const page = await openPage(browser, { viewport: { width: 400, height: 350 }, deviceScaleFactor: 2 });
  await page.emulateMedia({ forcedColors: 'active' });
  await page.goto(windowAddress(here, here.admin));
  await page.getByRole('link', { name: /Hannah/ }).waitFor();
  const track = page.locator('.switch .track').first();
  const colour = () => track.evaluate((element) => getComputedStyle(element).backgroundColor);
  const borderOf = (name: string) =>
    page
      .locator(name)
      .first()
      .evaluate((element) => parseFloat(getComputedStyle(element).borderTopWidth));

  const on = await colour();
  await page.getByRole('switch').first().click({ force: true });
  await until(async () => (await colour()) !== on, 'another look of the switch');
  expect(await borderOf('.switch .track')).toBeGreaterThan(0);
  expect(await borderOf('.badge')).toBeGreaterThan(0);
  await page.getByRole('link', { name: /Hannah/ }).click();
  await page.getByRole('log').getByText('Is week 24 free?').waitFor();
  expect(await borderOf('.bubble')).toBeGreaterThan(0);
  expect(await page.evaluate(() => document.documentElement.scrollWidth)).toBeLessThanOrEqual(400);
  await page.getByRole('textbox', { name: /Reply to Hannah/ }).fill('Yes');
  await page.getByRole('button', { name: 'Send' }).click();
  await page.getByRole('article', { name: /Delivered/ }).waitFor();
  if (process.env.PICTURES) await page.screenshot({ path: `${process.env.PICTURES}/forced-colours.png` });
  await here.settled();
}, 60_000);

test('a row says whose the last word was: the reader’s own, a colleague’s, or one from outside', async () => {
  const here = await world();
  const { page: facebook } = await here.messenger();
  const customer = here.sandbox.meta.customer({ name: 'Linnea' });
  await customer.writes('Hej', { to: facebook });
  const { id } = await here.admin.conversationWith('Linnea');
  const [ofErik, ofSara] = [await openPage(browser), await openPage(browser)];
  await ofErik.goto(windowAddress(here, here.admin));
  await ofSara.goto(windowAddress(here, here.rep));
  const said = (page: Page, words: string) =>
    page
      .getByRole('link', { name: /Linnea/ })
      .getByText(words)
      .waitFor();

  await here.admin.sends(id, 'Passar tisdag?');
  await said(ofErik, 'You: Passar tisdag?');
  await said(ofSara, 'Erik: Passar tisdag?');
  await here.rep.sends(id, 'Eller onsdag');
  await said(ofErik, 'Sara: Eller onsdag');
  await said(ofSara, 'Du: Eller onsdag');
  await here.sandbox.meta.pageInbox.sends(facebook, customer, 'Vi ringer');
  await said(ofErik, 'Outside Pipedrive: Vi ringer');
  await said(ofSara, 'Utanför Pipedrive: Vi ringer');
  await here.settled();
}, 60_000);

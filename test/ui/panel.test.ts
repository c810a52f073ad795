// Panel and modal in the stand-in's CRM page, at the sizes Pipedrive gives them, in both themes and languages (U1 to U3, L1).
import { readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import type { Browser, Frame, FrameLocator, Page } from 'playwright-core';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { Conversation } from '../../src/web/contract.ts';
import { openBrowser, openPage } from '../support/browser.ts';
import { openInboxWindow } from '../support/inbox-window.ts';
import { hostileTexts } from '../support/hostile-texts.ts';
import { noted } from '../support/notes.ts';
import { until } from '../support/wait.ts';
import { newNumber, world, type TestUser, type World } from '../support/world.ts';

let browser: Browser;
let axe: string;
beforeAll(async () => {
  browser = await openBrowser();
  axe = await readFile(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');
});
afterAll(() => browser.close());

/** Where pictures are put, if somebody wants to look at them. */
const pictures = process.env.PICTURES;

async function begun() {
  const here = await world();
  const { number } = await here.whatsapp();
  const writes = async (name: string, text: string): Promise<Conversation> => {
    await here.sandbox.twilio.customer(newNumber(), { name }).writes(text, { to: number });
    return here.admin.conversationWith(name);
  };
  return { here, writes, number, ...here, pipedrive: here.sandbox.pipedrive };
}

async function openRecord(here: World, user: TestUser, page: Page, path: string): Promise<FrameLocator> {
  await page.goto(`${here.sandbox.pipedrive.url}${path}?user=${user.id}`);
  return page.frameLocator('iframe[name=panel]');
}

const frameOf = (page: Page, name: string): Frame => page.frames().find((frame) => frame.name() === name)!;

/** What axe finds, and what stands out of the frame. */
async function faults(page: Page, name: string): Promise<string[]> {
  const frame = frameOf(page, name);
  await frame.evaluate(axe);
  return frame.evaluate(async () => {
    interface Violation {
      readonly id: string;
      readonly nodes: readonly { html: string; failureSummary: string }[];
    }
    const { run } = (
      globalThis as unknown as { axe: { run: (options: object) => Promise<{ violations: Violation[] }> } }
    ).axe;
    const { violations } = await run({ runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa'] });
    const wide = document.documentElement.scrollWidth - innerWidth;
    return [
      ...violations.map(
        ({ id, nodes }) => `${id}: ${nodes[0]?.html.slice(0, 160)} ${nodes[0]?.failureSummary.slice(0, 200)}`,
      ),
      ...(wide > 0 ? [`${wide} px too wide`] : []),
    ];
  });
}

const heights = [100, 240, 420, 750] as const;

test('a record’s panel shows its conversations at 100, 240, 420 and 750, in both themes and languages, and axe finds nothing', async () => {
  const { here, admin, rep, company, pipedrive, writes } = await begun();
  const person = pipedrive.addPerson(company, { name: 'Hannah Whitcombe-Sjögren' });
  const first = await writes('Hannah Whitcombe-Sjögren', 'Is the blue one in stock?');
  const second = await writes('Hannah, at work', 'And when could you come? '.repeat(6));
  for (const { id } of [first, second]) await admin.links(id, { type: 'person', recordId: String(person.id) });
  await admin.sends(first.id, 'Yes, it is');
  await noted(here);

  for (const user of [admin, rep]) {
    const page = await openPage(browser, { bypassCSP: true, viewport: { width: 1_280, height: 1_000 } });
    const sv = user === rep;
    const panel = await openRecord(here, user, page, `/person/${person.id}`);
    await panel.getByRole('log').waitFor();
    const sizes = (['light', 'dark'] as const).flatMap((theme) => heights.map((height) => ({ theme, height })));
    for (const { theme, height } of sizes) {
      if (theme === 'dark' && height === heights[0]) await page.getByRole('button', { name: 'Dark theme' }).click();
      await page
        .locator('iframe[name=panel]')
        .evaluate((frame: HTMLElement, px) => (frame.style.height = `${px}px`), height);
      await panel.locator(height < 200 ? '.panel-line' : height < 320 ? '.panel-extract' : '.thread-pane').waitFor();
      const name = `panel ${height} ${theme} ${sv ? 'sv' : 'en'}`;
      await panel.getByText('Hannah').first().waitFor();
      if (height < 320) await panel.getByRole('button', { name: sv ? 'Svara' : 'Reply', exact: true }).waitFor();
      else
        await panel
          .getByRole('log')
          .getByText(/Yes, it is|And when/)
          .first()
          .waitFor();
      expect.soft(await faults(page, 'panel'), name).toEqual([]);
      if (pictures) await page.locator('iframe[name=panel]').screenshot({ path: `${pictures}/${name}.png` });
    }
    // The other conversation is one choice away.
    await panel.getByRole('button', { name: sv ? '1 konversation till' : '1 more conversation' }).click();
    await panel
      .getByRole('menuitem', { name: /Hannah/ })
      .first()
      .click();
    await until(async () => (await panel.getByRole('heading', { level: 2 }).textContent()) !== null, 'the other one');
    // Too low to write in: the floating window opens on it.
    await page.locator('iframe[name=panel]').evaluate((frame: HTMLElement) => (frame.style.height = '240px'));
    await panel.getByRole('button', { name: sv ? 'Svara' : 'Reply', exact: true }).click();
    await page.frameLocator('iframe[name=window]').getByRole('log').waitFor();
  }
}, 120_000);

test('a conversation is linked from the panel of a deal, and those of an organization show on its page', async () => {
  const { here, admin, company, pipedrive, writes } = await begun();
  const person = pipedrive.addPerson(company, { name: 'Bo Ek' });
  const deal = pipedrive.addDeal(company, { title: 'Roof', person });
  const organization = pipedrive.addOrganization(company, { name: 'Ek & Co', of: [person, deal] });
  const { id } = await writes('Bo', 'About the roof');
  await writes('Somebody else', 'About something else');
  const page = await openPage(browser, { bypassCSP: true });

  let panel = await openRecord(here, admin, page, `/organization/${organization.id}`);
  await panel.getByText('No conversation here yet').waitFor();
  panel = await openRecord(here, admin, page, `/deal/${deal.id}`);
  await page.locator('iframe[name=panel]').evaluate((frame: HTMLElement) => (frame.style.height = '100px'));
  await panel.getByRole('button', { name: 'Link a conversation' }).click();
  await panel.getByRole('searchbox', { name: 'Find a conversation' }).fill('Bo');
  await panel.getByRole('listitem').filter({ hasText: 'Somebody' }).waitFor({ state: 'detached' });
  expect(await faults(page, 'panel')).toEqual([]);
  if (pictures) await page.locator('iframe[name=panel]').screenshot({ path: `${pictures}/panel link.png` });
  await panel.getByRole('button', { name: /Bo/ }).click();
  await panel.getByRole('log').getByText('About the roof').waitFor();

  const { links } = (await admin.call<Conversation>('GET', `/api/conversations/${id}`)).body;
  expect(links).toMatchObject([{ type: 'deal', title: 'Roof' }]);
  panel = await openRecord(here, admin, page, `/organization/${organization.id}`);
  await panel.getByRole('log').getByText('About the roof').waitFor();
  await noted(here);
}, 120_000);

test('in Pipedrive’s rhythm: the record opens in its place, a follow-up in Pipedrive’s own window, the address is copied', async () => {
  const { here, admin, company, pipedrive, writes } = await begun();
  const person = pipedrive.addPerson(company, { name: 'Bo Ek' });
  const deal = pipedrive.addDeal(company, { title: 'Roof', person });
  const { id } = await writes('Bo', 'About the roof');
  await admin.links(id, { type: 'person', recordId: String(person.id) });
  await admin.links(id, { type: 'deal', recordId: String(deal.id) });
  await noted(here);
  const page = await openPage(browser, { permissions: ['clipboard-read', 'clipboard-write'] });
  const inbox = await openInboxWindow(here, admin, page);
  await inbox.getByRole('link', { name: /Bo/ }).click();
  const more = async (words: string): Promise<void> => {
    await inbox.getByRole('button', { name: 'More', exact: true }).click();
    await inbox.getByRole('menuitem', { name: words }).click();
  };

  await more('Copy link');
  await until(async () => (await page.evaluate(() => navigator.clipboard.readText())) !== '', 'the copy');
  expect(await page.evaluate(() => navigator.clipboard.readText())).toBe(`${here.url}/conversations/${id}`);
  await more('Links and history');
  await inbox.getByRole('button', { name: 'Follow up' }).click();
  const prefill = JSON.parse((await page.locator('.scrim .modal pre').textContent())!) as object;
  expect(prefill).toMatchObject({ deal: deal.id, subject: expect.stringContaining('Bo') as string });
  await page.locator('.scrim .modal header button').click();
  await inbox.getByRole('button', { name: 'Open in Pipedrive' }).first().click();
  await page.waitForURL(`**/person/${person.id}`);
}, 120_000);

test('the modal in both themes and languages links a new deal in the user’s own currency; its note is harmless on the record’s page, whatever was written (X-01 to X-20)', async () => {
  const { here, admin, rep, company, pipedrive, number } = await begun();
  Object.assign(admin.pipedrive, { currency: 'EUR' });
  admin.token = (await here.install(admin.pipedrive)).token;
  const name = `"><img src=x onerror=alert(1)> \u202eAnna`;
  const customer = here.sandbox.twilio.customer(newNumber(), { name });
  for (const text of [...Object.values(hostileTexts), '👩‍👩‍👧'.repeat(4_000)]) await customer.writes(text, { to: number });
  const { id } = await admin.conversationWith(name);
  const deal = pipedrive.addDeal(company, { title: 'Any page' });
  for (const [user, theme, width] of [
    [rep, 'light', 540],
    [rep, 'dark', 720],
    [admin, 'light', 720],
    [admin, 'dark', 540],
  ] as const) {
    const page = await openPage(browser, { bypassCSP: true });
    await openRecord(here, user, page, `/deal/${deal.id}`);
    if (theme === 'dark') await page.getByRole('button', { name: 'Dark theme' }).click();
    await page.evaluate(
      ({ data, size }) => {
        const place = document.querySelector('#host-layer')!;
        place.innerHTML = `<div class="scrim"><div class="modal" role="dialog" style="width:${size}px"><div class="place"></div></div></div>`;
        const open = (
          window as unknown as { __openSurface: (place: Element, surface: string, extra: object) => unknown }
        ).__openSurface;
        void open(place.querySelector('.place')!, 'modal', { data: JSON.stringify(data) });
      },
      { data: { conversationId: id }, size: width },
    );
    const modal = page.frameLocator('iframe[name=modal]');
    const sv = user === rep;
    await modal.getByRole('radio', { name: sv ? 'Affär' : 'Deal', exact: true }).click();
    if (!sv) await modal.getByLabel(/Value in EUR/).fill('1 250,50');
    const picture = `modal ${width} ${theme} ${sv ? 'sv' : 'en'}`;
    expect.soft(await faults(page, 'modal'), picture).toEqual([]);
    if (pictures) await page.locator('iframe[name=modal]').screenshot({ path: `${pictures}/${picture}.png` });
    if (sv || theme === 'light') continue;
    await modal.getByRole('button', { name: 'Create person and deal' }).click();
    await until(() => pipedrive.state.deals.some(({ title }) => title.includes('Anna')), 'the deal');
  }
  expect(pipedrive.state.deals.at(-1)).toMatchObject({ value: 1_250.5, currency: 'EUR' });
  await noted(here);

  const page = await openPage(browser);
  const asked: string[] = [];
  page.on('request', (request) => asked.push(new URL(request.url()).origin));
  page.on('dialog', (dialog) => asked.push(dialog.message()));
  await page.goto(`${pipedrive.url}/deal/${pipedrive.state.deals.at(-1)!.id}?user=${admin.id}`);
  const note = page.locator('.note .content').first();
  await note.waitFor();
  const shown = await note.innerText();
  expect(await note.locator(':not(b):not(i):not(br):not(a)').count()).toBe(0);
  for (const [number, text] of Object.entries(hostileTexts)) {
    const line = text
      .split(/[\r\n\u2028\u2029]/)[0]!
      .replace(/\s+/g, ' ')
      .trim();
    expect.soft(shown.replace(/[^\S\n]+/g, ' '), number).toContain(line);
  }
  expect(new Set(asked)).toEqual(new Set([pipedrive.url, here.url]));
}, 120_000);

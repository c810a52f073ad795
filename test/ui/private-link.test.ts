// A link leads a rep to a conversation in a colleague's private channel, or turns private under his eyes: what stands there
// instead, how he asks for it, and how it comes back (A8, N5, U4); and what stands where there is nothing at all.
import { mkdir, readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import type { Browser, Frame, FrameLocator, Page } from 'playwright-core';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { openBrowser, openPage } from '../support/browser.ts';
import { openInboxWindow } from '../support/inbox-window.ts';
import { until } from '../support/wait.ts';
import { installInBrowser, newNumber, world, type TestUser, type World } from '../support/world.ts';

let browser: Browser;
let axe: string;
beforeAll(async () => {
  browser = await openBrowser();
  axe = await readFile(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');
});
afterAll(() => browser.close());

/** Where pictures are put, if somebody wants to look at them. */
const pictures = process.env.PICTURES;

async function picture(what: { screenshot(options: { path: string }): Promise<unknown> }, name: string): Promise<void> {
  if (!pictures) return;
  await mkdir(pictures, { recursive: true });
  await what.screenshot({ path: `${pictures}/${name}.png` });
}

/** The one complaint that is meant here: a browser tells of each 404. */
const notThere = [/status of 404/];
const size = { width: 1_280, height: 800 };

const words = {
  en: {
    title: "This conversation isn't shared with you",
    why: 'This channel is private. Only its owner, Erik Lund, reads these conversations.',
    ask: 'Ask Erik',
    asked: 'Erik Lund has been asked',
    already: 'Erik Lund has been asked already today',
    back: 'Back to the list',
  },
  sv: {
    title: 'Konversationen delas inte med dig',
    why: 'Kanalen är privat. Bara ägaren, Erik Lund, läser konversationerna.',
    ask: 'Fråga Erik',
    asked: 'Erik Lund har fått frågan',
    already: 'Erik Lund har redan fått frågan i dag',
    back: 'Tillbaka till listan',
  },
} as const;

/** Erik owns the channel; Sara reads Swedish, Olle English. */
async function begun(visibility: 'shared' | 'private') {
  const here = await world();
  const olle = await here.install(here.sandbox.pipedrive.addUser(here.company, { name: 'Olle Strand' }));
  const { channel, number } = await here.whatsapp(here.admin, visibility);
  const customer = here.sandbox.twilio.customer(newNumber(), { name: 'Hannah Berg' });
  await customer.writes('Is week 24 free?', { to: number });
  const conversation = await here.admin.conversationWith('Hannah Berg');
  const makes = (wanted: 'shared' | 'private') =>
    here.admin.call('PATCH', `/api/channels/${channel.id}`, { visibility: wanted });
  return { here, olle, channel, conversation, makes, writes: (text: string) => customer.writes(text, { to: number }) };
}

async function openFullPage(here: World, user: TestUser, page: Page, path: string): Promise<void> {
  const cookies = await installInBrowser(here.url, here.sandbox, user.pipedrive);
  await page.context().addCookies(
    cookies.split('; ').map((cookie) => {
      const [name = '', value = ''] = cookie.split('=');
      return { name, value, url: here.url };
    }),
  );
  await page.goto(`${here.url}${path}`);
}

/** What axe finds, and what stands out of the frame. */
async function faults(frame: Page | Frame): Promise<string[]> {
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

/** Nothing of the conversation is anywhere on the surface. */
async function showsNothing(surface: Page | FrameLocator): Promise<void> {
  const html = await surface.locator('body').innerHTML();
  for (const secret of ['Hannah', 'week 24', 'Gothenburg']) expect.soft(html).not.toContain(secret);
}

const frameOf = (page: Page, name: string): Frame => page.frames().find((frame) => frame.name() === name)!;

test('a link to a private conversation says whose it is; the owner is asked, shares it, and it is there without reload (A8, N5)', async () => {
  const { here, olle, conversation, makes, writes } = await begun('private');
  const reps = [
    { user: here.rep, language: 'sv', colorScheme: 'light', told: words.sv.asked },
    { user: olle, language: 'en', colorScheme: 'dark', told: words.en.already },
  ] as const;
  const opened: { page: Page; language: 'en' | 'sv' }[] = [];

  for (const { user, language, colorScheme, told } of reps) {
    const say = words[language];
    const page = await openPage(browser, { viewport: size, colorScheme, bypassCSP: true }, notThere);
    await openFullPage(here, user, page, `/conversations/${conversation.id}`);
    await page.getByRole('heading', { name: say.title }).waitFor();
    await page.getByText(say.why, { exact: true }).waitFor();
    await showsNothing(page);
    expect(await page.locator('.toast').count()).toBe(0);
    expect.soft(await faults(page), language).toEqual([]);
    await picture(page, `page-${language}-${colorScheme}`);
    await page.emulateMedia({ colorScheme: colorScheme === 'light' ? 'dark' : 'light' });
    await page.locator(`html[data-theme=${colorScheme === 'light' ? 'dark' : 'light'}]`).waitFor();
    expect.soft(await faults(page), language).toEqual([]);
    await picture(page, `page-${language}-${colorScheme === 'light' ? 'dark' : 'light'}`);

    await page.getByRole('button', { name: say.ask }).press('Enter');
    await page.getByRole('status').getByText(told, { exact: true }).waitFor();
    expect(await page.getByRole('button', { name: say.ask }).count()).toBe(0);
    expect(await page.locator('.asked:focus').count()).toBe(1);
    expect.soft(await faults(page), language).toEqual([]);
    await picture(page, `page-asked-${language}`);
    await page.evaluate(() => void Object.assign(globalThis, { neverReloaded: true }));
    opened.push({ page, language });
  }

  const ownerPage = await openPage(browser);
  const ownerInbox = await openInboxWindow(here, here.admin, ownerPage);
  await ownerInbox.getByText('Sara Holm asks you to share WhatsApp Gothenburg').waitFor();
  await picture(ownerPage, 'owner');
  await makes('shared');
  await ownerInbox.getByText('Sara Holm asks you to share').waitFor({ state: 'detached' });

  for (const { page, language } of opened) {
    await page.getByRole('log').getByText('Is week 24 free?').waitFor();
    await page.getByRole('listitem').getByText('Hannah Berg').waitFor();
    expect(await page.getByText(words[language].title).count()).toBe(0);
  }
  await writes('Or week 25?');
  for (const { page } of opened) {
    await page.getByRole('log').getByText('Or week 25?').waitFor();
    expect(await page.evaluate(() => 'neverReloaded' in globalThis)).toBe(true);
  }
  await here.settled();
}, 120_000);

test('what turns private while it is read goes from list and thread at once, and comes back when it is shared (A8)', async () => {
  const { here, olle, makes } = await begun('shared');
  for (const [user, language] of [
    [here.rep, 'sv'],
    [olle, 'en'],
  ] as const) {
    const say = words[language];
    const page = await openPage(browser, { bypassCSP: true }, notThere);
    const inbox = await openInboxWindow(here, user, page, { width: 400, height: 600 });
    await inbox.getByRole('link', { name: /Hannah/ }).click();
    await inbox.getByRole('log').getByText('Is week 24 free?').waitFor();

    await makes('private');

    await inbox.getByText(say.why, { exact: true }).waitFor();
    await showsNothing(inbox);
    const frame = frameOf(page, 'window');
    for (const theme of ['light', 'dark'] as const) {
      if (theme === 'dark') await page.getByRole('button', { name: 'Dark theme' }).click();
      await inbox.locator(`html[data-theme=${theme}]`).waitFor();
      expect.soft(await faults(frame), `${language} ${theme}`).toEqual([]);
      await picture(page.locator('iframe[name=window]'), `window-${language}-${theme}`);
    }
    await inbox.getByRole('button', { name: say.ask }).click();
    await inbox
      .getByRole('status')
      .getByText(language === 'sv' ? say.asked : say.already, { exact: true })
      .waitFor();
    await picture(page.locator('iframe[name=window]'), `window-asked-${language}`);

    // Back to the list, where it is not either; and what was looked at before is not shown from memory.
    await inbox.getByRole('button', { name: say.back }).click();
    await inbox.locator('.list-pane .empty').waitFor();
    await showsNothing(inbox);
    await makes('shared');
    await inbox.getByRole('link', { name: /Hannah/ }).click();
    await inbox.getByRole('log').getByText('Is week 24 free?').waitFor();
    await makes('private');
    await inbox.getByText(say.why, { exact: true }).waitFor();
    await makes('shared');
    await inbox.getByRole('log').getByText('Is week 24 free?').waitFor();
  }
  await here.settled();
}, 120_000);

test('a record’s panel that shows it and the dialog that would link it say the same, at every height', async () => {
  const { here, conversation, makes } = await begun('shared');
  const person = here.sandbox.pipedrive.addPerson(here.company, { name: 'Hannah Berg' });
  await here.admin.links(conversation.id, { type: 'person', recordId: String(person.id) });
  await here.settled();
  const page = await openPage(browser, { bypassCSP: true }, notThere);
  await page.goto(`${here.sandbox.pipedrive.url}/person/${person.id}?user=${here.rep.id}`);
  const panel = page.frameLocator('iframe[name=panel]');
  await panel.getByRole('log').getByText('Is week 24 free?').waitFor();

  await makes('private');

  for (const height of [750, 420, 240, 100]) {
    await page
      .locator('iframe[name=panel]')
      .evaluate((frame: HTMLElement, px) => (frame.style.height = `${px}px`), height);
    await panel.getByText(words.sv.why, { exact: true }).waitFor();
    await panel.locator(`.surface${height < 320 ? '.low' : ':not(.low)'}`).waitFor();
    await showsNothing(panel);
    expect.soft(await faults(frameOf(page, 'panel')), String(height)).toEqual([]);
    await picture(page.locator('iframe[name=panel]'), `panel-${height}`);
  }
  await page.evaluate((id) => {
    const place = document.querySelector('#host-layer')!;
    place.innerHTML =
      '<div class="scrim"><div class="modal" role="dialog" style="width:720px"><div class="place"></div></div></div>';
    const open = (window as unknown as { __openSurface: (place: Element, surface: string, extra: object) => unknown })
      .__openSurface;
    void open(place.querySelector('.place')!, 'modal', { data: JSON.stringify({ conversationId: id }) });
  }, conversation.id);
  const modal = page.frameLocator('iframe[name=modal]');
  await modal.getByRole('button', { name: words.sv.ask }).click();
  await modal.getByText(words.sv.asked, { exact: true }).waitFor();
  expect.soft(await faults(frameOf(page, 'modal'))).toEqual([]);
  await picture(page.locator('iframe[name=modal]'), 'modal');

  await makes('shared');

  await modal.getByRole('heading', { name: 'Länka konversationen' }).waitFor();
  await panel.getByText('Hannah').first().waitFor();
  await here.settled();
}, 120_000);

test('a link to what was deleted, or never was, says so and shows the way to the inbox', async () => {
  const { here, olle, conversation } = await begun('private');
  await here.admin.call('DELETE', `/api/conversations/${conversation.id}`);
  const unknown = '00000000-0000-7000-8000-000000000000';
  for (const [user, id, title, act] of [
    [here.rep, conversation.id, 'Konversationen finns inte här', 'Visa inkorgen'],
    [olle, unknown, "This conversation isn't here", 'Show the inbox'],
  ] as const) {
    for (const width of [1_280, 400]) {
      const page = await openPage(browser, { viewport: { width, height: 800 }, bypassCSP: true }, notThere);
      await openFullPage(here, user, page, `/conversations/${id}`);
      await page.getByRole('heading', { name: title }).waitFor();
      expect(await page.locator('.toast').count()).toBe(0);
      expect.soft(await faults(page), title).toEqual([]);
      await picture(page, `gone-${width}-${user === olle ? 'en' : 'sv'}`);

      await page.getByRole('button', { name: act }).click();

      await page.getByRole('heading', { name: title }).waitFor({ state: 'detached' });
      await page.getByRole('tablist').or(page.locator('.list-pane')).first().waitFor();
      await until(() => new URL(page.url()).pathname === '/', 'the address of the inbox');
    }
  }
  await here.settled();
}, 120_000);

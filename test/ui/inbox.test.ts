// The main job as a rep does it: in a real browser, in real frames inside the stand-in's CRM page.
import { readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import type { Browser, FrameLocator, Page, Route } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Channel, Conversation } from '../../src/web/contract.ts';
import { openBrowser, openPage } from '../support/browser.ts';
import { bothDatabases } from '../support/databases.ts';
import { until } from '../support/wait.ts';
import { newNumber, world, type TestUser, type World } from '../support/world.ts';

let browser: Browser;
beforeAll(async () => void (browser = await openBrowser()));
afterAll(() => browser.close());

async function openWindow(here: World, user: TestUser, page: Page, path = '/'): Promise<FrameLocator> {
  await page.goto(`${here.sandbox.pipedrive.url}${path}?user=${user.id}`);
  await page.getByRole('button', { name: 'Messaging inbox' }).click();
  const frame = page.frameLocator('iframe[name=window]');
  await frame.getByRole('tablist').waitFor();
  return frame;
}

describe.each(bothDatabases)('on %s', (database) => {
  test('a customer writes; the rep sees it without reload, answers, makes a deal, and the note stands on its page', async () => {
    const here = await world({ database });
    const { number } = await here.whatsapp();
    const page = await openPage(browser);
    const inbox = await openWindow(here, here.admin, page);
    await inbox.getByText('Nobody is waiting').waitFor();
    const customer = here.sandbox.twilio.customer(newNumber(), { name: 'Hannah Whitcombe-Sjögren' });

    await customer.writes('Is week 24 free?', { to: number });
    await inbox.getByRole('link', { name: /Hannah/ }).click();
    await inbox.getByRole('log').getByText('Is week 24 free?').waitFor();
    await inbox.getByRole('textbox', { name: /Reply to Hannah/ }).fill('Yes. Shall I hold it?');
    await page.keyboard.press('Enter');
    await until(() => customer.inbox.some(({ body }) => body === 'Yes. Shall I hold it?'), 'the answer on the phone');
    await inbox.getByRole('article', { name: /Delivered/ }).waitFor();
    await customer.reads();
    await inbox.getByRole('article', { name: /Erik Lund.*Read/ }).waitFor();

    await inbox.getByRole('button', { name: 'Link', exact: true }).click();
    await inbox.getByRole('radio', { name: 'Deal', exact: true }).click();
    await inbox.getByLabel('New deal title').fill('Solar roof, Björkvägen 12');
    await inbox.getByRole('button', { name: 'Create person and deal' }).dblclick();
    await inbox.getByRole('button', { name: 'Solar roof, Björkvägen 12' }).waitFor();
    await inbox.getByText('History complete').waitFor();
    const deals = here.sandbox.pipedrive.state.deals.filter(({ title }) => title === 'Solar roof, Björkvägen 12');
    expect(deals).toHaveLength(1);

    await page.goto(`${here.sandbox.pipedrive.url}/deal/${deals[0]!.id}`);
    const note = page.locator('.note .content');
    await note.waitFor();
    expect(await note.count()).toBe(1);
    expect(await note.textContent()).toContain('Is week 24 free?');
    expect(await note.textContent()).toContain('Yes. Shall I hold it?');
    await page.frameLocator('iframe[name=panel]').getByRole('log').getByText('Is week 24 free?').waitFor();
    await here.settled();
  }, 60_000);
});

test('an answer that the stream has overtaken does not bring back what was before it (S-01)', async () => {
  const here = await world();
  const { number } = await here.whatsapp();
  await here.sandbox.twilio.customer(newNumber(), { name: 'Hannah' }).writes('Is week 24 free?', { to: number });
  const { id } = await here.admin.conversationWith('Hannah');
  const page = await openPage(browser);
  const inbox = await openWindow(here, here.admin, page);
  await inbox.getByRole('link', { name: /Hannah/ }).click();
  await inbox.getByRole('log').getByText('Is week 24 free?').waitFor();
  const complete = () => here.admin.call<Conversation>('GET', `/api/conversations/${id}`);
  here.sandbox.faults.next('pipedrive', { method: 'POST', path: /\/notes/ }, { kind: 'delay', ms: 1_500 }, 2);
  // Answers are read now and arrive after the stream has told of what came since.
  const arrived: Promise<boolean>[] = [];
  await page.route(`**/api/conversations/${id}`, (route) => {
    arrived.push(
      complete().then(async ({ body }) => {
        await inbox.getByText('History complete').waitFor();
        await route.fulfill({ json: body });
        return body.historyComplete;
      }),
    );
  });

  await inbox.getByRole('button', { name: 'Link', exact: true }).click();
  await inbox.getByRole('radio', { name: 'Deal', exact: true }).click();
  await inbox.getByLabel('New deal title').fill('Solar roof');
  await inbox.getByRole('button', { name: 'Create person and deal' }).click();
  await until(() => arrived.length > 0, 'a question after the linking');
  expect(await Promise.all(arrived)).toContain(false);
  await inbox
    .locator('body')
    .evaluate(() => new Promise((drawn) => requestAnimationFrame(() => requestAnimationFrame(drawn))));

  expect(await inbox.getByText('History complete').count()).toBe(1);
}, 60_000);

test('the answer to a reply that comes after what became of it does not take its ticks back (S-01)', async () => {
  const here = await world();
  const { number } = await here.whatsapp();
  await here.sandbox.twilio.customer(newNumber(), { name: 'Hannah' }).writes('Is week 24 free?', { to: number });
  const page = await openPage(browser);
  const inbox = await openWindow(here, here.admin, page);
  await inbox.getByRole('link', { name: /Hannah/ }).click();
  const delivered = inbox.getByRole('article', { name: /Delivered/ });
  let answered: string | undefined;
  await page.route('**/api/conversations/*/messages', async (route) => {
    if (route.request().method() !== 'POST') return route.continue();
    const answer = await route.fetch();
    answered = ((await answer.json()) as { status: string }).status;
    await delivered.waitFor();
    return route.fulfill({ response: answer });
  });

  await inbox.getByRole('textbox', { name: /Reply to Hannah/ }).fill('Yes');
  await page.keyboard.press('Enter');
  await delivered.waitFor();
  await page.unrouteAll({ behavior: 'wait' });
  await inbox
    .locator('body')
    .evaluate(() => new Promise((drawn) => requestAnimationFrame(() => requestAnimationFrame(drawn))));

  expect(answered).toBe('queued');
  expect(await delivered.count()).toBe(1);
  await here.settled();
}, 60_000);

test('a list that the stream has overtaken neither loses who came since nor brings back who went (S-01)', async () => {
  const here = await world();
  const { number } = await here.whatsapp();
  await here.sandbox.twilio.customer(newNumber(), { name: 'Hannah' }).writes('Is week 24 free?', { to: number });
  const { id } = await here.admin.conversationWith('Hannah');
  const page = await openPage(browser);
  const inbox = await openWindow(here, here.admin, page);
  const tab = (name: RegExp) => inbox.getByRole('tab', { name });
  await inbox.getByRole('link', { name: /Hannah/ }).waitFor();
  await tab(/Mine/).click();
  await inbox.getByRole('link', { name: /Hannah/ }).waitFor({ state: 'detached' });
  let isOvertaken = false;
  await page.route('**/api/conversations?section=unassigned&sort=newest*', async (route) => {
    if (isOvertaken) return route.continue();
    isOvertaken = true;
    const answer = await route.fetch();
    await here.sandbox.twilio.customer(newNumber(), { name: 'Bo Ek' }).writes('Hello', { to: number });
    await here.rep.call('PUT', `/api/conversations/${id}/assignee`, { userId: here.rep.id });
    await inbox.getByRole('link', { name: /Bo Ek/ }).waitFor();
    await inbox.getByRole('link', { name: /Hannah/ }).waitFor({ state: 'detached' });
    return route.fulfill({ response: answer });
  });

  await tab(/Unassigned/).click();
  await inbox.getByRole('link', { name: /Bo Ek/ }).waitFor();
  await page.unrouteAll({ behavior: 'wait' });
  await inbox
    .locator('body')
    .evaluate(() => new Promise((drawn) => requestAnimationFrame(() => requestAnimationFrame(drawn))));

  expect(await inbox.getByRole('link', { name: /Bo Ek/ }).count()).toBe(1);
  expect(await inbox.getByRole('link', { name: /Hannah/ }).count()).toBe(0);
  await here.settled();
}, 60_000);

test('what got lost on its way is asked for again by itself, also when it comes to nothing twice (S-01)', async () => {
  const here = await world();
  const { number } = await here.whatsapp();
  await here.sandbox.twilio.customer(newNumber(), { name: 'Hannah' }).writes('Is week 24 free?', { to: number });
  const page = await openPage(browser, {}, [/ERR_CONNECTION_RESET/]);
  const inbox = await openWindow(here, here.admin, page);
  const row = inbox.getByRole('link', { name: /Hannah/ });
  await row.waitFor();
  await inbox.getByRole('tab', { name: /Mine/ }).click();
  await row.waitFor({ state: 'detached' });
  const { id } = await here.admin.conversationWith('Hannah');
  const lost: string[] = [];
  const loses = (what: string, url: string, how: (route: Route) => Promise<void>) =>
    page.route(url, async (route) => {
      if (lost.filter((each) => each === what).length === 2) return route.continue();
      lost.push(what);
      return how(route);
    });
  await loses('list', '**/api/conversations?section=unassigned&sort=newest*', (route) =>
    route.fulfill({ status: 200, contentType: 'application/json', body: '{"data":[{"id":' }),
  );
  await loses('thread', `**/api/conversations/${id}/messages*`, (route) => route.abort('connectionreset'));
  // Came while nothing could be asked.
  await here.rep.sends(id, 'Yes, it is.');

  await inbox.getByRole('tab', { name: /Unassigned/ }).click();
  await inbox.getByRole('link', { name: /Yes, it is/ }).click();
  await inbox.getByRole('log').getByText('Is week 24 free?').waitFor();

  expect(lost.toSorted()).toEqual(['list', 'list', 'thread', 'thread']);
  await here.settled();
}, 60_000);

test('however long a thread is, only the thread scrolls: list and header stay in sight', async () => {
  const here = await world();
  const { number } = await here.whatsapp();
  const customer = here.sandbox.twilio.customer(newNumber(), { name: 'Hannah' });
  for (let index = 1; index <= 30; index += 1) await customer.writes(`Roof ${index}`, { to: number });
  const { id } = await here.admin.conversationWith('Hannah');
  await here.admin.sends(id, 'That is a big house');
  await here.settled();
  const page = await openPage(browser);
  const inbox = await openWindow(here, here.admin, page);

  await inbox.getByRole('link', { name: /Hannah/ }).click();
  await inbox.getByRole('log').getByText('That is a big house').waitFor();

  const hidden = (element: Element) => element.scrollHeight - element.clientHeight;
  expect(await inbox.getByRole('log').evaluate(hidden)).toBeGreaterThan(0);
  expect(await inbox.locator('.surface').evaluate(hidden)).toBe(0);
  // Whoever moves the focus, or asks for an element to be shown, must not push the list's head out of the window.
  await inbox.locator('.surface').evaluate((element) => element.scrollBy(0, 500));
  const top = (element: Element) => element.getBoundingClientRect().top;
  expect(await inbox.getByRole('searchbox').evaluate(top)).toBeGreaterThanOrEqual(0);
}, 60_000);

test('what one rep or the customer does, the other rep sees: V1 to V10, in two windows, in Swedish and English', async () => {
  const here = await world();
  const { page: facebook } = await here.messenger();
  const customer = here.sandbox.meta.customer({ name: 'Per-Olof Åkerlund' });
  await customer.writes('Går det att få fakturan delad?', { to: facebook });
  const [erik, sara] = [await openPage(browser), await openPage(browser)];
  const [ofErik, ofSara] = [await openWindow(here, here.admin, erik), await openWindow(here, here.rep, sara)];

  await ofErik.getByRole('link', { name: /Per-Olof/ }).click();
  await ofSara.getByRole('link', { name: /Per-Olof/ }).click();
  await ofSara.getByText('Erik tittar också på konversationen').waitFor();
  await ofErik.getByRole('button', { name: 'Assign' }).click();
  await ofErik.getByRole('menuitemradio', { name: /Erik Lund/ }).click();
  await ofErik.getByText('Given to you').waitFor();
  await ofSara.getByRole('tab', { name: /Andras\W+1/ }).waitFor();
  await ofSara.getByText('Tilldelad till Erik Lund.').waitFor();
  await ofErik.getByRole('button', { name: 'Close', exact: true }).first().click();
  await ofSara.getByRole('tab', { name: /Stängda\W+1/ }).waitFor();
  await ofErik.getByRole('button', { name: 'Undo' }).click();
  await ofSara.getByRole('tab', { name: /Andras\W+1/ }).waitFor();

  expect((await here.rep.section('others'))[0]).toMatchObject({ status: 'open', assignee: { name: 'Erik Lund' } });
  await ofSara.locator('.line-event').first().waitFor();

  // Who writes is shown (V9); what is read in one window is read in all of hers (V8).
  await ofErik.getByRole('textbox', { name: /Reply to Per-Olof/ }).pressSequentially('Ja');
  await ofSara.getByText('Erik skriver ett svar').waitFor();
  const second = await openWindow(here, here.rep, await openPage(browser));
  await second.getByRole('tab', { name: /Andras/ }).click();
  await customer.writes('Tack på förhand', { to: facebook });
  await ofSara.getByRole('log').getByText('Tack på förhand').waitFor();
  const row = second.getByRole('link', { name: /Per-Olof/ });
  await row.getByText('Tack på förhand').waitFor();
  await sara.bringToFront();
  await ofSara.getByRole('log').click();
  await row.locator('.badge').waitFor({ state: 'detached' });

  // Closed by one, opened again by the customer, where its assignee says (V5, V6).
  await ofErik.getByRole('button', { name: 'Close', exact: true }).first().click();
  await ofSara.getByRole('tab', { name: /Stängda\W+1/ }).waitFor();
  await customer.writes('En sak till', { to: facebook });
  await ofSara.getByRole('tab', { name: /Andras\W+1/ }).waitFor();

  // Away, she can be given nothing (V3); and what its owner deletes is gone for all (V7).
  await ofSara.getByRole('switch').first().click({ force: true });
  await ofErik.getByRole('button', { name: /Erik/ }).first().click();
  await ofErik.locator('[role=menuitemradio][aria-disabled=true]', { hasText: 'Sara' }).waitFor();
  await erik.keyboard.press('Escape');
  await ofErik.getByRole('button', { name: 'More', exact: true }).click();
  await ofErik.getByRole('menuitem', { name: /Delete/ }).click();
  await ofErik.getByRole('checkbox', { name: /I understand/ }).check();
  await ofErik.getByRole('button', { name: 'Delete for good' }).click();
  await row.waitFor({ state: 'detached' });
  await ofSara.getByRole('tab', { name: /Andras\W+0/ }).waitFor();
  await here.settled();
}, 60_000);

test('the first screen is asked for before its script is there, and nothing of it twice', async () => {
  const here = await world();
  const { number } = await here.whatsapp();
  await here.sandbox.twilio.customer(newNumber(), { name: 'Aisha Rahman' }).writes('first', { to: number });
  await here.settled();
  const page = await openPage(browser);
  const asked: string[] = [];
  page.on('request', (request) => {
    const { pathname } = new URL(request.url());
    if (request.url().startsWith(here.url)) asked.push(`${request.method()} ${pathname}`);
  });

  const inbox = await openWindow(here, here.rep, page);
  await inbox.getByRole('link', { name: /Aisha/ }).waitFor();
  await until(() => asked.includes('GET /api/events'), 'the stream');

  for (const once of ['POST /api/session', 'GET /api/users', 'GET /api/channels', 'GET /api/conversations/counts']) {
    expect
      .soft(
        asked.filter((each) => each === once),
        once,
      )
      .toHaveLength(1);
  }
  const list = asked.indexOf('GET /api/conversations');
  expect(list).toBeGreaterThan(asked.indexOf('POST /api/session'));
  expect(list).toBeLessThan(asked.indexOf('GET /api/events'));
}, 60_000);

test('how a channel fares is taken from what is told of it, and nothing is asked anew for it', async () => {
  const here = await world();
  const { number } = await here.whatsapp();
  const page = await openPage(browser);
  const isStream = page.waitForResponse((answer) => new URL(answer.url()).pathname === '/api/events');
  const inbox = await openWindow(here, here.rep, page);
  await isStream;
  await here.settled();
  const [before] = (await here.rep.call<{ data: Channel[] }>('GET', '/api/channels')).body.data;
  const asked: string[] = [];
  page.on('request', (request) => void asked.push(new URL(request.url()).pathname));

  // The first message to come shows that Twilio's webhooks do: the channel says so from now on.
  await here.sandbox.twilio.customer(newNumber(), { name: 'Aisha Rahman' }).writes('first', { to: number });
  await inbox.getByRole('link', { name: /Aisha/ }).waitFor();
  await here.settled();
  const [after] = (await here.rep.call<{ data: Channel[] }>('GET', '/api/channels')).body.data;

  expect(after!.health).not.toEqual(before!.health);
  expect(asked.filter((path) => path === '/api/users' || path === '/api/channels')).toEqual([]);
}, 60_000);

test('of messages at 20 a second each is drawn, in order (B-07; how soon is measured by npm run bench)', async () => {
  const here = await world();
  const { number } = await here.whatsapp();
  const customer = here.sandbox.twilio.customer(newNumber(), { name: 'Aisha Rahman' });
  await customer.writes('first', { to: number });
  const page = await openPage(browser);
  const inbox = await openWindow(here, here.rep, page);
  await inbox.getByRole('link', { name: /Aisha/ }).click();
  await inbox.getByRole('log').getByText('first').waitFor();
  for (let index = 0; index < 60; index += 1) {
    void customer.writes(`number ${index}`, { to: number });
    await new Promise((resolve) => setTimeout(resolve, 50));
  }

  await inbox.getByRole('log').getByText('number 59', { exact: true }).waitFor();
  await here.settled();
  // Only what is in sight is drawn: the last of them, each once.
  const words = await inbox.getByRole('log').locator('.words').allTextContents();
  const first = 60 - words.length;
  expect(words.length).toBeGreaterThan(5);
  expect(words).toEqual(words.map((_, index) => `number ${first + index}`));
  expect((await here.rep.messages((await here.rep.section('all'))[0]!.id)).map(({ text }) => text)).toEqual([
    'first',
    ...Array.from({ length: 60 }, (_, index) => `number ${index}`),
  ]);
}, 60_000);

test('a draft survives the closing of the page, and text from outside stays text (S-03, X-01 to X-04, T-09)', async () => {
  const here = await world();
  const { number } = await here.whatsapp();
  const bad = '<img src=x onerror="document.title=1"><script>alert(1)</script> {{7*7}} javascript:alert(1)';
  await here.sandbox.twilio.customer(newNumber(), { name: '<b>Bobby</b>' }).writes(bad, { to: number });
  const page = await openPage(browser);
  page.on('dialog', () => {
    throw new Error('a script ran');
  });
  const inbox = await openWindow(here, here.rep, page);
  await inbox.getByRole('link', { name: /Bobby/ }).click();

  expect(await inbox.locator('.words').first().textContent()).toBe(bad);
  expect(await inbox.getByRole('heading', { level: 2 }).first().textContent()).toBe('<b>Bobby</b>');
  await inbox.getByRole('textbox', { name: /Svara/ }).fill('Half a thought');
  await page.reload();
  const again = await openWindow(here, here.rep, page);
  await again.getByRole('link', { name: /Bobby/ }).click();
  expect(await again.getByRole('textbox', { name: /Svara/ }).inputValue()).toBe('Half a thought');
}, 60_000);

test('a failed message says why, in words, and goes out when resent; the composer is shut when the time is over', async () => {
  const here = await world();
  const { number } = await here.whatsapp();
  const customer = here.sandbox.twilio.customer(newNumber(), { name: 'Magnus Wallin' });
  await customer.writes('Hi', { to: number });
  customer.person.hasWhatsapp = false;
  const page = await openPage(browser);
  const inbox = await openWindow(here, here.admin, page);
  await inbox.getByRole('link', { name: /Magnus/ }).click();
  await inbox.getByRole('textbox', { name: /Reply to Magnus/ }).fill('Hello');
  await inbox.getByRole('button', { name: 'Send' }).click();
  await inbox.getByText('Not sent. This number has no WhatsApp.').first().waitFor();

  customer.person.hasWhatsapp = true;
  await inbox.getByRole('button', { name: 'Resend' }).click();
  await until(() => customer.inbox.length === 1, 'the message on the phone');
  await inbox.getByRole('article', { name: /Delivered/ }).waitFor();
  await here.app.db.transaction((tx) => tx.query(`update conversation set reply_until = '2020-01-01T00:00:00.000Z'`));
  await page.reload();
  const again = await openWindow(here, here.admin, page);
  await again.getByRole('link', { name: /Magnus/ }).click();

  await again.getByText('More than 24 hours since Magnus wrote.').waitFor();
  expect(await again.getByRole('textbox', { name: /Reply to/ }).count()).toBe(0);
}, 60_000);

test('a user without the app is told to install it, inside Pipedrive', async () => {
  const here = await world();
  const colleague = here.sandbox.pipedrive.addUser(here.company, { name: 'Ewa Kowalczyk' });
  const page = await openPage(browser, {}, [/403/]);
  await page.goto(`${here.sandbox.pipedrive.url}/?user=${colleague.id}`);
  await page.getByRole('link', { name: 'Install the app' }).waitFor();
  const { url } = here;
  await page.goto(
    `${url}/ui/window?id=1&token=${here.sandbox.pipedrive.signedToken(colleague)}&userId=${colleague.id}&companyId=${here.company.id}`,
  );

  await page.getByText("You don't have the app yet").waitFor();
  expect(await page.getByRole('link', { name: 'Install the app' }).getAttribute('href')).toBe('/install');
  expect(page.url()).not.toContain('token=');
}, 60_000);

test('no surface breaks a rule of WCAG 2.2 AA that axe knows, in both themes and languages', async () => {
  const here = await world();
  const { number } = await here.whatsapp();
  const { page: facebook } = await here.messenger();
  await here.sandbox.twilio
    .customer(newNumber(), { name: 'Hannah Whitcombe-Sjögren' })
    .writes('Is week 24 free?', { to: number });
  await here.sandbox.meta
    .customer({ name: 'Linnea Holmqvist' })
    .writes('Perfekt, då kör vi på tisdag', { to: facebook });
  const conversation = await here.rep.conversationWith('Hannah Whitcombe-Sjögren');
  await here.admin.links(conversation.id, {
    type: 'deal',
    create: { title: 'Solar roof' },
    idempotencyKey: 'axe-deal-1',
  });
  await here.rep.sends(conversation.id, 'Yes');
  await here.settled();
  const axe = await readFile(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');

  for (const user of [here.admin, here.rep]) {
    for (const theme of ['light', 'dark'] as const) {
      const page = await openPage(browser, { viewport: { width: 800, height: 700 }, bypassCSP: true }, [/postMessage/]);
      for (const surface of ['window', 'settings']) {
        const token = here.sandbox.pipedrive.signedToken(user.pipedrive);
        await page.goto(
          `${here.url}/ui/${surface}?id=1&token=${token}&userId=${user.id}&companyId=${here.company.id}&theme=${theme}`,
        );
        await page.getByRole(surface === 'window' ? 'tablist' : 'main').waitFor();
        if (surface === 'window') {
          await page.getByRole('link', { name: /Hannah/ }).click();
          await page.getByRole('log').getByText('Is week 24 free?').waitFor();
        }
        await page.evaluate(axe);
        const found = await page.evaluate(async () => {
          const { axe: checker } = globalThis as unknown as {
            axe: {
              run: (
                options: object,
              ) => Promise<{ violations: { id: string; nodes: { html: string; failureSummary: string }[] }[] }>;
            };
          };
          const { violations } = await checker.run({
            runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa'],
          });
          return violations.map(
            ({ id, nodes }) => `${id}: ${nodes[0]?.html.slice(0, 160)} ${nodes[0]?.failureSummary.slice(0, 200)}`,
          );
        });
        expect.soft(found, `${surface} ${theme} ${user.name}`).toEqual([]);
      }
    }
  }
}, 120_000);

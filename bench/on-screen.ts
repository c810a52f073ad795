// What people see and when, in a real browser: a customer's message, what a colleague does, the first screen on a slow line.
import chromium from '@sparticuz/chromium';
import { chromium as playwright, type Browser, type Frame, type Page } from 'playwright-core';
import type { Rep } from '../sandbox/demo/rep.ts';
import type { Sandbox } from '../sandbox/sandbox.ts';
import { connectNumber, startCompany, type CompanyOptions, type MeasuredCompany } from './company.ts';
import { deedsOf, pause, timeDeed, waitFor } from './deeds.ts';

const perSecond = 20;
const messages = 300;
const times = 40;
const coldStarts = 7;
/** A slow phone line: 1.6 Mbit/s, 150 ms for each answer. */
const slowLine = { offline: false, latency: 150, downloadThroughput: 200_000, uploadThroughput: 96_000 };
const limitMs = 300;
const firstScreenMs = 1_000;

/** Prints what was measured; answers what took too long. */
export async function measureOnScreen(options: CompanyOptions): Promise<string | undefined> {
  const here = await startCompany(options);
  const { sandbox } = here;
  const args = chromium.args.filter((arg) => !['--single-process', '--disable-web-security'].includes(arg));
  const browser = await playwright.launch({ executablePath: await chromium.executablePath(), args });
  try {
    const [erik, sara] = [await here.rep('Erik Lund', true), await here.rep('Sara Holm')];
    const number = '+46700000001';
    await connectNumber(sandbox, erik, number);
    for (let index = 0; index < 30; index += 1) {
      const customer = sandbox.twilio.customer(`+4671000${1_000 + index}`, { name: `Customer ${index}` });
      await customer.writes(`first ${index}`, { to: number });
    }

    const late: string[] = [];
    const report = (what: string, took: readonly number[], limit: number): void => {
      const sorted = took.toSorted((left, right) => left - right);
      const at = (share: number): number => Math.round(sorted[Math.floor((sorted.length - 1) * share)]!);
      console.log(`${what.padEnd(52)} p50 ${at(0.5)} ms   p95 ${at(0.95)} ms   worst ${at(1)} ms`);
      if (at(0.95) > limit) late.push(`${what}: ${at(0.95)} ms`);
    };
    report(`webhook to bubble, ${perSecond} a second`, await untilDrawn(browser, sandbox, sara, number), limitMs);
    await untilSeen(browser, here, { doer: erik, watcher: sara }, number, (what, took) => report(what, took, limitMs));
    report('first screen, cold, 1.6 Mbit/s and 150 ms', await untilUsable(browser, sandbox, sara), firstScreenMs);
    return late.length === 0 ? undefined : late.join('; ');
  } finally {
    await browser.close();
    await here.stop();
  }
}

/** The floating window in the page of the stand-in's CRM. */
async function openWindow(browser: Browser, sandbox: Sandbox, { user }: Rep): Promise<{ page: Page; frame: Frame }> {
  const page = await browser.newPage({ viewport: { width: 1_280, height: 900 }, locale: 'en-GB' });
  await page.goto(`${sandbox.pipedrive.url}/?user=${user.id}`);
  await page.getByRole('button', { name: 'Messaging inbox' }).click();
  await page.frameLocator('iframe[name=window]').locator('.list-pane').waitFor();
  return { page, frame: page.frames().find((frame) => frame.name() === 'window')! };
}

/** From the moment a customer writes to the moment the open thread shows it, for each message, in ms. */
async function untilDrawn(browser: Browser, sandbox: Sandbox, rep: Rep, number: string): Promise<number[]> {
  const { page, frame } = await openWindow(browser, sandbox, rep);
  const customer = sandbox.twilio.customer('+46710001029', { name: 'Customer 29' });
  await page
    .frameLocator('iframe[name=window]')
    .getByRole('link', { name: /Customer 29/ })
    .click();
  await page.frameLocator('iframe[name=window]').getByRole('log').getByText('first 29').waitFor();
  await frame.evaluate(() => {
    const seen: Record<string, number> = {};
    Object.assign(globalThis, { seen });
    new MutationObserver((changes) => {
      for (const node of changes.flatMap(({ addedNodes }) => [...addedNodes])) {
        for (const [text] of (node.textContent ?? '').matchAll(/written \d+\./g)) seen[text] ??= Date.now();
      }
    }).observe(document.querySelector('[role=log]')!, { childList: true, subtree: true });
  });
  const sent: [string, number][] = [];
  const begun = performance.now();
  for (let index = 0; index < messages; index += 1) {
    const early = begun + (index * 1_000) / perSecond - performance.now();
    if (early > 0) await pause(early);
    const text = `written ${index}.`;
    sent.push([text, Date.now()]);
    void customer.writes(text, { to: number });
  }
  const drawn = await waitFor(async () => {
    const seen = await frame.evaluate(() => (globalThis as { seen?: Record<string, number> }).seen!);
    return Object.keys(seen).length >= messages ? seen : undefined;
  }, 'every bubble');
  await page.close();
  return sent.map(([text, at]) => drawn[text]! - at);
}

/** The other rep's window, beside the list the thread that the first one works in: each deed, timed. */
async function untilSeen(
  browser: Browser,
  { sandbox, company }: MeasuredCompany,
  { doer, watcher }: { doer: Rep; watcher: Rep },
  number: string,
  report: (what: string, took: readonly number[]) => void,
): Promise<void> {
  const second = '+46700000002';
  const { channelId } = await connectNumber(sandbox, doer, second);
  await sandbox.twilio.customer('+46710002000', { name: 'Second number' }).writes('hello', { to: second });
  const back = sandbox.twilio.customer('+46710001005', { name: 'Customer 5' });
  const [open, deleted] = await Promise.all([28, 5].map((index) => conversationWith(doer, `Customer ${index}`)));
  await doer.call('PUT', `/api/conversations/${open!.id}/assignee`, { userId: String(doer.user.id) });

  const { page, frame } = await openWindow(browser, sandbox, watcher);
  await page.locator('#floating').evaluate((element: HTMLElement) => {
    Object.assign(element.style, { width: '802px', height: '742px', maxHeight: 'none' });
  });
  const window = page.frameLocator('iframe[name=window]');
  await window.locator('#tab-others').click();
  await window.getByRole('link', { name: /Customer 28/ }).click();
  await window.getByRole('log').getByText('first 28').waitFor();

  const deal = sandbox.pipedrive.addDeal(company, { title: 'Sixteen panels', owner: doer.user });
  const deeds = deedsOf({
    doer,
    openId: open!.id,
    deleted: { id: deleted!.id, comesBack: () => back.writes('once more', { to: number }) },
    channelId,
    dealId: deal.id,
  });
  for (const deed of deeds) {
    report(`a colleague ${deed.name}`, await timeDeed(frame, deed, times));
    // What the last one left to be shown is not the next one's.
    await pause(1_000);
  }
  await page.close();
}

function conversationWith(rep: Rep, name: string): Promise<{ id: string }> {
  return waitFor(async () => {
    const found = await rep.call<{ data: { id: string }[] }>('GET', `/api/conversations?section=all&q=${name}`);
    return found.data[0];
  }, `a conversation with ${name}`);
}

/** From the moment the frame is asked for to a list that can be used, nothing cached, on a slow line, in ms. */
async function untilUsable(browser: Browser, sandbox: Sandbox, { user }: Rep): Promise<number[]> {
  const took: number[] = [];
  for (let index = 0; index < coldStarts; index += 1) {
    const context = await browser.newContext({ viewport: { width: 1_280, height: 900 }, locale: 'en-GB' });
    // By the frame's own clock: when it is shown is for whoever opens it to say.
    await context.addInitScript(() => {
      new MutationObserver((_, observer) => {
        if (!document.querySelector('.list-pane a.row')) return;
        requestAnimationFrame(() => Object.assign(globalThis, { usableAt: performance.now() }));
        observer.disconnect();
      }).observe(document, { childList: true, subtree: true });
    });
    const page = await context.newPage();
    const devTools = await context.newCDPSession(page);
    await devTools.send('Network.enable');
    await devTools.send('Network.emulateNetworkConditions', slowLine);
    await page.goto(`${sandbox.pipedrive.url}/?user=${user.id}`);
    await page.getByRole('button', { name: 'Messaging inbox' }).click();
    const row = page.frameLocator('iframe[name=window]').getByRole('link', { name: /Customer/ });
    took.push(await row.first().evaluate(() => (globalThis as { usableAt?: number }).usableAt!));
    await context.close();
  }
  return took;
}

// What people see and when, in a real browser: a customer's message, what a colleague does, the first screen on a slow line.
import chromium from '@sparticuz/chromium';
import { chromium as playwright, type Browser, type Frame, type Page } from 'playwright-core';
import type { Rep } from '../sandbox/demo/rep.ts';
import type { Sandbox } from '../sandbox/sandbox.ts';
import { connectNumber, startCompany, type CompanyOptions } from './company.ts';

const perSecond = 20;
const messages = 300;
const deeds = 60;
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
      console.log(`${what.padEnd(42)} p50 ${at(0.5)} ms   p95 ${at(0.95)} ms   worst ${at(1)} ms`);
      if (at(0.95) > limit) late.push(`${what}: ${at(0.95)} ms`);
    };
    report(`webhook to bubble, ${perSecond} a second`, await untilDrawn(browser, sandbox, sara, number), limitMs);
    report('a colleague closes and opens', await untilSeen(browser, sandbox, { doer: erik, watcher: sara }), limitMs);
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

/** From the moment one rep acts to the moment the other one's counters say so, for each deed, in ms. */
async function untilSeen(
  browser: Browser,
  sandbox: Sandbox,
  { doer, watcher }: { doer: Rep; watcher: Rep },
): Promise<number[]> {
  const { page, frame } = await openWindow(browser, sandbox, watcher);
  const { data } = await doer.call<{ data: { id: string }[] }>('GET', '/api/conversations?section=unassigned');
  const id = data[0]!.id;
  const tabs = (): Promise<{ words: string; at: number }> =>
    frame.evaluate(() => (globalThis as { tabs?: { words: string; at: number } }).tabs!);
  await frame.evaluate(() => {
    const list = document.querySelector('[role=tablist]')!;
    Object.assign(globalThis, { tabs: { words: list.textContent ?? '', at: 0 } });
    new MutationObserver(() => {
      const words = list.textContent ?? '';
      if ((globalThis as { tabs?: { words: string } }).tabs?.words === words) return;
      Object.assign(globalThis, { tabs: { words, at: Date.now() } });
    }).observe(list, { childList: true, subtree: true, characterData: true });
  });
  const took: number[] = [];
  for (let index = 0; index < deeds; index += 1) {
    const before = await tabs();
    const at = Date.now();
    await doer.call('PUT', `/api/conversations/${id}/status`, { status: index % 2 === 0 ? 'closed' : 'open' });
    const after = await waitFor(async () => {
      const now = await tabs();
      return now.words === before.words ? undefined : now;
    }, 'the counters');
    took.push(after.at - at);
    await pause(100);
  }
  await page.close();
  return took;
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

async function waitFor<T>(look: () => Promise<T | undefined>, what: string): Promise<T> {
  const end = performance.now() + 30_000;
  while (performance.now() < end) {
    const found = await look();
    if (found !== undefined) return found;
    await pause(10);
  }
  throw new Error(`waited in vain for ${what}`);
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

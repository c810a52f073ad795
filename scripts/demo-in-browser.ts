// The running demo in a real browser, for the scripts that take pictures of it.
import { spawn } from 'node:child_process';
import { join } from 'node:path';
import chromium from '@sparticuz/chromium';
import {
  chromium as playwright,
  type Browser,
  type BrowserContext,
  type FrameLocator,
  type Page,
} from 'playwright-core';

const root = join(import.meta.dirname, '..');

export interface Demo {
  readonly deal: string;
  readonly sara: string;
  readonly phone: string;
  readonly fullPage: string;
  readonly leadsInbox: string;
  stop(): Promise<void>;
}

/** Starts `npm run demo` and waits until it tells its addresses. */
export async function startDemo(): Promise<Demo> {
  const child = spawn(process.execPath, ['--import', 'tsx', join(root, 'sandbox/demo.ts'), '--port', '3170'], {
    cwd: root,
  });
  let said = '';
  await new Promise<void>((resolve, reject) => {
    child.stdout.on('data', (part: Buffer) => {
      said += part.toString();
      if (said.includes('Ctrl-C ends')) resolve();
    });
    child.once('exit', () => reject(new Error(`the demo ended: ${said}`)));
  });
  const addresses = said.match(/http:\S+/g) ?? [];
  const find = (part: string): string => addresses.find((address) => address.includes(part)) ?? '';
  return {
    deal: find('/deal/'),
    sara: find('/?user='),
    phone: find('/phone'),
    leadsInbox: find('/leads/messaging'),
    fullPage: addresses.find((address) => address.includes('localhost')) ?? '',
    stop: () =>
      new Promise((resolve) => {
        child.removeAllListeners('exit').once('exit', () => resolve());
        child.kill('SIGINT');
      }),
  };
}

/** What pages complained about. */
export const problems: string[] = [];

export async function openPage(
  browser: Browser,
  width: number,
  height: number,
  scheme: 'light' | 'dark' = 'light',
): Promise<{ page: Page; context: BrowserContext }> {
  const context = await browser.newContext({
    viewport: { width, height },
    deviceScaleFactor: 2,
    colorScheme: scheme,
    locale: 'en-GB',
    timezoneId: 'Europe/Stockholm',
  });
  const page = await context.newPage();
  page.on(
    'console',
    (line) => line.type() === 'error' && !/ERR_INTERNET_DISCONNECTED/.test(line.text()) && problems.push(line.text()),
  );
  page.on('pageerror', (error) => problems.push(error.message));
  return { page, context };
}

/** Opens the CRM at an address and the floating window in it, at this size. */
export async function openWindow(page: Page, address: string, width: number, height: number): Promise<FrameLocator> {
  await page.goto(address);
  await page.getByRole('button', { name: 'Messaging inbox' }).click();
  await page.evaluate(
    ([wide, high]) => {
      const floating = document.querySelector<HTMLElement>('#floating')!;
      Object.assign(floating.style, {
        width: `${wide}px`,
        height: `${high! + 40}px`,
        minHeight: '0',
        maxHeight: 'none',
      });
    },
    [width, height],
  );
  const frame = page.frameLocator('iframe[name=window]');
  await frame.locator('.surface').waitFor();
  return frame;
}

/** Signs in on the full page as a user of the CRM does: consent, and back. */
export async function signIn(page: Page, demo: Demo, name: string): Promise<void> {
  await page.goto(demo.fullPage);
  await page.getByText(name, { exact: true }).click();
  await page.getByRole('button', { name: 'Allow and install' }).click();
  await page.getByRole('tablist').waitFor();
}

export async function launchBrowser(): Promise<Browser> {
  // In one process only, closing a page would end the browser; and pages are held to the web's usual rules.
  const args = chromium.args.filter((arg) => !['--single-process', '--disable-web-security'].includes(arg));
  return playwright.launch({ executablePath: await chromium.executablePath(), args });
}

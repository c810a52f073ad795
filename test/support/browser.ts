// A real Chromium out of a package. Pages are held to the web's usual rules, and whatever they complain about fails the test.
import chromium from '@sparticuz/chromium';
import { chromium as playwright, type Browser, type BrowserContextOptions, type Page } from 'playwright-core';
import { onTestFinished } from 'vitest';

export async function openBrowser(): Promise<Browser> {
  // In one process only, closing a page would end the browser.
  const args = chromium.args.filter((arg) => !['--single-process', '--disable-web-security'].includes(arg));
  return playwright.launch({ executablePath: await chromium.executablePath(), args });
}

export async function openPage(
  browser: Browser,
  options: BrowserContextOptions = {},
  allowed: readonly RegExp[] = [],
): Promise<Page> {
  const context = await browser.newContext({
    viewport: { width: 1_280, height: 860 },
    locale: 'en-GB',
    timezoneId: 'Europe/Stockholm',
    ...options,
  });
  const page = await context.newPage();
  const problems: string[] = [];
  page.on('console', (line) => line.type() === 'error' && problems.push(line.text()));
  page.on('pageerror', (error) => problems.push(error.message));
  onTestFinished(async () => {
    await context.close();
    const unexpected = problems.filter((problem) => !allowed.some((words) => words.test(problem)));
    if (unexpected.length > 0) throw new Error(`the page complained: ${unexpected.slice(0, 3).join(' | ')}`);
  });
  return page;
}

// Pictures of the surfaces, from the running demo in a real browser, into screenshots/ (and, with --docs, the README's into docs/images/).
import { copyFile, mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import type { Browser, Page } from 'playwright-core';
import { launchBrowser, openPage, openWindow, problems, signIn, startDemo, type Demo } from './demo-in-browser.ts';

const root = join(import.meta.dirname, '..');
const folder = join(root, 'screenshots');
/** What the README shows. */
const forDocs = ['window-light', 'window-dark-drawer', 'link-dialog', 'deal-with-note', 'page-sv', 'phone'];

async function shot(page: Page, name: string, selector?: string): Promise<void> {
  await page.waitForTimeout(400);
  const path = join(folder, `${name}.png`);
  if (selector) await page.locator(selector).screenshot({ path });
  else await page.screenshot({ path });
}

async function windows(browser: Browser, demo: Demo): Promise<void> {
  const { page, context } = await openPage(browser, 1_280, 860);
  // The font is optional at first sight: the second time the browser has it.
  await openWindow(page, demo.deal, 800, 700);
  await page.waitForTimeout(500);
  const frame = await openWindow(page, demo.deal, 800, 700);
  await shot(page, 'window-unassigned', '#floating');
  await frame.getByRole('tab').nth(1).click();
  await frame.getByRole('link', { name: /Hannah/ }).click();
  await frame.getByRole('log').getByText('Option B').waitFor();
  await shot(page, 'window-light', '#floating');
  await frame.getByRole('button', { name: 'More', exact: true }).click();
  await shot(page, 'window-menu', '#floating');
  await page.keyboard.press('Escape');
  await frame.getByRole('link', { name: /Linnea/ }).click();
  await frame.getByRole('button', { name: 'Link', exact: true }).click();
  await frame.getByRole('dialog').waitFor();
  await page.waitForTimeout(800);
  await shot(page, 'link-dialog-linked', '#floating');
  await page.keyboard.press('Escape');
  await frame.getByRole('tab').nth(0).click();
  await frame.getByRole('link').filter({ hasText: 'Not linked' }).first().click();
  await frame.getByRole('button', { name: 'Link', exact: true }).click();
  await page.waitForTimeout(1_200);
  await frame.getByRole('radio', { name: 'Deal', exact: true }).click();
  await page.waitForTimeout(600);
  await shot(page, 'link-dialog', '#floating');
  await page.keyboard.press('Escape');
  await page.locator('#floating .close').click();
  await page.getByRole('button', { name: 'Dark theme' }).click();
  await shot(page, 'deal-dark');
  await page.getByRole('button', { name: 'Messaging inbox' }).click();
  await frame.getByRole('tab').nth(1).click();
  await frame.getByRole('link', { name: /Hannah/ }).click();
  await frame.getByRole('button', { name: 'More', exact: true }).click();
  await frame.getByRole('menuitem', { name: 'Links and history' }).click();
  await shot(page, 'window-dark-drawer', '#floating');
  await context.close();
}

async function narrow(browser: Browser, demo: Demo): Promise<void> {
  for (const [width, height] of [
    [360, 640],
    [360, 400],
    [200, 300],
    [800, 70],
    [300, 150],
    [620, 480],
  ] as const) {
    const { page, context } = await openPage(browser, 1_280, 860);
    // Its own border comes on top.
    const frame = await openWindow(page, demo.sara, width + 2, height + 2);
    await shot(page, `window-${width}x${height}-sv`, '#floating');
    if (width === 360 && height === 640) {
      await frame.locator('.section-button').click();
      await shot(page, `window-${width}x${height}-sections-sv`, '#floating');
      await frame.getByRole('menuitemradio').nth(1).click();
      await page.waitForTimeout(300);
      await frame.locator('a.row').first().click();
      await frame.getByRole('log').waitFor();
      await shot(page, `window-${width}x${height}-thread-sv`, '#floating');
    }
    await context.close();
  }
}

/** What a day brings besides: no network, files, saved replies, emoji, templates, keys, nothing found. */
async function states(browser: Browser, demo: Demo): Promise<void> {
  for (const theme of ['light', 'dark'] as const) {
    const { page, context } = await openPage(browser, 1_280, 860);
    await page.goto(demo.deal);
    if (theme === 'dark') await page.getByRole('button', { name: 'Dark theme' }).click();
    const frame = await openWindow(page, demo.deal, 800, 700);
    await frame.getByRole('tab').nth(1).click();
    await frame.getByRole('link', { name: /Hannah/ }).click();
    const box = frame.getByRole('textbox', { name: /Reply to Hannah/ });
    await box.fill('/');
    await frame.getByRole('option').first().waitFor();
    await shot(page, `state-saved-replies-${theme}`, '#floating');
    await box.fill('I can hold week 24 until Friday. Would a site visit on Tuesday at 8 suit you?');
    await frame.locator('input[type=file]').setInputFiles([
      {
        name: 'Quote 2291 Björkvägen 12.pdf',
        mimeType: 'application/pdf',
        buffer: Buffer.from(`%PDF-1.4\n${' '.repeat(412_000)}`),
      },
      { name: 'plan.dwg', mimeType: 'image/vnd.dwg', buffer: Buffer.alloc(2_000) },
    ]);
    await page.waitForTimeout(800);
    await shot(page, `state-files-${theme}`, '#floating');
    await frame.getByRole('button', { name: 'Emoji' }).click();
    await frame.getByRole('searchbox', { name: 'Search emoji' }).waitFor();
    await page.waitForTimeout(600);
    await shot(page, `state-emoji-${theme}`, '#floating');
    await page.keyboard.press('Escape');
    await frame.getByRole('link', { name: /Gustav/ }).click();
    await frame.getByRole('button', { name: 'Templates' }).click();
    await frame.getByLabel('Gap 1').fill('Gustav');
    await shot(page, `state-template-${theme}`, '#floating');
    await frame.getByRole('log').focus();
    await page.keyboard.press('?');
    await frame.getByRole('dialog', { name: 'Keyboard' }).waitFor();
    await shot(page, `state-keys-${theme}`, '#floating');
    await page.keyboard.press('Escape');
    await frame.getByRole('link', { name: /Hannah/ }).click();
    await context.route(/\/api\//, (route) => route.abort('internetdisconnected'));
    await context.setOffline(true);
    await box.fill('And shall I book the fitting?');
    await box.press('Enter');
    await frame.getByText(/No connection/).waitFor({ timeout: 60_000 });
    await shot(page, `state-offline-${theme}`, '#floating');
    await context.close();
  }
}

async function fullPages(browser: Browser, demo: Demo): Promise<void> {
  for (const [name, width, height, scheme] of [
    ['page-sv', 1_440, 900, 'light'],
    ['page-dark-sv', 1_440, 900, 'dark'],
    ['page-2560-sv', 2_560, 1_300, 'light'],
    ['page-1000-sv', 1_000, 800, 'light'],
  ] as const) {
    const { page, context } = await openPage(browser, width, height, scheme);
    await signIn(page, demo, 'Sara Holm');
    await page.getByRole('tab').nth(2).click();
    await page.waitForTimeout(300);
    await page.getByRole('link', { name: /Linnea/ }).click();
    await page.getByRole('log').waitFor();
    await page.waitForTimeout(500);
    await shot(page, name);
    if (name === 'page-sv') {
      await page.getByRole('tab').nth(3).click();
      await page.getByRole('searchbox').fill('zzz');
      await page.waitForTimeout(600);
      await shot(page, 'page-no-match-sv');
      await page.goto(`${demo.fullPage}settings`);
      await page.getByRole('heading', { level: 1 }).waitFor();
      await shot(page, 'settings-rep-sv');
    }
    await context.close();
  }
  const { page, context } = await openPage(browser, 1_000, 1_000);
  await signIn(page, demo, 'Erik Lund');
  await page.goto(`${demo.fullPage}settings`);
  await page.getByRole('heading', { level: 1 }).waitFor();
  await page.waitForTimeout(400);
  await shot(page, 'settings');
  await page.setViewportSize({ width: 1_000, height: 2_000 });
  await shot(page, 'settings-whole');
  await page.setViewportSize({ width: 1_000, height: 1_000 });
  await page.getByRole('button', { name: 'Connect channel' }).click();
  await shot(page, 'settings-connect');
  await page.getByRole('button', { name: /WhatsApp by Twilio/ }).click();
  await shot(page, 'settings-whatsapp');
  await context.close();
}

async function others(browser: Browser, demo: Demo): Promise<void> {
  const { page, context } = await openPage(browser, 1_280, 860);
  await page.goto(demo.deal);
  await page.frameLocator('iframe[name=panel]').getByRole('log').waitFor();
  await shot(page, 'deal-with-note');
  await page.goto(demo.phone);
  await page.waitForTimeout(800);
  await shot(page, 'phone');
  await page.goto(demo.leadsInbox);
  await page.getByRole('button', { name: /Hannah/ }).click();
  await page
    .getByRole('log')
    .getByText(/^Both options/)
    .waitFor();
  await shot(page, 'leads-inbox');
  await context.close();
}

await mkdir(folder, { recursive: true });
const demo = await startDemo();
const browser = await launchBrowser();
try {
  for (const take of [windows, narrow, states, fullPages, others]) await take(browser, demo);
} finally {
  await browser.close();
  await demo.stop();
}
if (process.argv.includes('--docs')) {
  await mkdir(join(root, 'docs/images'), { recursive: true });
  for (const name of forDocs) await copyFile(join(folder, `${name}.png`), join(root, `docs/images/${name}.png`));
}
process.stdout.write(
  problems.length > 0 ? `Problems in the pages:\n${[...new Set(problems)].join('\n')}\n` : 'No problem in any page.\n',
);

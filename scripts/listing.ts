// What Developer Hub asks pictures of (manifest/README.md, step 5): the icon from its drawing, and annotated pictures of the
// surfaces from the running demo, for the listing (16:10) and for the onboarding (9:5). `npm run listing`
import { mkdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Browser, FrameLocator, Page } from 'playwright-core';
import { launchBrowser, openPage, openWindow, problems, signIn, startDemo, type Demo } from './demo-in-browser.ts';

const folder = join(import.meta.dirname, '../manifest');
const iconSize = 512;

/** A part of a surface, and where on it the numbers of the points stand, in percent of its width and height. */
interface Picture {
  readonly name: string;
  readonly title: string;
  readonly points: readonly { readonly words: string; readonly at: readonly [number, number] }[];
  readonly take: (browser: Browser, demo: Demo) => Promise<Buffer>;
}

const pictures: readonly Picture[] = [
  {
    name: '1-inbox',
    title: 'Every customer’s message, inside Pipedrive',
    points: [
      {
        words: 'WhatsApp and Messenger in one list: yours, your colleagues’, and what nobody has taken yet',
        at: [0, 36],
      },
      { words: 'How long you may still answer, always in sight', at: [67.5, 7.4] },
      { words: 'Linked to the person and the deal, with the history complete', at: [36, 15.8] },
      { words: 'Sent, delivered and read', at: [77.5, 65.5] },
    ],
    take: (browser, demo) => inWindow(browser, demo, 'light'),
  },
  {
    name: '2-deal',
    title: 'Answer beside the deal',
    points: [
      { words: 'The conversation in a panel of deals, persons and organizations', at: [2.4, 9] },
      { words: 'Its history as a note, gathered for a day each, with who said what and when', at: [43.3, 56] },
    ],
    take: async (browser, demo) => {
      const { page, context } = await openPage(browser, 1_000, 860);
      await page.goto(demo.deal);
      await page.frameLocator('iframe[name=panel]').getByRole('log').waitFor();
      await page.waitForTimeout(500);
      const taken = await page.screenshot({ clip: { x: 0, y: 62, width: 1_000, height: 798 } });
      await context.close();
      return taken;
    },
  },
  {
    name: '3-link',
    title: 'Find the person before you make another one',
    points: [
      { words: 'Persons and deals that fit, with the reason: the same number, written differently', at: [5, 47] },
      { words: 'Or create what is missing: person, deal or lead, filled in', at: [95, 68] },
    ],
    take: (browser, demo) => inWindow(browser, demo, 'light', openLink),
  },
  {
    name: '4-dark',
    title: 'Light and dark, as Pipedrive is',
    points: [
      { words: 'Links, notes and who did what, at hand', at: [57.8, 9.3] },
      { words: 'Conversations that end soon are counted', at: [0, 27.4] },
    ],
    take: (browser, demo) =>
      inWindow(browser, demo, 'dark', async (_, frame) => {
        await frame.getByRole('button', { name: 'More', exact: true }).click();
        await frame.getByRole('menuitem', { name: 'Links and history' }).click();
      }),
  },
  {
    name: '5-settings',
    title: 'Connected in minutes, and honest about its health',
    points: [
      { words: 'Each channel says in plain words what works, and what to do when something does not', at: [5.5, 30] },
      { words: 'Shared with the company, or private to you', at: [77.5, 17.6] },
    ],
    take: async (browser, demo) => {
      const { page, context } = await openPage(browser, 900, 800);
      await signIn(page, demo, 'Erik Lund');
      await page.goto(`${demo.fullPage}settings`);
      await page.getByRole('heading', { level: 1 }).waitFor();
      await page.waitForTimeout(500);
      const taken = await page.screenshot();
      await context.close();
      return taken;
    },
  },
];

async function inWindow(
  browser: Browser,
  demo: Demo,
  theme: 'light' | 'dark',
  act: (page: Page, frame: FrameLocator) => Promise<void> = () => Promise.resolve(),
): Promise<Buffer> {
  const { page, context } = await openPage(browser, 1_280, 860);
  // The font is optional at first sight: the second time the browser has it.
  await openWindow(page, demo.deal, 800, 700);
  await page.goto(demo.deal);
  if (theme === 'dark') await page.getByRole('button', { name: 'Dark theme' }).click();
  const frame = await openWindow(page, demo.deal, 800, 700);
  await frame.getByRole('tab').nth(1).click();
  await frame.getByRole('link', { name: /Hannah/ }).click();
  await frame.getByRole('log').getByText('Option B').waitFor();
  await act(page, frame);
  await page.waitForTimeout(800);
  await frame.getByRole('log').evaluate((log) => (log.scrollTop = log.scrollHeight));
  await page.waitForTimeout(200);
  const taken = await page.locator('#floating').screenshot();
  await context.close();
  return taken;
}

async function openLink(page: Page, frame: FrameLocator): Promise<void> {
  await frame.getByRole('tab').nth(0).click();
  await frame.getByRole('link').filter({ hasText: 'Not linked' }).first().click();
  await frame.getByRole('button', { name: 'Link', exact: true }).click();
  await page.waitForTimeout(1_200);
}

/** The surface with its numbers beside the title and what the numbers stand for. */
function poster({ title, points }: Picture, surface: Buffer, icon: string): string {
  const badge = (index: number, style = ''): string => `<span class="badge" style="${style}">${index + 1}</span>`;
  const legend = points.map(({ words }, index) => `<li>${badge(index)}<p>${words}</p></li>`);
  const marks = points.map(({ at: [left, top] }, index) => badge(index, `position:absolute;left:${left}%;top:${top}%`));
  return `<!doctype html><html lang="en"><meta charset="utf-8"><style>
    * { box-sizing: border-box; margin: 0 }
    body { width: 100vw; height: 100vh; display: grid; grid-template-columns: 31% 1fr; gap: 3.4vw; padding: 4.4vw 3.6vw;
      align-items: center; background: linear-gradient(150deg, #eef6f0, #e3ecf8); color: #1e2128;
      font: 400 1.45vw/1.45 Inter, system-ui, sans-serif }
    .icon { width: 4.6vw; display: block; margin-bottom: 2.2vw } h1 { font-size: 2.75vw; line-height: 1.15; margin-bottom: 2.4vw }
    ul { list-style: none; padding: 0; display: grid; gap: 1.3vw } li { display: grid; grid-template-columns: auto 1fr; gap: 1vw }
    .badge { display: grid; place-items: center; width: 2.3vw; height: 2.3vw; border-radius: 50%; background: #1f7a3d; color: #fff;
      font-weight: 700; font-size: 1.25vw; box-shadow: 0 0 0 .3vw #fff, 0 .3vw 1vw rgba(20,22,30,.35) }
    figure { position: relative; justify-self: center; max-height: 100% }
    img.surface { display: block; max-width: 100%; max-height: calc(100vh - 8.8vw); border-radius: .8vw;
      box-shadow: 0 1.2vw 3.4vw rgba(20,22,30,.22), 0 0 1px rgba(20,22,30,.5) }
    figure .badge { transform: translate(-50%, -50%) }
  </style><body><div><img class="icon" alt="" src="${icon}"><h1>${title}</h1><ul>${legend.join('')}</ul></div>
  <figure><img class="surface" alt="" src="data:image/png;base64,${surface.toString('base64')}">${marks.join('')}</figure></body></html>`;
}

const svg = await readFile(join(folder, 'icon.svg'), 'utf8');
const icon = `data:image/svg+xml;base64,${Buffer.from(svg).toString('base64')}`;
await mkdir(join(folder, 'pictures'), { recursive: true });
const browser = await launchBrowser();
const page = await browser.newPage({ viewport: { width: iconSize, height: iconSize } });
await page.setContent(`<body style="margin:0">${svg}</body>`);
await page.screenshot({ path: join(folder, 'icon.png'), omitBackground: true });
const demo = await startDemo();
try {
  const listing = await browser.newPage({ viewport: { width: 1_280, height: 800 }, deviceScaleFactor: 1.5 });
  const onboarding = await browser.newPage({ viewport: { width: 720, height: 400 } });
  for (const picture of pictures) {
    const drawn = poster(picture, await picture.take(browser, demo), icon);
    await listing.setContent(drawn);
    await listing.screenshot({ path: join(folder, 'pictures', `${picture.name}.png`) });
    await onboarding.setContent(drawn);
    const path = join(folder, 'pictures', `onboarding-${picture.name}.jpg`);
    await onboarding.screenshot({ path, type: 'jpeg', quality: 88 });
  }
} finally {
  await browser.close();
  await demo.stop();
}
process.stdout.write(
  problems.length > 0 ? `Problems in the pages:\n${[...new Set(problems)].join('\n')}\n` : 'No problem in any page.\n',
);

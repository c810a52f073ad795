// The floating window in a page of the stand-in's CRM, at any size, as a user opens it.
import type { FrameLocator, Page } from 'playwright-core';
import type { TestUser, World } from './world.ts';

export interface WindowSize {
  readonly width: number;
  readonly height: number;
}

/** Opens the floating window; its list stands when this is done. */
export async function openInboxWindow(
  here: World,
  user: TestUser,
  page: Page,
  size: WindowSize = { width: 800, height: 700 },
): Promise<FrameLocator> {
  await page.goto(`${here.sandbox.pipedrive.url}/?user=${user.id}`);
  await page.getByRole('button', { name: 'Messaging inbox' }).click();
  await page.locator('#floating').evaluate((element: HTMLElement, { width, height }) => {
    // Its own border and title bar come on top.
    Object.assign(element.style, {
      width: `${width + 2}px`,
      height: `${height + 42}px`,
      minWidth: '0',
      minHeight: '0',
      maxHeight: 'none',
    });
  }, size);
  const frame = page.frameLocator('iframe[name=window]');
  await frame.locator('.list-pane').waitFor();
  return frame;
}

/** The same surface without a page around it, for what needs the page itself: rights, checks, throttling. */
export function windowAddress(here: World, user: TestUser, theme: 'light' | 'dark' = 'light'): string {
  const token = here.sandbox.pipedrive.signedToken(user.pipedrive);
  return `${here.url}/ui/window?id=1&token=${token}&userId=${user.id}&companyId=${here.company.id}&theme=${theme}`;
}

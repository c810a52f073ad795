// Web Push in the test's Chromium. A headless browser has neither a push service nor a desktop: the one is played by the
// stand-in, whose messages are handed to the real service worker the way the browser would; the other by a list.
import type { CDPSession, Page, Worker } from 'playwright-core';
import type { PushBrowser, PushSandbox } from '../../sandbox/push.ts';
import { until } from './wait.ts';

export interface Shown {
  readonly title: string;
  readonly body: string;
  readonly tag: string;
}

export interface PushService {
  /** The browser as the push service knows it, once it has subscribed. */
  browser(): PushBrowser | undefined;
  /** What lies on the desktop now. */
  desktop(): Promise<Shown[]>;
}

/** Must be called before the page is opened. */
export async function withPushService(page: Page, push: PushSandbox): Promise<PushService> {
  let browser: PushBrowser | undefined;
  let desktop: Worker | undefined;
  const worker = await page.context().newCDPSession(page);
  const registrationOf = await registrations(worker);
  await page.exposeFunction('subscribeAtStandIn', async () => {
    if (browser) return browser.subscription;
    desktop = await until(() => page.context().serviceWorkers()[0], 'the service worker');
    await desktop.evaluate(playDesktop);
    browser = push.subscribe();
    browser.onMessage(({ data }) => {
      void until(() => registrationOf(), 'the registration').then((registration) =>
        worker.send('ServiceWorker.deliverPushMessage', { ...registration, data: JSON.stringify(data) }),
      );
    });
    return browser.subscription;
  });
  await page.addInitScript(() => {
    Object.defineProperty(Notification, 'permission', { get: () => 'granted' });
    Notification.requestPermission = () => Promise.resolve('granted');
    const ask = (globalThis as unknown as { subscribeAtStandIn: () => Promise<{ endpoint: string }> })
      .subscribeAtStandIn;
    let known: unknown = null;
    PushManager.prototype.getSubscription = () => Promise.resolve(known as PushSubscription | null);
    PushManager.prototype.subscribe = async (options) => {
      const subscription = await ask();
      const text = (options?.applicationServerKey as string).replaceAll('-', '+').replaceAll('_', '/');
      const key = Uint8Array.from(atob(text), (sign) => sign.charCodeAt(0));
      known = {
        ...subscription,
        options: { userVisibleOnly: true, applicationServerKey: key.buffer },
        toJSON: () => subscription,
        unsubscribe: () => Promise.resolve(true),
      };
      return known as PushSubscription;
    };
  });
  return {
    browser: () => browser,
    desktop: async () => (await desktop?.evaluate(() => (globalThis as unknown as { desktop: Shown[] }).desktop)) ?? [],
  };
}

/** Runs in the worker: one notice a tag, and each can be closed. */
function playDesktop(): void {
  interface Notice extends Shown {
    close(): void;
  }
  let notices: Notice[] = [];
  const { registration } = globalThis as unknown as { registration: ServiceWorkerRegistration };
  const close = (tag: string): void => {
    notices = notices.filter((notice) => notice.tag !== tag);
  };
  registration.showNotification = (title, { tag = '', body = '' } = {}) => {
    close(tag);
    notices.push({ title, body, tag, close: () => close(tag) });
    return Promise.resolve();
  };
  registration.getNotifications = ({ tag } = {}) =>
    Promise.resolve(notices.filter((notice) => tag === undefined || notice.tag === tag) as unknown as Notification[]);
  Object.defineProperty(globalThis, 'desktop', {
    get: () => notices.map(({ title, body, tag }) => ({ title, body, tag })),
  });
}

async function registrations(worker: CDPSession) {
  let found: { origin: string; registrationId: string } | undefined;
  worker.on('ServiceWorker.workerRegistrationUpdated', ({ registrations: all }) => {
    const [alive] = all.filter(({ isDeleted }) => !isDeleted);
    if (alive) found = { origin: new URL(alive.scopeURL).origin, registrationId: alive.registrationId };
  });
  await worker.send('ServiceWorker.enable');
  return () => found;
}

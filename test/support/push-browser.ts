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
  /** The user clicks the notice with this tag; answers the address that the worker had a new tab opened for, or null. */
  click(tag: string): Promise<string | null>;
  /** The browser changes its keys by itself and tells the worker; answers the browser as the push service knows it now. */
  renews(): Promise<PushBrowser>;
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
    click: (tag) =>
      desktop!.evaluate(
        (clicked) => (globalThis as unknown as { click(tag: string): Promise<string | null> }).click(clicked),
        tag,
      ),
    renews: async () => {
      const next = push.subscribe();
      await desktop!.evaluate(
        (subscription) => (globalThis as unknown as { renew(given: object): Promise<void> }).renew(subscription),
        next.subscription,
      );
      return next;
    },
  };
}

/**
 * Runs in the worker: one notice a tag; each can be closed, and clicked. A browser lets a worker bring up a window only after a
 * real click on a real notice: that leave is played too.
 */
function playDesktop(): void {
  interface Notice extends Shown {
    readonly data: unknown;
    close(): void;
  }
  interface Scope {
    readonly registration: ServiceWorkerRegistration;
    readonly clients: { openWindow: (url: string) => Promise<unknown> };
    readonly WindowClient: { prototype: { focus: () => Promise<unknown> } };
    click: (tag: string) => Promise<string | null>;
    renew: (subscription: object) => Promise<void>;
  }
  let notices: Notice[] = [];
  const scope = globalThis as unknown as Scope;
  const { registration, clients, WindowClient: Tab } = scope;
  const close = (tag: string): void => {
    notices = notices.filter((notice) => notice.tag !== tag);
  };
  registration.showNotification = (title, { tag = '', body = '', data }: NotificationOptions = {}) => {
    close(tag);
    notices.push({ title, body, tag, data, close: () => close(tag) });
    return Promise.resolve();
  };
  registration.getNotifications = ({ tag } = {}) =>
    Promise.resolve(notices.filter((notice) => tag === undefined || notice.tag === tag) as unknown as Notification[]);
  scope.click = async (tag) => {
    let opened: string | null = null;
    clients.openWindow = (url) => Promise.resolve(void (opened = url));
    Tab.prototype.focus = () => Promise.resolve();
    let work: Promise<unknown> = Promise.resolve();
    const notification = notices.find((notice) => notice.tag === tag);
    const waitUntil = (what: Promise<unknown>): void => void (work = what);
    dispatchEvent(Object.assign(new Event('notificationclick'), { notification, waitUntil }));
    await work;
    return opened;
  };
  scope.renew = async (subscription) => {
    const given = { toJSON: () => subscription } as unknown as PushSubscription;
    registration.pushManager.subscribe = () => Promise.resolve(given);
    let work: Promise<unknown> = Promise.resolve();
    const waitUntil = (what: Promise<unknown>): void => void (work = what);
    dispatchEvent(Object.assign(new Event('pushsubscriptionchange'), { waitUntil }));
    await work;
  };
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

// The service worker of the full page: shows the notices that are pushed to this browser, one per conversation, and takes
// them away again. It serves no files: the page works the same without it.
import type { PushMessage } from '../../src/web/contract.ts';

interface Closable extends Event {
  waitUntil(work: Promise<unknown>): void;
}
interface PushArrival extends Closable {
  readonly data: { json(): unknown } | null;
}
interface NoticeClick extends Closable {
  readonly notification: Notification;
}
interface Window {
  readonly url: string;
  readonly focused: boolean;
  focus(): Promise<unknown>;
  postMessage(message: WorkerMessage): void;
}
/** What of the worker's world is used here; the DOM's types do not have it. */
interface WorkerScope {
  readonly registration: ServiceWorkerRegistration;
  readonly clients: {
    matchAll(options: { type: 'window'; includeUncontrolled: boolean }): Promise<readonly Window[]>;
    openWindow(url: string): Promise<unknown>;
    claim(): Promise<void>;
  };
  skipWaiting(): Promise<void>;
  addEventListener(type: 'push', hear: (event: PushArrival) => void): void;
  addEventListener(type: 'notificationclick', hear: (event: NoticeClick) => void): void;
  addEventListener(type: 'install' | 'activate' | 'pushsubscriptionchange', hear: (event: Closable) => void): void;
}

/** What the worker tells the page. */
export type WorkerMessage =
  { readonly kind: 'shown'; readonly testId: string } | { readonly kind: 'open'; readonly path: string };

const worker = globalThis as unknown as WorkerScope;

worker.addEventListener('install', (event) => event.waitUntil(worker.skipWaiting()));
worker.addEventListener('activate', (event) => event.waitUntil(worker.clients.claim()));
worker.addEventListener('push', (event) => {
  const pushed = event.data?.json() as PushMessage | undefined;
  if (pushed) event.waitUntil(receive(pushed));
});
worker.addEventListener('notificationclick', (event) => {
  event.notification.close();
  const { url } = (event.notification.data ?? {}) as { url?: string };
  event.waitUntil(open(url ?? '/'));
});
worker.addEventListener('pushsubscriptionchange', (event) => event.waitUntil(renew()));

async function receive(pushed: PushMessage): Promise<void> {
  const { registration } = worker;
  if (pushed.kind === 'withdraw') {
    for (const notice of await registration.getNotifications({ tag: pushed.conversationId })) notice.close();
    return;
  }
  if (pushed.kind === 'test') {
    await registration.showNotification(pushed.title, { body: pushed.body, tag: 'test', data: { url: pushed.url } });
    for (const page of await pages()) page.postMessage({ kind: 'shown', testId: pushed.testId });
    return;
  }
  const path = new URL(pushed.url).pathname;
  // Who has just turned to the conversation need not be told of it (N3).
  if ((await pages()).some((page) => page.focused && new URL(page.url).pathname === path)) return;
  const options: NotificationOptions & { renotify: boolean } = {
    body: pushed.body,
    tag: pushed.conversationId,
    // The newer takes the older one's place, and is heard like the first.
    renotify: true,
    lang: pushed.language,
    data: { url: pushed.url },
  };
  await registration.showNotification(pushed.title, options);
}

function pages(): Promise<readonly Window[]> {
  return worker.clients.matchAll({ type: 'window', includeUncontrolled: true });
}

/** In a tab that is open already, if there is one. */
async function open(url: string): Promise<void> {
  const path = new URL(url, worker.registration.scope).pathname;
  const inboxes = (await pages()).filter((page) => /^\/($|conversations\/)/.test(new URL(page.url).pathname));
  const page = inboxes.find(({ focused }) => focused) ?? inboxes[0];
  if (!page) return void (await worker.clients.openWindow(path));
  page.postMessage({ kind: 'open', path });
  await page.focus();
}

/** The browser has changed its keys by itself: the server must have the new ones, or nothing arrives any more. */
async function renew(): Promise<void> {
  const answer = await fetch('/api/me', { credentials: 'same-origin' });
  if (!answer.ok) return;
  const { ways } = (await answer.json()) as { ways: { pushKey: string | null } };
  if (ways.pushKey === null) return;
  const subscription = await worker.registration.pushManager.subscribe({
    userVisibleOnly: true,
    applicationServerKey: ways.pushKey,
  });
  await fetch('/api/me/push-subscription', {
    method: 'PUT',
    credentials: 'same-origin',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(subscription.toJSON()),
  });
}

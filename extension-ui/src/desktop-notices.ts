// This browser as a place where notices arrive: permission, subscription, and what its service worker tells. Full page only:
// in a frame inside Pipedrive a browser does not let anybody ask.
import type { WorkerMessage } from './service-worker.ts';

export type Permission = 'granted' | 'denied' | 'ask' | 'impossible';

export function permission(): Permission {
  if (!('serviceWorker' in navigator) || !('PushManager' in globalThis) || !('Notification' in globalThis))
    return 'impossible';
  return Notification.permission === 'default' ? 'ask' : Notification.permission;
}

/** Asks the user if he was not asked yet, and gives the server this browser's subscription. Must begin with a click. */
export async function subscribe(
  key: string,
  save: (subscription: PushSubscriptionJSON) => Promise<unknown>,
): Promise<Permission> {
  if (permission() === 'impossible') return 'impossible';
  if ((await Notification.requestPermission()) !== 'granted') return permission();
  const registration = await navigator.serviceWorker.register('/service-worker.js');
  const ready = await navigator.serviceWorker.ready;
  const known = await registration.pushManager.getSubscription();
  // One that was made for another key takes nothing of ours.
  if (known && keyOf(known) !== key) await known.unsubscribe();
  const subscription = await ready.pushManager.subscribe({ userVisibleOnly: true, applicationServerKey: key });
  await save(subscription.toJSON());
  return 'granted';
}

function keyOf(subscription: PushSubscription): string {
  const bytes = new Uint8Array(subscription.options.applicationServerKey ?? new ArrayBuffer(0));
  return btoa(String.fromCharCode(...bytes))
    .replaceAll('+', '-')
    .replaceAll('/', '_')
    .replaceAll('=', '');
}

/** Hears what the service worker tells; returns a function that stops it. */
export function hearWorker(hear: (message: WorkerMessage) => void): () => void {
  if (!('serviceWorker' in navigator)) return () => undefined;
  const listen = (event: MessageEvent<WorkerMessage>): void => hear(event.data);
  navigator.serviceWorker.addEventListener('message', listen);
  return () => navigator.serviceWorker.removeEventListener('message', listen);
}

/** Takes the notices of conversations that have been read off the desktop. */
export async function closeRead(isRead: (conversationId: string) => boolean): Promise<void> {
  if (permission() !== 'granted') return;
  const registration = await navigator.serviceWorker.getRegistration('/');
  for (const notice of (await registration?.getNotifications()) ?? []) if (isRead(notice.tag)) notice.close();
}

/** The browser's name, for the sentence that it blocks us. */
export function browserName(): string {
  const agent = navigator.userAgent;
  if (/Edg\//.test(agent)) return 'Edge';
  if (/Firefox\//.test(agent)) return 'Firefox';
  if (/OPR\//.test(agent)) return 'Opera';
  if (/Chrome\//.test(agent)) return 'Chrome';
  return /Safari\//.test(agent) ? 'Safari' : 'The browser';
}

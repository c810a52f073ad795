// What the inbox does of its own accord when there is news: a sound, the floating window, a snackbar; it tells the server
// where the focus is, takes read notices off the desktop, and shows what an admin must put right.
import { useEffect, useRef, useState } from 'preact/hooks';
import type { AdminNotice } from '../../../src/web/contract.ts';
import { closeRead, hearWorker, permission, subscribe } from '../desktop-notices.ts';
import type { Host } from '../host.ts';
import { playSound, readNoticeOptions } from '../notice-options.ts';
import { Icon } from '../parts/icon.tsx';
import type { Store } from '../store.ts';
import { t } from '../texts.ts';
import { useStore } from '../use-store.ts';
import '../notices.css';

export interface NoticesProps {
  readonly store: Store;
  readonly host: Host | null;
  readonly kind: 'window' | 'page';
  readonly onOpen: (conversationId: string) => void;
}

export function Notices({ store, host, kind, onOpen }: NoticesProps) {
  useArrivals(store, host);
  useFocus(store);
  useDesktop(store, kind, onOpen);
  return <Troubles store={store} />;
}

function useArrivals(store: Store, host: Host | null): void {
  const visible = useRef(false);
  useEffect(() => host?.onVisibility((now) => void (visible.current = now)), [host]);
  useEffect(
    () =>
      store.onNotice((notice) => {
        const { sound, popUp } = readNoticeOptions();
        if (sound) playSound();
        if (!host || visible.current) return;
        if (popUp) host.showWindow(notice.conversationId === null ? {} : { conversationId: notice.conversationId });
        else host.snackbar(`${notice.title}: ${notice.body}`);
      }),
    [store, host],
  );
}

/** The conversation that is open in a focused window makes no notices (N3): the server hears at once when that changes. */
function useFocus(store: Store): void {
  useEffect(() => {
    const tell = (): void => {
      const { selected, conversations } = store.get();
      if (selected && conversations.has(selected)) store.actions.showPresence(selected, false);
    };
    addEventListener('focus', tell);
    addEventListener('blur', tell);
    return () => {
      removeEventListener('focus', tell);
      removeEventListener('blur', tell);
    };
  }, [store]);
}

function useDesktop(store: Store, kind: NoticesProps['kind'], onOpen: (id: string) => void): void {
  const conversations = useStore(store, (state) => state.conversations);
  const pushKey = useStore(store, (state) => state.me.ways.pushKey);
  useEffect(() => {
    if (kind !== 'page' || pushKey === null || permission() !== 'granted') return;
    // Already allowed: the server gets the subscription anew, as it may have lost it or the browser changed it.
    void subscribe(pushKey, store.actions.subscribeBrowser).catch(() => undefined);
  }, [kind, pushKey, store]);
  useEffect(() => {
    if (kind !== 'page') return;
    return hearWorker((message) => {
      const id = message.kind === 'open' ? /^\/conversations\/([\w-]+)$/.exec(message.path)?.[1] : undefined;
      if (id) onOpen(id);
    });
  }, [kind, onOpen]);
  useEffect(() => {
    if (kind !== 'page') return;
    void closeRead((id) => conversations.get(id)?.unreadCount === 0).catch(() => undefined);
  }, [kind, conversations]);
}

const lookAgainMs = 300_000;

/** What this user must put right, until it is. */
function Troubles({ store }: { store: Store }) {
  const [troubles, setTroubles] = useState<readonly AdminNotice[]>([]);
  const channels = useStore(store, (state) => state.channels);
  const users = useStore(store, (state) => state.users);
  useEffect(() => {
    // Answers cross on their way; only that to the last question counts.
    let last = 0;
    const look = (): void => {
      const turn = (last += 1);
      void store.actions.adminNotices().then(
        (found) => turn === last && setTroubles(found),
        () => undefined,
      );
    };
    look();
    const timer = setInterval(look, lookAgainMs);
    const stop = store.onNotice(look);
    return () => {
      last = -1;
      clearInterval(timer);
      stop();
    };
  }, [store, channels, users]);
  const dismiss = (id: string): void => {
    setTroubles(troubles.filter((trouble) => trouble.id !== id));
    void store.actions.dismissAdminNotice(id);
  };
  if (troubles.length === 0) return null;
  return (
    <div class="troubles" role="region" aria-label={t('trouble.label')}>
      {troubles.map((trouble) => (
        <div key={trouble.id} class={`trouble ${trouble.dismissible ? 'wish' : ''}`}>
          <Icon name={trouble.dismissible ? 'users' : 'triangle-alert'} size={16} />
          <p>
            <b>{trouble.title}</b> {trouble.body}
          </p>
          <a class="link-button" href={trouble.url} target="_blank" rel="noopener">
            {trouble.action}
          </a>
          {trouble.dismissible && (
            <button
              type="button"
              class="icon-button"
              aria-label={t('trouble.dismiss')}
              onClick={() => dismiss(trouble.id)}
            >
              <Icon name="x" size={14} />
            </button>
          )}
        </div>
      ))}
    </div>
  );
}

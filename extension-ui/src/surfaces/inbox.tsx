// The inbox, as the floating window and as the full page: list, thread, context; one, two or three panes by the room there is.
import { useCallback, useEffect, useRef, useState } from 'preact/hooks';
import type { Host } from '../host.ts';
import { Avatar } from '../parts/avatar.tsx';
import { Dialog } from '../parts/dialog.tsx';
import { Empty } from '../parts/empty.tsx';
import { Icon } from '../parts/icon.tsx';
import { Switch } from '../parts/switch.tsx';
import type { Store } from '../store.ts';
import { t } from '../texts.ts';
import { clockTime } from '../time.ts';
import { useSize, useStore } from '../use-store.ts';
import { Context } from './context.tsx';
import { LinkForm } from './link-form.tsx';
import { ListPane, SearchField } from './list-pane.tsx';
import { ThreadPane } from './thread-pane.tsx';

export interface InboxProps {
  readonly store: Store;
  readonly host: Host | null;
  readonly kind: 'window' | 'page';
  readonly settingsUrl: string;
}

const twoPanes = 620;
const threePanes = 1_200;

export function Inbox({ store, host, kind, settingsUrl }: InboxProps) {
  const { actions } = store;
  const [root, setRoot] = useState<HTMLDivElement | null>(null);
  const size = useSize(root);
  const selected = useStore(store, (state) => state.selected);
  const conversation = useStore(store, (state) =>
    state.selected ? state.conversations.get(state.selected) : undefined,
  );
  const [drawer, setDrawer] = useState(false);
  const [linking, setLinking] = useState(false);
  const [keys, setKeys] = useState(false);
  const onePane = size.width < (kind === 'page' ? 900 : twoPanes) || size.height < 200;
  const wide = kind === 'page' && size.width >= threePanes;
  const cameFrom = useRef<string | null>(null);

  const open = useCallback(
    (id: string) => {
      cameFrom.current = id;
      actions.select(id);
      if (kind === 'page') history.pushState(null, '', `/conversations/${id}`);
    },
    [actions, kind],
  );
  const back = useCallback(() => {
    actions.select(null);
    if (kind === 'page') history.pushState(null, '', '/');
    requestAnimationFrame(() => root?.querySelector<HTMLElement>(`a.row[data-id="${cameFrom.current}"]`)?.focus());
  }, [actions, kind, root]);
  useEffect(() => {
    if (kind !== 'page') return;
    const follow = (): void => actions.select(/^\/conversations\/([\w-]+)/.exec(location.pathname)?.[1] ?? null);
    follow();
    addEventListener('popstate', follow);
    return () => removeEventListener('popstate', follow);
  }, [actions, kind]);
  useEffect(() => {
    const onKey = (event: KeyboardEvent): void => {
      const inText =
        event.target instanceof HTMLElement && event.target.matches('input, textarea, select, [contenteditable]');
      const command = event.metaKey || event.ctrlKey;
      if (command && event.key === 'z' && !inText) {
        const { toast } = store.get();
        if (toast?.undo) {
          event.preventDefault();
          toast.undo();
          actions.dismissToast();
        }
        return;
      }
      if (event.key === 'F6') {
        event.preventDefault();
        nextLandmark(root);
        return;
      }
      if (event.key === 'Escape' && onePane && selected && !document.querySelector('dialog[open]')) return back();
      if (inText || command || event.altKey || document.querySelector('dialog[open]')) return;
      const current = store.get().selected;
      const act: Record<string, () => void> = {
        '/': () => root?.querySelector<HTMLElement>('#search')?.focus(),
        '?': () => setKeys(true),
        j: () => step(store, 1, open),
        k: () => step(store, -1, open),
        r: () => root?.querySelector<HTMLElement>('#composer')?.focus(),
        e: () =>
          current &&
          void actions.setStatus(
            current,
            store.get().conversations.get(current)?.status === 'open' ? 'closed' : 'open',
          ),
        a: () => root?.querySelector<HTMLElement>('.thread-acts [aria-haspopup=menu]')?.click(),
      };
      const run = act[event.key];
      if (!run) return;
      event.preventDefault();
      run();
    };
    addEventListener('keydown', onKey);
    return () => removeEventListener('keydown', onKey);
  }, [actions, back, onePane, open, root, selected, store]);
  useBadge(store, host);

  const showList = !onePane || !conversation;
  const showThread = !onePane || conversation !== undefined;
  const onLink = useCallback(() => setLinking(true), []);
  return (
    <div
      ref={setRoot}
      class={`surface ${kind}${onePane ? ' one-pane' : ''}${size.width < 360 ? ' tiny' : ''}${size.height < 480 ? ' low' : ''}${size.height < 200 ? ' strip' : ''}`}
    >
      <h1 class="sr-only">{t('app.name')}</h1>
      {kind === 'page' && <TopBar store={store} settingsUrl={settingsUrl} onKeys={() => setKeys(true)} />}
      {kind === 'window' && <Connection store={store} />}
      <div class={`panes${wide && conversation ? ' three' : ''}`}>
        {showList && <ListPane store={store} kind={kind} onePane={onePane} onOpen={open} settingsUrl={settingsUrl} />}
        {showThread &&
          (conversation ? (
            <ThreadPane
              key={conversation.id}
              store={store}
              conversation={conversation}
              host={host}
              size={onePane ? size : { width: size.width - 288, height: size.height }}
              onePane={onePane}
              onBack={back}
              onContext={wide ? null : () => setDrawer(true)}
              onLink={onLink}
            />
          ) : (
            <main class="thread-pane none" aria-label={t('thread.nothing.title')}>
              <Empty icon="message-square" title={t('thread.nothing.title')} body={t('thread.nothing.body')} />
            </main>
          ))}
        {wide && conversation && (
          <aside class="context-pane" aria-label={t('drawer.title')}>
            <Context store={store} conversation={conversation} host={host} onLink={onLink} />
          </aside>
        )}
      </div>
      {drawer && conversation && !wide && (
        <Dialog kind="drawer" title={t('drawer.title')} label={t('drawer.title')} onClose={() => setDrawer(false)}>
          <Context store={store} conversation={conversation} host={host} onLink={onLink} />
        </Dialog>
      )}
      {linking && conversation && (
        <Dialog kind="link" title={t('link.title')} label={t('link.title')} onClose={() => setLinking(false)}>
          <LinkForm store={store} conversation={conversation} onDone={() => setLinking(false)} />
        </Dialog>
      )}
      {keys && <KeysDialog onClose={() => setKeys(false)} />}
      <ToastBar store={store} />
    </div>
  );
}

function step(store: Store, by: 1 | -1, open: (id: string) => void): void {
  const { list, selected } = store.get();
  const at = selected ? list.ids.indexOf(selected) : by === 1 ? -1 : list.ids.length;
  const next = list.ids[at + by];
  if (next) open(next);
}

function nextLandmark(root: HTMLElement | null): void {
  const places = [...(root?.querySelectorAll<HTMLElement>('nav.list-pane, main, aside') ?? [])];
  const at = places.findIndex((place) => place.contains(document.activeElement));
  const next = places[(at + 1) % places.length];
  next?.querySelector<HTMLElement>('a[tabindex="0"], textarea, button, [tabindex="0"]')?.focus();
}

/** The dock's badge is what is unread for me and for nobody. */
function useBadge(store: Store, host: Host | null): void {
  const counts = useStore(store, (state) => state.counts);
  useEffect(() => {
    if (counts) host?.badge(counts.mine.unread + counts.unassigned.unread);
  }, [counts, host]);
}

function TopBar({ store, settingsUrl, onKeys }: { store: Store; settingsUrl: string; onKeys: () => void }) {
  const me = useStore(store, (state) => state.me);
  const updatedAt = useStore(store, (state) => state.updatedAt);
  const offline = useStore(store, (state) => state.offline);
  return (
    <header class="top-bar">
      <span class="brand">
        <span class="brand-tile">
          <Icon name="message-square" size={18} />
        </span>
        <b>{t('app.name')}</b>
        {offline ? (
          <Connection store={store} />
        ) : (
          <span class="pill ok">
            <Icon name="check" size={14} />
            {t('net.back', { time: clockTime(new Date(updatedAt).toISOString()) })}
          </span>
        )}
      </span>
      <SearchField store={store} />
      <span class="top-tools">
        <Switch
          checked={me.availability.available}
          label={t('availability.on')}
          onChange={(available) => void store.actions.setAvailability(available)}
        />
        <a class="icon-button" href={settingsUrl} aria-label={t('head.settings')} title={t('head.settings')}>
          <Icon name="settings" size={18} />
        </a>
        <button type="button" class="icon-button" aria-label={t('keys.title')} title={t('keys.title')} onClick={onKeys}>
          <Icon name="keyboard" size={18} />
        </button>
        <span title={me.user.name}>
          <Avatar id={me.user.id} name={me.user.name} url={me.user.avatarUrl} size={28} />
        </span>
      </span>
    </header>
  );
}

const patienceMs = 1_500;

function Connection({ store }: { store: Store }) {
  const offline = useStore(store, (state) => state.offline);
  const [now, setNow] = useState(Date.now());
  useEffect(() => {
    if (!offline) return;
    const timer = setInterval(() => setNow(Date.now()), 500);
    return () => clearInterval(timer);
  }, [offline]);
  if (!offline || now - offline.since < patienceMs) return null;
  return (
    <div class="connection" role="status">
      <button type="button" class="pill warn" onClick={() => store.actions.retryNow()}>
        <Icon name="wifi-off" size={14} />
        {t('net.offline', { n: Math.max(0, Math.ceil((offline.nextTryAt - now) / 1_000)) })}
      </button>
    </div>
  );
}

export function ToastBar({ store }: { store: Store }) {
  const toast = useStore(store, (state) => state.toast);
  return (
    <div class="toast-place" role="status" aria-live="polite">
      {toast && (
        <div class={`toast${toast.isError ? ' error' : ''}`}>
          <Icon name={toast.isError ? 'circle-alert' : 'circle-check'} size={16} />
          <span>{toast.words}</span>
          {toast.undo && (
            <button
              type="button"
              class="toast-act"
              onClick={() => {
                toast.undo?.();
                store.actions.dismissToast();
              }}
            >
              {t('toast.undo')}
            </button>
          )}
          <button
            type="button"
            class="toast-close"
            aria-label={t('close')}
            onClick={() => store.actions.dismissToast()}
          >
            <Icon name="x" size={14} />
          </button>
        </div>
      )}
    </div>
  );
}

function KeysDialog({ onClose }: { onClose: () => void }) {
  const keys = [
    ['J / K', 'keys.move'],
    ['R', 'keys.reply'],
    ['E', 'keys.close'],
    ['A', 'keys.assign'],
    ['/', 'keys.search'],
    ['F6', 'keys.panes'],
    ['Ctrl / ⌘ + Z', 'keys.undo'],
    ['Esc', 'keys.back'],
  ] as const;
  return (
    <Dialog kind="settings" title={t('keys.title')} label={t('keys.title')} onClose={onClose}>
      <dl class="keys">
        {keys.map(([key, words]) => (
          <div key={key}>
            <dt>
              <kbd>{key}</kbd>
            </dt>
            <dd>{t(words)}</dd>
          </div>
        ))}
      </dl>
    </Dialog>
  );
}

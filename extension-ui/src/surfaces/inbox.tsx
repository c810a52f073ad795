// The inbox, as the floating window and as the full page: list, thread, context; one, two or three panes by the room there is.
import { useCallback, useEffect, useRef, useState } from 'preact/hooks';
import { absentOf } from '../absent.ts';
import type { Host } from '../host.ts';
import { Avatar } from '../parts/avatar.tsx';
import { Dialog } from '../parts/dialog.tsx';
import { Empty } from '../parts/empty.tsx';
import { Icon } from '../parts/icon.tsx';
import { Switch } from '../parts/switch.tsx';
import type { Store } from '../store.ts';
import { t } from '../texts.ts';
import { clockTime } from '../time.ts';
import { useLazy } from '../use-lazy.ts';
import { useSize, useStore } from '../use-store.ts';
import { AbsentConversation } from './absent-conversation.tsx';
import { ListPane, lowHeight, SearchField, stripHeight, tinyWidth } from './list-pane.tsx';
import { Notices } from './notices.tsx';
import { NotificationsButton } from './notifications-button.tsx';

export interface InboxProps {
  readonly store: Store;
  readonly host: Host | null;
  readonly kind: 'window' | 'page';
  readonly settingsUrl: string;
}

/** The host draws a border around the window: 620 across is 618 for us. */
const twoPanes = 618;
const threePanes = 1_200;

// The list is on the screen first; what a click on it needs comes right after.
const loadThreadPane = () => import('./thread-pane.tsx').then(({ ThreadPane }) => ({ default: ThreadPane }));
const loadContext = () => import('./context.tsx').then(({ Context }) => ({ default: Context }));
const loadLinkForm = () => import('./link-form.tsx').then(({ LinkForm }) => ({ default: LinkForm }));
const loadKeys = () => import('./keys-dialog.tsx').then(({ KeysDialog }) => ({ default: KeysDialog }));

export function Inbox({ store, host, kind, settingsUrl }: InboxProps) {
  const { actions } = store;
  const [root, setRoot] = useState<HTMLDivElement | null>(null);
  const size = useSize(root);
  const selected = useStore(store, (state) => state.selected);
  const conversation = useStore(store, (state) =>
    state.selected ? state.conversations.get(state.selected) : undefined,
  );
  const absent = useStore(store, absentOf);
  const [drawer, setDrawer] = useState(false);
  const [linking, setLinking] = useState(false);
  const [keys, setKeys] = useState(false);
  const onePane = size.width < (kind === 'page' ? 900 : twoPanes) || size.height < stripHeight;
  const wide = kind === 'page' && size.width >= threePanes;
  const folded = useStore(store, (state) => state.choices.contextFolded);
  const third = wide && !folded && conversation !== undefined;
  const singleKeys = useStore(store, (state) => state.choices.singleKeys);
  const ThreadPane = useLazy(true, loadThreadPane);
  const Context = useLazy(third || drawer, loadContext);
  const LinkForm = useLazy(linking, loadLinkForm);
  const KeysDialog = useLazy(keys, loadKeys);
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
      if (command && !event.shiftKey && event.key.toLowerCase() === 'z' && !inText) {
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
        nextLandmark(root, event.shiftKey ? -1 : 1);
        return;
      }
      if (event.key === 'F8') {
        event.preventDefault();
        root?.querySelector<HTMLElement>('.toast button')?.focus();
        return;
      }
      if (event.key === 'Escape' && onePane && selected && !document.querySelector('dialog[open]')) return back();
      if (inText || command || event.altKey || !singleKeys || document.querySelector('dialog[open]')) return;
      const current = store.get().selected;
      const act: Record<string, () => void> = {
        '/': () => {
          const field = root?.querySelector<HTMLElement>('#search');
          if (field) field.focus();
          else root?.querySelector<HTMLElement>('#open-search')?.click();
        },
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
  }, [actions, back, onePane, open, root, selected, singleKeys, store]);
  useBadge(store, host);

  const showThread = !onePane || conversation !== undefined || absent !== null;
  const showList = !onePane || !showThread;
  const onLink = useCallback(() => setLinking(true), []);
  const onKeys = useCallback(() => setKeys(true), []);
  const listWidth = useListWidth(store, kind, size.width);
  return (
    <div
      ref={setRoot}
      class={`surface ${kind}${onePane ? ' one-pane' : ''}${size.width < tinyWidth ? ' tiny' : ''}${size.height < lowHeight ? ' low' : ''}${size.height < stripHeight ? ' strip' : ''}`}
    >
      <h1 class="sr-only">{t('app.name')}</h1>
      {kind === 'page' && <TopBar store={store} settingsUrl={settingsUrl} onKeys={onKeys} />}
      {kind === 'window' && <Connection store={store} />}
      <Notices store={store} host={host} kind={kind} onOpen={open} />
      <main
        class={`panes${third ? ' three' : ''}`}
        style={onePane ? undefined : { '--list-width': `${listWidth.width}px` }}
      >
        {showList && (
          <ListPane
            store={store}
            kind={kind}
            size={size}
            onePane={onePane}
            onOpen={open}
            onKeys={onKeys}
            settingsUrl={settingsUrl}
          />
        )}
        {!onePane && <Divider {...listWidth} />}
        {showThread &&
          (conversation ? (
            ThreadPane && (
              <ThreadPane
                key={conversation.id}
                store={store}
                conversation={conversation}
                host={host}
                size={onePane ? size : { width: size.width - listWidth.width - (third ? 340 : 0), height: size.height }}
                onePane={onePane}
                onBack={back}
                onContext={third ? null : wide ? () => actions.choose({ contextFolded: false }) : () => setDrawer(true)}
                onFold={third ? () => actions.choose({ contextFolded: true }) : null}
                onLink={onLink}
                onKeys={onKeys}
              />
            )
          ) : absent ? (
            <AbsentConversation
              key={absent.id}
              store={store}
              absent={absent}
              onBack={back}
              head={
                onePane && (
                  <header class="thread-head">
                    <button type="button" class="icon-button back" aria-label={t('thread.back')} onClick={back}>
                      <Icon name="arrow-left" size={18} />
                    </button>
                  </header>
                )
              }
            />
          ) : (
            <section class="thread-pane none" aria-label={t('thread.nothing.title')}>
              <Empty icon="message-square" title={t('thread.nothing.title')} body={t('thread.nothing.body')} />
            </section>
          ))}
        {third && (
          <aside class="context-pane" aria-label={t('drawer.title')}>
            {Context && <Context store={store} conversation={conversation} host={host} onLink={onLink} />}
          </aside>
        )}
      </main>
      {drawer && conversation && !third && (
        <Dialog kind="drawer" title={t('drawer.title')} label={t('drawer.title')} onClose={() => setDrawer(false)}>
          {Context && <Context store={store} conversation={conversation} host={host} onLink={onLink} />}
        </Dialog>
      )}
      {linking && conversation && LinkForm && (
        <Dialog kind="link" title={t('link.title')} label={t('link.title')} onClose={() => setLinking(false)}>
          <LinkForm store={store} conversation={conversation} onDone={() => setLinking(false)} />
        </Dialog>
      )}
      {keys && KeysDialog && <KeysDialog store={store} onClose={() => setKeys(false)} />}
      <ToastBar store={store} />
    </div>
  );
}

interface ListWidth {
  readonly width: number;
  readonly least: number;
  readonly most: number;
  readonly onWidth: (width: number, done: boolean) => void;
}

/** How wide the list is: as this user left it, within what the surface allows. */
function useListWidth(store: Store, kind: 'window' | 'page', surface: number): ListWidth {
  const chosen = useStore(store, (state) => state.choices.listWidth[kind]);
  const [dragged, setDragged] = useState<number | null>(null);
  const [least, most, usual] =
    kind === 'window' ? [256, 360, 288] : surface >= threePanes ? [300, 440, 360] : [300, 400, 320];
  const width = Math.max(least, Math.min(most, dragged ?? chosen ?? usual));
  return {
    width,
    least,
    most,
    onWidth: (wanted, done) => {
      const sound = Math.max(least, Math.min(most, wanted));
      setDragged(done ? null : sound);
      if (done) store.actions.choose({ listWidth: { ...store.get().choices.listWidth, [kind]: sound } });
    },
  };
}

const keyStep = 16;

function Divider({ width, least, most, onWidth }: ListWidth) {
  const from = useRef<{ x: number; width: number } | null>(null);
  return (
    <div
      class="divider"
      role="separator"
      aria-orientation="vertical"
      aria-label={t('list.width')}
      aria-valuenow={width}
      aria-valuemin={least}
      aria-valuemax={most}
      tabIndex={0}
      onPointerDown={(event) => {
        event.currentTarget.setPointerCapture(event.pointerId);
        from.current = { x: event.clientX, width };
      }}
      onPointerMove={(event) => {
        if (from.current) onWidth(from.current.width + event.clientX - from.current.x, false);
      }}
      onPointerUp={() => {
        if (from.current) onWidth(width, true);
        from.current = null;
      }}
      onKeyDown={(event) => {
        const to = { ArrowLeft: width - keyStep, ArrowRight: width + keyStep, Home: least, End: most }[event.key];
        if (to === undefined) return;
        event.preventDefault();
        onWidth(to, true);
      }}
    />
  );
}

function step(store: Store, by: 1 | -1, open: (id: string) => void): void {
  const { list, selected } = store.get();
  const at = selected ? list.ids.indexOf(selected) : by === 1 ? -1 : list.ids.length;
  const next = list.ids[at + by];
  if (next) open(next);
}

/** F6: sections, list, thread, composer, context, and round again. */
function nextLandmark(root: HTMLElement | null, by: 1 | -1): void {
  const places = [
    ...(root?.querySelectorAll<HTMLElement>(
      '.top-bar, .tabs, .conversations, .thread-head, .messages, .foot, .thread-pane > .empty, aside',
    ) ?? []),
  ];
  const at = places.findIndex((place) => place.contains(document.activeElement));
  for (let tries = 1; tries <= places.length; tries += 1) {
    const next = places[(at + by * tries + places.length * 2) % places.length];
    const target = next?.matches('[tabindex="0"]')
      ? next
      : next?.querySelector<HTMLElement>(
          'textarea, a[tabindex="0"], [tabindex="0"], button:not([tabindex="-1"]), a, input',
        );
    if (target) return target.focus();
  }
}

/** The dock's badge is what is unread in the sections that this user has desktop notices for. */
function useBadge(store: Store, host: Host | null): void {
  const counts = useStore(store, (state) => state.counts);
  const told = useStore(store, (state) => state.me.notifications.desktop);
  useEffect(() => {
    if (!counts) return;
    const sections = (['mine', 'others', 'unassigned'] as const).filter((section) => told[section]);
    host?.badge(sections.reduce((sum, section) => sum + counts[section].unread, 0));
  }, [counts, told, host]);
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
        <NotificationsButton store={store} kind="page" />
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
const relievedMs = 3_000;

/** Lost for longer than a blink: says so, with the seconds to the next try. Back again: says that, for a moment. */
function Connection({ store }: { store: Store }) {
  const offline = useStore(store, (state) => state.offline);
  const backAt = useStore(store, (state) => state.backAt);
  const [now, setNow] = useState(Date.now());
  const told = useRef(false);
  const relieved = !offline && told.current && backAt !== null && now - backAt < relievedMs;
  useEffect(() => {
    if (!offline && !told.current) return;
    const timer = setInterval(() => {
      setNow(Date.now());
      if (!offline && backAt !== null && Date.now() - backAt > relievedMs) {
        told.current = false;
        clearInterval(timer);
      }
    }, 250);
    return () => clearInterval(timer);
  }, [offline, backAt]);
  const shown = offline !== null && now - offline.since >= patienceMs;
  if (shown) told.current = true;
  if (!shown && !relieved) return <div class="connection-place" role="status" />;
  return (
    <div class="connection-place" role="status">
      {shown ? (
        <button type="button" class="pill warn" onClick={() => store.actions.retryNow()}>
          <Icon name="wifi-off" size={14} />
          {t('net.offline', { n: Math.max(0, Math.ceil((offline.nextTryAt - now) / 1_000)) })}
        </button>
      ) : (
        <span class="pill ok">
          <Icon name="check" size={14} />
          {t('net.back', { time: clockTime(new Date(backAt ?? now).toISOString()) })}
        </span>
      )}
    </div>
  );
}

export function ToastBar({ store }: { store: Store }) {
  const toast = useStore(store, (state) => state.toast);
  return (
    <div class="toast-place" role="status" aria-live="polite">
      {toast && (
        <div
          class={`toast${toast.isError ? ' error' : ''}`}
          onPointerEnter={() => store.actions.holdToast()}
          onPointerLeave={() => store.actions.releaseToast()}
          onFocusIn={() => store.actions.holdToast()}
          onFocusOut={() => store.actions.releaseToast()}
        >
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
              {toast.act ?? t('toast.undo')}
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

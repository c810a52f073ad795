// The left pane: availability, search, sections and the conversations of one of them.
import { useEffect, useMemo, useRef, useState } from 'preact/hooks';
import type { Section } from '../../../src/web/contract.ts';
import { Empty, RowsSkeleton } from '../parts/empty.tsx';
import { Icon } from '../parts/icon.tsx';
import { Menu, type MenuItem } from '../parts/menu.tsx';
import { firstName, Row } from '../parts/row.tsx';
import { Switch } from '../parts/switch.tsx';
import type { Store } from '../store.ts';
import { t } from '../texts.ts';
import { useNow, useStore } from '../use-store.ts';

const sections: readonly Section[] = ['unassigned', 'mine', 'others', 'closed'];
const searchWaitMs = 150;

export interface ListPaneProps {
  readonly store: Store;
  readonly kind: 'window' | 'page';
  readonly onePane: boolean;
  readonly onOpen: (id: string) => void;
  readonly settingsUrl: string;
}

export function ListPane({ store, kind, onePane, onOpen, settingsUrl }: ListPaneProps) {
  const { actions } = store;
  const me = useStore(store, (state) => state.me);
  return (
    <nav class="list-pane" aria-label={t('list.landmark')}>
      {kind === 'window' && (
        <header class="list-head">
          <Switch
            checked={me.availability.available}
            label={t('availability.on')}
            onChange={(available) => void actions.setAvailability(available)}
          />
          <span class="head-tools">
            <a
              class="icon-button"
              href={settingsUrl}
              target="_blank"
              rel="noreferrer noopener"
              aria-label={t('head.settings')}
              title={t('head.settings')}
            >
              <Icon name="settings" size={18} />
            </a>
            <a
              class="icon-button"
              href="/"
              target="_blank"
              rel="noreferrer noopener"
              aria-label={t('head.fullPage')}
              title={t('head.fullPage')}
            >
              <Icon name="square-arrow-out-up-right" size={18} />
            </a>
          </span>
        </header>
      )}
      {!me.availability.available && <p class="away-note">{t('availability.off')}</p>}
      {kind === 'window' && (
        <div class="search-line">
          <SearchField store={store} />
          <FilterMenu store={store} iconOnly />
        </div>
      )}
      <Tabs store={store} onePane={onePane} />
      {kind === 'page' && (
        <div class="filter-line">
          <FilterMenu store={store} iconOnly={false} />
          <SortMenu store={store} />
        </div>
      )}
      <Conversations store={store} onOpen={onOpen} settingsUrl={settingsUrl} />
    </nav>
  );
}

export function SearchField({ store }: { store: Store }) {
  const query = useStore(store, (state) => state.query);
  const [typed, setTyped] = useState(query);
  useEffect(() => setTyped(query), [query]);
  useEffect(() => {
    if (typed === query) return;
    const timer = setTimeout(() => store.actions.search(typed), searchWaitMs);
    return () => clearTimeout(timer);
  }, [typed, query, store]);
  return (
    <span class="search-field">
      <Icon name="search" size={16} />
      <input
        type="search"
        id="search"
        value={typed}
        placeholder={t('search.placeholder')}
        aria-label={t('search.placeholder')}
        onInput={(event) => setTyped(event.currentTarget.value)}
        onKeyDown={(event) => {
          if (event.key === 'Escape' && typed !== '') {
            event.stopPropagation();
            setTyped('');
            store.actions.search('');
          }
        }}
      />
    </span>
  );
}

function FilterMenu({ store, iconOnly }: { store: Store; iconOnly: boolean }) {
  const channels = useStore(store, (state) => state.channels);
  const channelId = useStore(store, (state) => state.channelId);
  const sort = useStore(store, (state) => state.sort);
  const shown = channels.find(({ id }) => id === channelId);
  const choice = (id: string | null, name: string): MenuItem => ({
    key: id ?? 'all',
    label: name,
    checked: channelId === id,
    content: (
      <>
        <span class="check-place">{channelId === id && <Icon name="check" />}</span>
        {name}
      </>
    ),
    onPick: () => store.actions.filterChannel(id),
  });
  const sorting: MenuItem[] = (['newest', 'closing'] as const).map((order, index) => ({
    key: order,
    label: t(order === 'newest' ? 'sort.newest' : 'sort.ending'),
    checked: sort === order,
    rule: index === 0,
    content: (
      <>
        <span class="check-place">{sort === order && <Icon name="check" />}</span>
        {t(order === 'newest' ? 'sort.newest' : 'sort.ending')}
      </>
    ),
    onPick: () => store.actions.sortBy(order),
  }));
  const items = [choice(null, t('filter.allChannels')), ...channels.map(({ id, name }) => choice(id, name))];
  return iconOnly ? (
    <Menu
      label={t('filter.label')}
      buttonClass={`icon-button framed${channelId ? ' on' : ''}`}
      button={<Icon name="list-filter" size={18} />}
      items={[...items, ...sorting]}
    />
  ) : (
    <Menu
      label={t('filter.label')}
      align="left"
      buttonClass="text-button"
      button={
        <>
          {shown?.name ?? t('filter.allChannels')}
          <Icon name="chevron-down" size={14} />
        </>
      }
      items={items}
    />
  );
}

function SortMenu({ store }: { store: Store }) {
  const sort = useStore(store, (state) => state.sort);
  return (
    <Menu
      label={t('sort.label')}
      buttonClass="text-button"
      button={
        <>
          {t(sort === 'newest' ? 'sort.newest' : 'sort.ending')}
          <Icon name="chevron-down" size={14} />
        </>
      }
      items={(['newest', 'closing'] as const).map((order) => ({
        key: order,
        label: t(order === 'newest' ? 'sort.newest' : 'sort.ending'),
        checked: sort === order,
        content: t(order === 'newest' ? 'sort.newest' : 'sort.ending'),
        onPick: () => store.actions.sortBy(order),
      }))}
    />
  );
}

function Tabs({ store, onePane }: { store: Store; onePane: boolean }) {
  const section = useStore(store, (state) => state.section);
  const counts = useStore(store, (state) => state.counts);
  const list = useRef<HTMLDivElement>(null);
  const words = (total: number): string => (total > 999 ? '999+' : String(total));
  void onePane;
  return (
    <div
      ref={list}
      class="tabs"
      role="tablist"
      aria-label={t('section.label')}
      onKeyDown={(event) => {
        const step = event.key === 'ArrowRight' ? 1 : event.key === 'ArrowLeft' ? -1 : 0;
        if (step === 0) return;
        event.preventDefault();
        const tabs = [...(list.current?.querySelectorAll<HTMLElement>('[role=tab]') ?? [])];
        const at = tabs.indexOf(document.activeElement as HTMLElement);
        tabs[(at + step + tabs.length) % tabs.length]?.focus();
      }}
    >
      {sections.map((name) => {
        const { total = 0, unread = 0 } = counts?.[name] ?? {};
        return (
          <button
            key={name}
            type="button"
            role="tab"
            id={`tab-${name}`}
            class="tab"
            aria-selected={section === name}
            aria-controls="conversations"
            tabIndex={section === name ? 0 : -1}
            onClick={() => store.actions.showSection(name)}
          >
            <span>
              {t(`section.${name}`)}
              <span class="sr-only">, </span>
            </span>
            <span class="tab-counts">
              <span class="total">{counts ? words(total) : '–'}</span>
              <span class="sr-only"> {t('section.conversations', { n: total })}</span>
              {unread > 0 && (
                <span class="badge small">
                  <span class="sr-only">, </span>
                  {unread > 99 ? '99+' : unread}
                  <span class="sr-only"> {t('section.unread', { n: unread })}</span>
                </span>
              )}
            </span>
          </button>
        );
      })}
    </div>
  );
}

function Conversations({
  store,
  onOpen,
  settingsUrl,
}: {
  store: Store;
  onOpen: (id: string) => void;
  settingsUrl: string;
}) {
  const list = useStore(store, (state) => state.list);
  const conversations = useStore(store, (state) => state.conversations);
  const selected = useStore(store, (state) => state.selected);
  const drafts = useStore(store, (state) => state.drafts);
  const presence = useStore(store, (state) => state.presence);
  const users = useStore(store, (state) => state.users);
  const section = useStore(store, (state) => state.section);
  const query = useStore(store, (state) => state.query);
  const me = useStore(store, (state) => state.me);
  const now = useNow(store.get().clockOffset);
  const [focused, setFocused] = useState<string | null>(null);
  const box = useRef<HTMLDivElement>(null);
  const away = useMemo(() => new Set(users.filter(({ available }) => !available).map(({ id }) => id)), [users]);
  const rows = list.ids.map((id) => conversations.get(id)).filter((found) => found !== undefined);
  const stop =
    focused && list.ids.includes(focused) ? focused : selected && list.ids.includes(selected) ? selected : list.ids[0];
  const onKey = (event: KeyboardEvent): void => {
    const links = [...(box.current?.querySelectorAll<HTMLElement>('a.row') ?? [])];
    const at = links.indexOf(document.activeElement as HTMLElement);
    const to = { ArrowDown: at + 1, j: at + 1, ArrowUp: at - 1, k: at - 1, Home: 0, End: links.length - 1 }[event.key];
    if (to === undefined) return;
    event.preventDefault();
    const link = links[Math.max(0, Math.min(links.length - 1, to))];
    link?.focus();
    if (link?.dataset.id) {
      setFocused(link.dataset.id);
      store.actions.prefetch(link.dataset.id);
    }
  };
  return (
    <div
      ref={box}
      class={`conversations${query.length >= 2 && list.state === 'loading' ? ' dimmed' : ''}`}
      id="conversations"
      role="tabpanel"
      aria-labelledby={`tab-${section}`}
      onKeyDown={onKey}
      onScroll={(event) => {
        const element = event.currentTarget;
        if (element.scrollHeight - element.scrollTop - element.clientHeight < 400)
          void store.actions.loadMore().catch(store.actions.explain);
      }}
    >
      {rows.length > 0 ? (
        <ul class="rows">
          {rows.map((conversation, index) => {
            const typing = presence.get(conversation.id)?.find((user) => user.typing);
            return (
              <Row
                key={conversation.id}
                conversation={conversation}
                now={now}
                selected={conversation.id === selected}
                focusable={conversation.id === stop}
                draft={conversation.id === selected ? '' : (drafts.get(conversation.id) ?? '')}
                typing={typing ? firstName(typing.name) : null}
                awayAssignee={conversation.assignee !== null && away.has(conversation.assignee.id)}
                showAssignee={conversation.section === 'others' || conversation.section === 'closed'}
                meId={me.user.id}
                position={index + 1}
                total={list.cursor === null ? rows.length : -1}
                onOpen={onOpen}
                onHover={store.actions.prefetch}
              />
            );
          })}
        </ul>
      ) : list.state === 'loading' ? (
        <RowsSkeleton />
      ) : (
        <NoRows store={store} settingsUrl={settingsUrl} failed={list.state === 'failed'} />
      )}
    </div>
  );
}

/** Four reasons for an empty list, each with its next step (U4). */
function NoRows({ store, settingsUrl, failed }: { store: Store; settingsUrl: string; failed: boolean }) {
  const { me, channels, users, query, section, counts } = store.get();
  if (failed) {
    return (
      <Empty icon="wifi-off" title={t('empty.failed.title')} body={t('empty.failed')}>
        <button type="button" class="button" onClick={() => store.actions.showSection(section)}>
          {t('tryAgain')}
        </button>
      </Empty>
    );
  }
  if (query.length >= 2) {
    return (
      <Empty icon="search-x" title={t('empty.noMatch.title', { q: query })} body={t('empty.noMatch.body')}>
        <button type="button" class="button" onClick={() => store.actions.search('')}>
          {t('search.clear')}
        </button>
      </Empty>
    );
  }
  if (channels.length === 0) {
    const admin = users.find((user) => user.isAdmin);
    return me.user.isAdmin ? (
      <Empty icon="plug" title={t('empty.noChannel.title')} body={t('empty.noChannel')}>
        <a class="button primary" href={settingsUrl} target="_blank" rel="noreferrer noopener">
          {t('settings.connect')}
        </a>
      </Empty>
    ) : (
      <Empty
        icon="plug"
        title={t('empty.noChannel.title.user')}
        body={t('empty.noChannel.user', { admin: admin?.name ?? t('anAdmin') })}
      />
    );
  }
  const mine = counts?.mine.total ?? 0;
  return (
    <Empty icon="coffee" title={t(`empty.${section}.title`)} body={t(`empty.${section}.body`)}>
      {section === 'unassigned' && mine > 0 && (
        <button type="button" class="button" onClick={() => store.actions.showSection('mine')}>
          {t('empty.seeMine', { n: mine })}
        </button>
      )}
      {section !== 'unassigned' && (
        <button type="button" class="button" onClick={() => store.actions.showSection('unassigned')}>
          {t('empty.seeUnassigned')}
        </button>
      )}
    </Empty>
  );
}

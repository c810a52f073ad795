// The left pane: availability, search, sections and the conversations of one of them.
import { useEffect, useRef, useState } from 'preact/hooks';
import type { Section } from '../../../src/web/contract.ts';
import { Icon } from '../parts/icon.tsx';
import { Menu, type MenuItem } from '../parts/menu.tsx';
import { Switch } from '../parts/switch.tsx';
import type { Store } from '../store.ts';
import { t } from '../texts.ts';
import { useStore, type Size } from '../use-store.ts';
import { Notifications, NotificationsButton } from './notifications-button.tsx';
import { Rows } from './rows.tsx';

const sections: readonly Section[] = ['unassigned', 'mine', 'others', 'closed'];
const searchWaitMs = 150;

export interface ListPaneProps {
  readonly store: Store;
  readonly kind: 'window' | 'page';
  readonly size: Size;
  readonly onePane: boolean;
  readonly onOpen: (id: string) => void;
  readonly onKeys: () => void;
  readonly settingsUrl: string;
}

/** Heights at which rows lose their third line, and everything but what is unread goes. */
export const lowHeight = 480;
export const stripHeight = 200;
export const tinyWidth = 358;

export function ListPane(props: ListPaneProps) {
  const { store, kind, size, onePane, onOpen, settingsUrl } = props;
  const away = useStore(store, (state) => !state.me.availability.available);
  const strip = size.height < stripHeight;
  const tiny = size.width < tinyWidth;
  const compact = kind === 'window' && onePane;
  const [searching, setSearching] = useState(false);
  return (
    <section class="list-pane" aria-label={t('list.landmark')}>
      {kind === 'window' &&
        (compact ? (
          <CompactHead
            {...props}
            tiny={tiny}
            strip={strip}
            searching={searching}
            onSearch={() => {
              if (searching) store.actions.search('');
              setSearching(!searching);
            }}
          />
        ) : (
          <header class="list-head">
            <Available store={store} />
            <span class="head-tools">
              <NotificationsButton store={store} kind={kind} />
              <HeadLinks settingsUrl={settingsUrl} />
            </span>
          </header>
        ))}
      {!strip && (
        <>
          {compact && !tiny && (
            <div class="second-line">
              <Available store={store} />
              <Radar store={store} />
            </div>
          )}
          {away && !tiny && <p class="away-note">{t('availability.off')}</p>}
          {kind === 'window' && (!compact || searching) && (
            <div class="search-line">
              <SearchField store={store} autofocus={compact} />
              <FilterMenu store={store} iconOnly />
            </div>
          )}
          {!compact && <Tabs store={store} />}
          {kind === 'page' && (
            <div class="filter-line">
              <FilterMenu store={store} iconOnly={false} />
              <SortMenu store={store} />
            </div>
          )}
          {(!compact || tiny) && (
            <div class="radar-line">
              <Radar store={store} />
            </div>
          )}
        </>
      )}
      <Rows store={store} onOpen={onOpen} settingsUrl={settingsUrl} low={size.height < lowHeight} unreadOnly={strip} />
    </section>
  );
}

function Available({ store }: { store: Store }) {
  const available = useStore(store, (state) => state.me.availability.available);
  return (
    <Switch
      checked={available}
      label={t('availability.on')}
      onChange={(now) => void store.actions.setAvailability(now)}
    />
  );
}

function HeadLinks({ settingsUrl }: { settingsUrl: string }) {
  return (
    <>
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
    </>
  );
}

/** In one pane the sections are a menu, and so is what has no room. */
function CompactHead({
  store,
  kind,
  tiny,
  strip,
  searching,
  settingsUrl,
  onSearch,
  onKeys,
}: ListPaneProps & { tiny: boolean; strip: boolean; searching: boolean; onSearch: () => void }) {
  const section = useStore(store, (state) => state.section);
  const counts = useStore(store, (state) => state.counts);
  const available = useStore(store, (state) => state.me.availability.available);
  const [notifications, setNotifications] = useState(false);
  const choices: MenuItem[] = sections.map((name) => ({
    key: name,
    label: t(`section.${name}`),
    checked: name === section,
    content: (
      <>
        <span class="check-place">{name === section && <Icon name="check" />}</span>
        <span class="grow">{t(`section.${name}`)}</span>
        <span class="total">{counts ? upTo(counts[name].total, 999) : ''}</span>
        {counts && counts[name].unread > 0 && <span class="badge small">{upTo(counts[name].unread, 99)}</span>}
      </>
    ),
    onPick: () => store.actions.showSection(name),
  }));
  /** What has no room of its own in the header. */
  const folded: MenuItem[] = [
    {
      key: 'available',
      label: t('availability.on'),
      checked: available,
      icon: available ? 'check' : 'moon',
      onPick: () => void store.actions.setAvailability(!available),
    },
    { key: 'notifications', label: t('notify.title'), icon: 'bell', onPick: () => setNotifications(true) },
  ];
  const more: MenuItem[] = [
    ...(tiny || strip ? folded : []),
    { key: 'settings', label: t('head.settings'), icon: 'settings', href: settingsUrl },
    { key: 'page', label: t('head.fullPage'), icon: 'square-arrow-out-up-right', href: '/' },
    { key: 'keys', label: t('keys.title'), icon: 'keyboard', onPick: onKeys },
  ];
  const here = counts?.[section];
  return (
    <header class={`list-head compact${strip ? ' strip-head' : ''}`}>
      <Menu
        label={t('section.label')}
        align="left"
        named
        buttonClass="section-button"
        button={
          <>
            <b>{t(`section.${section}`)}</b>
            {here && !tiny && <span class="total">{upTo(here.total, 999)}</span>}
            {here && here.unread > 0 && <span class="badge">{upTo(here.unread, 99)}</span>}
            <Icon name="chevron-down" size={16} />
          </>
        }
        items={choices}
      />
      <span class="head-tools">
        {!strip && (
          <button
            type="button"
            id="open-search"
            class={`icon-button${searching ? ' on' : ''}`}
            aria-label={t('search.label')}
            title={t('search.label')}
            aria-expanded={searching}
            onClick={onSearch}
          >
            <Icon name="search" size={18} />
          </button>
        )}
        {!tiny && !strip && <NotificationsButton store={store} kind={kind} />}
        <Menu label={t('thread.more')} button={<Icon name="ellipsis" size={18} />} items={more} />
        <Notifications store={store} kind={kind} open={notifications} onClose={() => setNotifications(false)} />
      </span>
    </header>
  );
}

function upTo(count: number, most: number): string {
  return count > most ? `${most}+` : String(count);
}

/** How many of this section end within four hours; shows them first. */
function Radar({ store }: { store: Store }) {
  const ending = useStore(store, (state) => state.endingSoon);
  const sort = useStore(store, (state) => state.sort);
  if (ending === 0) return null;
  return (
    <button
      type="button"
      class="radar"
      aria-pressed={sort === 'closing'}
      onClick={() => store.actions.sortBy(sort === 'closing' ? 'newest' : 'closing')}
    >
      <Icon name="hourglass" size={14} />
      {t('time.endingSoon', { n: ending })}
    </button>
  );
}

export function SearchField({ store, autofocus = false }: { store: Store; autofocus?: boolean }) {
  const field = useRef<HTMLInputElement>(null);
  useEffect(() => {
    if (autofocus) field.current?.focus();
  }, [autofocus]);
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
        ref={field}
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
  // What one reads on a button is part of its name: who speaks to his computer says what he sees.
  const name = shown?.name ?? t('filter.allChannels');
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
      label={`${t('filter.label')}: ${name}`}
      align="left"
      buttonClass="text-button"
      button={
        <>
          {name}
          <Icon name="chevron-down" size={14} />
        </>
      }
      items={items}
    />
  );
}

function SortMenu({ store }: { store: Store }) {
  const sort = useStore(store, (state) => state.sort);
  const name = t(sort === 'newest' ? 'sort.newest' : 'sort.ending');
  return (
    <Menu
      label={`${t('sort.label')}: ${name}`}
      buttonClass="text-button"
      button={
        <>
          <Icon name="arrow-down-wide-narrow" size={14} />
          {name}
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

function Tabs({ store }: { store: Store }) {
  const section = useStore(store, (state) => state.section);
  const counts = useStore(store, (state) => state.counts);
  const list = useRef<HTMLDivElement>(null);
  return (
    <nav aria-label={t('section.label')}>
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
                <span class="total">{counts ? upTo(total, 999) : '–'}</span>
                <span class="sr-only"> {t('section.conversations', { n: total })}</span>
                {unread > 0 && (
                  <span class="badge small">
                    <span class="sr-only">, </span>
                    {upTo(unread, 99)}
                    <span class="sr-only"> {t('section.unread', { n: unread })}</span>
                  </span>
                )}
              </span>
            </button>
          );
        })}
      </div>
    </nav>
  );
}

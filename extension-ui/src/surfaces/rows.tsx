// The conversations of a section or a search. Only the rows in sight are drawn; none moves under the pointer or the focus.
import { useCallback, useEffect, useLayoutEffect, useMemo, useReducer, useRef, useState } from 'preact/hooks';
import type { Section } from '../../../src/web/contract.ts';
import { holdRows } from '../list-order.ts';
import { Empty, RowsSkeleton } from '../parts/empty.tsx';
import { Icon } from '../parts/icon.tsx';
import { firstName, Row } from '../parts/row.tsx';
import type { Store } from '../store.ts';
import { t } from '../texts.ts';
import { useNow, useStore } from '../use-store.ts';
import { useVirtual } from '../use-virtual.ts';

const overscan = 10;
const hoverMs = 80;
/** Live changes move rows at most this often. */
const settleMs = 1_000;

export interface RowsProps {
  readonly store: Store;
  readonly onOpen: (id: string) => void;
  readonly settingsUrl: string;
  /** 80 with three lines, 60 with two. */
  readonly low: boolean;
  /** Only what is unread: the strip that is left when the window is very low. */
  readonly unreadOnly: boolean;
}

export function Rows({ store, onOpen, settingsUrl, low, unreadOnly }: RowsProps) {
  const list = useStore(store, (state) => state.list);
  const conversations = useStore(store, (state) => state.conversations);
  const selected = useStore(store, (state) => state.selected);
  const drafts = useStore(store, (state) => state.drafts);
  const presence = useStore(store, (state) => state.presence);
  const users = useStore(store, (state) => state.users);
  const section = useStore(store, (state) => state.section);
  const searching = useStore(store, (state) => state.query.length >= 2);
  const meId = useStore(store, (state) => state.me.user.id);
  const now = useNow(store.get().clockOffset);
  const box = useRef<HTMLDivElement>(null);
  const [focused, setFocused] = useState<string | null>(null);
  const { ids, waiting, showAll, watch } = useHeld(list.ids, list.settled, box);
  const away = useMemo(() => new Set(users.filter(({ available }) => !available).map(({ id }) => id)), [users]);
  const rows = ids
    .map((id) => conversations.get(id))
    .filter((found) => found !== undefined)
    .filter((found) => !unreadOnly || found.unreadCount > 0);
  const stop =
    [focused, selected].find((id) => id !== null && rows.some((row) => row.id === id)) ?? rows[0]?.id ?? null;
  const stopAt = rows.findIndex(({ id }) => id === stop);
  const height = low ? 60 : 80;
  const virtual = useVirtual({
    count: rows.length,
    getScrollElement: () => box.current,
    estimateSize: () => height,
    getItemKey: (index) => rows[index]!.id,
    overscan,
    // The row that Tab comes to is always there.
    rangeExtractor: (range) => {
      const from = Math.max(0, range.startIndex - range.overscan);
      const to = Math.min(range.count - 1, range.endIndex + range.overscan);
      const indexes = Array.from({ length: Math.max(0, to - from + 1) }, (_, step) => from + step);
      return stopAt < 0 || (stopAt >= from && stopAt <= to) ? indexes : [...indexes, stopAt];
    },
  });
  const places = useRef(new Map<Section | 'search', number>());
  const place = searching ? 'search' : section;
  useLayoutEffect(() => {
    // Each section is found again where it was left.
    box.current!.scrollTop = places.current.get(place) ?? 0;
  }, [place]);

  const focusRow = (index: number): void => {
    const row = rows[Math.max(0, Math.min(rows.length - 1, index))];
    if (!row) return;
    setFocused(row.id);
    store.actions.prefetch(row.id);
    virtual.scrollToIndex(rows.indexOf(row), { align: 'auto' });
    const find = () => box.current?.querySelector<HTMLElement>(`a.row[data-id="${row.id}"]`);
    const there = find();
    if (there) there.focus();
    else requestAnimationFrame(() => find()?.focus());
  };
  const onKey = (event: KeyboardEvent): void => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const current = (document.activeElement as HTMLElement | null)?.dataset.id;
    const at = current ? rows.findIndex(({ id }) => id === current) : -1;
    if (at < 0) return;
    const singles: Record<string, number> = store.get().choices.singleKeys ? { j: at + 1, k: at - 1 } : {};
    const to: Record<string, number> = {
      ArrowDown: at + 1,
      ArrowUp: at - 1,
      Home: 0,
      End: rows.length - 1,
      ...singles,
    };
    const target = to[event.key];
    if (target === undefined) return;
    event.preventDefault();
    event.stopPropagation();
    focusRow(target);
  };
  const hover = useRef<ReturnType<typeof setTimeout> | undefined>(undefined);
  const onHover = useCallback(
    (id: string, at: 'over' | 'out' | 'down'): void => {
      clearTimeout(hover.current);
      if (at === 'down') store.actions.prefetch(id);
      else if (at === 'over') hover.current = setTimeout(() => store.actions.prefetch(id), hoverMs);
    },
    [store],
  );
  return (
    <div class="conversations-place">
      {waiting > 0 && (
        <button
          type="button"
          class="waiting-pill"
          onClick={() => {
            showAll();
            box.current?.scrollTo({ top: 0 });
          }}
        >
          <Icon name="arrow-down" size={14} class="up" />
          {t('row.new', { n: waiting })}
        </button>
      )}
      <div
        ref={box}
        class={`conversations${searching && list.state === 'loading' ? ' dimmed' : ''}`}
        id="conversations"
        role="tabpanel"
        aria-label={t('list.of', { section: t(`section.${section}`) })}
        aria-busy={list.state === 'loading'}
        onKeyDown={onKey}
        {...watch}
        onScroll={(event) => {
          const element = event.currentTarget;
          places.current.set(place, element.scrollTop);
          if (element.scrollHeight - element.scrollTop - element.clientHeight < 800)
            void store.actions.loadMore().catch(store.actions.explain);
        }}
      >
        {rows.length > 0 ? (
          <ul class="rows" style={{ height: `${virtual.getTotalSize()}px` }}>
            {virtual.getVirtualItems().map(({ index, key, start }) => {
              const conversation = rows[index]!;
              const typing = presence.get(conversation.id)?.find((user) => user.typing);
              return (
                <Row
                  key={key}
                  index={index}
                  start={start}
                  measure={virtual.measureElement}
                  conversation={conversation}
                  now={now}
                  low={low}
                  selected={conversation.id === selected}
                  focusable={conversation.id === stop}
                  draft={conversation.id === selected ? '' : (drafts.get(conversation.id) ?? '')}
                  typing={typing ? firstName(typing.name) : null}
                  awayAssignee={conversation.assignee !== null && away.has(conversation.assignee.id)}
                  showAssignee={searching || conversation.section === 'others' || conversation.section === 'closed'}
                  meId={meId}
                  total={list.cursor === null ? rows.length : -1}
                  onOpen={onOpen}
                  onHover={onHover}
                />
              );
            })}
          </ul>
        ) : unreadOnly ? (
          <p class="strip-note">{t('list.waiting', { n: list.ids.length })}</p>
        ) : list.state === 'loading' ? (
          <RowsSkeleton />
        ) : (
          <NoRows store={store} settingsUrl={settingsUrl} failed={list.state === 'failed'} />
        )}
      </div>
    </div>
  );
}

/** The rows as they may be shown now: held while a hand is on them or their top is out of sight. */
function useHeld(ids: readonly string[], settled: number, box: { readonly current: HTMLDivElement | null }) {
  const hand = useRef({ pointer: false, focus: false });
  const shown = useRef({ ids, settled, movedAt: 0 });
  const [, redraw] = useReducer((count: number) => count + 1, 0);
  const isHeld = (): boolean => hand.current.pointer || hand.current.focus || (box.current?.scrollTop ?? 0) > 8;
  const before = shown.current;
  const settling = before.settled !== settled;
  const held = !settling && isHeld();
  // Who only changes places waits for the rest of a second; who is new does not.
  const tooSoon = !settling && !held && sameSet(before.ids, ids) && Date.now() - before.movedAt < settleMs;
  const next = held || tooSoon ? holdRows(before.ids, ids) : { ids, waiting: 0 };
  const moved = next.ids.some((id, at) => id !== before.ids[at]);
  shown.current = { ids: next.ids, settled, movedAt: moved ? Date.now() : before.movedAt };
  useEffect(() => {
    if (!tooSoon) return;
    const timer = setTimeout(() => redraw(undefined), settleMs);
    return () => clearTimeout(timer);
  });
  const change = (part: Partial<typeof hand.current>): void => {
    const was = isHeld();
    Object.assign(hand.current, part);
    if (was && !isHeld()) redraw(undefined);
  };
  return {
    ids: next.ids,
    waiting: held ? next.waiting : 0,
    showAll: () => {
      shown.current = { ...shown.current, settled: -1 };
      redraw(undefined);
    },
    watch: {
      onPointerEnter: (event: PointerEvent) => change({ pointer: event.pointerType === 'mouse' }),
      onPointerLeave: () => change({ pointer: false }),
      onFocusIn: (event: FocusEvent) => change({ focus: (event.target as HTMLElement).matches(':focus-visible') }),
      onFocusOut: () => change({ focus: false }),
    },
  };
}

function sameSet(left: readonly string[], right: readonly string[]): boolean {
  const known = new Set(left);
  return left.length === right.length && right.every((id) => known.has(id));
}

/** Four reasons for an empty list, each with its next step (U4). */
function NoRows({ store, settingsUrl, failed }: { store: Store; settingsUrl: string; failed: boolean }) {
  const { me, channels, users, query, section, counts, channelId } = store.get();
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
  if (channelId !== null) {
    return (
      <Empty icon="list-filter" title={t('empty.filtered.title')} body={t('empty.filtered.body')}>
        <button type="button" class="button" onClick={() => store.actions.filterChannel(null)}>
          {t('filter.allChannels')}
        </button>
      </Empty>
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

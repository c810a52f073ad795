// The messages of a conversation. Only those in sight are drawn, so that ten thousand scroll like ten.
import { useCallback, useEffect, useLayoutEffect, useMemo, useRef, useState } from 'preact/hooks';
import type { Attachment, Conversation, Message, TimelineEntry } from '../../../src/web/contract.ts';
import type { Host } from '../host.ts';
import { providerName } from '../parts/avatar.tsx';
import { Bubble, type BubbleActs } from '../parts/bubble.tsx';
import { Icon } from '../parts/icon.tsx';
import { pictureRatio } from '../parts/media.tsx';
import { readSeenAt, writeSeenAt } from '../remembered.ts';
import type { Store } from '../store.ts';
import { t } from '../texts.ts';
import { threadItems, type ThreadItem } from '../thread-items.ts';
import { clockTime, dayTitle, isSameDay } from '../time.ts';
import { useLazy } from '../use-lazy.ts';
import { useNow, useStore } from '../use-store.ts';
import { useVirtual } from '../use-virtual.ts';
import { eventWords } from './event-words.ts';

const nearEnd = 48;
/** Older ones are fetched this far before the top is reached. */
const nearTop = 600;
const markedMs = 1_600;
const lettersInLine = 46;
const mostJumps = 40;

const loadViewer = () => import('../parts/viewer.tsx');

/** A first guess; the true height is measured when it is drawn. */
function guessHeight(item: ThreadItem): number {
  if (item.kind === 'day' || item.kind === 'new') return 40;
  if (item.kind === 'events') return item.entries.length >= 3 ? 40 : item.entries.length * 32;
  const { message, first, last } = item;
  const lines = message.text.split('\n').reduce((sum, line) => sum + Math.ceil((line.length || 1) / lettersInLine), 0);
  const picture = message.attachments.find(({ kind }) => kind === 'image' || kind === 'sticker');
  const files = message.attachments.length - (picture ? 1 : 0);
  return (
    (first ? 8 : 2) +
    (message.text === '' ? 0 : 16 + lines * 20) +
    (picture ? Math.min(320, picture.width ?? 320) / pictureRatio(picture) : 0) +
    files * 52 +
    (last ? 20 : 0)
  );
}

export function Messages({
  store,
  conversation,
  host,
  onLink,
}: {
  store: Store;
  conversation: Conversation;
  host: Host | null;
  onLink: () => void;
}) {
  const { id } = conversation;
  const thread = useStore(store, (state) => state.threads.get(id));
  const offline = useStore(store, (state) => state.offline !== null);
  const me = useStore(store, (state) => state.me.user);
  const severalReps = useStore(store, (state) => state.users.length > 1);
  const now = useNow(store.get().clockOffset);
  const box = useRef<HTMLDivElement>(null);
  const atEnd = useRef(true);
  const placed = useRef(false);
  const counted = useRef({ last: '', count: 0 });
  const measured = useRef(new Set<unknown>());
  const [fresh, setFresh] = useState(0);
  const [picture, setPicture] = useState<Attachment | null>(null);
  const [marked, setMarked] = useState<string | null>(null);
  const [playing, setPlaying] = useState<string | null>(null);
  const messages = thread?.messages ?? none;
  // The "new" line stands where it stood at opening, until the conversation is left.
  const [hadUnread] = useState(conversation.unreadCount > 0);
  const [seenAt] = useState(() => readSeenAt(me.id, id));
  const items = useMemo(
    () => threadItems(messages, thread?.timeline ?? [], thread?.newAfter ?? null, hadUnread),
    [messages, thread?.timeline, thread?.newAfter, hadUnread],
  );
  const playingAt =
    playing === null ? -1 : items.findIndex((item) => item.kind === 'message' && item.message.id === playing);
  const virtual = useVirtual({
    count: items.length,
    getScrollElement: () => box.current,
    estimateSize: (index) => guessHeight(items[index]!),
    getItemKey: (index) => items[index]!.key,
    anchorTo: 'end',
    followOnAppend: true,
    scrollEndThreshold: nearEnd,
    overscan: 12,
    paddingStart: 12,
    paddingEnd: 6,
    // What is playing goes on when it is scrolled out of sight.
    rangeExtractor: (range) => {
      const from = Math.max(0, range.startIndex - range.overscan);
      const to = Math.min(range.count - 1, range.endIndex + range.overscan);
      const indexes = Array.from({ length: Math.max(0, to - from + 1) }, (_, step) => from + step);
      return playingAt < 0 || (playingAt >= from && playingAt <= to) ? indexes : [...indexes, playingAt];
    },
  });

  // What changes above what is read must not move it: also in scrolling up, when older ones come and the message that was
  // the first of all becomes one of a group. One whose height was only guessed counts from its top on.
  virtual.shouldAdjustScrollPositionOnItemSizeChange = ({ key, start, end }, _, { scrollOffset }) => {
    const isGuess = !measured.current.has(key);
    measured.current.add(key);
    return isGuess ? start < (scrollOffset ?? 0) : end <= (scrollOffset ?? 0);
  };

  useLayoutEffect(() => {
    if (placed.current || items.length === 0) return;
    placed.current = true;
    const line = items.findIndex((item) => item.kind === 'new');
    // Who has answered what is new wants to see how it ended.
    const answered = messages.at(-1)?.direction === 'outbound';
    if (line > 0 && !answered) virtual.scrollToIndex(line, { align: 'start' });
    else virtual.scrollToEnd();
  }, [items, messages, virtual]);

  useLayoutEffect(() => {
    const last = messages.at(-1);
    const before = counted.current;
    counted.current = { last: last?.id ?? '', count: messages.length };
    if (!last || before.count === 0 || last.id === before.last) return;
    if (last.direction === 'outbound' && last.author.id === me.id) virtual.scrollToEnd();
    else if (!atEnd.current && last.direction === 'inbound') setFresh((count) => count + 1);
  }, [messages, me.id, virtual]);

  useEffect(() => {
    // A composer that grows must not push the newest message out of sight.
    const element = box.current!;
    const observer = new ResizeObserver(() => {
      if (atEnd.current && placed.current) virtual.scrollToEnd();
    });
    observer.observe(element);
    return () => observer.disconnect();
  }, [virtual]);

  useEffect(() => {
    const read = (): void => {
      if (document.visibilityState !== 'visible' || !document.hasFocus()) return;
      store.actions.markRead(id);
      writeSeenAt(me.id, id, new Date(Date.now() + store.get().clockOffset).toISOString());
    };
    read();
    addEventListener('focus', read);
    addEventListener('pointerdown', read);
    return () => {
      removeEventListener('focus', read);
      removeEventListener('pointerdown', read);
    };
  }, [store, id, me.id, conversation.unreadCount, messages.length]);

  const jumpTo = useCallback(
    async (messageId: string): Promise<void> => {
      for (let tries = 0; tries < mostJumps; tries += 1) {
        const state = store.get().threads.get(id);
        if (!state) return;
        if (state.messages.some((message) => message.id === messageId)) break;
        if (!state.before) return store.actions.toast(t('message.jumpGone'), null, true);
        await store.actions.loadOlder(id);
      }
      // Drawn first, so that the list knows what it is asked to go to.
      requestAnimationFrame(() => setMarked(messageId));
    },
    [store, id],
  );
  useLayoutEffect(() => {
    if (marked === null) return;
    const index = items.findIndex((item) => item.kind === 'message' && item.message.id === marked);
    if (index >= 0) virtual.scrollToIndex(index, { align: 'center' });
    const timer = setTimeout(() => setMarked(null), markedMs);
    return () => clearTimeout(timer);
    // Only a new jump scrolls; what comes meanwhile does not.
  }, [marked]);

  const acts = useMemo<BubbleActs>(
    () => ({
      resend: (message) => void store.actions.resend(message),
      remove: (message) => void store.actions.removeMessage(message),
      copy: (text) =>
        void navigator.clipboard
          .writeText(text)
          .then(() => store.actions.toast(t('toast.copied')))
          .catch(() => store.actions.toast(t('toast.notCopied'), null, true)),
      openPicture: setPicture,
      fetchAgain: (attachment) => void store.actions.fetchAgain(attachment.id),
      jumpTo: (messageId) => void jumpTo(messageId),
      createPerson: host ? (name) => host.newPerson(name) : onLink,
      playing: (messageId, is) => setPlaying((now_) => (is ? messageId : now_ === messageId ? null : now_)),
    }),
    [store, host, onLink, jumpTo],
  );

  const newestOut = messages.findLast(({ direction }) => direction === 'outbound')?.id;
  const noteTitle =
    conversation.links.find(({ type }) => type !== 'person')?.title ?? conversation.links[0]?.title ?? '';
  const provider = providerName(conversation.channel.provider);
  const Viewer = useLazy(picture !== null, loadViewer);
  const draw = (item: ThreadItem) => {
    switch (item.kind) {
      case 'day':
        return (
          <div class="line-day">
            <span>{dayTitle(item.at, now)}</span>
          </div>
        );
      case 'new':
        return (
          <div class="line-new">
            <span>
              {seenAt && isSameDay(seenAt, item.at) && seenAt < item.at
                ? t('thread.newSince', { time: clockTime(seenAt) })
                : t('thread.new')}
            </span>
          </div>
        );
      case 'events':
        return <Events entries={item.entries} />;
      case 'message':
        return (
          <Bubble
            message={item.message}
            first={item.first}
            last={item.last}
            newestOut={item.message.id === newestOut}
            showAuthor={severalReps}
            provider={provider}
            noteTitle={noteTitle}
            offline={offline}
            isOwn={item.message.author.id === me.id}
            marked={item.message.id === marked}
            acts={acts}
          />
        );
    }
  };

  const isEmpty = thread?.before === undefined && messages.length === 0;
  return (
    <div class="messages-place">
      <div
        ref={box}
        class="messages"
        role="log"
        aria-live="off"
        aria-label={t('thread.log', { name: conversation.contact.name })}
        aria-busy={thread?.loading ?? true}
        tabIndex={0}
        onScroll={(event) => {
          const element = event.currentTarget;
          atEnd.current = element.scrollHeight - element.scrollTop - element.clientHeight < nearEnd;
          if (atEnd.current && fresh > 0) setFresh(0);
          if (element.scrollTop < nearTop) void store.actions.loadOlder(id);
        }}
      >
        {isEmpty ? (
          <ThreadSkeleton />
        ) : (
          <div class="thread-items" style={{ height: `${virtual.getTotalSize()}px` }}>
            {virtual.getVirtualItems().map(({ index, key, start }) => (
              <div
                key={key}
                ref={virtual.measureElement}
                data-index={index}
                class="thread-item"
                style={{ transform: `translateY(${start}px)` }}
              >
                {draw(items[index]!)}
              </div>
            ))}
          </div>
        )}
      </div>
      {fresh > 0 && (
        <button
          type="button"
          class="fresh-pill"
          onClick={() => {
            setFresh(0);
            virtual.scrollToEnd();
          }}
        >
          <Icon name="arrow-down" size={14} />
          {t('row.new', { n: fresh })}
        </button>
      )}
      <Spoken messages={messages} ready={!isEmpty} />
      {picture && Viewer && (
        <Viewer
          pictures={messages
            .flatMap(({ attachments }) => attachments)
            .filter(({ kind, url }) => kind === 'image' && url !== null)}
          openedAt={picture.id}
          onClose={() => setPicture(null)}
        />
      )}
    </div>
  );
}

const none: readonly Message[] = [];

/** What a screen reader is told: each incoming text once and not while history loads; a failure at once. */
function Spoken({ messages, ready }: { messages: readonly Message[]; ready: boolean }) {
  const told = useRef<Set<string> | null>(null);
  const [incoming, setIncoming] = useState('');
  const [failure, setFailure] = useState('');
  useEffect(() => {
    if (!ready) return;
    if (!told.current) {
      told.current = new Set(messages.map((message) => `${message.id} ${message.status === 'failed'}`));
      return;
    }
    const newest = messages.at(-1)?.createdAt ?? '';
    for (const message of messages.slice(-20)) {
      const key = `${message.id} ${message.status === 'failed'}`;
      if (told.current.has(key)) continue;
      told.current.add(key);
      if (message.status === 'failed') setFailure(message.error?.message ?? t('row.notSent'));
      else if (message.direction === 'inbound' && message.createdAt >= newest)
        setIncoming(`${message.author.name}: ${message.text || t(`kind.${message.kind}`)}`);
    }
  }, [messages, ready]);
  return (
    <>
      <p class="sr-only" aria-live="polite">
        {incoming}
      </p>
      <p class="sr-only" role="alert">
        {failure}
      </p>
    </>
  );
}

function ThreadSkeleton() {
  return (
    <div class="skeleton bubbles" aria-hidden="true">
      <i class="left" />
      <i class="left short" />
      <i class="right" />
      <i class="left" />
    </div>
  );
}

function Events({ entries }: { entries: readonly TimelineEntry[] }) {
  const [open, setOpen] = useState(false);
  if (entries.length >= 3 && !open) {
    return (
      <div class="line-event">
        <button type="button" class="text-button" aria-expanded={false} onClick={() => setOpen(true)}>
          {t('thread.changes', { n: entries.length })}
        </button>
      </div>
    );
  }
  return (
    <>
      {entries.map((entry) => {
        const { icon, words } = eventWords(entry);
        return (
          <div key={entry.id} class="line-event">
            <Icon name={icon} size={14} />
            <span>
              {words} · {clockTime(entry.createdAt)}
            </span>
          </div>
        );
      })}
    </>
  );
}

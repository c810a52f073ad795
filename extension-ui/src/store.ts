// All state of the inbox surfaces, and what can be done to it. No markup.
import type {
  AdminNotice,
  Channel,
  Conversation,
  Events,
  Me,
  Message,
  NotificationSettings,
  Section,
} from '../../src/web/contract.ts';
import { ApiError, OfflineError, type Api } from './api.ts';
import { createNewest } from './newest.ts';
import { openOutbox, type Waiting } from './outbox.ts';
import { readChoices, readDrafts, writeChoices, writeDraft, type Choices } from './remembered.ts';
import { soon } from './soon.ts';
import { openStream, type StreamEvent } from './stream.ts';
import { judgeFile, mostFiles, type Upload } from './uploads.ts';
import type { State, Thread } from './state.ts';
import { t } from './texts.ts';

/** News that this user is to be told of. */
export type Notice = Events['notification'];

export type Store = ReturnType<typeof createStore>;

const undoMs = 10_000;
const endingMs = 4 * 60 * 60_000;
const endingEveryMs = 60_000;
const presenceMs = 6_000;

function byTime(left: Message, right: Message): number {
  return left.createdAt.localeCompare(right.createdAt) || left.id.localeCompare(right.id);
}

export function createStore(api: Api, me: Me) {
  let state: State = {
    me,
    users: [],
    channels: [],
    conversations: new Map(),
    counts: null,
    section: 'unassigned',
    sort: 'newest',
    channelId: null,
    query: '',
    list: { ids: [], cursor: null, state: 'loading', settled: 0 },
    selected: null,
    threads: new Map(),
    drafts: readDrafts(me.user.id),
    uploads: new Map(),
    savedReplies: null,
    presence: new Map(),
    newerReply: null,
    toast: null,
    endingSoon: 0,
    choices: readChoices(me.user.id),
    offline: null,
    backAt: null,
    updatedAt: Date.now(),
    clockOffset: Date.parse(me.serverTime) - Date.now(),
  };
  const newest = createNewest();
  const hearers = new Set<() => void>();
  const noticeHearers = new Set<(notice: Notice) => void>();
  let told = false;
  /** Changes that come together are drawn together. */
  const set = (patch: Partial<State>): void => {
    state = { ...state, ...patch };
    if (told) return;
    told = true;
    queueMicrotask(() => {
      told = false;
      hearers.forEach((hear) => hear());
    });
  };
  const put = <K, V>(map: ReadonlyMap<K, V>, key: K, value: V): ReadonlyMap<K, V> => new Map(map).set(key, value);
  const without = <K, V>(map: ReadonlyMap<K, V>, key: K): ReadonlyMap<K, V> => {
    const copy = new Map(map);
    copy.delete(key);
    return copy;
  };

  let toastTimer: ReturnType<typeof setTimeout> | undefined;
  const toast = (words: string, undo: (() => void) | null = null, isError = false, act: string | null = null): void => {
    clearTimeout(toastTimer);
    set({ toast: { words, undo, act, isError } });
    toastTimer = setTimeout(() => set({ toast: null }), undoMs);
  };
  const explain = (error: unknown): void => {
    if (error instanceof OfflineError) toast(t('net.noAnswer'), null, true);
    else toast(error instanceof ApiError && error.message ? error.message : t('error.generic', { id: '' }), null, true);
  };

  /** Whether a conversation belongs into the list that is shown. */
  const belongs = (conversation: Conversation): boolean =>
    state.query.length < 2 &&
    conversation.section === state.section &&
    (state.channelId === null || conversation.channel.id === state.channelId);
  const inOrder = (ids: readonly string[]): string[] => {
    const of = (id: string): Conversation | undefined => state.conversations.get(id);
    const newest = (left: string, right: string): number =>
      (of(right)?.lastMessage?.createdAt ?? '').localeCompare(of(left)?.lastMessage?.createdAt ?? '');
    const rank = (id: string): string => {
      const conversation = of(id);
      return conversation?.replyWindowOpen && conversation.replyUntil ? conversation.replyUntil : '9';
    };
    return [...ids].sort(
      state.sort === 'newest' ? newest : (left, right) => rank(left).localeCompare(rank(right)) || newest(left, right),
    );
  };
  const receive = (conversation: Conversation): void => {
    const before = state.conversations.get(conversation.id);
    set({ conversations: put(state.conversations, conversation.id, conversation) });
    recount(before, conversation);
    const listed = state.list.ids.includes(conversation.id);
    const wanted = belongs(conversation) || (state.query.length >= 2 && listed);
    if (!listed && !wanted) return;
    const ids = wanted
      ? inOrder([...new Set([...state.list.ids, conversation.id])])
      : state.list.ids.filter((id) => id !== conversation.id);
    set({ list: { ...state.list, ids } });
  };
  /** Takes the answer to a question, unless the stream was quicker and knows better. */
  const receiveAnswer = async (question: Promise<Conversation>): Promise<void> => {
    const isNewest = newest.asking();
    const conversation = await question;
    if (isNewest(conversation.id) || !state.conversations.has(conversation.id)) receive(conversation);
  };
  const withPage = (page: readonly Conversation[], isNewest: (id: string) => boolean): State['conversations'] => {
    const conversations = new Map(state.conversations);
    for (const conversation of page) {
      if (isNewest(conversation.id) || !conversations.has(conversation.id))
        conversations.set(conversation.id, conversation);
    }
    return conversations;
  };
  /** Keeps the counts true by what changed, without asking. */
  const recount = (before: Conversation | undefined, after: Conversation | undefined): void => {
    if (!state.counts || (!before && !after)) return;
    if (!before && after) return void refreshCounts();
    const counts = structuredClone<Record<Section, { total: number; unread: number }>>(state.counts);
    const add = (conversation: Conversation | undefined, sign: 1 | -1): void => {
      if (!conversation) return;
      counts[conversation.section].total += sign;
      if (conversation.unreadCount > 0) counts[conversation.section].unread += sign;
    };
    add(before, -1);
    add(after, 1);
    set({ counts });
    // An event may tell what the counts knew already: when it is quiet again, the server's word is taken.
    verifyCounts();
  };
  const askForCounts = (): void =>
    void api
      .counts()
      .then((counts) => set({ counts }))
      .catch(() => undefined);
  const refreshCounts = soon(askForCounts, 50, 1_000);
  const verifyCounts = soon(askForCounts, 1_500, 10_000);
  const receiveMessage = (message: Message): void => {
    const thread = state.threads.get(message.conversationId);
    if (!thread) return;
    const others = thread.messages.filter(
      (known) =>
        known.id !== message.id &&
        (message.clientMessageId === null || known.clientMessageId !== message.clientMessageId),
    );
    const messages = [...others, message].sort(byTime);
    set({ threads: put(state.threads, message.conversationId, { ...thread, messages }) });
  };
  /** The same for a message: what became of it may be told before the call that sent it is answered (S-01). */
  const receiveSent = async (question: Promise<Message>): Promise<void> => {
    const isNewest = newest.asking();
    const message = await question;
    if (isNewest(message.id)) receiveMessage(message);
  };
  const forget = (id: string): void => {
    recount(state.conversations.get(id), undefined);
    set({
      conversations: without(state.conversations, id),
      threads: without(state.threads, id),
      list: { ...state.list, ids: state.list.ids.filter((known) => known !== id) },
      selected: state.selected === id ? null : state.selected,
    });
  };

  /** `afresh`: the user asked for it. Otherwise what he sees is only brought up to date, and his scroll and pages stay. */
  const loadList = async (afresh = true): Promise<void> => {
    const asked = { section: state.section, query: state.query, sort: state.sort, channelId: state.channelId };
    const isStill = (): boolean =>
      asked.section === state.section &&
      asked.query === state.query &&
      asked.sort === state.sort &&
      asked.channelId === state.channelId;
    const isNewest = newest.asking();
    try {
      const searching = asked.query.length >= 2;
      const page = await api.conversations({
        section: searching ? 'all' : asked.section,
        q: searching ? asked.query : undefined,
        sort: asked.sort,
        channelId: asked.channelId ?? undefined,
        limit: afresh ? 50 : Math.min(100, Math.max(50, state.list.ids.length)),
      });
      if (!isStill()) return;
      set({
        conversations: withPage(page.data, isNewest),
        list: {
          ids: page.data.map(({ id }) => id),
          cursor: page.nextCursor,
          state: 'ready',
          settled: state.list.settled + (afresh ? 1 : 0),
        },
      });
      refreshEnding();
    } catch (error) {
      if (!isStill()) return;
      set({ list: { ...state.list, state: state.list.ids.length > 0 ? 'ready' : 'failed' } });
      if (!(error instanceof OfflineError)) explain(error);
    }
  };
  const loadThread = async (id: string): Promise<void> => {
    const known = state.threads.get(id);
    if (known?.loading) return;
    const empty: Thread = {
      messages: [],
      before: undefined,
      loading: true,
      timeline: [],
      newAfter: state.conversations.get(id)?.readThrough ?? null,
    };
    set({ threads: put(state.threads, id, { ...(known ?? empty), loading: true }) });
    const isNewest = newest.asking();
    try {
      const [page, timeline] = await Promise.all([api.messages(id), api.timeline(id)]);
      const sent = new Set(page.data.map(({ clientMessageId }) => clientMessageId));
      const waiting = outbox
        .all()
        .map(({ message }) => message)
        .filter((message) => message.conversationId === id && !sent.has(message.clientMessageId));
      const current = state.threads.get(id) ?? empty;
      // Loaded again, the pages read before stay, if the new one joins them.
      const joined = current.messages.findIndex((message) => message.id === page.data[0]?.id);
      const older = joined > 0 ? current.messages.slice(0, joined) : [];
      const told = current.messages.filter((message) => !isNewest(message.id));
      const toldIds = new Set(told.map((message) => message.id));
      const asked = page.data.filter((message) => !toldIds.has(message.id));
      set({
        threads: put(state.threads, id, {
          ...current,
          messages: [
            ...older.filter((message) => !toldIds.has(message.id)),
            ...[...asked, ...told].sort(byTime),
            ...waiting,
          ],
          before: older.length > 0 ? (current.before ?? null) : page.nextCursor,
          loading: false,
          timeline: timeline.data,
        }),
      });
    } catch (error) {
      const current = state.threads.get(id) ?? empty;
      set({ threads: put(state.threads, id, { ...current, loading: false }) });
      if (error instanceof ApiError && error.code === 'not_found') forget(id);
      else if (!(error instanceof OfflineError)) explain(error);
    }
  };
  const loadAll = async (): Promise<void> => {
    const surroundings = Promise.all([api.users(), api.channels(), api.counts(), api.me()]);
    const [[users, channels, counts, { bridge }]] = await Promise.all([
      surroundings,
      loadList(state.list.state !== 'ready'),
    ]);
    set({ users: users.data, channels: channels.data, counts, me: { ...state.me, bridge } });
    if (state.selected) await loadThread(state.selected);
  };

  /** What was asked for when the network went, and never came. */
  const askAgain = (): void => {
    if (state.list.state !== 'ready') void loadList();
    if (state.counts === null || state.users.length === 0) void loadAll().catch(() => undefined);
    const { selected } = state;
    if (selected !== null && state.threads.get(selected)?.before === undefined) void loadThread(selected);
  };
  /** Much may have changed that no event tells: what is not asked for anew is forgotten. */
  const reload = async (): Promise<void> => {
    const isNewest = newest.asking();
    await loadAll();
    const { selected, list } = state;
    const kept = new Set([...list.ids, ...(selected === null ? [] : [selected])]);
    const isKept = ([id]: readonly [string, unknown]): boolean => kept.has(id) || !isNewest(id);
    set({
      conversations: new Map([...state.conversations].filter(isKept)),
      threads: new Map([...state.threads].filter(([id]) => id === selected)),
    });
    if (selected !== null) await receiveAnswer(api.conversation(selected)).catch(() => undefined);
  };

  /** How it fares stands on the channel alone, and is told often while a history is imported; the rest is in other things too. */
  const receiveChannel = (id: string, channel: Channel | null): void => {
    const before = state.channels.find((found) => found.id === id);
    const isOnlyHealth =
      before &&
      channel &&
      before.name === channel.name &&
      before.visibility === channel.visibility &&
      before.owner.id === channel.owner.id &&
      before.bridge === channel.bridge;
    if (!isOnlyHealth) return void reload().catch(() => undefined);
    set({ channels: state.channels.map((found) => (found.id === id ? channel : found)) });
  };

  const followTimeline = soon(
    () => {
      if (state.selected !== null) actions.refreshTimeline(state.selected);
    },
    300,
    2_000,
  );
  const onEvent = (event: StreamEvent): void => {
    switch (event.name) {
      case 'conversation.changed':
        newest.told(event.data.conversation.id);
        // What is told of it in between the messages may have grown too (V10).
        if (event.data.conversation.id === state.selected) followTimeline();
        return receive(event.data.conversation);
      case 'conversation.deleted':
        return forget(event.data.id);
      case 'message.changed':
        newest.told(event.data.message.id);
        return receiveMessage(event.data.message);
      case 'message.removed': {
        const { id, conversationId } = event.data;
        const thread = state.threads.get(conversationId);
        if (!thread) return;
        const messages = thread.messages.filter((message) => message.id !== id);
        return set({ threads: put(state.threads, conversationId, { ...thread, messages }) });
      }
      case 'user.changed': {
        const users = [...state.users.filter(({ id }) => id !== event.data.user.id), event.data.user].sort(
          (left, right) => left.name.localeCompare(right.name),
        );
        const isMe = event.data.user.id === state.me.user.id;
        return set({
          users,
          ...(isMe ? { me: { ...state.me, availability: { available: event.data.user.available } } } : {}),
        });
      }
      case 'channel.changed':
        return receiveChannel(event.data.id, event.data.channel);
      case 'resync':
        return void reload().catch(() => undefined);
      case 'presence': {
        const { conversationId, users } = event.data;
        set({ presence: put(state.presence, conversationId, users) });
        setTimeout(() => {
          const now = state.presence.get(conversationId);
          if (now === users)
            set({
              presence: put(
                state.presence,
                conversationId,
                users.map((user) => ({ ...user, typing: false })),
              ),
            });
        }, presenceMs);
        return;
      }
      case 'notification':
        return noticeHearers.forEach((hear) => hear(event.data));
    }
  };
  let stream: ReturnType<typeof openStream> | undefined;
  let endingTimer: ReturnType<typeof setTimeout> | undefined;
  let endingInterval: ReturnType<typeof setInterval> | undefined;
  /** Asked of the server, since those with the least time left are often far down the list. */
  const refreshEnding = (): void => {
    clearTimeout(endingTimer);
    const { section, channelId } = state;
    endingTimer = setTimeout(() => {
      if (section === 'closed') return set({ endingSoon: 0 });
      void api
        .conversations({ section, sort: 'closing', channelId: channelId ?? undefined, limit: 30 })
        .then(({ data }) => {
          if (section !== state.section) return;
          const until = Date.now() + state.clockOffset + endingMs;
          const soon = data.filter((found) => found.replyWindowOpen && Date.parse(found.replyUntil ?? '') < until);
          set({ endingSoon: soon.length });
        })
        .catch(() => undefined);
    }, 400);
  };

  const settle = (): void => set({ list: { ...state.list, settled: state.list.settled + 1 } });
  /** Shows a change at once, and puts it back with the reason when it is refused. */
  const optimistic = async (
    before: Conversation,
    after: Conversation,
    ask: () => Promise<Conversation>,
    tell: (error: unknown) => void = explain,
  ): Promise<boolean> => {
    settle();
    receive(after);
    try {
      await receiveAnswer(ask());
      return true;
    } catch (error) {
      settle();
      receive(before);
      tell(error);
      return false;
    }
  };
  /** Somebody else assigned it a moment ago (V4): says who, and asks whether to go on. */
  const askAfterChange = (error: unknown, id: string, user: { id: string; name: string } | null): void => {
    if (!(error instanceof ApiError) || error.code !== 'assignee_changed') return explain(error);
    const { assignee, changedBy } = error.details as {
      assignee: { id: string; name: string } | null;
      changedBy: string | null;
    };
    const current = state.conversations.get(id);
    if (current) receive({ ...current, assignee, section: sectionFor({ ...current, assignee }) });
    const words = t(assignee ? 'assign.changed' : 'assign.changedToNobody', {
      name: changedBy ?? t('anAdmin'),
      other: assignee?.name ?? '',
    });
    toast(words, () => void actions.assign(id, user), true, t('assign.anyway'));
  };
  const sectionFor = (conversation: Conversation): Section => {
    if (conversation.status === 'closed') return 'closed';
    if (!conversation.assignee) return 'unassigned';
    return conversation.assignee.id === state.me.user.id ? 'mine' : 'others';
  };

  const actions = {
    start: async (): Promise<void> => {
      stream = openStream({
        headers: api.streamHeaders,
        from: state.me.changeNumber,
        onEvent,
        onState: (now) => {
          if (now.connected) {
            if (state.offline) askAgain();
            set({ offline: null, updatedAt: Date.now(), ...(state.offline ? { backAt: Date.now() } : {}) });
            actions.sendWaiting();
          } else set({ offline: { since: state.offline?.since ?? Date.now(), nextTryAt: now.nextTryAt } });
        },
      });
      await loadAll();
      endingInterval = setInterval(refreshEnding, endingEveryMs);
    },
    /** Ends all that goes on by itself. */
    stop: () => {
      stream?.close();
      clearInterval(endingInterval);
      refreshCounts.stop();
      verifyCounts.stop();
      followTimeline.stop();
      for (const timer of [endingTimer, toastTimer]) clearTimeout(timer);
    },
    retryNow: () => stream?.retryNow(),
    showSection: (section: Section) => {
      set({
        section,
        query: '',
        list: {
          ids: inOrder(
            [...state.conversations.values()].filter((found) => found.section === section).map(({ id }) => id),
          ),
          cursor: null,
          state: 'loading',
          settled: state.list.settled + 1,
        },
        endingSoon: 0,
      });
      void loadList();
    },
    sortBy: (sort: 'newest' | 'closing') => {
      set({ sort });
      void loadList();
    },
    filterChannel: (channelId: string | null) => {
      set({ channelId, list: { ids: [], cursor: null, state: 'loading', settled: state.list.settled + 1 } });
      void loadList();
    },
    search: (query: string) => {
      const wasSearching = state.query.length >= 2;
      // The old result stays, dimmed, until the new one is there.
      set({ query, list: { ...state.list, state: 'loading' } });
      if (query.length >= 2 || wasSearching) void loadList();
      else set({ list: { ...state.list, state: 'ready' } });
    },
    loadMore: async (): Promise<void> => {
      const { cursor } = state.list;
      if (cursor === null) return;
      set({ list: { ...state.list, cursor: null } });
      const { section, query, sort, channelId } = state;
      const searching = query.length >= 2;
      const isNewest = newest.asking();
      const page = await api
        .conversations({
          section: searching ? 'all' : section,
          q: searching ? query : undefined,
          sort,
          channelId: channelId ?? undefined,
          cursor,
          limit: 50,
        })
        .catch((error: unknown) => {
          set({ list: { ...state.list, cursor } });
          throw error;
        });
      if (section !== state.section || query !== state.query || sort !== state.sort || channelId !== state.channelId)
        return;
      set({
        conversations: withPage(page.data, isNewest),
        list: {
          ids: [...new Set([...state.list.ids, ...page.data.map(({ id }) => id)])],
          cursor: page.nextCursor,
          state: 'ready',
          settled: state.list.settled,
        },
      });
    },
    choose: (choice: Partial<Choices>) => {
      const choices = { ...state.choices, ...choice };
      set({ choices });
      writeChoices(state.me.user.id, choices);
    },
    select: (id: string | null) => {
      set({ selected: id, newerReply: null });
      if (!id) return;
      const thread = state.threads.get(id);
      if (thread)
        set({
          threads: put(state.threads, id, { ...thread, newAfter: state.conversations.get(id)?.readThrough ?? null }),
        });
      if (!state.conversations.has(id)) {
        receiveAnswer(api.conversation(id)).catch(explain);
      }
      void loadThread(id);
    },
    prefetch: (id: string) => {
      if (!state.threads.has(id)) void loadThread(id);
    },
    loadOlder: async (id: string): Promise<void> => {
      const thread = state.threads.get(id);
      if (!thread?.before || thread.loading) return;
      set({ threads: put(state.threads, id, { ...thread, loading: true }) });
      try {
        const page = await api.messages(id, thread.before);
        const current = state.threads.get(id) ?? thread;
        set({
          threads: put(state.threads, id, {
            ...current,
            messages: [...page.data, ...current.messages],
            before: page.nextCursor,
            loading: false,
          }),
        });
      } catch (error) {
        set({ threads: put(state.threads, id, { ...thread, loading: false }) });
        explain(error);
      }
    },
    markRead: (id: string) => {
      const conversation = state.conversations.get(id);
      const last = state.threads.get(id)?.messages.findLast((message) => !isLocal(message));
      if (!conversation || conversation.unreadCount === 0 || !last) return;
      receive({ ...conversation, unreadCount: 0 });
      receiveAnswer(api.markRead(id, last.id)).catch(() => undefined);
    },
    draft: (id: string, text: string) => {
      set({ drafts: put(state.drafts, id, text) });
      writeDraft(state.me.user.id, id, text);
    },
    /** Files chosen, dropped or pasted: each is checked here, then brought to the server at once. */
    addFiles: (id: string, files: readonly File[]): void => {
      const conversation = state.conversations.get(id);
      const channel = state.channels.find((found) => found.id === conversation?.channel.id);
      if (!conversation || !channel) return;
      const room = mostFiles - (state.uploads.get(id) ?? []).length;
      if (files.length > room) toast(t('composer.tooManyFiles', { n: mostFiles }), null, true);
      for (const file of files.slice(0, Math.max(0, room))) {
        const { kind, reason } = judgeFile(file, channel.sending.files, t(`provider.${conversation.channel.provider}`));
        const tile: Upload = {
          key: crypto.randomUUID(),
          name: file.name,
          size: file.size,
          kind,
          contentType: file.type,
          preview: kind === 'image' && !reason ? URL.createObjectURL(file) : null,
          state: reason ? 'refused' : 'uploading',
          progress: 0,
          id: null,
          reason,
        };
        set({ uploads: put(state.uploads, id, [...(state.uploads.get(id) ?? []), tile]) });
        if (!reason) void bring(id, tile, file);
      }
    },
    removeFile: (id: string, key: string): void => {
      uploading.get(key)?.abort();
      const tiles = (state.uploads.get(id) ?? []).filter((tile) => tile.key !== key);
      set({ uploads: tiles.length > 0 ? put(state.uploads, id, tiles) : without(state.uploads, id) });
    },
    send: async (id: string, text: string, regardless = false, template: Waiting['template'] = null): Promise<void> => {
      const conversation = state.conversations.get(id);
      const files = template ? [] : (state.uploads.get(id) ?? []).filter((tile) => tile.state === 'ready');
      if (!conversation || (text.trim() === '' && files.length === 0)) return;
      const clientMessageId = crypto.randomUUID();
      const thread = state.threads.get(id);
      const message = localMessage(state, conversation, clientMessageId, text, files, template !== null);
      const entry: Waiting = {
        message,
        attachmentIds: files.map((tile) => tile.id!),
        template,
        seenThrough: regardless ? undefined : thread?.messages.findLast((found) => !isLocal(found))?.id,
      };
      outbox.put(entry);
      receiveMessage(message);
      if (!template) {
        actions.draft(id, '');
        set({ uploads: without(state.uploads, id) });
      }
      set({ newerReply: null });
      await deliver(entry, files);
    },
    /** What was written while there was no network. */
    sendWaiting: () => {
      for (const entry of outbox.all()) if (entry.message.status === 'queued') void deliver(entry);
    },
    keepAsDraft: () => {
      const asked = state.newerReply;
      if (!asked) return;
      if (!asked.template) actions.draft(asked.conversationId, asked.pending);
      set({ newerReply: null });
    },
    sendAnyway: () => {
      const asked = state.newerReply;
      if (asked) void actions.send(asked.conversationId, asked.pending, true, asked.template);
    },
    loadSavedReplies: (): void => {
      void api
        .savedReplies()
        .then(({ data }) => set({ savedReplies: data }))
        .catch((error: unknown) => {
          set({ savedReplies: state.savedReplies ?? [] });
          explain(error);
        });
    },
    askOwner: async (channelId: string, what: 'reconnect' | 'share'): Promise<void> => {
      try {
        const { owner, notified } = await api.askOwner(channelId, what);
        toast(t(notified ? 'toast.asked' : 'toast.askedAlready', { name: owner.name }));
      } catch (error) {
        explain(error);
      }
    },
    resend: async (message: Message): Promise<void> => {
      const local = isLocal(message) ? outbox.get(message.clientMessageId!) : undefined;
      if (local) {
        const again = { ...local, message: { ...message, status: 'queued' as const, error: null } };
        outbox.put(again);
        receiveMessage(again.message);
        return deliver(again);
      }
      receiveMessage({ ...message, status: 'queued', error: null });
      try {
        await receiveSent(api.resend(message.id));
      } catch (error) {
        receiveMessage(message);
        explain(error);
      }
    },
    fetchAgain: async (attachmentId: string): Promise<void> => {
      await receiveSent(api.fetchAgain(attachmentId)).catch(explain);
    },
    removeMessage: async (message: Message): Promise<void> => {
      const thread = state.threads.get(message.conversationId);
      if (thread)
        set({
          threads: put(state.threads, message.conversationId, {
            ...thread,
            messages: thread.messages.filter(({ id }) => id !== message.id),
          }),
        });
      if (message.clientMessageId) outbox.remove(message.clientMessageId);
      if (isLocal(message)) return;
      await api.removeMessage(message.id).catch((error: unknown) => {
        receiveMessage(message);
        explain(error);
      });
    },
    assign: async (id: string, user: { id: string; name: string } | null, withUndo = true): Promise<void> => {
      const before = state.conversations.get(id);
      if (!before || before.assignee?.id === user?.id) return;
      const after = { ...before, assignee: user };
      const done = await optimistic(
        before,
        { ...after, section: sectionFor(after) },
        () => api.assign(id, user?.id ?? null, before.assignee?.id ?? null),
        (error) => askAfterChange(error, id, user),
      );
      if (!done || !withUndo) return;
      const words = user
        ? t('toast.assigned', { name: user.id === state.me.user.id ? t('you') : user.name })
        : t('toast.unassigned');
      toast(words, () => void actions.assign(id, before.assignee, false));
    },
    setStatus: async (id: string, status: 'open' | 'closed', withUndo = true): Promise<void> => {
      const before = state.conversations.get(id);
      if (!before || before.status === status) return;
      const after = { ...before, status };
      const done = await optimistic(before, { ...after, section: sectionFor(after) }, () => api.setStatus(id, status));
      if (done && withUndo)
        toast(
          t(status === 'closed' ? 'toast.closed' : 'toast.opened'),
          () => void actions.setStatus(id, before.status, false),
        );
    },
    unlink: async (id: string, link: Conversation['links'][number]): Promise<void> => {
      const before = state.conversations.get(id);
      if (!before) return;
      receive({ ...before, links: before.links.filter((known) => known.id !== link.id) });
      try {
        await api.unlink(id, link.id);
        toast(
          t('toast.unlinked', { title: link.title }),
          () => void api.link(id, { type: link.type, recordId: link.recordId }).catch(explain),
        );
      } catch (error) {
        receive(before);
        explain(error);
      }
    },
    deleteConversation: async (id: string): Promise<void> => {
      try {
        await api.deleteConversation(id);
        forget(id);
        toast(t('toast.deleted'));
      } catch (error) {
        explain(error);
      }
    },
    setAvailability: async (available: boolean): Promise<void> => {
      const before = state.me;
      set({ me: { ...before, availability: { available } } });
      await api.setAvailability(available).catch((error: unknown) => {
        set({ me: before });
        explain(error);
      });
    },
    showPresence: (id: string, typing: boolean) =>
      void api.presence(id, typing, document.hasFocus()).catch(() => undefined),
    setNotifications: async (switches: NotificationSettings): Promise<boolean> => {
      try {
        const notifications = await api.setNotifications(switches);
        set({ me: { ...state.me, notifications } });
        return true;
      } catch (error) {
        explain(error);
        return false;
      }
    },
    testNotification: api.testNotification,
    subscribeBrowser: api.subscribeBrowser,
    adminNotices: async (): Promise<AdminNotice[]> => (await api.adminNotices()).data,
    dismissAdminNotice: (id: string) => api.dismissAdminNotice(id).catch(explain),
    refresh: (id: string) => void receiveAnswer(api.conversation(id)).catch(() => undefined),
    refreshTimeline: (id: string) =>
      void api
        .timeline(id)
        .then(({ data }) => {
          const thread = state.threads.get(id);
          if (thread) set({ threads: put(state.threads, id, { ...thread, timeline: data }) });
        })
        .catch(() => undefined),
    toast,
    dismissToast: () => set({ toast: null }),
    /** While it is pointed at or has the focus, it stays. */
    holdToast: () => clearTimeout(toastTimer),
    releaseToast: () => {
      clearTimeout(toastTimer);
      toastTimer = setTimeout(() => set({ toast: null }), undoMs);
    },
    explain,
  };

  const outbox = openOutbox(me.user.id);
  const delivering = new Set<string>();
  let tries = 0;
  const deliver = async (entry: Waiting, files: readonly Upload[] = []): Promise<void> => {
    const { message: local } = entry;
    const clientMessageId = local.clientMessageId!;
    if (delivering.has(clientMessageId)) return;
    delivering.add(clientMessageId);
    try {
      const sent = api.send(local.conversationId, {
        clientMessageId,
        ...(entry.template ? { template: entry.template } : { text: local.text }),
        ...(entry.attachmentIds.length > 0 ? { attachmentIds: [...entry.attachmentIds] } : {}),
        ...(entry.seenThrough ? { seenThrough: entry.seenThrough } : {}),
      });
      await receiveSent(sent);
      tries = 0;
      outbox.remove(clientMessageId);
    } catch (error) {
      if (error instanceof OfflineError || (error instanceof ApiError && error.status >= 500)) {
        // Not known to have arrived: the same id goes again, so that it is stored once.
        if (!state.offline) stream?.doubt();
        setTimeout(() => actions.sendWaiting(), Math.min(30_000, 1_000 * 2 ** tries));
        tries += 1;
        return;
      }
      if (error instanceof ApiError && error.code === 'newer_reply') {
        await actions.removeMessage(local);
        const { text, author, createdAt } = error.details as {
          text: string;
          author: { name: string };
          createdAt: string;
        };
        if (files.length > 0) set({ uploads: put(state.uploads, local.conversationId, files) });
        set({
          newerReply: {
            conversationId: local.conversationId,
            pending: local.text,
            template: entry.template,
            text,
            author: author.name,
            createdAt,
          },
        });
        return;
      }
      const said = error instanceof ApiError && error.message ? error.message : t('error.generic', { id: '' });
      const failed: Message = {
        ...local,
        status: 'failed',
        error: { code: 'local', message: said, providerCode: null },
      };
      outbox.put({ ...entry, message: failed });
      receiveMessage(failed);
    } finally {
      delivering.delete(clientMessageId);
    }
  };

  const uploading = new Map<string, AbortController>();
  const bring = async (id: string, tile: Upload, file: File): Promise<void> => {
    const change = (patch: Partial<Upload>): void => {
      const tiles = state.uploads.get(id);
      if (!tiles) return;
      const changed = tiles.map((known) => (known.key === tile.key ? { ...known, ...patch } : known));
      set({ uploads: put(state.uploads, id, changed) });
    };
    const abort = new AbortController();
    uploading.set(tile.key, abort);
    try {
      const stored = await api.upload(file, (progress) => change({ progress }), abort.signal);
      change({ state: 'ready', progress: 1, id: stored.id, kind: stored.kind, contentType: stored.contentType });
    } catch (error) {
      const reason = error instanceof ApiError && error.message ? error.message : t('net.noAnswer');
      if (!abort.signal.aborted) change({ state: 'refused', reason });
    } finally {
      uploading.delete(tile.key);
    }
  };

  return {
    get: () => state,
    subscribe: (hear: () => void) => {
      hearers.add(hear);
      return () => void hearers.delete(hear);
    },
    /** Hears of each piece of news, once. */
    onNotice: (hear: (notice: Notice) => void) => {
      noticeHearers.add(hear);
      return () => void noticeHearers.delete(hear);
    },
    api,
    actions,
  };
}

function isLocal(message: Message): boolean {
  return message.id.startsWith('local-');
}

function localMessage(
  state: State,
  conversation: Conversation,
  clientMessageId: string,
  text: string,
  files: readonly Upload[],
  isTemplate: boolean,
): Message {
  return {
    id: `local-${clientMessageId}`,
    conversationId: conversation.id,
    direction: 'outbound',
    author: { kind: 'user', id: state.me.user.id, name: state.me.user.name },
    kind: isTemplate ? 'template' : (files[0]?.kind ?? 'text'),
    text,
    reactions: [],
    details: null,
    attachments: files.map((file) => ({
      id: file.key,
      kind: file.kind,
      contentType: file.contentType,
      name: file.name,
      size: file.size,
      state: file.preview ? ('ready' as const) : ('pending' as const),
      url: file.preview,
    })),
    replyTo: null,
    status: 'queued',
    error: null,
    clientMessageId,
    inNote: false,
    createdAt: new Date(Date.now() + state.clockOffset).toISOString(),
  };
}

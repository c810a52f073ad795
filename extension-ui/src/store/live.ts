// Keeps what is shown true: loads it, hears the stream, and makes up for what was missed.
import type { Channel, Colleague, Me } from '../../../src/web/contract.ts';
import type { Newest } from '../newest.ts';
import type { State } from '../state.ts';
import { openStream, type StreamEvent } from '../stream.ts';
import type { Conversations } from './conversations.ts';
import { put, type Core, type Notice } from './core.ts';
import type { openList } from './list.ts';
import type { Threads } from './threads.ts';

const presenceMs = 6_000;

interface Parts {
  readonly conversations: Conversations;
  readonly list: ReturnType<typeof openList>;
  readonly threads: Threads;
  readonly onNotice: (notice: Notice) => void;
  readonly onConnected: () => void;
}

export function openLive(core: Core, { conversations, list, threads, onNotice, onConnected }: Parts) {
  const { api, newest, get, set } = core;

  const loadAll = async (): Promise<void> => {
    const isNewest = newest.asking();
    const surroundings = Promise.all([api.users(), api.channels(), api.counts(), api.me()]);
    const [[users, channels, counts, { bridge }]] = await Promise.all([
      surroundings,
      list.load(get().list.state !== 'ready'),
    ]);
    const known = get();
    const told = known.channels.filter(({ id }) => !isNewest(id));
    set({
      users: withTold(users.data, known.users, isNewest),
      channels: withTold(channels.data, known.channels, isNewest),
      counts,
      me: { ...known.me, bridge },
    });
    // Told while nothing was there to compare it with.
    if (told.some((channel) => !isOnlyHealth(find(channels.data, channel.id), channel))) void reload();
    if (known.selected) await threads.load(known.selected);
  };
  /** What was asked for when the network went, and never came. */
  const askAgain = (): void => {
    const { list: shown, counts, users, selected, threads: known } = get();
    if (shown.state !== 'ready') void list.load();
    if (counts === null || users.length === 0) void loadAll().catch(() => undefined);
    if (selected !== null && known.get(selected)?.before === undefined) void threads.load(selected);
  };
  /** Much may have changed that no event tells: what is not asked for anew is forgotten. */
  const reload = async (): Promise<void> => {
    const isNewest = newest.asking();
    if (
      !(await loadAll().then(
        () => true,
        () => false,
      ))
    )
      return;
    const now = get();
    const kept = new Set([...now.list.ids, ...(now.selected === null ? [] : [now.selected])]);
    set({
      conversations: new Map([...now.conversations].filter(([id]) => kept.has(id) || !isNewest(id))),
      threads: new Map([...now.threads].filter(([id]) => id === now.selected)),
    });
    if (now.selected !== null) await conversations.receiveAnswer(api.conversation(now.selected)).catch(() => undefined);
  };

  const receiveUser = (user: Colleague): void => {
    const { users, me } = get();
    const all = [...users.filter(({ id }) => id !== user.id), user];
    set({
      users: all.sort((left, right) => left.name.localeCompare(right.name)),
      ...(user.id === me.user.id ? { me: { ...me, availability: { available: user.available } } } : {}),
    });
  };
  const receiveBridge = ({ bridge }: Me): void => set({ me: { ...get().me, bridge } });
  /** How it fares stands on the channel alone, and is told often while a history is imported; the rest is in other things too. */
  const receiveChannel = (id: string, channel: Channel | null): void => {
    const { channels, counts } = get();
    const before = find(channels, id);
    const others = before ? channels : [...channels, ...(channel ? [channel] : [])];
    set({ channels: others.flatMap((found) => (found.id === id ? (channel ?? []) : found)) });
    const isLoading = counts === null;
    if (isLoading) return;
    if (!isOnlyHealth(before, channel)) return void reload();
    if (before?.bridge !== channel?.bridge) void api.me().then(receiveBridge, () => undefined);
  };
  /** Nobody tells that somebody stopped writing. */
  const receivePresence = (conversationId: string, users: Presence): void => {
    set({ presence: put(get().presence, conversationId, users) });
    setTimeout(() => {
      if (get().presence.get(conversationId) !== users) return;
      const quiet = users.map((user) => ({ ...user, typing: false }));
      set({ presence: put(get().presence, conversationId, quiet) });
    }, presenceMs);
  };
  const onEvent = (event: StreamEvent): void => {
    switch (event.name) {
      case 'conversation.changed': {
        const { conversation } = event.data;
        newest.told(conversation.id);
        if (conversation.id === get().selected) threads.followTimeline();
        return conversations.receive(conversation);
      }
      case 'conversation.deleted':
        newest.told(event.data.id);
        return conversations.forget(event.data.id);
      case 'message.changed':
        newest.told(event.data.message.id);
        return threads.receiveMessage(event.data.message);
      case 'message.removed':
        newest.told(event.data.id);
        return threads.dropMessage(event.data.conversationId, event.data.id);
      case 'user.changed':
        newest.told(event.data.user.id);
        return receiveUser(event.data.user);
      case 'channel.changed':
        newest.told(event.data.id);
        return receiveChannel(event.data.id, event.data.channel);
      case 'resync':
        return void reload();
      case 'presence':
        return receivePresence(event.data.conversationId, event.data.users);
      case 'notification':
        return onNotice(event.data);
    }
  };

  let stream: ReturnType<typeof openStream> | undefined;
  return {
    /** Something else did not get through: shows whether the stream is alive. */
    doubt: (): void => stream?.doubt(),
    actions: {
      start: async (): Promise<void> => {
        stream = openStream({
          headers: api.streamHeaders,
          from: get().me.changeNumber,
          onEvent,
          onState: (now) => {
            const { offline } = get();
            if (now.connected) {
              if (offline) askAgain();
              set({ offline: null, updatedAt: Date.now(), ...(offline ? { backAt: Date.now() } : {}) });
              onConnected();
            } else set({ offline: { since: offline?.since ?? Date.now(), nextTryAt: now.nextTryAt } });
          },
        });
        await loadAll();
        list.follow();
      },
      /** Ends all that goes on by itself. */
      stop: (): void => {
        stream?.close();
        list.stop();
        conversations.stop();
        threads.stop();
        core.holdToast();
      },
      retryNow: (): void => stream?.retryNow(),
    },
  };
}

type Presence = NonNullable<ReturnType<State['presence']['get']>>;

function find<T extends { readonly id: string }>(all: readonly T[], id: string): T | undefined {
  return all.find((one) => one.id === id);
}

/** What an answer says; where the stream has told newer meanwhile, that. */
function withTold<T extends { readonly id: string }>(
  answered: readonly T[],
  known: readonly T[],
  isNewest: ReturnType<Newest['asking']>,
): T[] {
  const come = known.filter(({ id }) => !isNewest(id) && !find(answered, id));
  return [...answered.flatMap((one) => (isNewest(one.id) ? one : (find(known, one.id) ?? []))), ...come];
}

function isOnlyHealth(before: Channel | undefined, after: Channel | null): boolean {
  return (
    before !== undefined &&
    after !== null &&
    before.name === after.name &&
    before.visibility === after.visibility &&
    before.owner.id === after.owner.id
  );
}

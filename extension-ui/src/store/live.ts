// Keeps what is shown true: loads it, hears the stream, and makes up for what was missed.
import type { Channel, Colleague, Me } from '../../../src/web/contract.ts';
import type { Newest } from '../newest.ts';
import type { State } from '../state.ts';
import { openStream, type StreamEvent } from '../stream.ts';
import type { Conversations } from './conversations.ts';
import { put, type Core, type Notice } from './core.ts';
import type { openList } from './list.ts';
import { didNotGetThrough, type Network } from './network.ts';
import type { Threads } from './threads.ts';

const presenceMs = 6_000;

interface Parts {
  readonly network: Network;
  readonly conversations: Conversations;
  readonly list: ReturnType<typeof openList>;
  readonly threads: Threads;
  readonly onNotice: (notice: Notice) => void;
  readonly onConnected: () => void;
}

export function openLive(core: Core, { network, conversations, list, threads, onNotice, onConnected }: Parts) {
  const { api, newest, get, set } = core;

  const loadSurroundings = async (): Promise<void> => {
    const isNewest = newest.asking();
    try {
      const [users, channels, counts, me] = await Promise.all([api.users(), api.channels(), api.counts(), api.me()]);
      network.answered('surroundings');
      const known = get();
      const told = known.channels.filter(({ id }) => !isNewest(id));
      set({
        users: withTold(users.data, known.users, isNewest),
        channels: withTold(channels.data, known.channels, isNewest),
        counts,
      });
      receiveBridge(me);
      // Told while nothing was there to compare it with.
      if (told.some((channel) => !isOnlyHealth(find(channels.data, channel.id), channel))) void reload();
    } catch (error) {
      if (!didNotGetThrough(error)) throw error;
      network.missed('surroundings', () => void loadSurroundings().catch(core.explain));
    }
  };
  const loadAll = async (): Promise<void> => {
    await Promise.all([loadSurroundings(), list.load(get().list.state !== 'ready')]);
    const { selected } = get();
    if (selected !== null) await threads.load(selected, true);
  };
  /** Much may have changed that no event tells: what is not asked for anew is forgotten. */
  const reload = async (): Promise<void> => {
    const isNewest = newest.asking();
    await loadAll().catch(core.explain);
    const { conversations: known, list: shown, selected, threads: open } = get();
    const kept = new Set([...shown.ids, ...(selected === null ? [] : [selected])]);
    set({
      conversations: new Map([...known].filter(([id]) => kept.has(id) || !isNewest(id))),
      threads: new Map([...open].filter(([id]) => id === selected)),
    });
    if (selected !== null) threads.actions.refresh(selected);
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
    const { channels, counts, selected, conversations: known } = get();
    const before = find(channels, id);
    const others = before ? channels : [...channels, ...(channel ? [channel] : [])];
    set({ channels: others.flatMap((found) => (found.id === id ? (channel ?? []) : found)) });
    const isLoading = counts === null;
    if (isLoading) return;
    const open = selected === null ? undefined : known.get(selected);
    // Turned private while it was read: it goes before all the rest is asked for anew.
    if (!channel && open?.channel.id === id) threads.actions.refresh(open.id);
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
  network.onDoubt(() => stream?.doubt());
  return {
    actions: {
      start: async (): Promise<void> => {
        stream = openStream({
          headers: api.streamHeaders,
          from: get().me.changeNumber,
          onEvent,
          onState: (now) => {
            const { offline } = get();
            if (now.connected) {
              set({ offline: null, updatedAt: Date.now(), ...(offline ? { backAt: Date.now() } : {}) });
              network.isBack();
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
        network.stop();
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

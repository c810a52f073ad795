// The messages of the conversations that were opened, page by page, and what is told in between them.
import type { Message } from '../../../src/web/contract.ts';
import { absentBy } from '../absent.ts';
import { OfflineError } from '../api.ts';
import type { Outbox } from '../outbox.ts';
import { soon } from '../soon.ts';
import type { Thread } from '../state.ts';
import type { Conversations } from './conversations.ts';
import { put, without, type Core } from './core.ts';
import { didNotGetThrough, type Network } from './network.ts';

export function openThreads(
  core: Core,
  network: Network,
  { forget, receive, receiveAnswer }: Conversations,
  outbox: Outbox,
) {
  const { api, newest, get, set } = core;
  const change = (id: string, thread: Thread): void => set({ threads: put(get().threads, id, thread) });

  const receiveMessage = (message: Message): void => {
    const thread = get().threads.get(message.conversationId);
    if (!thread) return;
    const others = thread.messages.filter(
      (known) =>
        known.id !== message.id &&
        (message.clientMessageId === null || known.clientMessageId !== message.clientMessageId),
    );
    change(message.conversationId, { ...thread, messages: [...others, message].sort(byTime) });
  };
  const dropMessage = (conversationId: string, id: string): void => {
    const thread = get().threads.get(conversationId);
    if (thread) change(conversationId, { ...thread, messages: thread.messages.filter((message) => message.id !== id) });
  };

  const again = new Set<string>();
  /** `anew`: an answer that is on its way already may be too old. */
  const load = async (id: string, anew = false): Promise<void> => {
    const known = get().threads.get(id);
    if (known?.loading) {
      if (anew) again.add(id);
      return;
    }
    const empty: Thread = {
      messages: [],
      before: undefined,
      loading: true,
      timeline: [],
      newAfter: get().conversations.get(id)?.readThrough ?? null,
    };
    change(id, { ...(known ?? empty), loading: true });
    const isNewest = newest.asking();
    try {
      const [page, timeline] = await Promise.all([api.messages(id), api.timeline(id)]);
      network.answered(`thread ${id}`);
      const sent = new Set(page.data.map(({ clientMessageId }) => clientMessageId));
      const waiting = outbox
        .all()
        .map(({ message }) => message)
        .filter((message) => message.conversationId === id && !sent.has(message.clientMessageId));
      const current = get().threads.get(id) ?? empty;
      // Loaded again, the pages read before stay, if the new one joins them.
      const joined = current.messages.findIndex((message) => message.id === page.data[0]?.id);
      const older = joined > 0 ? current.messages.slice(0, joined) : [];
      const told = current.messages.filter((message) => !isNewest(message.id));
      const asked = page.data.filter((message) => isNewest(message.id));
      change(id, {
        ...current,
        messages: [...older.filter((message) => isNewest(message.id)), ...[...asked, ...told].sort(byTime), ...waiting],
        before: older.length > 0 ? (current.before ?? null) : page.nextCursor,
        loading: false,
        timeline: timeline.data,
      });
    } catch (error) {
      change(id, { ...(get().threads.get(id) ?? empty), loading: false });
      if (absentBy(error, id)) {
        set({ threads: without(get().threads, id) });
        if (get().conversations.has(id)) refresh(id);
      } else if (!(error instanceof OfflineError)) core.explain(error);
      if (didNotGetThrough(error)) network.missed(`thread ${id}`, () => void load(id));
    }
    if (again.delete(id)) await load(id);
  };
  /** Asks for one conversation. Where this user has none, what he saw of it goes, and he is told why if it was open. */
  const find = async (id: string): Promise<void> => {
    try {
      await receiveAnswer(api.conversation(id));
      network.answered(`conversation ${id}`);
    } catch (error) {
      if (didNotGetThrough(error)) return network.missed(`conversation ${id}`, () => refresh(id));
      const absent = absentBy(error, id);
      if (!absent) throw error;
      const { selected } = get();
      forget(id);
      return void (selected === id && set({ selected, absent }));
    }
    if (get().selected === id && get().threads.get(id)?.before === undefined) void load(id);
  };
  const refresh = (id: string): void => void find(id).catch(() => undefined);
  const refreshTimeline = (id: string): void =>
    void api
      .timeline(id)
      .then(({ data }) => {
        const thread = get().threads.get(id);
        if (thread) change(id, { ...thread, timeline: data });
      })
      .catch(() => undefined);
  const followTimeline = soon(
    () => {
      const { selected } = get();
      if (selected !== null) refreshTimeline(selected);
    },
    // With the way there and back well below the 300 ms in which others see what one did (V11).
    100,
    2_000,
  );

  const newestOf = (id: string): Message | undefined =>
    get()
      .threads.get(id)
      ?.messages.findLast((message) => !isLocal(message));
  let read: string | null = null;
  const tellRead = (): void => {
    const [id, newestRead] = [read, read === null ? undefined : newestOf(read)];
    read = null;
    if (id !== null && newestRead) receiveAnswer(api.markRead(id, newestRead.id)).catch(() => undefined);
  };
  /** Of a customer who writes line after line every line is read at once; the server is told of them together. */
  const tellReadSoon = soon(tellRead, 200, 1_000);

  return {
    load,
    receiveMessage,
    dropMessage,
    /** The answer to a send: what became of it may be told before that is answered (S-01). */
    receiveSent: async (question: Promise<Message>): Promise<void> => {
      const isNewest = newest.asking();
      const message = await question;
      if (isNewest(message.id)) receiveMessage(message);
    },
    /** What is told of the open conversation in between its messages may have grown (V10). */
    followTimeline,
    stop: () => {
      followTimeline.stop();
      tellReadSoon.stop();
    },
    actions: {
      select: (id: string | null): void => {
        set({ selected: id, newerReply: null });
        if (!id) return;
        const { conversations, threads } = get();
        const thread = threads.get(id);
        if (thread) change(id, { ...thread, newAfter: conversations.get(id)?.readThrough ?? null });
        if (!conversations.has(id)) find(id).catch(core.explain);
        void load(id);
      },
      prefetch: (id: string): void => {
        if (!get().threads.has(id)) void load(id);
      },
      loadOlder: async (id: string): Promise<void> => {
        const thread = get().threads.get(id);
        if (!thread?.before || thread.loading) return;
        change(id, { ...thread, loading: true });
        try {
          const page = await api.messages(id, thread.before);
          const current = get().threads.get(id) ?? thread;
          change(id, {
            ...current,
            messages: [...page.data, ...current.messages],
            before: page.nextCursor,
            loading: false,
          });
        } catch (error) {
          change(id, { ...(get().threads.get(id) ?? thread), loading: false });
          core.explain(error);
        }
      },
      markRead: (id: string): void => {
        const conversation = get().conversations.get(id);
        if (!conversation || conversation.unreadCount === 0 || !newestOf(id)) return;
        receive({ ...conversation, unreadCount: 0 });
        if (read !== null && read !== id) tellRead();
        read = id;
        tellReadSoon();
      },
      refresh,
      refreshTimeline,
    },
  };
}

export type Threads = ReturnType<typeof openThreads>;

/** Made in this browser; the server does not know it yet. */
export function isLocal(message: Message): boolean {
  return message.id.startsWith('local-');
}

function byTime(left: Message, right: Message): number {
  return left.createdAt.localeCompare(right.createdAt) || left.id.localeCompare(right.id);
}

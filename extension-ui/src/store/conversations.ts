// Takes in what becomes of conversations, from answers and from the stream, and keeps the list and the counters true by it.
import type { Conversation, Section } from '../../../src/web/contract.ts';
import { soon } from '../soon.ts';
import { put, without, type Core } from './core.ts';
import { belongs, inOrder, isSearch } from './listed.ts';
import { didNotGetThrough, type Network } from './network.ts';

export interface Conversations {
  receive(conversation: Conversation): void;
  /** Takes the answer to a question, unless the stream was quicker and knows better. */
  receiveAnswer(question: Promise<Conversation>): Promise<void>;
  forget(id: string): void;
  /** Where it stands for this user. */
  sectionFor(conversation: Conversation): Section;
  /** Shows a change at once, and puts it back with the reason when it is refused. */
  optimistic(
    before: Conversation,
    after: Conversation,
    ask: () => Promise<Conversation>,
    tell?: (error: unknown) => void,
  ): Promise<boolean>;
  stop(): void;
}

export function openConversations(core: Core, network: Network): Conversations {
  const { api, newest, get, set } = core;

  const askForCounts = (): void =>
    void api
      .counts()
      .then((counts) => set({ counts }))
      .catch((error: unknown) => {
        if (didNotGetThrough(error)) network.missed('counts', askForCounts);
      });
  const refreshCounts = soon(askForCounts, 50, 1_000);
  const verifyCounts = soon(askForCounts, 1_500, 10_000);
  /** Keeps the counts true by what changed, without asking. */
  const recount = (before: Conversation | undefined, after: Conversation | undefined): void => {
    const { counts: known } = get();
    if (!known || (!before && !after)) return;
    if (!before && after) return void refreshCounts();
    const counts = structuredClone<Record<Section, { total: number; unread: number }>>(known);
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

  const receive = (conversation: Conversation): void => {
    const before = get().conversations.get(conversation.id);
    set({ conversations: put(get().conversations, conversation.id, conversation) });
    recount(before, conversation);
    const view = get();
    const { list, conversations } = view;
    const listed = list.ids.includes(conversation.id);
    const wanted = belongs(view, conversation) || (isSearch(view) && listed);
    if (!listed && !wanted) return;
    const ids = wanted
      ? inOrder(view, conversations, [...new Set([...list.ids, conversation.id])])
      : list.ids.filter((id) => id !== conversation.id);
    set({ list: { ...list, ids } });
  };
  const settle = (): void => set({ list: { ...get().list, settled: get().list.settled + 1 } });

  return {
    receive,
    receiveAnswer: async (question) => {
      const isNewest = newest.asking();
      const conversation = await question;
      if (isNewest(conversation.id)) receive(conversation);
    },
    forget: (id) => {
      const { conversations, threads, list, selected } = get();
      recount(conversations.get(id), undefined);
      set({
        conversations: without(conversations, id),
        threads: without(threads, id),
        list: { ...list, ids: list.ids.filter((known) => known !== id) },
        selected: selected === id ? null : selected,
      });
    },
    sectionFor: (conversation) => {
      if (conversation.status === 'closed') return 'closed';
      if (!conversation.assignee) return 'unassigned';
      return conversation.assignee.id === get().me.user.id ? 'mine' : 'others';
    },
    optimistic: async (before, after, ask, tell = core.explain) => {
      settle();
      receive(after);
      const isNewest = newest.asking();
      try {
        const answer = await ask();
        if (isNewest(answer.id)) receive(answer);
        return true;
      } catch (error) {
        settle();
        receive(before);
        tell(error);
        return false;
      }
    },
    stop: () => {
      refreshCounts.stop();
      verifyCounts.stop();
    },
  };
}

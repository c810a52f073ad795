// All state of the inbox surfaces, and what can be done to it. No markup. Each part owns one thing; here they are put together.
import type { Me } from '../../src/web/contract.ts';
import type { Api } from './api.ts';
import { openOutbox } from './outbox.ts';
import { openConversations } from './store/conversations.ts';
import { createCore, type Notice } from './store/core.ts';
import { openDeeds } from './store/deeds.ts';
import { openFiles } from './store/files.ts';
import { openList } from './store/list.ts';
import { openLive } from './store/live.ts';
import { createNetwork } from './store/network.ts';
import { openOwn } from './store/own.ts';
import { openReplies } from './store/replies.ts';
import { openThreads } from './store/threads.ts';

export type { Notice } from './store/core.ts';
export type Store = ReturnType<typeof createStore>;

export function createStore(api: Api, me: Me) {
  const core = createCore(api, me);
  const network = createNetwork(() => core.get().offline !== null);
  const outbox = openOutbox(me.user.id);
  const conversations = openConversations(core, network);
  const list = openList(core, network);
  const threads = openThreads(core, network, conversations, outbox);
  const replies = openReplies(core, network, threads, outbox);
  const noticeHearers = new Set<(notice: Notice) => void>();
  const live = openLive(core, {
    network,
    conversations,
    list,
    threads,
    onNotice: (notice) => noticeHearers.forEach((hear) => hear(notice)),
    onConnected: replies.sendWaiting,
  });
  const { toast, dismissToast, holdToast, releaseToast, explain } = core;
  return {
    get: core.get,
    subscribe: core.subscribe,
    /** Hears of each piece of news, once. */
    onNotice: (hear: (notice: Notice) => void) => {
      noticeHearers.add(hear);
      return () => void noticeHearers.delete(hear);
    },
    api,
    actions: {
      ...live.actions,
      ...list.actions,
      ...threads.actions,
      ...replies,
      ...openFiles(core),
      ...openDeeds(core, conversations),
      ...openOwn(core),
      toast,
      dismissToast,
      holdToast,
      releaseToast,
      explain,
    },
  };
}

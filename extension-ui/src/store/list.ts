// The list of one section, or of a search: its pages, its order, and how many of it end soon.
import { OfflineError } from '../api.ts';
import type { Section } from '../../../src/web/contract.ts';
import type { Core } from './core.ts';
import { didNotGetThrough, type Network } from './network.ts';
import { inOrder, isSameView, isSearch, listedIds, withPage, type View } from './listed.ts';

const endingMs = 4 * 60 * 60_000;
const endingEveryMs = 60_000;
const firstPage = 50;
const largestPage = 100;

export function openList(core: Core, network: Network) {
  const { api, newest, get, set } = core;

  const questionOf = (view: View) => ({
    section: isSearch(view) ? ('all' as const) : view.section,
    q: isSearch(view) ? view.query : undefined,
    sort: view.sort,
    channelId: view.channelId ?? undefined,
  });

  let endingTimer: ReturnType<typeof setTimeout> | undefined;
  /** Asked of the server, since those with the least time left are often far down the list. */
  const refreshEnding = (): void => {
    clearTimeout(endingTimer);
    const { section, channelId } = get();
    endingTimer = setTimeout(() => {
      if (section === 'closed') return set({ endingSoon: 0 });
      void api
        .conversations({ section, sort: 'closing', channelId: channelId ?? undefined, limit: 30 })
        .then(({ data }) => {
          if (section !== get().section) return;
          const until = Date.now() + get().clockOffset + endingMs;
          const soon = data.filter((found) => found.replyWindowOpen && Date.parse(found.replyUntil ?? '') < until);
          set({ endingSoon: soon.length });
        })
        .catch(() => undefined);
    }, 400);
  };

  let asking = 0;
  let shown = 0;
  /** `afresh`: the user asked for it. Otherwise what he sees is only brought up to date, and his scroll and pages stay. */
  const load = async (afresh = true): Promise<void> => {
    const asked = get();
    const turn = (asking += 1);
    const isNewest = newest.asking();
    const limit = afresh ? firstPage : Math.min(largestPage, Math.max(firstPage, asked.list.ids.length));
    try {
      const page = await api.conversations({ ...questionOf(asked), limit });
      network.answered('list');
      const now = get();
      // Who asked later was answered first.
      if (!isSameView(asked, now) || turn < shown) return;
      shown = turn;
      const conversations = withPage(now.conversations, page.data, isNewest);
      set({
        conversations,
        list: {
          ids: listedIds(now, conversations, page.data, isNewest),
          cursor: page.nextCursor,
          state: 'ready',
          settled: now.list.settled + (afresh ? 1 : 0),
        },
      });
      refreshEnding();
    } catch (error) {
      const now = get();
      if (!isSameView(asked, now)) return;
      set({ list: { ...now.list, state: now.list.ids.length > 0 ? 'ready' : 'failed' } });
      if (didNotGetThrough(error)) network.missed('list', () => void load(false));
      if (!(error instanceof OfflineError)) core.explain(error);
    }
  };
  const emptied = () => ({ cursor: null, state: 'loading', settled: get().list.settled + 1 }) as const;
  let endingInterval: ReturnType<typeof setInterval> | undefined;

  return {
    load,
    follow: () => void (endingInterval = setInterval(refreshEnding, endingEveryMs)),
    stop: () => {
      clearInterval(endingInterval);
      clearTimeout(endingTimer);
    },
    actions: {
      showSection: (section: Section) => {
        const { conversations } = get();
        set({ section, query: '' });
        const known = [...conversations.values()].filter((found) => found.section === section).map(({ id }) => id);
        set({ list: { ids: inOrder(get(), conversations, known), ...emptied() }, endingSoon: 0 });
        void load();
      },
      sortBy: (sort: View['sort']) => {
        set({ sort });
        void load();
      },
      filterChannel: (channelId: string | null) => {
        set({ channelId, list: { ids: [], ...emptied() } });
        void load();
      },
      search: (query: string) => {
        const wasSearch = isSearch(get());
        // The old result stays, dimmed, until the new one is there.
        set({ query, list: { ...get().list, state: 'loading' } });
        if (isSearch({ query }) || wasSearch) void load();
        else set({ list: { ...get().list, state: 'ready' } });
      },
      loadMore: async (): Promise<void> => {
        const asked = get();
        const { cursor } = asked.list;
        if (cursor === null) return;
        set({ list: { ...asked.list, cursor: null } });
        const isNewest = newest.asking();
        const page = await api
          .conversations({ ...questionOf(asked), cursor, limit: firstPage })
          .catch((error: unknown) => {
            set({ list: { ...get().list, cursor } });
            throw error;
          });
        const now = get();
        if (!isSameView(asked, now)) return;
        const conversations = withPage(now.conversations, page.data, isNewest);
        const ids = listedIds(now, conversations, page.data, isNewest);
        set({
          conversations,
          list: {
            ids: [...new Set([...now.list.ids, ...ids])],
            cursor: page.nextCursor,
            state: 'ready',
            settled: now.list.settled,
          },
        });
      },
    },
  };
}

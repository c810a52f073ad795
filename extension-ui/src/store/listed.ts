// Which conversations stand in the list, and in what order. Pure.
import type { Conversation } from '../../../src/web/contract.ts';
import type { State } from '../state.ts';

/** What is looked at. */
export type View = Pick<State, 'section' | 'query' | 'sort' | 'channelId'>;
type Conversations = State['conversations'];

export function isSearch({ query }: Pick<View, 'query'>): boolean {
  return query.length >= 2;
}

export function isSameView(left: View, right: View): boolean {
  return (
    left.section === right.section &&
    left.query === right.query &&
    left.sort === right.sort &&
    left.channelId === right.channelId
  );
}

/** What is found by a search is for the server to say. */
export function belongs(view: View, conversation: Conversation): boolean {
  return (
    !isSearch(view) &&
    conversation.section === view.section &&
    (view.channelId === null || conversation.channel.id === view.channelId)
  );
}

export function inOrder({ sort }: View, conversations: Conversations, ids: readonly string[]): string[] {
  const of = (id: string): Conversation | undefined => conversations.get(id);
  const newest = (left: string, right: string): number =>
    (of(right)?.lastMessage?.createdAt ?? '').localeCompare(of(left)?.lastMessage?.createdAt ?? '');
  const rank = (id: string): string => {
    const conversation = of(id);
    return conversation?.replyWindowOpen && conversation.replyUntil ? conversation.replyUntil : '9';
  };
  return [...ids].sort(
    sort === 'newest' ? newest : (left, right) => rank(left).localeCompare(rank(right)) || newest(left, right),
  );
}

/** Takes in what a question was answered with; what the stream has told meanwhile is newer, also that something is gone (S-01). */
export function withPage(
  conversations: Conversations,
  page: readonly Conversation[],
  isNewest: (id: string) => boolean,
): Conversations {
  return new Map([
    ...conversations,
    ...page.filter(({ id }) => isNewest(id)).map((found) => [found.id, found] as const),
  ]);
}

/** The ids of such an answer without who has left the view meanwhile, and with who has come into it. */
export function listedIds(
  view: View,
  conversations: Conversations,
  page: readonly Conversation[],
  isNewest: (id: string) => boolean,
): string[] {
  const stands = ({ id }: Conversation): boolean => {
    const now = conversations.get(id);
    return isNewest(id) || (now !== undefined && (isSearch(view) || belongs(view, now)));
  };
  const ids = page.filter(stands).map(({ id }) => id);
  const come = [...conversations.values()].filter(
    (conversation) => !isNewest(conversation.id) && belongs(view, conversation) && !ids.includes(conversation.id),
  );
  return come.length === 0 ? ids : inOrder(view, conversations, [...ids, ...come.map(({ id }) => id)]);
}

// A thread as it is drawn: day lines, the "new" line, what happened, and messages in groups of one author. Pure.
import type { Message, TimelineEntry } from '../../src/web/contract.ts';
import { isSameDay } from './time.ts';

export type ThreadItem =
  | { readonly kind: 'day'; readonly key: string; readonly at: string }
  | { readonly kind: 'new'; readonly key: string; readonly at: string }
  | { readonly kind: 'events'; readonly key: string; readonly entries: readonly TimelineEntry[] }
  | {
      readonly kind: 'message';
      readonly key: string;
      readonly message: Message;
      readonly first: boolean;
      readonly last: boolean;
    };

const groupMs = 5 * 60_000;
/** The thread itself shows messages, failures and notes; the line tells what people did. */
const told = new Set(['assigned', 'unassigned', 'closed', 'opened', 'reopened', 'linked', 'unlinked', 'link_broken']);

export function threadItems(
  messages: readonly Message[],
  timeline: readonly TimelineEntry[],
  newAfter: string | null,
  unread: boolean,
): ThreadItem[] {
  const oldest = messages[0]?.createdAt ?? '';
  const events = timeline.filter((entry) => told.has(entry.kind) && entry.createdAt >= oldest);
  const stream = [
    ...messages.map((message) => ({ at: message.createdAt, message, entry: undefined })),
    ...events.map((entry) => ({ at: entry.createdAt, message: undefined, entry })),
  ].sort((left, right) => left.at.localeCompare(right.at));
  const firstNew = unread ? firstUnread(messages, newAfter) : undefined;
  const items: ThreadItem[] = [];
  let day = '';
  let run: TimelineEntry[] = [];
  const endRun = (): void => {
    if (run.length > 0) items.push({ kind: 'events', key: `events ${run[0]!.id}`, entries: run });
    run = [];
  };
  stream.forEach(({ at, message, entry }, index) => {
    if (day === '' || !isSameDay(day, at)) {
      endRun();
      items.push({ kind: 'day', key: `day ${at.slice(0, 10)} ${index}`, at });
      day = at;
    }
    if (entry) return void run.push(entry);
    endRun();
    if (message === firstNew) items.push({ kind: 'new', key: 'new', at });
    const previous = stream[index - 1]?.message;
    const next = stream[index + 1]?.message;
    items.push({
      kind: 'message',
      key: message.clientMessageId ?? message.id,
      message: message,
      first: !previous || message === firstNew || !isGroup(previous, message),
      last: !next || next === firstNew || !isGroup(message, next),
    });
  });
  endRun();
  return items;
}

function isGroup(left: Message, right: Message): boolean {
  return (
    left.direction === right.direction &&
    left.author.kind === right.author.kind &&
    left.author.id === right.author.id &&
    left.status !== 'failed' &&
    isSameDay(left.createdAt, right.createdAt) &&
    Date.parse(right.createdAt) - Date.parse(left.createdAt) < groupMs
  );
}

/** The first inbound message after the last one read. */
function firstUnread(messages: readonly Message[], newAfter: string | null): Message | undefined {
  const read = newAfter === null ? -1 : messages.findIndex(({ id }) => id === newAfter);
  if (newAfter !== null && read < 0) return undefined;
  return messages.slice(read + 1).find(({ direction }) => direction === 'inbound');
}

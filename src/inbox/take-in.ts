// A page of a provider's history becomes the same jobs as the webhooks that would have brought it.
import type { HistoryPage, MessageEvent } from '../channels/provider.ts';
import { later, timeText } from '../base/clock.ts';
import type { Reader, Tx } from '../db/database.ts';
import type { ChannelRow } from '../db/tables.ts';
import type { MessageOrigin } from './changes.ts';
import { factsOf } from './channel-state.ts';
import { cleanTexts } from './clean-text.ts';
import type { InboxDeps } from './deps.ts';
import { contactLane, receiveMessage } from './receive.ts';
import { applyStatus } from './status.ts';

/** Enqueues what is not here yet, oldest first; answers how many messages that were. */
export async function takeIn(
  deps: InboxDeps,
  tx: Tx,
  channel: ChannelRow,
  events: HistoryPage['events'],
): Promise<number> {
  const receivedAt = timeText(deps.clock);
  const cleaned = events.map((event) => cleanTexts(event));
  const messages = cleaned.filter((event) => event.type === 'message');
  const known = await knownTimes(
    tx,
    channel.id,
    messages.map((message) => message.providerMessageId),
  );
  const fresh = inPlace(messages, known);
  await deps.queue.enqueueAll(
    tx,
    receiveMessage,
    fresh.map((event) => ({
      payload: { channelId: channel.id, event, receivedAt, origin: originOf(channel, event) },
      lane: contactLane(channel.id, event.contact.address),
    })),
  );
  await deps.queue.enqueueAll(
    tx,
    applyStatus,
    cleaned
      .filter((event) => event.type === 'status')
      .map((event) => ({ payload: { channelId: channel.id, event, receivedAt }, lane: null })),
  );
  return fresh.length;
}

/** What came after the channel was connected would have come by webhook, and is treated as if it had (histories count in seconds). */
function originOf(channel: ChannelRow, event: MessageEvent): MessageOrigin {
  const connectedAt = factsOf(channel).connectedAt ?? channel.createdAt;
  return event.at !== null && later(event.at, 999) < connectedAt ? 'imported' : 'reconciled';
}

/**
 * What is not here yet, oldest first. Histories count in seconds and webhooks in milliseconds: what follows a message of the
 * same second that is here already gets that one's time, or it would stand before it.
 */
function inPlace(messages: readonly MessageEvent[], known: ReadonlyMap<string, string>): MessageEvent[] {
  const newest = new Map<string, string>();
  return messages
    .toSorted((left, right) => ((left.at ?? '') < (right.at ?? '') ? -1 : (left.at ?? '') > (right.at ?? '') ? 1 : 0))
    .flatMap((message) => {
      const { address } = message.contact;
      const before = newest.get(address);
      const isSameSecond =
        message.at !== null && before !== undefined && before.slice(0, 19) === message.at.slice(0, 19);
      const at = isSameSecond && message.at < before ? before : message.at;
      const time = known.get(message.providerMessageId) ?? at;
      if (time !== null && (before === undefined || time > before)) newest.set(address, time);
      return known.has(message.providerMessageId) ? [] : [{ ...message, at }];
    });
}

/** When the messages that are here already were written, by the provider's id. */
async function knownTimes(
  reader: Pick<Reader, 'query'>,
  channelId: string,
  ids: readonly string[],
): Promise<Map<string, string>> {
  const known = new Map<string, string>();
  for (let start = 0; start < ids.length; start += 200) {
    const some = ids.slice(start, start + 200);
    const rows = await reader.query<{ providerMessageId: string; createdAt: string }>(
      `select provider_message_id, created_at from message where channel_id = ?
         and provider_message_id in (${some.map(() => '?').join(', ')})`,
      [channelId, ...some],
    );
    for (const { providerMessageId, createdAt } of rows) known.set(providerMessageId, createdAt);
  }
  return known;
}

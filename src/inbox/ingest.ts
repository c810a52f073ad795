// A stored webhook becomes one job per event, each in its contact's lane, so that a bad one holds up nobody else.
import { z } from 'zod';
import { timeText } from '../base/clock.ts';
import type { InboundEvent, ProviderName } from '../channels/provider.ts';
import type { Tx } from '../db/database.ts';
import { Channel, Job, columnsOf, type ChannelRow } from '../db/tables.ts';
import { defineBatchTask } from '../jobs/queue.ts';
import { newId } from '../base/ids.ts';
import { cleanTexts } from './clean-text.ts';
import type { InboxDeps } from './deps.ts';
import { applyEdit, applyReaction } from './react.ts';
import { contactLane, receiveMessage } from './receive.ts';
import { applyStatus } from './status.ts';

const webhookShape = z.object({
  provider: z.enum(['messenger', 'whatsapp']),
  /** The bytes as they came, in base64. */
  body: z.string(),
  pathAndQuery: z.string(),
  receivedAt: z.string(),
});
export type StoredWebhook = z.infer<typeof webhookShape>;

/** The work that an acknowledged webhook is (C4). */
export const ingest = defineBatchTask('ingest', webhookShape, async (deps: InboxDeps, items) => {
  const parsed = items.map((item) => ({
    item,
    events: deps.provider(item.payload.provider).parse({
      body: Buffer.from(item.payload.body, 'base64'),
      pathAndQuery: item.payload.pathAndQuery,
    }),
  }));
  await deps.db.transaction(async (tx) => {
    const channelOf = channelLookup(tx);
    const messages: { payload: z.infer<typeof receiveMessage.shape>; lane: string; correlationId: string | null }[] =
      [];
    const statuses: { payload: z.infer<typeof applyStatus.shape>; lane: null; correlationId: string | null }[] = [];
    for (const { item, events } of parsed) {
      const { provider, receivedAt } = item.payload;
      for (const event of events.map((found) => cleanTexts(found))) {
        if (event.type === 'unreadable') {
          await keepUnreadable(deps, tx, provider, event, receivedAt);
          continue;
        }
        const channel = await channelOf(provider, event.account, event.address);
        if (!channel) {
          deps.metrics.ignoredEvents.inc({ provider, reason: 'unknown_channel' });
          continue;
        }
        const { correlationId } = item;
        if (event.type === 'message') {
          const lane = contactLane(channel.id, event.contact.address);
          const payload = { channelId: channel.id, event, receivedAt, origin: 'webhook' as const };
          messages.push({ payload, lane, correlationId });
        } else if (event.type === 'status') {
          statuses.push({ payload: { channelId: channel.id, event, receivedAt }, lane: null, correlationId });
        } else if (event.type === 'reaction') {
          await deps.queue.enqueue(tx, applyReaction, { channelId: channel.id, event, receivedAt });
        } else if (event.type === 'edit') {
          await deps.queue.enqueue(tx, applyEdit, { channelId: channel.id, event, receivedAt });
        } else {
          deps.metrics.ignoredEvents.inc({ provider, reason: event.reason });
        }
      }
      item.job.done(tx);
    }
    await deps.queue.enqueueAll(tx, receiveMessage, messages);
    await deps.queue.enqueueAll(tx, applyStatus, statuses);
  });
});

function channelLookup(
  tx: Tx,
): (provider: ProviderName, account: string, address: string) => Promise<ChannelRow | undefined> {
  const known = new Map<string, ChannelRow | undefined>();
  return async (provider, account, address) => {
    const key = `${provider} ${account} ${address}`;
    if (!known.has(key)) known.set(key, await findChannel(tx, provider, account, address));
    return known.get(key);
  };
}

/** The connected channel that an account and an address name. */
export function findChannel(
  reader: Pick<Tx, 'one'>,
  provider: ProviderName,
  account: string,
  address: string,
): Promise<ChannelRow | undefined> {
  return reader.one<ChannelRow>(
    `select ${columnsOf(Channel)} from channel where provider = ? and account = ? and address = ? and state <> 'disconnected'`,
    [provider, account, address],
    { prepared: true },
  );
}

/** What could not be read is kept as a job that was given up on: listed, and tried again by command (I-06, O4). */
async function keepUnreadable(
  deps: InboxDeps,
  tx: Tx,
  provider: ProviderName,
  event: Extract<InboundEvent, { type: 'unreadable' }>,
  receivedAt: string,
): Promise<void> {
  deps.metrics.ignoredEvents.inc({ provider, reason: 'unreadable' });
  const now = timeText(deps.clock);
  await tx.insert(Job, {
    id: newId(),
    task: unreadableEvent,
    payload: JSON.stringify({ provider, reason: event.reason, raw: event.raw, receivedAt }),
    lane: null,
    mergeKey: null,
    runAt: now,
    latestAt: null,
    attempts: 0,
    leaseUntil: null,
    leaseOwner: null,
    parkedAt: now,
    error: `could not read: ${event.reason}`,
    correlationId: null,
    createdAt: now,
  });
}

const unreadableEvent = 'unreadable-event';

// A stored webhook becomes one job per event, each in its contact's lane, so that a bad one holds up nobody else.
import { z } from 'zod';
import { timeText } from '../base/clock.ts';
import { UpstreamError } from '../base/errors.ts';
import type { InboundEvent, ProviderName } from '../channels/provider.ts';
import type { Tx } from '../db/database.ts';
import { Channel, Job, columnsOf, type ChannelRow } from '../db/tables.ts';
import { defineBatchTask, defineTask } from '../jobs/queue.ts';
import { newId } from '../base/ids.ts';
import { noteTrouble } from './channel-state.ts';
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
  const parsed = items.map(({ payload, correlationId }) => ({
    ...payload,
    correlationId,
    events: deps.provider(payload.provider).parse({
      body: Buffer.from(payload.body, 'base64'),
      pathAndQuery: payload.pathAndQuery,
    }),
  }));
  await deps.db.transaction(async (tx) => {
    await distribute(deps, tx, parsed);
    for (const { job } of items) job.done(tx);
  });
});

interface ParsedWebhook {
  readonly provider: ProviderName;
  readonly pathAndQuery: string;
  readonly receivedAt: string;
  readonly correlationId: string | null;
  readonly events: readonly InboundEvent[];
}

/** One job for each event. */
async function distribute(deps: InboxDeps, tx: Tx, webhooks: readonly ParsedWebhook[]): Promise<void> {
  const channelOf = channelLookup(tx);
  const messages: { payload: z.infer<typeof receiveMessage.shape>; lane: string; correlationId: string | null }[] = [];
  const statuses: { payload: z.infer<typeof applyStatus.shape>; lane: null; correlationId: string | null }[] = [];
  for (const webhook of webhooks) {
    const { provider, receivedAt, correlationId } = webhook;
    for (const event of webhook.events.map((found) => cleanTexts(found))) {
      if (event.type === 'unreadable') {
        await keepUnreadable(deps, tx, webhook, event);
        continue;
      }
      const channel = await channelOf(provider, event.account, event.address);
      if (!channel) {
        deps.metrics.ignoredEvents.inc({ provider, reason: 'unknown_channel' });
        continue;
      }
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
      } else if (event.type === 'trouble') {
        await noteTrouble(deps, tx, channel, event, receivedAt);
      } else {
        deps.metrics.ignoredEvents.inc({ provider, reason: event.reason });
      }
    }
  }
  await deps.queue.enqueueAll(tx, receiveMessage, messages);
  await deps.queue.enqueueAll(tx, applyStatus, statuses);
}

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
  { provider, pathAndQuery, receivedAt }: ParsedWebhook,
  event: Extract<InboundEvent, { type: 'unreadable' }>,
): Promise<void> {
  deps.metrics.ignoredEvents.inc({ provider, reason: 'unreadable' });
  const now = timeText(deps.clock);
  const payload: z.infer<typeof unreadableShape> = {
    provider,
    reason: event.reason,
    raw: event.raw,
    pathAndQuery,
    receivedAt,
  };
  await tx.insert(Job, {
    id: newId(),
    task: readAgain.name,
    payload: JSON.stringify(payload),
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

const unreadableShape = z.object({
  provider: z.enum(['messenger', 'whatsapp']),
  reason: z.string(),
  /** A webhook's body that holds the event alone. */
  raw: z.string(),
  pathAndQuery: z.string(),
  receivedAt: z.string(),
});

/** Runs by command alone, once a newer version may know how: an event that still cannot be read is parked again. */
export const readAgain = defineTask(
  'unreadable-event',
  unreadableShape,
  async (deps: InboxDeps, { raw, ...webhook }, job) => {
    const { provider, pathAndQuery } = webhook;
    const events = deps.provider(provider).parse({ body: Buffer.from(raw), pathAndQuery });
    const still = events.find((event) => event.type === 'unreadable');
    if (still) throw new UpstreamError(vendors[provider], 'refused', { reason: `could not read: ${still.reason}` });
    await deps.db.transaction(async (tx) => {
      await distribute(deps, tx, [{ ...webhook, correlationId: null, events }]);
      job.done(tx);
    });
  },
  { maxAttempts: 1 },
);
const vendors = { messenger: 'meta', whatsapp: 'twilio' } as const;

// Looks at each provider, at start and now and then, for what no webhook brought: messages in, messages sent from elsewhere,
// outcomes of sends, subscriptions that were switched off (C2, C8, C10). A quiet channel costs a call or two.
import { z } from 'zod';
import { later, timeText } from '../base/clock.ts';
import { UpstreamError } from '../base/errors.ts';
import type { ChannelAccess, Provider } from '../channels/provider.ts';
import type { ChannelRow } from '../db/tables.ts';
import { defineTask } from '../jobs/queue.ts';
import { changeFacts, factsOf, markBroken, markSound } from './channel-state.ts';
import { accessOf, type InboxDeps } from './deps.ts';
import { settleMessage } from './send.ts';
import { takeIn } from './take-in.ts';

export interface ReconcileDeps extends InboxDeps {
  readonly everyMs: number;
}

/** Our clock and the provider's may differ, and a message may be in its history a moment late. */
const overlapMs = 5 * 60_000;
/** While a provider does not answer, it is asked again this often. */
const askAgainMs = 60_000;
const pauseMs = 1_000;
/** A look goes back to the last one whatever lies between; these only keep one answer small. */
const perLook = { conversations: 1_000, messages: 50 };

/** Sends every channel on its look. With `everyMs` it does so again and again; without, once. */
export const reconcileChannels = defineTask(
  'reconcile-channels',
  z.object({ everyMs: z.number().optional() }),
  async (deps: ReconcileDeps, { everyMs }) => {
    // Left over from a start with another setting.
    if (everyMs !== undefined && everyMs !== deps.everyMs) return undefined;
    await deps.db.transaction(async (tx) => {
      const channels = await tx.query<{ id: string }>(`select id from channel where state <> 'disconnected'`);
      for (const { id } of channels) {
        await deps.queue.enqueue(tx, reconcileChannel, { channelId: id, page: null }, { key: id });
      }
    });
    return everyMs === undefined ? undefined : { againInMs: Math.max(everyMs, 1_000) };
  },
);

/** One channel's look: its health first, then its history since the last look, page by page. */
export const reconcileChannel = defineTask(
  'reconcile-channel',
  z.object({
    channelId: z.string(),
    /** Null for the first page; then where the look goes on, when it began and how far back it goes. */
    page: z.object({ cursor: z.string(), begunAt: z.string(), since: z.string() }).nullable(),
  }),
  async (deps: InboxDeps, { channelId, page }, job) => {
    const channel = await deps.db.read((reader) =>
      reader.one<ChannelRow>('select * from channel where id = ?', [channelId]),
    );
    if (!channel || channel.state === 'disconnected') return undefined;
    const provider = deps.provider(channel.provider);
    const access = accessOf(deps, channel);
    const begunAt = page?.begunAt ?? timeText(deps.clock);
    const since = page?.since ?? sinceLastLook(channel);
    try {
      if (!page) await settleUnknown(deps, channel);
      if (!page && !(await checkChannel(deps, channel, provider, access))) return undefined;
      const found = await provider.history?.(access, { since, cursor: page?.cursor ?? null, ...perLook });
      if (!found) return undefined;
      await deps.db.transaction(async (tx) => {
        const missed = await takeIn(deps, tx, channel, found.events);
        if (missed > 0) deps.log.info({ channelId, missed }, 'messages that no webhook brought');
        if (found.next === null) {
          await changeFacts(tx, channelId, (facts) => ({ ...facts, reconciledThrough: begunAt }));
        } else {
          const next = { channelId, page: { cursor: found.next, begunAt, since } };
          await deps.queue.enqueue(tx, reconcileChannel, next, { key: channelId, delayMs: pauseMs });
        }
        job.done(tx);
      });
      return undefined;
    } catch (error) {
      if (!(error instanceof UpstreamError)) throw error;
      return afterFailure(deps, channel, error);
    }
  },
);

function sinceLastLook(channel: ChannelRow): string {
  const { reconciledThrough, connectedAt } = factsOf(channel);
  return later(reconciledThrough ?? connectedAt ?? channel.createdAt, -overlapMs);
}

async function afterFailure(
  deps: InboxDeps,
  channel: ChannelRow,
  error: UpstreamError,
): Promise<{ againInMs: number } | undefined> {
  if (error.kind === 'reconnect') {
    await deps.db.transaction((tx) => markBroken(deps, tx, channel, error.reason ?? 'reconnect'));
    return undefined;
  }
  deps.log.info({ err: error, channelId: channel.id }, 'a channel could not be looked at');
  return error.kind === 'refused' ? undefined : { againInMs: Math.max(askAgainMs, error.retryAfterMs ?? 0) };
}

/** Asks the provider how the channel is, keeps the answer, and says whether the channel can be worked with. */
export async function checkChannel(
  deps: InboxDeps,
  channel: ChannelRow,
  provider: Provider,
  access: ChannelAccess,
): Promise<boolean> {
  if (!provider.check) return channel.state === 'connected';
  const check = await provider.check(access);
  const at = timeText(deps.clock);
  await deps.db.transaction(async (tx) => {
    const before = factsOf(channel).check;
    await changeFacts(tx, channel.id, (facts) => ({ ...facts, check: { ...check, at } }));
    if (check.dead !== null) await markBroken(deps, tx, channel, check.dead);
    else await markSound(deps, tx, channel);
    const said = ({ at: _, ...rest }: { at?: string } & object): string => JSON.stringify(rest);
    if (!before || said(before) !== said(check)) {
      await deps.changes.record(tx, { kind: 'channel.changed', companyId: channel.companyId, channelId: channel.id });
    }
  });
  return check.dead === null;
}

/** Sends whose outcome is unknown are settled by the provider's history; this makes sure that somebody looks. */
async function settleUnknown(deps: InboxDeps, channel: ChannelRow): Promise<void> {
  await deps.db.transaction(async (tx) => {
    const unknown = await tx.query<{ id: string }>(
      `select id from message where channel_id = ? and status = 'unknown' and not exists (
         select 1 from job j where j.lane = 'settle:' || message.id and j.parked_at is null)`,
      [channel.id],
    );
    for (const { id } of unknown) {
      await deps.queue.enqueue(tx, settleMessage, { messageId: id }, { lane: `settle:${id}` });
    }
  });
}

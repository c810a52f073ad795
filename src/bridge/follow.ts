// What happens that Leads Inbox must hear of. Decides and enqueues; `push.ts` and `sync.ts` do it.
// Of a company whose channels Pipedrive does not know, nothing is kept and nothing is enqueued.
import { timeText, type Clock } from '../base/clock.ts';
import type { Tx } from '../db/database.ts';
import type { Follower, Happening } from '../inbox/changes.ts';
import type { Queue } from '../jobs/queue.ts';
import { enqueueSync } from './sync.ts';
import { bridgeOf, type BridgeSwitch } from './state.ts';
import { pushTask } from './tasks.ts';

export interface FollowDeps {
  readonly queue: Queue;
  readonly clock: Clock;
  readonly channelsApi: BridgeSwitch;
}

/** "Sent" and "delivered" mostly come together: one push tells both, as each costs the company tokens. */
const gatherMs = 1_000;
const gatherAtMostMs = 5_000;

export function createBridgeFollower(deps: FollowDeps): Follower {
  if (deps.channelsApi === 'off') return () => Promise.resolve();
  const followOne = async (tx: Tx, happening: Happening): Promise<void> => {
    switch (happening.kind) {
      case 'channel.changed':
        return enqueueSync(deps, tx, happening.companyId);
      case 'user.changed': {
        const bridge = await bridgeOf(tx, happening.companyId);
        return bridge?.state === 'blocked' ? enqueueSync(deps, tx, happening.companyId) : undefined;
      }
      case 'conversation.deleted':
        return rememberDeletion(deps, tx, happening);
      case 'conversation.joined':
        return rememberJoin(deps, tx, happening);
      case 'message.received':
        return remember(deps, tx, happening, 0);
      case 'message.changed':
        return remember(deps, tx, happening, gatherMs);
      default:
        return undefined;
    }
  };
  return async (tx, happenings) => {
    const unknown = await unknownChannels(tx, happenings);
    for (const happening of happenings) {
      if (!('message' in happening) || !unknown.has(happening.message.channelId)) await followOne(tx, happening);
    }
  };
}

/** Channels of these messages that Pipedrive does not know: nothing is kept for them. */
async function unknownChannels(tx: Tx, happenings: readonly Happening[]): Promise<Set<string>> {
  const ids = new Set(happenings.flatMap((happening) => ('message' in happening ? [happening.message.channelId] : [])));
  if (ids.size === 0) return ids;
  const known = await tx.query<{ channelId: string }>(
    `select channel_id from bridge_channel where channel_id in (${[...ids].map(() => '?').join(', ')}) and state <> 'removed'`,
    [...ids],
  );
  for (const { channelId } of known) ids.delete(channelId);
  return ids;
}

interface Told {
  readonly id: string;
  readonly companyId: string;
  readonly channelId: string;
  readonly conversationId: string;
}

async function remember(
  deps: FollowDeps,
  tx: Tx,
  { message, correlationId }: { readonly message: Told; readonly correlationId?: string },
  delayMs: number,
): Promise<void> {
  const kept = await keep(deps, tx, 'message', message);
  if (kept) await enqueuePush(deps, tx, message, { delayMs, correlationId });
}

/** What was not yet told of it need not be told any more. */
async function rememberDeletion(
  deps: FollowDeps,
  tx: Tx,
  { companyId, channelId, conversationId, correlationId }: Extract<Happening, { kind: 'conversation.deleted' }>,
): Promise<void> {
  await tx.query(`delete from bridge_pending where conversation_id = ? and what = 'message'`, [conversationId]);
  await tx.query('delete from bridge_submission where conversation_id = ?', [conversationId]);
  const deletion = { id: conversationId, companyId, channelId, conversationId };
  const kept = await keep(deps, tx, 'deletion', deletion);
  if (kept) await enqueuePush(deps, tx, deletion, { delayMs: 0, correlationId });
}

/**
 * Pipedrive cannot join two conversations: the one that is no more is deleted there, and what it held is told anew in the one
 * that stays. The deletion waits among what is told of that one, so that it comes first (C11).
 */
async function rememberJoin(
  deps: FollowDeps,
  tx: Tx,
  { conversation, from, messageIds, correlationId }: Extract<Happening, { kind: 'conversation.joined' }>,
): Promise<void> {
  const { id: conversationId, companyId, channelId } = conversation;
  await tx.query('delete from bridge_submission where conversation_id = ?', [from]);
  await tx.query('update bridge_pending set conversation_id = ? where conversation_id = ?', [conversationId, from]);
  const deletion = { id: from, companyId, channelId, conversationId };
  if (!(await keep(deps, tx, 'deletion', deletion))) return;
  for (const id of messageIds) await keep(deps, tx, 'message', { ...deletion, id });
  await enqueuePush(deps, tx, deletion, { delayMs: 0, correlationId });
}

/** Nothing is kept for a channel that Pipedrive does not know: it reads the history when it gets to know it. */
async function keep(deps: FollowDeps, tx: Tx, what: 'message' | 'deletion', told: Told): Promise<boolean> {
  const kept = await tx.query(
    `insert into bridge_pending (id, company_id, channel_id, conversation_id, what, version, since)
     select ?, company_id, channel_id, ?, ?, 1, ? from bridge_channel where channel_id = ? and state <> 'removed'
     on conflict (id) do update set version = bridge_pending.version + 1 returning id`,
    [told.id, told.conversationId, what, timeText(deps.clock), told.channelId],
  );
  return kept.length > 0;
}

async function enqueuePush(
  deps: FollowDeps,
  tx: Tx,
  { companyId, conversationId }: Told,
  options: { delayMs: number; correlationId: string | undefined },
): Promise<void> {
  const bridge = await bridgeOf(tx, companyId);
  // Kept for the day it works again.
  if (bridge?.state !== 'active') return;
  const lane = `push:${conversationId}`;
  const key = conversationId;
  await deps.queue.enqueue(tx, pushTask, { conversationId }, { lane, key, maxWaitMs: gatherAtMostMs, ...options });
}

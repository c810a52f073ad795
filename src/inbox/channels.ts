// What users do with a channel that is connected: see, change, check, disconnect (C14, C15, A7, A8).
import { timeText } from '../base/clock.ts';
import { UpstreamError, UserError } from '../base/errors.ts';
import { requireAdmin, requireOwner, visibleChannel, type Viewer } from '../companies/access.ts';
import { audit } from '../companies/audit.ts';
import type { Reader, Tx } from '../db/database.ts';
import type { ChannelRow, ConversationRow } from '../db/tables.ts';
import { actorOf } from './conversation.ts';
import { accessOf, type InboxDeps } from './deps.ts';
import { enqueueLeaving, mayWorkLater } from './leave-provider.ts';
import { checkChannel, reconcileChannel } from './reconcile.ts';
import type { ConnectDeps } from './connect.ts';

/** A channel this viewer may see, or `not_found`. */
export async function channelFor(reader: Pick<Reader, 'one'>, viewer: Viewer, id: string): Promise<ChannelRow> {
  const visible = visibleChannel(viewer);
  const row = await reader.one<ChannelRow>(`select ch.* from channel ch where ch.id = ? and ${visible.sql}`, [
    id,
    ...visible.parameters,
  ]);
  if (!row) throw new UserError('not_found');
  return row;
}

/** Name by an admin or the owner; visibility by the owner alone (A7, A8). */
export function changeChannel(
  deps: ConnectDeps,
  viewer: Viewer,
  channelId: string,
  change: { name?: string | undefined; visibility?: 'shared' | 'private' | undefined },
): Promise<ChannelRow> {
  return deps.db.transaction(async (tx) => {
    const before = await channelFor(tx, viewer, channelId);
    requireOwner(viewer, before);
    const after = await tx.one<ChannelRow>('update channel set name = ?, visibility = ? where id = ? returning *', [
      change.name ?? before.name,
      change.visibility ?? before.visibility,
      before.id,
    ]);
    if (before.visibility === 'shared' && after!.visibility === 'private') await takeBack(deps, tx, viewer, after!);
    await audit(deps, tx, {
      companyId: viewer.companyId,
      userId: viewer.userId,
      act: 'channel_changed',
      details: { channelId: before.id, visibility: after!.visibility },
    });
    await deps.changes.record(tx, { kind: 'channel.changed', companyId: viewer.companyId, channelId: before.id });
    return after!;
  });
}

/** Nobody keeps a conversation that he may no longer see (A8). */
async function takeBack(deps: ConnectDeps, tx: Tx, viewer: Viewer, channel: ChannelRow): Promise<void> {
  const conversations = await tx.query<ConversationRow>(
    `update conversation set assignee_id = null, updated_at = ?
     where channel_id = ? and deleted_at is null and assignee_id <> ? returning *`,
    [timeText(deps.clock), channel.id, channel.ownerId],
  );
  for (const conversation of conversations)
    await deps.changes.record(tx, {
      kind: 'conversation.changed',
      conversation,
      act: 'unassigned',
      by: actorOf(viewer),
    });
}

/** Asks the provider at once how the channel is, and mends what needs no person (C14). */
export async function recheckChannel(deps: ConnectDeps, viewer: Viewer, channelId: string): Promise<void> {
  const channel = await deps.db.read((reader) => channelFor(reader, viewer, channelId));
  if (channel.ownerId !== viewer.userId) requireAdmin(viewer);
  if (channel.state === 'disconnected') return;
  await checkChannel(deps, channel, deps.provider(channel.provider), accessOf(deps, channel));
  await deps.db.transaction((tx) =>
    deps.queue.enqueue(tx, reconcileChannel, { channelId: channel.id, page: null }, { key: channel.id }),
  );
}

/** Unsubscribes, forgets the credentials, keeps the conversations (C15). */
export async function disconnectChannel(deps: ConnectDeps, viewer: Viewer, channelId: string): Promise<void> {
  const channel = await deps.db.read((reader) => channelFor(reader, viewer, channelId));
  requireOwner(viewer, channel);
  if (channel.state === 'disconnected') return;
  const isTold = await unsubscribe(deps, channel);
  await deps.db.transaction(async (tx) => {
    if (!isTold) await enqueueLeaving(deps, tx, channel);
    await forget(deps, tx, channel);
    await audit(deps, tx, {
      companyId: viewer.companyId,
      userId: viewer.userId,
      act: 'channel_disconnected',
      details: { channelId: channel.id },
    });
  });
}

/** The last user uninstalled: nothing may be sent or fetched any more, and the providers are told so behind it (A3). */
export async function disconnectAll(
  deps: Pick<InboxDeps, 'changes' | 'clock' | 'queue'>,
  tx: Tx,
  companyId: string,
): Promise<void> {
  const channels = await tx.query<ChannelRow>(
    `select * from channel where company_id = ? and state <> 'disconnected'`,
    [companyId],
  );
  for (const channel of channels) {
    await enqueueLeaving(deps, tx, channel);
    await forget(deps, tx, channel);
  }
}

async function forget(deps: Pick<InboxDeps, 'changes' | 'clock'>, tx: Tx, channel: ChannelRow): Promise<void> {
  await tx.query(
    `update channel set state = 'disconnected', sealed_credentials = null, broken_reason = null, disconnected_at = ? where id = ?`,
    [timeText(deps.clock), channel.id],
  );
  await deps.changes.record(tx, { kind: 'channel.changed', companyId: channel.companyId, channelId: channel.id });
}

/** False when the provider is to be told later: that it cannot be reached must not keep anybody from leaving. */
async function unsubscribe(deps: ConnectDeps, channel: ChannelRow): Promise<boolean> {
  try {
    await deps.provider(channel.provider).disconnect?.(accessOf(deps, channel));
    return true;
  } catch (error) {
    deps.log.info({ err: error, channelId: channel.id }, 'could not unsubscribe a channel');
    return !(error instanceof UpstreamError && mayWorkLater(error));
  }
}

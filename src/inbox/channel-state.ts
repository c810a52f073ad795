// Whether a channel can send: broken when its permission is gone, sound again after reconnecting (C14).
import type { Tx } from '../db/database.ts';
import type { ChannelRow } from '../db/tables.ts';
import type { InboxDeps } from './deps.ts';

/** Sending stops and the screens say why; messages that come in are still received and kept. */
export async function markBroken(
  deps: Pick<InboxDeps, 'changes'>,
  tx: Tx,
  channel: ChannelRow,
  reason: string,
): Promise<void> {
  const changed = await tx.query(
    `update channel set state = 'broken', broken_reason = ? where id = ? and state = 'connected' returning id`,
    [reason, channel.id],
  );
  if (changed.length === 0) return;
  await deps.changes.record(tx, { kind: 'channel.changed', companyId: channel.companyId, channelId: channel.id });
}

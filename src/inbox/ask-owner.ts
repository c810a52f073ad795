// A user asks a channel's owner to reconnect or share it (N5): one notice, at most once a day for each reason. And whom he may
// ask for a conversation that he may not see.
import { later, timeText } from '../base/clock.ts';
import { UserError } from '../base/errors.ts';
import type { Viewer } from '../companies/access.ts';
import type { Reader } from '../db/database.ts';
import type { ChannelRow, OwnerRequestRow } from '../db/tables.ts';
import type { PrivateChannel } from '../web/contract.ts';
import { actorOf } from './conversation.ts';
import type { InboxDeps } from './deps.ts';

const dayMs = 86_400_000;

export interface Asked {
  /** False when somebody asked for the same within a day: the owner has that notice. */
  readonly notified: boolean;
  readonly owner: { readonly id: string; readonly name: string };
  readonly askAgainAt: string;
}

/**
 * Whose private channel a conversation is in, for a colleague who came by its address. Nothing for other companies, for what
 * was deleted or never was, and for what the viewer may read. It tells no more than asking does: not the contact, not the
 * channel's name.
 */
export async function whomToAsk(
  reader: Pick<Reader, 'one'>,
  viewer: Viewer,
  conversationId: string,
): Promise<PrivateChannel | undefined> {
  const found = await reader.one<{ channelId: string; ownerId: string; ownerName: string | null }>(
    `select ch.id as channel_id, ch.owner_id, u.name as owner_name
     from conversation cv join channel ch on ch.id = cv.channel_id
     left join app_user u on u.company_id = ch.company_id and u.id = ch.owner_id
     where cv.id = ? and cv.company_id = ? and cv.deleted_at is null
       and ch.company_id = ? and ch.visibility = 'private' and ch.owner_id <> ?`,
    [conversationId, viewer.companyId, viewer.companyId, viewer.userId],
  );
  return found && { channelId: found.channelId, owner: { id: found.ownerId, name: found.ownerName ?? found.ownerId } };
}

/**
 * Any user of the company may ask, also one who does not see the channel: to be let in is what he asks for. He learns
 * nothing but whose it is.
 */
export function askOwner(
  deps: InboxDeps,
  viewer: Viewer,
  input: { channelId: string; what: 'reconnect' | 'share' },
): Promise<Asked> {
  return deps.db.transaction(async (tx) => {
    const channel = await tx.one<ChannelRow & { ownerName: string | null }>(
      `select ch.*, u.name as owner_name from channel ch
       left join app_user u on u.company_id = ch.company_id and u.id = ch.owner_id
       where ch.id = ? and ch.company_id = ?`,
      [input.channelId, viewer.companyId],
    );
    if (!channel) throw new UserError('not_found');
    if (channel.ownerId === viewer.userId) throw new UserError('invalid', { fields: { id: 'own' } });
    const owner = { id: channel.ownerId, name: channel.ownerName ?? channel.ownerId };
    const now = timeText(deps.clock);
    const taken = await tx.one<OwnerRequestRow>(
      `insert into owner_request (channel_id, what, asked_by, asked_at) values (?, ?, ?, ?)
       on conflict (channel_id, what) do update set asked_by = excluded.asked_by, asked_at = excluded.asked_at
       where owner_request.asked_at <= ? returning *`,
      [channel.id, input.what, viewer.userId, now, later(now, -dayMs)],
    );
    if (!taken) {
      const before = await tx.one<OwnerRequestRow>('select * from owner_request where channel_id = ? and what = ?', [
        channel.id,
        input.what,
      ]);
      return { notified: false, owner, askAgainAt: later(before!.askedAt, dayMs) };
    }
    await deps.changes.record(tx, {
      kind: 'owner.asked',
      companyId: channel.companyId,
      channelId: channel.id,
      ownerId: channel.ownerId,
      what: input.what,
      by: actorOf(viewer),
    });
    return { notified: true, owner, askAgainAt: later(now, dayMs) };
  });
}

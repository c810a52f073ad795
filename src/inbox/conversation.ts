// What a user does to a conversation: assign, close, open, read, delete; and the rules for each.
import { timeText } from '../base/clock.ts';
import { UserError } from '../base/errors.ts';
import { requireOwner, visibleChannel, type Viewer } from '../companies/access.ts';
import { audit } from '../companies/audit.ts';
import type { Reader, Tx } from '../db/database.ts';
import type { ConversationRow, MessageRow, ReadMarkRow, UserRow } from '../db/tables.ts';
import { theApp, type Actor } from './changes.ts';
import type { InboxDeps } from './deps.ts';
import { eraseContents } from './erase.ts';
import { enqueueHint } from './hint.ts';
import { removeMedia } from './remove-media.ts';

export function actorOf(viewer: Pick<Viewer, 'userId' | 'name'>): Actor {
  return { kind: 'user', id: viewer.userId, name: viewer.name };
}

/** A conversation this viewer may see, or `not_found`: what is not his does not exist. */
export async function conversationFor(
  reader: Pick<Reader, 'one'>,
  viewer: Viewer,
  id: string,
): Promise<ConversationRow> {
  const visible = visibleChannel(viewer);
  const row = await reader.one<ConversationRow>(
    `select cv.* from conversation cv join channel ch on ch.id = cv.channel_id
     where cv.id = ? and cv.company_id = ? and cv.deleted_at is null and ${visible.sql}`,
    [id, viewer.companyId, ...visible.parameters],
  );
  if (!row) throw new UserError('not_found');
  return row;
}

/**
 * The same, held until the transaction ends: what is decided on it stays true. On SQLite there is one writer anyway. Who only
 * refers to it (a link that is written, a message that is stored) does not wait: he may hold what we are about to ask for.
 */
export async function lockedConversationFor(tx: Tx, viewer: Viewer, id: string): Promise<ConversationRow> {
  if (tx.kind === 'postgres') await tx.query('select 1 from conversation where id = ? for no key update', [id]);
  return conversationFor(tx, viewer, id);
}

/** Gives it to an available user who may see it, or to nobody (V3, V4). `expected` is whom the caller believed it to be with. */
export function assign(
  deps: InboxDeps,
  viewer: Viewer,
  input: { conversationId: string; userId: string | null; expected?: string | null | undefined },
): Promise<void> {
  return deps.db.transaction(async (tx) => {
    const before = await conversationFor(tx, viewer, input.conversationId);
    if (before.assigneeId === input.userId) return;
    if (input.userId !== null) await requireAssignable(tx, viewer, before, input.userId);
    const conversation = await tx.one<ConversationRow>(
      `update conversation set assignee_id = ?, updated_at = ?
       where id = ? and coalesce(assignee_id, '') = ? returning *`,
      [
        input.userId,
        timeText(deps.clock),
        before.id,
        input.expected === undefined ? (before.assigneeId ?? '') : (input.expected ?? ''),
      ],
    );
    if (!conversation) throw new UserError('assignee_changed', await whoHasIt(tx, before.id));
    const act = input.userId === null ? 'unassigned' : 'assigned';
    await deps.changes.record(tx, { kind: 'conversation.changed', conversation, act, by: actorOf(viewer) });
  });
}

async function requireAssignable(tx: Tx, viewer: Viewer, conversation: ConversationRow, userId: string): Promise<void> {
  const user = await tx.one<UserRow>(
    `select u.* from app_user u join installation i on i.company_id = u.company_id and i.user_id = u.id
     join channel ch on ch.id = ? and (ch.visibility = 'shared' or ch.owner_id = u.id)
     where u.company_id = ? and u.id = ?`,
    [conversation.channelId, viewer.companyId, userId],
  );
  if (!user) throw new UserError('invalid', { fields: { userId: 'unknown' } });
  if (user.available !== 1) throw new UserError('assignee_unavailable', { userId, name: user.name });
}

/** The present assignee, and who gave it to him last, for the question before overwriting. */
async function whoHasIt(tx: Tx, conversationId: string): Promise<Record<string, unknown>> {
  const now = await tx.one<{ id: string | null; name: string | null }>(
    `select c.assignee_id as id, u.name from conversation c
     left join app_user u on u.company_id = c.company_id and u.id = c.assignee_id where c.id = ?`,
    [conversationId],
  );
  const last = await tx.one<{ byName: string }>(
    `select by_name from timeline_entry where conversation_id = ? and kind in ('assigned', 'unassigned') order by id desc limit 1`,
    [conversationId],
  );
  return { assignee: now?.id ? { id: now.id, name: now.name } : null, changedBy: last?.byName ?? null };
}

/** Closes or opens; the assignee stays (V5). */
export function changeStatus(
  deps: InboxDeps,
  viewer: Viewer,
  input: { conversationId: string; status: 'open' | 'closed' },
): Promise<void> {
  return deps.db.transaction(async (tx) => {
    const before = await conversationFor(tx, viewer, input.conversationId);
    if (before.status === input.status) return;
    const conversation = await tx.one<ConversationRow>(
      'update conversation set status = ?, updated_at = ? where id = ? returning *',
      [input.status, timeText(deps.clock), before.id],
    );
    const act = input.status === 'closed' ? 'closed' : 'opened';
    await deps.changes.record(tx, {
      kind: 'conversation.changed',
      conversation: conversation!,
      act,
      by: actorOf(viewer),
    });
  });
}

/** Marks as read up to a message; never backwards (V8). */
export function markRead(
  deps: InboxDeps,
  viewer: Viewer,
  input: { conversationId: string; through: string },
): Promise<void> {
  return deps.db.transaction(async (tx) => {
    const conversation = await lockedConversationFor(tx, viewer, input.conversationId);
    const through = await tx.one<MessageRow>('select * from message where id = ? and conversation_id = ?', [
      input.through,
      conversation.id,
    ]);
    if (!through) throw new UserError('not_found');
    const before = await tx.one<ReadMarkRow>('select * from read_mark where conversation_id = ? and user_id = ?', [
      conversation.id,
      viewer.userId,
    ]);
    const newer = await tx.one<{ count: number | null }>(
      `select max(inbound_number) as count from message
       where conversation_id = ? and inbound_number > ? and (created_at, id) <= (?, ?)`,
      [conversation.id, before?.readCount ?? 0, through.createdAt, through.id],
    );
    const readCount = newer?.count ?? before?.readCount ?? 0;
    const throughId = before && before.throughMessageId > through.id ? before.throughMessageId : through.id;
    if (before && before.readCount === readCount && before.throughMessageId === throughId) return;
    await tx.query(
      `insert into read_mark (conversation_id, user_id, company_id, read_count, through_message_id,
         channel_id, status, assignee_id, caught_up)
       select id, ?, company_id, ?, ?, channel_id, status, assignee_id,
         case when inbound_count > 0 and inbound_count <= ? then 1 else 0 end
       from conversation where id = ?
       on conflict (conversation_id, user_id) do update set read_count = excluded.read_count,
         through_message_id = excluded.through_message_id, caught_up = excluded.caught_up`,
      [viewer.userId, readCount, throughId, readCount, conversation.id],
    );
    await deps.changes.record(tx, { kind: 'conversation.read', conversation, userId: viewer.userId });
    await enqueueHint(deps, tx, conversation, 'seen');
  });
}

/** What a deletion would erase. */
export async function measure(
  deps: InboxDeps,
  viewer: Viewer,
  conversationId: string,
): Promise<{ messages: number; attachments: number; links: number }> {
  return deps.db.read(async (reader) => {
    const { id } = await conversationFor(reader, viewer, conversationId);
    const sizes = await reader.one<{ messages: number; attachments: number; links: number }>(
      `select
         (select cast(count(*) as integer) from message where conversation_id = ?) as messages,
         (select cast(count(*) as integer) from attachment a join message m on m.id = a.message_id where m.conversation_id = ?) as attachments,
         (select cast(count(*) as integer) from link where conversation_id = ? and removed_at is null) as links`,
      [id, id, id],
    );
    return sizes!;
  });
}

/** Erases what it holds, for good; only for the channel's owner (V7). */
export function deleteConversation(deps: InboxDeps, viewer: Viewer, conversationId: string): Promise<void> {
  return deps.db.transaction(async (tx) => {
    const conversation = await lockedConversationFor(tx, viewer, conversationId);
    const channel = await tx.one<{ ownerId: string }>('select owner_id from channel where id = ?', [
      conversation.channelId,
    ]);
    requireOwner(viewer, channel!);
    await eraseContents(deps, tx, conversation, actorOf(viewer));
    const { companyId, userId } = viewer;
    await audit(deps, tx, { companyId, userId, act: 'conversation_deleted', details: { conversationId } });
  });
}

/** Removes an own message that was never sent, with its files. */
export function removeFailedMessage(deps: InboxDeps, viewer: Viewer, messageId: string): Promise<void> {
  return deps.db.transaction(async (tx) => {
    const message = await tx.one<MessageRow>('select * from message where id = ? and company_id = ?', [
      messageId,
      viewer.companyId,
    ]);
    if (!message) throw new UserError('not_found');
    const conversation = await lockedConversationFor(tx, viewer, message.conversationId);
    if (message.authorId !== viewer.userId || message.direction !== 'outbound') throw new UserError('forbidden');
    if (message.status !== 'failed') throw new UserError('conflict', { status: message.status });
    const files = await tx.query<{ mediaKey: string | null }>(
      'delete from attachment where message_id = ? returning media_key',
      [message.id],
    );
    const keys = files.flatMap(({ mediaKey }) => (mediaKey === null ? [] : [mediaKey]));
    if (keys.length > 0) await deps.queue.enqueue(tx, removeMedia, { keys });
    await tx.query('delete from noted_message where message_id = ? and confirmed = 0', [message.id]);
    await tx.query('delete from message where id = ?', [message.id]);
    const after = await tx.one<ConversationRow>(
      `update conversation set
         last_message_id = (select id from message m where m.conversation_id = conversation.id order by created_at desc, id desc limit 1),
         last_message_at = coalesce((select created_at from message m where m.conversation_id = conversation.id
           order by created_at desc, id desc limit 1), last_message_at)
       where id = ? returning *`,
      [conversation.id],
    );
    await deps.changes.record(tx, { kind: 'message.removed', conversation: after!, messageId: message.id });
    await deps.changes.record(tx, { kind: 'conversation.changed', conversation: after!, act: null, by: theApp });
  });
}

// Two contacts that turn out to be the same person: one who hid the number shows it, or the other way round (C11). The older
// conversation takes in everything of the younger one: messages, links with their notes, what was read, the timeline.
import { timeText } from '../base/clock.ts';
import type { Tx } from '../db/database.ts';
import type { ChannelRow, ConversationRow, LinkRow } from '../db/tables.ts';
import { theApp } from './changes.ts';
import type { InboxDeps } from './deps.ts';

/** A step inside the transaction that noticed it. `from` is gone afterwards. */
export async function joinContacts(
  deps: InboxDeps,
  tx: Tx,
  channel: ChannelRow,
  contacts: { from: string; into: string },
): Promise<void> {
  const of = (contactId: string): Promise<ConversationRow | undefined> =>
    tx.one<ConversationRow>('select * from conversation where channel_id = ? and contact_id = ?', [
      channel.id,
      contactId,
    ]);
  const [from, into] = [await of(contacts.from), await of(contacts.into)];
  await tx.query('update contact_identity set contact_id = ? where contact_id = ?', [contacts.into, contacts.from]);
  if (from && into) await joinConversations(deps, tx, from, into);
  else if (from) await tx.query('update conversation set contact_id = ? where id = ?', [contacts.into, from.id]);
  await tx.query('delete from contact where id = ?', [contacts.from]);
}

/** Newest moved messages told to the streams one by one; a screen reads older ones when it asks for them. */
const toldAtMost = 100;

async function joinConversations(deps: InboxDeps, tx: Tx, from: ConversationRow, into: ConversationRow): Promise<void> {
  const read = await readBefore(tx, [from, into]);
  const moved = await tx.query<{ id: string }>(
    'update message set conversation_id = ? where conversation_id = ? returning id',
    [into.id, from.id],
  );
  await tx.query(`update message set author_id = ? where conversation_id = ? and author_kind = 'contact'`, [
    into.contactId,
    into.id,
  ]);
  await moveLinks(deps, tx, from, into);
  for (const table of ['timeline_entry', 'record_request']) {
    await tx.query(`update ${table} set conversation_id = ? where conversation_id = ?`, [into.id, from.id]);
  }
  await joinAutoLinks(tx, from.id, into.id);
  const inboundCount = await numberInbound(tx, into.id);
  await writeReadMarks(tx, into, read);
  await tx.query('delete from read_mark where conversation_id = ?', [from.id]);
  await tx.query('delete from conversation where id = ?', [from.id]);
  const latest = (left: string | null, right: string | null): string | null =>
    left === null || (right !== null && right > left) ? right : left;
  const conversation = await tx.one<ConversationRow>(
    `update conversation set status = ?, assignee_id = ?, inbound_count = ?, last_inbound_at = ?, reply_until = ?,
       deleted_at = ?, updated_at = ?, last_message_at = ?,
       last_message_id = (select m.id from message m where m.conversation_id = conversation.id
         order by m.created_at desc, m.id desc limit 1)
     where id = ? returning *`,
    [
      from.status === 'open' ? 'open' : into.status,
      into.assigneeId ?? from.assigneeId,
      inboundCount,
      latest(from.lastInboundAt, into.lastInboundAt),
      latest(from.replyUntil, into.replyUntil),
      from.deletedAt === null ? null : into.deletedAt,
      timeText(deps.clock),
      latest(from.lastMessageAt, into.lastMessageAt),
      into.id,
    ],
  );
  await deps.changes.record(tx, {
    kind: 'conversation.joined',
    conversation: conversation!,
    from: from.id,
    messageIds: moved
      .map(({ id }) => id)
      .sort()
      .slice(-toldAtMost),
  });
}

/** A record linked twice, or a second person, is unlinked: one conversation has each once (L1). Its notes stay (L5). */
async function moveLinks(deps: InboxDeps, tx: Tx, from: ConversationRow, into: ConversationRow): Promise<void> {
  const ofConversation = (id: string): Promise<LinkRow[]> =>
    tx.query<LinkRow>('select * from link where conversation_id = ? and removed_at is null order by created_at, id', [
      id,
    ]);
  const kept = await ofConversation(into.id);
  for (const link of await ofConversation(from.id)) {
    const isDouble = kept.some(
      (other) => other.type === link.type && (link.type === 'person' || other.recordId === link.recordId),
    );
    if (!isDouble) continue;
    await tx.query('update link set removed_at = ? where id = ?', [timeText(deps.clock), link.id]);
    await deps.changes.record(tx, { kind: 'link.removed', conversation: from, link, by: theApp });
  }
  await tx.query('update link set conversation_id = ? where conversation_id = ?', [into.id, from.id]);
}

/** That one of them was looked at counts for both; what was still wanted of the one that goes is wanted no more. */
async function joinAutoLinks(tx: Tx, fromId: string, intoId: string): Promise<void> {
  await tx.query(
    `insert into auto_link (conversation_id, company_id, outcome, tried_at)
     select ?, company_id, case when outcome = 'wanted' then 'none' else outcome end, tried_at
     from auto_link where conversation_id = ? on conflict do nothing`,
    [intoId, fromId],
  );
  await tx.query('delete from auto_link where conversation_id = ?', [fromId]);
}

interface Reading {
  readonly userId: string;
  readonly companyId: string;
  readonly readIds: readonly string[];
}

/** Who has read which inbound messages, before they get new numbers. */
async function readBefore(tx: Tx, conversations: readonly ConversationRow[]): Promise<Reading[]> {
  const rows = await tx.query<{ userId: string; companyId: string; id: string }>(
    `select r.user_id, r.company_id, m.id from read_mark r
     join message m on m.conversation_id = r.conversation_id and m.inbound_number <= r.read_count
     where r.conversation_id in (${conversations.map(() => '?').join(', ')})`,
    conversations.map(({ id }) => id),
  );
  return [...new Set(rows.map(({ userId }) => userId))].map((userId) => {
    const own = rows.filter((row) => row.userId === userId);
    return { userId, companyId: own[0]!.companyId, readIds: own.map(({ id }) => id) };
  });
}

/** By time, as they now stand in one thread; messages that were imported count nothing and keep no number. */
async function numberInbound(tx: Tx, conversationId: string): Promise<number> {
  const rows = await tx.query(
    `update message set inbound_number = numbered.number from (
       select id, row_number() over (order by created_at, id) as number from message
       where conversation_id = ? and inbound_number is not null) as numbered
     where message.id = numbered.id returning message.id`,
    [conversationId],
  );
  return rows.length;
}

/** Read up to the first message that was not: nothing unread may look read (V8). */
async function writeReadMarks(tx: Tx, into: ConversationRow, readings: readonly Reading[]): Promise<void> {
  const inbound = await tx.query<{ id: string }>(
    'select id from message where conversation_id = ? and inbound_number is not null order by inbound_number',
    [into.id],
  );
  for (const { userId, companyId, readIds } of readings) {
    const read = new Set(readIds);
    const firstUnread = inbound.findIndex(({ id }) => !read.has(id));
    const count = firstUnread < 0 ? inbound.length : firstUnread;
    const through = inbound[count - 1]?.id;
    await tx.query('delete from read_mark where conversation_id = ? and user_id = ?', [into.id, userId]);
    if (through === undefined) continue;
    await tx.query(
      `insert into read_mark (conversation_id, user_id, company_id, read_count, through_message_id)
       values (?, ?, ?, ?, ?)`,
      [into.id, userId, companyId, count, through],
    );
  }
}

// Erasing for good: a conversation (V7), a contact with all that is his (O5), and what is older than a company keeps.
import { z } from 'zod';
import { timeText } from '../base/clock.ts';
import { sha256 } from '../base/crypto.ts';
import { UserError } from '../base/errors.ts';
import { visibleChannel, type Viewer } from '../companies/access.ts';
import { audit } from '../companies/audit.ts';
import { parseSettings } from '../companies/settings.ts';
import type { Tx } from '../db/database.ts';
import { ErasedMessage, type CompanyRow, type ContactRow, type ConversationRow } from '../db/tables.ts';
import { defineTask } from '../jobs/queue.ts';
import { theApp, type Actor } from './changes.ts';
import type { InboxDeps } from './deps.ts';
import { contactLane } from './receive.ts';
import { removeMedia } from './remove-media.ts';

/**
 * Erases all that a conversation holds; its row and its contact stay, so that a new message makes it visible again with what
 * came after. What was erased is remembered by its hash, so that a replayed webhook does not bring it back (V7).
 */
export async function eraseContents(deps: InboxDeps, tx: Tx, conversation: ConversationRow, by: Actor): Promise<void> {
  const { id, companyId, channelId } = conversation;
  await rememberErased(tx, channelId, 'conversation_id = ?', [id]);
  await eraseAttachments(deps, tx, 'conversation_id = ?', [id]);
  const ofLinks = 'select id from link where conversation_id = ?';
  await tx.query(`delete from noted_message where link_id in (${ofLinks})`, [id]);
  await tx.query(`delete from note where link_id in (${ofLinks})`, [id]);
  for (const table of ['link', 'auto_link', 'record_request', 'read_mark', 'timeline_entry', 'message']) {
    await tx.query(`delete from ${table} where conversation_id = ?`, [id]);
  }
  const now = timeText(deps.clock);
  await tx.query(
    `update conversation set status = 'open', assignee_id = null, last_message_id = null, last_inbound_at = null,
       reply_until = null, inbound_count = 0, deleted_at = ?, updated_at = ? where id = ?`,
    [now, now, id],
  );
  await deps.changes.record(tx, { kind: 'conversation.deleted', companyId, conversationId: id, channelId, by });
}

/** A contact of a channel that this viewer may see, or `not_found`. */
export async function contactFor(
  reader: Pick<Tx, 'one'>,
  viewer: Pick<Viewer, 'companyId' | 'userId'>,
  contactId: string,
): Promise<ContactRow> {
  const visible = visibleChannel(viewer);
  const contact = await reader.one<ContactRow>(
    `select ct.* from contact ct join channel ch on ch.id = ct.channel_id where ct.id = ? and ${visible.sql}`,
    [contactId, ...visible.parameters],
  );
  if (!contact) throw new UserError('not_found');
  return contact;
}

/** Erases a contact with everything of his (O5). Should he write again, he is somebody new. */
export function eraseContact(deps: InboxDeps, viewer: Viewer, contactId: string): Promise<void> {
  return deps.db.transaction(async (tx) => {
    const contact = await contactFor(tx, viewer, contactId);
    await eraseWhole(deps, tx, contact, { kind: 'user', id: viewer.userId, name: viewer.name });
    const { companyId, userId } = viewer;
    const details = { contactId, channelId: contact.channelId };
    await audit(deps, tx, { companyId, userId, act: 'contact_erased', details });
  });
}

async function eraseWhole(deps: InboxDeps, tx: Tx, contact: ContactRow, by: Actor): Promise<void> {
  const held = tx.kind === 'postgres' ? 'for update' : '';
  const conversations = await tx.query<ConversationRow>(`select * from conversation where contact_id = ? ${held}`, [
    contact.id,
  ]);
  for (const conversation of conversations) {
    await eraseContents(deps, tx, conversation, by);
    await tx.query('delete from conversation where id = ?', [conversation.id]);
  }
  // What could not be taken in holds his words too.
  await tx.query('delete from job where lane = ? and parked_at is not null', [
    contactLane(contact.channelId, contact.address),
  ]);
  await tx.query('delete from contact_identity where contact_id = ?', [contact.id]);
  await tx.query('delete from contact where id = ?', [contact.id]);
  if (contact.avatarMediaKey !== null) await deps.queue.enqueue(tx, removeMedia, { keys: [contact.avatarMediaKey] });
}

const hourMs = 3_600_000;
const dayMs = 86_400_000;
/** One transaction erases so much, so that nobody waits long for it. */
const messagesAtOnce = 200;
const conversationsAtOnce = 10;

/**
 * Erases what is older than the company keeps, hourly (O5). Every step is a small transaction that leaves things whole: what is
 * cut short goes on where it was.
 */
export const eraseOld = defineTask('erase-old', z.object({}), async (deps: InboxDeps) => {
  const companies = await deps.db.read((reader) =>
    reader.query<CompanyRow>(
      `select * from company where settings like '%"retentionDays":%' and settings not like '%"retentionDays":null%'`,
    ),
  );
  for (const company of companies) {
    const { retentionDays } = parseSettings(company);
    if (retentionDays === null) continue;
    const before = new Date(deps.clock.now().getTime() - retentionDays * dayMs).toISOString();
    let [contacts, messages] = [0, 0];
    for (let step = -1; step !== 0; contacts += step) step = await eraseQuiet(deps, company.id, before);
    for (let step = -1; step !== 0; messages += step) step = await eraseMessages(deps, company.id, before);
    if (contacts + messages > 1) deps.log.info({ companyId: company.id, contacts, messages }, 'old messages erased');
  }
  return { againInMs: hourMs };
});

/** Contacts with nothing newer than `before`, with all that is theirs. Answers how many there were. */
function eraseQuiet(deps: InboxDeps, companyId: string, before: string): Promise<number> {
  return deps.db.transaction(async (tx) => {
    const channels = await tx.query<{ id: string }>('select id from channel where company_id = ?', [companyId]);
    const quiet: { contactId: string }[] = [];
    // Whom somebody writes to in this moment is not quiet any more.
    const held = tx.kind === 'postgres' ? 'for update skip locked' : '';
    // Each of the three is the front of an index.
    for (const { id } of channels) {
      for (const where of [
        `status = 'open' and deleted_at is null and last_message_at < ?`,
        `status = 'closed' and deleted_at is null and last_message_at < ?`,
        `deleted_at is not null and deleted_at < ?`,
      ]) {
        const left = conversationsAtOnce - quiet.length;
        if (left === 0) break;
        quiet.push(
          ...(await tx.query<{ contactId: string }>(
            `select contact_id from conversation where channel_id = ? and ${where} limit ${left} ${held}`,
            [id, before],
          )),
        );
      }
    }
    for (const { contactId } of quiet) {
      const contact = await tx.one<ContactRow>('select * from contact where id = ?', [contactId]);
      if (contact) await eraseWhole(deps, tx, contact, theApp);
    }
    return quiet.length;
  });
}

/** The old messages of conversations that go on. */
function eraseMessages(deps: InboxDeps, companyId: string, before: string): Promise<number> {
  return deps.db.transaction(async (tx) => {
    const old = await tx.query<{ id: string; conversationId: string; channelId: string }>(
      `select id, conversation_id, channel_id from message where company_id = ? and created_at < ?
       order by created_at limit ${messagesAtOnce}`,
      [companyId, before],
    );
    for (const conversationId of new Set(old.map((message) => message.conversationId))) {
      const own = old.filter((message) => message.conversationId === conversationId);
      const ids = own.map(({ id }) => id);
      const among = `id in (${ids.map(() => '?').join(', ')})`;
      await rememberErased(tx, own[0]!.channelId, among, ids);
      await eraseAttachments(deps, tx, among, ids);
      // A note that holds one of them keeps it, and is written no more.
      await tx.query(
        `update note set state = 'closed' where state = 'open' and id in (select note_id from noted_message where message_${among})`,
        ids,
      );
      await tx.query(`delete from noted_message where message_${among}`, ids);
      await tx.query(`delete from message where ${among}`, ids);
      await tx.query('delete from timeline_entry where conversation_id = ? and created_at < ?', [
        conversationId,
        before,
      ]);
      const conversation = await tx.one<ConversationRow>('select * from conversation where id = ?', [conversationId]);
      for (const messageId of ids)
        await deps.changes.record(tx, { kind: 'message.removed', conversation: conversation!, messageId });
    }
    return old.length;
  });
}

async function rememberErased(tx: Tx, channelId: string, where: string, values: readonly string[]): Promise<void> {
  const messages = await tx.query<{ providerMessageId: string }>(
    `select provider_message_id from message where ${where} and provider_message_id is not null`,
    values,
  );
  const erased = messages.map(({ providerMessageId }) => ({
    channelId,
    providerMessageHash: sha256(providerMessageId),
  }));
  for (let start = 0; start < erased.length; start += 200) {
    await tx.insert(ErasedMessage, erased.slice(start, start + 200), { orIgnore: true });
  }
}

async function eraseAttachments(deps: InboxDeps, tx: Tx, where: string, values: readonly string[]): Promise<void> {
  const rows = await tx.query<{ mediaKey: string | null }>(
    `delete from attachment where message_id in (select id from message where ${where}) returning media_key`,
    values,
  );
  const keys = rows.flatMap(({ mediaKey }) => (mediaKey === null ? [] : [mediaKey]));
  if (keys.length > 0) await deps.queue.enqueue(tx, removeMedia, { keys });
}

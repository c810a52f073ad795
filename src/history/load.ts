// What a note is written from: the link with all around it, and its messages in order.
import { later } from '../base/clock.ts';
import { text } from '../base/texts.ts';
import { parseSettings, type CompanySettings } from '../companies/settings.ts';
import type { Reader } from '../db/database.ts';
import type {
  AttachmentRow,
  ChannelRow,
  CompanyRow,
  ContactRow,
  ConversationRow,
  LinkRow,
  MessageRow,
  NoteRow,
} from '../db/tables.ts';
import { piecesOf, type NoteMessage } from './compose.ts';

export interface LoadedLink {
  readonly link: LinkRow;
  readonly conversation: ConversationRow;
  readonly channel: ChannelRow;
  readonly contact: ContactRow;
  readonly settings: CompanySettings;
  readonly assigneeName: string | null;
  /** The note that was begun or takes messages, if any. */
  readonly note: NoteRow | undefined;
}

export async function loadLink(reader: Reader, linkId: string): Promise<LoadedLink | undefined> {
  const link = await reader.one<LinkRow>(
    `select * from link where id = ? and removed_at is null and state = 'active'`,
    [linkId],
  );
  if (!link) return undefined;
  const conversation = await reader.one<ConversationRow>('select * from conversation where id = ?', [
    link.conversationId,
  ]);
  const channel = await reader.one<ChannelRow>('select * from channel where id = ?', [conversation?.channelId ?? null]);
  const contact = await reader.one<ContactRow>('select * from contact where id = ?', [conversation?.contactId ?? null]);
  const company = await reader.one<CompanyRow>('select * from company where id = ?', [link.companyId]);
  if (!conversation || !channel || !contact || !company) return undefined;
  const assignee = await reader.one<{ name: string }>('select name from app_user where company_id = ? and id = ?', [
    link.companyId,
    conversation.assigneeId,
  ]);
  const note = await reader.one<NoteRow>(
    `select * from note where link_id = ? and state in ('writing', 'open') order by created_at desc, id desc limit 1`,
    [linkId],
  );
  return {
    link,
    conversation,
    channel,
    contact,
    settings: parseSettings(company),
    assigneeName: assignee?.name ?? null,
    note,
  };
}

/** A reply whose fate is open holds back what came after it for so long, so that order is kept; then it is no longer waited for. */
const patienceMs = 5 * 60_000;
const mostAtOnce = 500;

/** Messages that belong into the link's notes and stand in none, in order. With `all`, also those whose fate is open. */
export async function unwritten(
  reader: Reader,
  loaded: LoadedLink,
  now: string,
  which: 'settled' | 'all' = 'settled',
): Promise<NoteMessage[]> {
  const { link } = loaded;
  const rows = await reader.query<MessageRow>(
    `select m.* from message m where m.conversation_id = ? and m.id > ?
       and not exists (select 1 from noted_message n where n.link_id = ? and n.message_id = m.id)
     order by m.created_at, m.id limit ${mostAtOnce}`,
    [link.conversationId, link.afterMessageId, link.id],
  );
  const restOfLong = await missingPieces(reader, loaded);
  const ready: MessageRow[] = [];
  for (const row of rows) {
    const open = row.status === 'queued' || row.status === 'unknown';
    if (open && which === 'settled') {
      if (row.createdAt > later(now, -patienceMs)) break;
      continue;
    }
    ready.push(row);
  }
  return [...restOfLong, ...(await noteMessages(reader, loaded, ready)).flatMap(piecesOf)];
}

/** Later pieces of a very long message whose first one is noted. */
async function missingPieces(reader: Reader, loaded: LoadedLink): Promise<NoteMessage[]> {
  const rows = await reader.query<MessageRow>(
    `select m.* from message m join noted_message n on n.message_id = m.id and n.link_id = ?
     where m.conversation_id = ? and length(m.text) > 6000 order by m.created_at, m.id`,
    [loaded.link.id, loaded.link.conversationId],
  );
  if (rows.length === 0) return [];
  const noted = await reader.query<{ messageId: string }>('select message_id from noted_message where link_id = ?', [
    loaded.link.id,
  ]);
  const known = new Set(noted.map(({ messageId }) => messageId));
  return (await noteMessages(reader, loaded, rows)).flatMap(piecesOf).filter((piece) => !known.has(piece.key));
}

/** What a note holds, planned and confirmed, in order. */
export async function messagesIn(reader: Reader, loaded: LoadedLink, noteId: string): Promise<NoteMessage[]> {
  const held = await reader.query<{ messageId: string }>('select message_id from noted_message where note_id = ?', [
    noteId,
  ]);
  const keys = new Set(held.map(({ messageId }) => messageId));
  const ids = [...new Set([...keys].map((key) => key.split('#')[0]!))];
  const rows: MessageRow[] = [];
  for (let start = 0; start < ids.length; start += 200) {
    const some = ids.slice(start, start + 200);
    rows.push(
      ...(await reader.query<MessageRow>(
        `select * from message where id in (${some.map(() => '?').join(', ')})`,
        some,
      )),
    );
  }
  rows.sort((left, right) =>
    left.createdAt === right.createdAt ? compare(left.id, right.id) : compare(left.createdAt, right.createdAt),
  );
  return (await noteMessages(reader, loaded, rows)).flatMap(piecesOf).filter((piece) => keys.has(piece.key));
}

function compare(left: string, right: string): number {
  return left < right ? -1 : left > right ? 1 : 0;
}

async function noteMessages(reader: Reader, loaded: LoadedLink, rows: readonly MessageRow[]): Promise<NoteMessage[]> {
  const attachments: AttachmentRow[] = [];
  for (let start = 0; start < rows.length; start += 200) {
    const ids = rows.slice(start, start + 200).map((row) => row.id);
    attachments.push(
      ...(await reader.query<AttachmentRow>(
        `select * from attachment where message_id in (${ids.map(() => '?').join(', ')}) order by position`,
        ids,
      )),
    );
  }
  return rows.map((row) => ({
    key: row.id,
    authorName: row.authorKind === 'external' ? text(loaded.settings.language, 'author.outside') : row.authorName,
    isOutbound: row.direction === 'outbound',
    kind: row.kind,
    text: row.text,
    attachments: attachments
      .filter((attachment) => attachment.messageId === row.id)
      .map((attachment) => attachment.name),
    failed: row.status === 'failed',
    createdAt: row.createdAt,
  }));
}

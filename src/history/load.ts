// What a note is written from: the link with all around it, and its messages in order.
import { later } from '../base/clock.ts';
import { sha256 } from '../base/crypto.ts';
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
import { piecesOf, type NoteDetails, type NoteMessage } from './compose.ts';

export interface LoadedLink {
  readonly link: LinkRow;
  readonly conversation: ConversationRow;
  readonly channel: ChannelRow;
  readonly contact: ContactRow;
  readonly settings: CompanySettings;
  readonly assigneeName: string | null;
  /** The note that was begun or takes messages, if any. */
  readonly note: NoteRow | undefined;
  /** A note in which something changed since it was written, and that no human has touched. */
  readonly stale: NoteRow | undefined;
  readonly hasNotes: boolean;
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
  const notes = await reader.query<NoteRow>('select * from note where link_id = ? order by created_at desc, id desc', [
    linkId,
  ]);
  return {
    link,
    conversation,
    channel,
    contact,
    settings: parseSettings(company),
    assigneeName: assignee?.name ?? null,
    note: notes.find(({ state }) => state !== 'closed'),
    stale: notes.find((note) => note.stale !== 0 && note.contentHash !== null && note.pipedriveNoteId !== null),
    hasNotes: notes.length > 0,
  };
}

/** A reply whose fate is open holds back what came after it for so long, so that order is kept; then it is no longer waited for. */
const patienceMs = 5 * 60_000;
const mostAtOnce = 500;

export interface Unwritten {
  readonly messages: readonly NoteMessage[];
  /** When what is held back by a reply without a fate is no longer held back. */
  readonly heldUntil: string | null;
}

/** Messages that are due in the link's notes and stand in none, in order. */
export async function unwritten(reader: Reader, loaded: LoadedLink, now: string): Promise<Unwritten> {
  const rows = await reader.query<MessageRow & { noted: string }>(
    `select m.*, n.message_id as noted from noted_message n join message m on m.id = substr(n.message_id, 1, 36)
     where n.link_id = ? and n.note_id = '' order by m.created_at, m.id, n.message_id limit ${mostAtOnce}`,
    [loaded.link.id],
  );
  const ready: (MessageRow & { noted: string })[] = [];
  let heldUntil: string | null = null;
  for (const row of rows) {
    if (isSettled(row)) ready.push(row);
    else {
      const until = later(row.createdAt, patienceMs);
      if (until <= now) continue;
      heldUntil = until;
      break;
    }
  }
  const distinct = [...new Map(ready.map((row) => [row.id, row])).values()];
  const due = new Set(ready.map((row) => row.noted));
  const messages = (await noteMessages(reader, loaded, distinct))
    .flatMap(piecesOf)
    // Of a long message whose first pieces stand in a note, only the rest is due.
    .filter((piece) => due.has(piece.key) || due.has(baseOf(piece.key)));
  return { messages, heldUntil };
}

/** Id of the message that a row or piece belongs to. */
export function baseOf(key: string): string {
  return key.slice(0, 36);
}

export function isSettled(message: Pick<MessageRow, 'status'>): boolean {
  return message.status !== 'queued' && message.status !== 'unknown';
}

/** Whether anything of the link is due, or planned and not confirmed. */
export async function isComplete(reader: Pick<Reader, 'one'>, linkId: string): Promise<boolean> {
  const left = await reader.one(
    `select 1 from noted_message n join message m on m.id = substr(n.message_id, 1, 36)
     where n.link_id = ? and n.confirmed = 0 limit 1`,
    [linkId],
  );
  return left === undefined;
}

/** What a note holds, planned and confirmed, in order. */
export async function messagesIn(reader: Reader, loaded: LoadedLink, noteId: string): Promise<NoteMessage[]> {
  const rows = await reader.query<MessageRow & { noted: string }>(
    `select m.*, n.message_id as noted from noted_message n join message m on m.id = substr(n.message_id, 1, 36)
     where n.note_id = ? order by m.created_at, m.id, n.message_id`,
    [noteId],
  );
  const keys = new Set(rows.map((row) => row.noted));
  const distinct = [...new Map(rows.map((row) => [row.id, row])).values()];
  return (await noteMessages(reader, loaded, distinct)).flatMap(piecesOf).filter((piece) => keys.has(piece.key));
}

/** Changes when a message would be shown differently in a note. */
export function fingerprint(
  message: Pick<MessageRow, 'status' | 'errorCode' | 'text' | 'reactions' | 'details'>,
): string {
  const failure = message.status === 'failed' ? (message.errorCode ?? 'other') : null;
  return sha256(JSON.stringify([failure, message.text, message.reactions, message.details])).slice(0, 16);
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
  const { language } = loaded.settings;
  return rows.map((row) => ({
    key: row.id,
    authorName: row.authorKind === 'external' ? text(language, 'author.outside') : row.authorName,
    isOutbound: row.direction === 'outbound',
    kind: row.kind,
    text: row.text,
    attachments: attachments
      .filter((attachment) => attachment.messageId === row.id)
      .map((attachment) => attachment.name),
    details: row.details === null ? null : (JSON.parse(row.details) as NoteDetails),
    reactions: (JSON.parse(row.reactions) as { emoji: string }[]).map(({ emoji }) => emoji),
    failure: row.status === 'failed' ? text(language, `failed.${row.errorCode ?? 'other'}`) : null,
    createdAt: row.createdAt,
    shown: fingerprint(row),
  }));
}

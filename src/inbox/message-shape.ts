// Messages as the screens and streams show them.
import { text } from '../base/texts.ts';
import type { MessageDetails } from '../channels/provider.ts';
import type { Viewer } from '../companies/access.ts';
import type { Reader } from '../db/database.ts';
import type { AttachmentRow, MessageRow } from '../db/tables.ts';
import type { Message } from '../web/contract.ts';
import { UserError } from '../base/errors.ts';
import { previewOf } from './queries.ts';
import type { StoredReaction } from './react.ts';

export interface MessageDeps {
  readonly mediaLink: (
    attachment: Pick<AttachmentRow, 'id' | 'companyId' | 'name'>,
    purpose: 'browser' | 'provider',
  ) => string;
}

/** One page of a thread, newest last. `before` is the id of a message; the page holds what is older. */
export async function listMessages(
  reader: Reader,
  deps: MessageDeps,
  viewer: Viewer,
  conversationId: string,
  page: { limit: number; before?: string | undefined },
): Promise<{ data: Message[]; nextCursor: string | null }> {
  const before = page.before === undefined ? undefined : await positionOf(reader, conversationId, page.before);
  const older = before ? 'and (created_at, id) < (?, ?)' : '';
  const rows = await reader.query<MessageRow>(
    `select * from message where conversation_id = ? ${older} order by created_at desc, id desc limit ${page.limit + 1}`,
    before ? [conversationId, before.createdAt, before.id] : [conversationId],
  );
  const shown = rows.slice(0, page.limit).reverse();
  return {
    data: await messageShapes(reader, deps, viewer, shown),
    nextCursor: rows.length > page.limit ? shown[0]!.id : null,
  };
}

async function positionOf(
  reader: Reader,
  conversationId: string,
  id: string,
): Promise<{ id: string; createdAt: string }> {
  const row = await reader.one<{ id: string; createdAt: string }>(
    'select id, created_at from message where id = ? and conversation_id = ?',
    [id, conversationId],
  );
  if (!row) throw new UserError('not_found');
  return row;
}

/** A message by its id, in a conversation this viewer was already allowed to see. */
export async function readMessage(
  reader: Reader,
  deps: MessageDeps,
  viewer: Viewer,
  id: string,
): Promise<Message | undefined> {
  return (await readMessages(reader, deps, viewer, [id])).get(id);
}

/** Messages by their ids; whether the viewer may see their conversations is for the caller to ask. */
export async function readMessages(
  reader: Reader,
  deps: MessageDeps,
  viewer: Viewer,
  ids: readonly string[],
): Promise<Map<string, Message>> {
  if (ids.length === 0) return new Map();
  const rows = await reader.query<MessageRow>(
    `select * from message where id in (${ids.map(() => '?').join(', ')}) and company_id = ?`,
    [...ids, viewer.companyId],
  );
  const shapes = await messageShapes(reader, deps, viewer, rows);
  return new Map(shapes.map((shape) => [shape.id, shape]));
}

async function messageShapes(
  reader: Reader,
  deps: MessageDeps,
  viewer: Viewer,
  rows: readonly MessageRow[],
): Promise<Message[]> {
  if (rows.length === 0) return [];
  const marks = rows.map(() => '?').join(', ');
  const ids = rows.map((row) => row.id);
  const attachments = await reader.query<AttachmentRow>(
    `select * from attachment where message_id in (${marks}) order by position`,
    ids,
  );
  const noted = await reader.query<{ messageId: string }>(
    `select distinct n.message_id from noted_message n join link l on l.id = n.link_id
     where n.confirmed = 1 and l.removed_at is null and n.message_id in (${marks})`,
    ids,
  );
  const notedIds = new Set(noted.map(({ messageId }) => messageId));
  const quoted = await quotedMessages(reader, rows);
  return rows.map((row) => ({
    id: row.id,
    conversationId: row.conversationId,
    direction: row.direction,
    author: {
      kind: row.authorKind,
      ...(row.authorId === null ? {} : { id: row.authorId }),
      name: row.authorKind === 'external' ? text(viewer.language, 'author.outside') : row.authorName,
    },
    kind: row.kind,
    text: row.text,
    reactions: reactionsOf(row),
    details: detailsOf(row),
    attachments: attachments.filter((found) => found.messageId === row.id).map((found) => attachmentShape(deps, found)),
    replyTo: quotedBy(viewer, row, quoted),
    status: row.status,
    error:
      row.errorCode === null
        ? null
        : {
            code: row.errorCode,
            message: text(viewer.language, `failed.${row.errorCode}`),
            providerCode: row.providerCode,
          },
    clientMessageId: row.clientMessageId,
    inNote: notedIds.has(row.id),
    createdAt: row.createdAt,
  }));
}

function reactionsOf(row: MessageRow): Message['reactions'] {
  const stored = JSON.parse(row.reactions) as StoredReaction[];
  return stored.flatMap(({ emoji, by }) => (emoji === null ? [] : [{ emoji, by }]));
}

function detailsOf(row: MessageRow): Message['details'] {
  if (row.details === null) return null;
  const { editVersion: _, ...shown } = JSON.parse(row.details) as MessageDetails;
  return shown as Message['details'];
}

function attachmentShape(deps: MessageDeps, row: AttachmentRow): Message['attachments'][number] {
  return {
    id: row.id,
    kind: row.kind,
    contentType: row.contentType,
    name: row.name,
    size: row.size,
    width: row.width,
    height: row.height,
    duration: row.durationMs === null ? null : row.durationMs / 1_000,
    state: row.state,
    url: row.state === 'ready' ? deps.mediaLink(row, 'browser') : null,
  };
}

async function quotedMessages(reader: Reader, rows: readonly MessageRow[]): Promise<MessageRow[]> {
  const answers = rows.filter((row) => row.replyToProviderId !== null);
  if (answers.length === 0) return [];
  const conversationIds = [...new Set(answers.map((row) => row.conversationId))];
  const ids = [...new Set(answers.map((row) => row.replyToProviderId))];
  return reader.query<MessageRow>(
    `select * from message where conversation_id in (${conversationIds.map(() => '?').join(', ')})
       and provider_message_id in (${ids.map(() => '?').join(', ')})`,
    [...conversationIds, ...ids],
  );
}

function quotedBy(viewer: Viewer, row: MessageRow, quoted: readonly MessageRow[]): Message['replyTo'] {
  if (row.replyToProviderId === null) return null;
  const found = quoted.find(
    (message) => message.conversationId === row.conversationId && message.providerMessageId === row.replyToProviderId,
  );
  return found ? { id: found.id, preview: previewOf(viewer.language, found.kind, found.text) } : null;
}

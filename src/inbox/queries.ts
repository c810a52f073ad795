// What the screens read of conversations: each list in a fixed number of queries, always as one viewer may see it.
import { text } from '../base/texts.ts';
import type { Capabilities, ProviderName } from '../channels/provider.ts';
import { visibleChannel, type Viewer } from '../companies/access.ts';
import type { Reader } from '../db/database.ts';
import type { ContactIdentityRow, ConversationRow, LinkRow, MessageKind, MessageStatus } from '../db/tables.ts';
import type { Conversation, TimelineEntry } from '../web/contract.ts';
import { sectionOf } from './counts.ts';
import { linkShapes } from './link-shape.ts';
import { pageOfPlaces, type PlaceFilter } from './places.ts';

export interface ReadDeps {
  readonly capabilities: (provider: ProviderName) => Capabilities;
  readonly now: () => string;
  readonly contactPicture: (contact: { id: string; companyId: string; avatarMediaKey: string | null }) => string | null;
}

interface ListRow extends ConversationRow {
  provider: ProviderName;
  channelName: string;
  channelOwnerId: string;
  contactName: string;
  contactAddress: string;
  avatarMediaKey: string | null;
  assigneeName: string | null;
  readCount: number | null;
  throughMessageId: string | null;
  lastDirection: 'inbound' | 'outbound' | null;
  lastKind: MessageKind | null;
  lastText: string | null;
  lastStatus: MessageStatus | null;
  lastAuthor: string | null;
  lastAuthorKind: string | null;
  lastAuthorId: string | null;
  lastError: string | null;
  lastCreatedAt: string | null;
}

const listColumns = `cv.*, ch.provider, ch.name as channel_name, ch.owner_id as channel_owner_id,
  ct.name as contact_name, ct.address as contact_address, ct.avatar_media_key,
  u.name as assignee_name, rm.read_count, rm.through_message_id,
  m.direction as last_direction, m.kind as last_kind, substr(m.text, 1, 300) as last_text, m.status as last_status,
  m.author_name as last_author, m.author_id as last_author_id, m.author_kind as last_author_kind, m.error_code as last_error, m.created_at as last_created_at`;

const listTables = `cv
  join channel ch on ch.id = cv.channel_id
  join contact ct on ct.id = cv.contact_id
  left join app_user u on u.company_id = cv.company_id and u.id = cv.assignee_id
  left join read_mark rm on rm.conversation_id = cv.id and rm.user_id = ?
  left join message m on m.id = cv.last_message_id`;

/** One page of a list, and where the next begins. */
export async function listConversations(
  reader: Reader,
  deps: ReadDeps,
  viewer: Viewer,
  filter: PlaceFilter,
): Promise<{ data: Conversation[]; nextCursor: string | null }> {
  const { ids, nextCursor } = await pageOfPlaces(reader, viewer, filter, deps.now());
  const found = await readConversations(reader, deps, viewer, ids);
  return { data: ids.flatMap((id) => found.get(id) ?? []), nextCursor };
}

/** One conversation as this viewer sees it, or nothing when he may not. */
export async function readConversation(
  reader: Reader,
  deps: ReadDeps,
  viewer: Viewer,
  id: string,
): Promise<Conversation | undefined> {
  return (await readConversations(reader, deps, viewer, [id])).get(id);
}

/** Those of these conversations that this viewer may see, by id, as he sees them. */
export async function readConversations(
  reader: Reader,
  deps: ReadDeps,
  viewer: Viewer,
  ids: readonly string[],
): Promise<Map<string, Conversation>> {
  if (ids.length === 0) return new Map();
  const visible = visibleChannel(viewer);
  // The ids first: asked for many of them together with the company, SQLite would walk over all that the company has.
  const rows = await reader.query<ListRow>(
    `with cv as materialized (select * from conversation where id in (${ids.map(() => '?').join(', ')}))
     select ${listColumns} from ${listTables}
     where cv.company_id = ? and cv.deleted_at is null and ${visible.sql}`,
    [...ids, viewer.userId, viewer.companyId, ...visible.parameters],
  );
  const shapes = await conversationShapes(reader, deps, viewer, rows);
  return new Map(shapes.map((shape) => [shape.id, shape]));
}

export async function listTimeline(
  reader: Reader,
  viewer: Viewer,
  conversationId: string,
  page: { limit: number; cursor?: string | undefined },
): Promise<{ data: TimelineEntry[]; nextCursor: string | null }> {
  const rows = await reader.query<{
    id: string;
    kind: string;
    byKind: 'user' | 'contact' | 'app';
    byId: string | null;
    byName: string;
    details: string;
    createdAt: string;
  }>(
    `select * from timeline_entry where company_id = ? and conversation_id = ? ${page.cursor === undefined ? '' : 'and id < ?'}
     order by id desc limit ${page.limit + 1}`,
    [viewer.companyId, conversationId, ...(page.cursor === undefined ? [] : [page.cursor])],
  );
  const shown = rows.slice(0, page.limit);
  const names = await userNames(reader, viewer.companyId);
  return {
    data: shown.map((row) => {
      const details = JSON.parse(row.details) as Record<string, unknown>;
      const assigneeName = typeof details.assigneeId === 'string' ? names.get(details.assigneeId) : undefined;
      return {
        id: row.id,
        kind: row.kind,
        by: { kind: row.byKind, ...(row.byId ? { id: row.byId } : {}), name: row.byName },
        createdAt: row.createdAt,
        details: assigneeName ? { ...details, assigneeName } : details,
      };
    }),
    nextCursor: rows.length > page.limit ? shown.at(-1)!.id : null,
  };
}

async function userNames(reader: Reader, companyId: string): Promise<Map<string, string>> {
  const rows = await reader.query<{ id: string; name: string }>('select id, name from app_user where company_id = ?', [
    companyId,
  ]);
  return new Map(rows.map(({ id, name }) => [id, name]));
}

async function conversationShapes(
  reader: Reader,
  deps: ReadDeps,
  viewer: Viewer,
  rows: readonly ListRow[],
): Promise<Conversation[]> {
  if (rows.length === 0) return [];
  const marks = rows.map(() => '?').join(', ');
  const identities = await reader.query<ContactIdentityRow>(
    `select * from contact_identity where contact_id in (${marks}) order by type, value`,
    rows.map((row) => row.contactId),
  );
  const linkRows = await reader.query<LinkRow>(
    `select * from link where conversation_id in (${marks}) and removed_at is null order by created_at, id`,
    rows.map((row) => row.id),
  );
  const links = await linkShapes(reader, viewer.companyId, linkRows);
  const now = deps.now();
  return rows.map((row) => {
    const own = linkRows.filter((link) => link.conversationId === row.id);
    return {
      id: row.id,
      channel: { id: row.channelId, provider: row.provider, name: row.channelName },
      contact: {
        id: row.contactId,
        name: row.contactName,
        avatarUrl: deps.contactPicture({
          id: row.contactId,
          companyId: row.companyId,
          avatarMediaKey: row.avatarMediaKey,
        }),
        identities: identities
          .filter((identity) => identity.contactId === row.contactId)
          .map(({ type, value }) => ({ type, value })),
      },
      status: row.status,
      section: sectionOf(viewer, row),
      assignee: row.assigneeId === null ? null : { id: row.assigneeId, name: row.assigneeName ?? row.assigneeId },
      lastMessage: lastMessageOf(viewer, row),
      unreadCount: Math.max(0, row.inboundCount - (row.readCount ?? 0)),
      readThrough: row.throughMessageId,
      replyUntil: row.replyUntil,
      replyWindowMs: deps.capabilities(row.provider).replyWindowMs,
      replyWindowOpen: row.replyUntil !== null && row.replyUntil > now,
      links: own.map((link) => links.get(link.id)!),
      historyComplete: own.length > 0 && own.every((link) => link.historyComplete === 1 || link.state === 'broken'),
      canDelete: row.channelOwnerId === viewer.userId,
      createdAt: row.createdAt,
      updatedAt: row.updatedAt,
    };
  });
}

function lastMessageOf(viewer: Viewer, row: ListRow): Conversation['lastMessage'] {
  if (row.lastMessageId === null || row.lastDirection === null) return null;
  const kind = row.lastKind!;
  return {
    id: row.lastMessageId,
    direction: row.lastDirection,
    kind,
    preview: previewOf(viewer.language, kind, row.lastText ?? ''),
    status: row.lastStatus!,
    authorName: row.lastAuthorKind === 'external' ? text(viewer.language, 'author.outside') : (row.lastAuthor ?? ''),
    authorId: row.lastAuthorId,
    errorMessage: row.lastError === null ? null : text(viewer.language, `failed.${row.lastError}`),
    createdAt: row.lastCreatedAt!,
  };
}

/** One line of what a message says; its kind in words when it has no text. */
export function previewOf(language: string, kind: MessageKind, content: string): string {
  const line = content.replace(/\s+/g, ' ').trim().slice(0, 140);
  if (line !== '') return line;
  return kind === 'text' ? '' : text(language, `kind.${kind}`);
}

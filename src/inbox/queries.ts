// What the screens read of conversations: each list in a fixed number of queries, always as one viewer may see it.
import { UserError } from '../base/errors.ts';
import { text } from '../base/texts.ts';
import type { Capabilities, ProviderName } from '../channels/provider.ts';
import { visibleChannel, type Condition, type Viewer } from '../companies/access.ts';
import type { Reader, Value } from '../db/database.ts';
import type { ContactIdentityRow, ConversationRow, LinkRow, MessageKind, MessageStatus } from '../db/tables.ts';
import type { Conversation, Counts, Section, TimelineEntry } from '../web/contract.ts';
import { linkShapes } from './link-shape.ts';

export interface ReadDeps {
  readonly capabilities: (provider: ProviderName) => Capabilities;
  readonly now: () => string;
  readonly contactPicture: (contact: { id: string; companyId: string; avatarMediaKey: string | null }) => string | null;
}

export interface ConversationFilter {
  readonly section: Section | 'all';
  readonly channelId?: string | undefined;
  readonly q?: string | undefined;
  readonly sort: 'newest' | 'closing';
  readonly recordType?: 'person' | 'lead' | 'deal' | undefined;
  readonly recordId?: string | undefined;
  readonly cursor?: string | undefined;
  readonly limit: number;
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
  lastError: string | null;
  lastCreatedAt: string | null;
}

const listColumns = `cv.*, ch.provider, ch.name as channel_name, ch.owner_id as channel_owner_id,
  ct.name as contact_name, ct.address as contact_address, ct.avatar_media_key,
  u.name as assignee_name, rm.read_count, rm.through_message_id,
  m.direction as last_direction, m.kind as last_kind, substr(m.text, 1, 300) as last_text, m.status as last_status,
  m.author_name as last_author, m.author_kind as last_author_kind, m.error_code as last_error, m.created_at as last_created_at`;

const listTables = `conversation cv
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
  filter: ConversationFilter,
): Promise<{ data: Conversation[]; nextCursor: string | null }> {
  const now = deps.now();
  const conditions: Condition[] = [
    { sql: 'cv.company_id = ? and cv.deleted_at is null', parameters: [viewer.companyId] },
    visibleChannel(viewer),
    sectionCondition(viewer, filter.section),
  ];
  if (filter.channelId) conditions.push({ sql: 'cv.channel_id = ?', parameters: [filter.channelId] });
  if (filter.q?.trim()) conditions.push(searchCondition(filter.q.trim()));
  if (filter.recordType && filter.recordId) {
    conditions.push({
      sql: `exists (select 1 from link l where l.conversation_id = cv.id and l.removed_at is null and l.type = ? and l.record_id = ?)`,
      parameters: [filter.recordType, filter.recordId],
    });
  }
  const order = filter.sort === 'closing' ? closingOrder(filter.cursor, now) : newestOrder(filter.cursor);
  if (order.after) conditions.push(order.after);
  const where = conditions.map((condition) => condition.sql).join(' and ');
  const rows = await reader.query<ListRow>(
    `select ${listColumns} from ${listTables} where ${where} order by ${order.sql} limit ${filter.limit + 1}`,
    [viewer.userId, ...conditions.flatMap((condition) => condition.parameters), ...order.parameters],
  );
  const page = rows.slice(0, filter.limit);
  const last = page.at(-1);
  return {
    data: await conversationShapes(reader, deps, viewer, page),
    nextCursor: rows.length > filter.limit && last ? order.cursorOf(last) : null,
  };
}

/** One conversation as this viewer sees it, or nothing when he may not. */
export async function readConversation(
  reader: Reader,
  deps: ReadDeps,
  viewer: Viewer,
  id: string,
): Promise<Conversation | undefined> {
  const visible = visibleChannel(viewer);
  const rows = await reader.query<ListRow>(
    `select ${listColumns} from ${listTables}
     where cv.id = ? and cv.company_id = ? and cv.deleted_at is null and ${visible.sql}`,
    [viewer.userId, id, viewer.companyId, ...visible.parameters],
  );
  return (await conversationShapes(reader, deps, viewer, rows))[0];
}

export async function countConversations(reader: Reader, viewer: Viewer): Promise<Counts> {
  const visible = visibleChannel(viewer);
  const rows = await reader.query<{ section: Section; total: number; unread: number }>(
    `select section, cast(count(*) as integer) as total, cast(sum(unread) as integer) as unread from (
       select case when cv.status = 'closed' then 'closed' when cv.assignee_id is null then 'unassigned'
                   when cv.assignee_id = ? then 'mine' else 'others' end as section,
              case when cv.inbound_count > coalesce(rm.read_count, 0) then 1 else 0 end as unread
       from conversation cv join channel ch on ch.id = cv.channel_id
       left join read_mark rm on rm.conversation_id = cv.id and rm.user_id = ?
       where cv.company_id = ? and cv.deleted_at is null and ${visible.sql}) seen
     group by section`,
    [viewer.userId, viewer.userId, viewer.companyId, ...visible.parameters],
  );
  const of = (section: Section) => {
    const row = rows.find((found) => found.section === section);
    return { total: row?.total ?? 0, unread: row?.unread ?? 0 };
  };
  return { unassigned: of('unassigned'), mine: of('mine'), others: of('others'), closed: of('closed') };
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

function sectionOf(viewer: Pick<Viewer, 'userId'>, row: Pick<ConversationRow, 'status' | 'assigneeId'>): Section {
  if (row.status === 'closed') return 'closed';
  if (row.assigneeId === null) return 'unassigned';
  return row.assigneeId === viewer.userId ? 'mine' : 'others';
}

function sectionCondition(viewer: Viewer, section: ConversationFilter['section']): Condition {
  switch (section) {
    case 'unassigned':
      return { sql: `cv.status = 'open' and cv.assignee_id is null`, parameters: [] };
    case 'mine':
      return { sql: `cv.status = 'open' and cv.assignee_id = ?`, parameters: [viewer.userId] };
    case 'others':
      return {
        sql: `cv.status = 'open' and cv.assignee_id is not null and cv.assignee_id <> ?`,
        parameters: [viewer.userId],
      };
    case 'closed':
      return { sql: `cv.status = 'closed'`, parameters: [] };
    case 'all':
      return { sql: '1 = 1', parameters: [] };
  }
}

/** Anywhere in the contact's name or in a message. SQLite knows capital letters of ASCII only, so the usual spellings are all tried. */
function searchCondition(q: string): Condition {
  const spellings = [...new Set([q, q.toLowerCase(), q.toUpperCase(), q[0]!.toUpperCase() + q.slice(1).toLowerCase()])];
  const patterns = spellings.map((spelling) => `%${spelling.replace(/[\\%_]/g, (sign) => `\\${sign}`)}%`);
  const like = (column: string): string => `(${patterns.map(() => `${column} like ? escape '\\'`).join(' or ')})`;
  return {
    sql: `(${like('ct.name')} or exists (select 1 from message s where s.conversation_id = cv.id and ${like('s.text')}))`,
    parameters: [...patterns, ...patterns],
  };
}

interface Order {
  readonly sql: string;
  readonly parameters: readonly Value[];
  readonly after: Condition | null;
  readonly cursorOf: (row: ListRow) => string;
}

function newestOrder(cursor: string | undefined): Order {
  const from = cursor === undefined ? undefined : readCursor(cursor, 2);
  return {
    sql: 'cv.last_message_at desc, cv.id desc',
    parameters: [],
    after: from
      ? {
          sql: '(cv.last_message_at < ? or (cv.last_message_at = ? and cv.id < ?))',
          parameters: [from[0]!, from[0]!, from[1]!],
        }
      : null,
    cursorOf: (row) => writeCursor([row.lastMessageAt, row.id]),
  };
}

/** Least time left first; those whose time is over follow, newest first. `asOf` stays the same over all pages. */
function closingOrder(cursor: string | undefined, now: string): Order {
  const from = cursor === undefined ? undefined : readCursor(cursor, 4);
  const asOf = from?.[0] ?? now;
  const isOpen = `(cv.reply_until is not null and cv.reply_until > ?)`;
  let after: Condition | null = null;
  if (from) {
    const [, bucket, key, id] = from as [string, string, string, string];
    after =
      bucket === 'open'
        ? {
            sql: `(not ${isOpen} or cv.reply_until > ? or (cv.reply_until = ? and cv.id > ?))`,
            parameters: [asOf, key, key, id],
          }
        : {
            sql: `(not ${isOpen} and (cv.last_message_at < ? or (cv.last_message_at = ? and cv.id > ?)))`,
            parameters: [asOf, key, key, id],
          };
  }
  return {
    sql: `case when ${isOpen} then 0 else 1 end, case when ${isOpen} then cv.reply_until end, cv.last_message_at desc, cv.id`,
    parameters: [asOf, asOf],
    after: after && {
      sql: after.sql.replace('cv.reply_until is not null', '(cv.reply_until is not null)'),
      parameters: after.parameters,
    },
    cursorOf: (row) => {
      const open = row.replyUntil !== null && row.replyUntil > asOf;
      return writeCursor([asOf, open ? 'open' : 'over', open ? row.replyUntil! : row.lastMessageAt, row.id]);
    },
  };
}

function writeCursor(parts: readonly string[]): string {
  return Buffer.from(JSON.stringify(parts)).toString('base64url');
}

function readCursor(cursor: string, length: number): string[] {
  try {
    const parts: unknown = JSON.parse(Buffer.from(cursor, 'base64url').toString('utf8'));
    if (Array.isArray(parts) && parts.length === length && parts.every((part) => typeof part === 'string'))
      return parts;
  } catch {
    // Not ours: refused below.
  }
  throw new UserError('invalid', { fields: { cursor: 'unknown' } });
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

// A company's conversations, or one contact, as JSON or CSV (O5): piece by piece, so that memory does not grow with history.
import { setImmediate as turn } from 'node:timers/promises';
import { timeText } from '../base/clock.ts';
import type { MessageDetails } from '../channels/provider.ts';
import type { Condition } from '../companies/access.ts';
import type { Database, Reader } from '../db/database.ts';
import type { AttachmentRow, ContactIdentityRow, LinkRow, MessageRow, TimelineEntryRow } from '../db/tables.ts';
import { recordUrl } from '../pipedrive/records.ts';
import type { ExportedConversation } from '../web/contract.ts';
import type { InboxDeps } from './deps.ts';
import type { StoredReaction } from './react.ts';

export type ExportDeps = Pick<InboxDeps, 'clock' | 'mediaLink'> & { readonly db: Pick<Database, 'read'> };

/** Whose conversations, and of which channels (under the alias `ch`). */
export interface ExportScope {
  readonly companyId: string;
  readonly channels: Condition;
  readonly contactId?: string;
}

type Head = Omit<ExportedConversation, 'messages'>;
type ExportedMessage = ExportedConversation['messages'][number];

const conversationsAtOnce = 50;
const messagesAtOnce = 500;

/** `{exportedAt, company, conversations}`; of one contact with his own facts in the company's place. */
export async function* exportJson(deps: ExportDeps, scope: ExportScope): AsyncGenerator<string> {
  const facts = scope.contactId === undefined ? await companyFacts(deps, scope) : await contactFacts(deps, scope);
  yield `${JSON.stringify({ exportedAt: timeText(deps.clock), ...facts }).slice(0, -1)},"conversations":[`;
  let before = '';
  for await (const head of heads(deps, scope)) {
    yield `${before}\n${JSON.stringify(head).slice(0, -1)},"messages":[`;
    let between = '\n';
    for await (const page of messagesOf(deps, head.id)) {
      yield between + page.map((message) => JSON.stringify(message)).join(',\n');
      between = ',\n';
    }
    yield ']}';
    before = ',';
  }
  yield '\n]}\n';
}

const columns = [
  'conversation',
  'channel',
  'provider',
  'contact',
  'contact_address',
  'status',
  'assignee',
  'linked_to',
  'message',
  'time',
  'direction',
  'author',
  'kind',
  'text',
  'attachments',
  'message_status',
] as const;

/** One line a message, by RFC 4180, with a mark for Excel that it is UTF-8. */
export async function* exportCsv(deps: ExportDeps, scope: ExportScope): AsyncGenerator<string> {
  yield `\ufeff${columns.join(',')}\r\n`;
  for await (const head of heads(deps, scope)) {
    const { channel, contact } = head;
    const linked = head.links.map(({ type, recordId, title }) => `${type} ${recordId}: ${title}`).join('; ');
    const common = [head.id, channel.name, channel.provider, contact.name, contact.address];
    const state = [head.status, head.assignee?.name ?? '', linked];
    for await (const page of messagesOf(deps, head.id)) {
      const lines = page.map((message) => {
        const files = message.attachments.map(({ name }) => name).join('; ');
        const { id, createdAt, direction, author, kind, text, status } = message;
        return [...common, ...state, id, createdAt, direction, author.name, kind, text, files, status]
          .map(cellOf)
          .join(',');
      });
      yield `${lines.join('\r\n')}\r\n`;
    }
  }
}

/** What a spreadsheet would take for a formula is made text by an apostrophe, as OWASP advises. */
function cellOf(value: string): string {
  const safe = /^\s*[=+\-@＝＋－＠]|^[\t\r\n]/.test(value) ? `'${value}` : value;
  return /[",\r\n;]|^\s|\s$/.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe;
}

function companyFacts(deps: ExportDeps, scope: ExportScope) {
  return deps.db.read(async (reader) => {
    const company = await reader.one<{ id: string; name: string; domain: string }>(
      'select id, name, domain from company where id = ?',
      [scope.companyId],
    );
    return { company };
  });
}

function contactFacts(deps: ExportDeps, scope: ExportScope): Promise<object> {
  return deps.db.read(async (reader) => {
    const row = await reader.one<ContactFacts>(
      `select ${contactColumns} from contact ct join channel ch on ch.id = ct.channel_id
       where ct.id = ? and ${scope.channels.sql}`,
      [scope.contactId!, ...scope.channels.parameters],
    );
    if (!row) return {};
    const identities = await identitiesOf(reader, [row.contactId]);
    return { ...contactOf(row, identities), channel: channelOf(row) };
  });
}

const contactColumns = `ct.id as contact_id, ct.name as contact_name, ct.address as contact_address,
  ct.created_at as contact_created_at, ch.id as channel_id, ch.provider, ch.name as channel_name, ch.address as channel_address`;

interface ContactFacts {
  contactId: string;
  contactName: string;
  contactAddress: string;
  contactCreatedAt: string;
  channelId: string;
  provider: 'messenger' | 'whatsapp';
  channelName: string;
  channelAddress: string;
}

interface HeadRow extends ContactFacts {
  id: string;
  status: 'open' | 'closed';
  assigneeId: string | null;
  assigneeName: string | null;
  createdAt: string;
  domain: string;
}

/** Everything of the conversations but their messages, in the order in which they began. */
async function* heads(deps: ExportDeps, scope: ExportScope): AsyncGenerator<Head> {
  for (let after = ''; ;) {
    const page = await deps.db.read((reader) => headsAfter(reader, scope, after));
    yield* page;
    if (page.length < conversationsAtOnce) return;
    after = page.at(-1)!.id;
  }
}

async function headsAfter(reader: Reader, scope: ExportScope, after: string): Promise<Head[]> {
  const rows = await reader.query<HeadRow>(
    `select cv.id, cv.status, cv.assignee_id, u.name as assignee_name, cv.created_at, co.domain, ${contactColumns}
     from conversation cv join channel ch on ch.id = cv.channel_id join contact ct on ct.id = cv.contact_id
       join company co on co.id = cv.company_id
       left join app_user u on u.company_id = cv.company_id and u.id = cv.assignee_id
     where cv.company_id = ? and cv.id > ? and cv.deleted_at is null and ${scope.channels.sql}
       ${scope.contactId === undefined ? '' : 'and cv.contact_id = ?'}
     order by cv.id limit ${conversationsAtOnce}`,
    [scope.companyId, after, ...scope.channels.parameters, ...(scope.contactId === undefined ? [] : [scope.contactId])],
  );
  if (rows.length === 0) return [];
  const ids = rows.map(({ id }) => id);
  const marks = ids.map(() => '?').join(', ');
  const identities = await identitiesOf(
    reader,
    rows.map(({ contactId }) => contactId),
  );
  const links = await reader.query<LinkRow>(
    `select * from link where conversation_id in (${marks}) and removed_at is null order by created_at, id`,
    ids,
  );
  const entries = await reader.query<TimelineEntryRow>(
    `select * from timeline_entry where conversation_id in (${marks}) order by conversation_id, id`,
    ids,
  );
  return rows.map((row) => ({
    id: row.id,
    channel: channelOf(row),
    contact: contactOf(row, identities),
    status: row.status,
    assignee: row.assigneeId === null ? null : { id: row.assigneeId, name: row.assigneeName ?? row.assigneeId },
    links: links
      .filter((link) => link.conversationId === row.id)
      .map(({ type, recordId, title, createdAt }) => {
        return { type, recordId, title, url: recordUrl(row.domain, type, recordId), createdAt };
      }),
    createdAt: row.createdAt,
    timeline: entries
      .filter((entry) => entry.conversationId === row.id)
      .map(({ kind, byKind, byId, byName, createdAt, details }) => ({
        kind,
        by: { kind: byKind, ...(byId === null ? {} : { id: byId }), name: byName },
        createdAt,
        details: JSON.parse(details) as Record<string, unknown>,
      })),
  }));
}

function channelOf(row: ContactFacts): ExportedConversation['channel'] {
  return { id: row.channelId, provider: row.provider, name: row.channelName, address: row.channelAddress };
}

function contactOf(row: ContactFacts, identities: readonly ContactIdentityRow[]): ExportedConversation['contact'] {
  return {
    id: row.contactId,
    name: row.contactName,
    address: row.contactAddress,
    identities: identities
      .filter(({ contactId }) => contactId === row.contactId)
      .map(({ type, value }) => ({ type, value })),
    createdAt: row.contactCreatedAt,
  };
}

function identitiesOf(reader: Reader, contactIds: readonly string[]): Promise<ContactIdentityRow[]> {
  return reader.query<ContactIdentityRow>(
    `select * from contact_identity where contact_id in (${contactIds.map(() => '?').join(', ')}) order by type, value`,
    contactIds,
  );
}

/** A conversation's messages, oldest first, page by page; between pages others have their turn. */
async function* messagesOf(deps: ExportDeps, conversationId: string): AsyncGenerator<ExportedMessage[]> {
  let after: readonly [string, string] = ['', ''];
  for (;;) {
    const page = await deps.db.read(async (reader) => {
      const rows = await reader.query<MessageRow>(
        `select * from message where conversation_id = ? and (created_at, id) > (?, ?)
         order by created_at, id limit ${messagesAtOnce}`,
        [conversationId, ...after],
      );
      return { rows, files: await filesOf(reader, rows) };
    });
    await turn();
    if (page.rows.length > 0) yield page.rows.map((row) => messageOf(deps, row, page.files));
    const last = page.rows.at(-1);
    if (!last || page.rows.length < messagesAtOnce) return;
    after = [last.createdAt, last.id];
  }
}

async function filesOf(reader: Reader, rows: readonly MessageRow[]): Promise<AttachmentRow[]> {
  if (rows.length === 0) return [];
  return reader.query<AttachmentRow>(
    `select * from attachment where message_id in (${rows.map(() => '?').join(', ')}) order by position`,
    rows.map(({ id }) => id),
  );
}

function messageOf(deps: ExportDeps, row: MessageRow, files: readonly AttachmentRow[]): ExportedMessage {
  const reactions = JSON.parse(row.reactions) as StoredReaction[];
  const details = row.details === null ? null : (JSON.parse(row.details) as MessageDetails);
  return {
    id: row.id,
    direction: row.direction,
    author: {
      kind: row.authorKind,
      ...(row.authorId === null ? {} : { id: row.authorId }),
      name: row.authorName,
    },
    kind: row.kind,
    text: row.text,
    reactions: reactions.flatMap(({ emoji, by }) => (emoji === null ? [] : [{ emoji, by }])),
    details: details as ExportedMessage['details'],
    attachments: files
      .filter((file) => file.messageId === row.id)
      .map((file) => ({
        id: file.id,
        kind: file.kind,
        contentType: file.contentType,
        name: file.name,
        size: file.size,
        url: file.state === 'ready' ? deps.mediaLink(file, 'export') : null,
      })),
    status: row.status,
    errorCode: row.errorCode,
    createdAt: row.createdAt,
  };
}

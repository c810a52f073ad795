// Ties a conversation to persons, leads and deals: existing ones, or created on the spot, once (L1 to L7).
import { timeText } from '../base/clock.ts';
import { UpstreamError, UserError } from '../base/errors.ts';
import { newId } from '../base/ids.ts';
import type { Viewer } from '../companies/access.ts';
import type { Tx } from '../db/database.ts';
import {
  NotedMessage,
  type ChannelRow,
  type ContactIdentityRow,
  type ContactRow,
  type ConversationRow,
  type LinkRow,
  type MessageRow,
} from '../db/tables.ts';
import type { PipedriveClient } from '../pipedrive/client.ts';
import { createDeal, createLead, createPerson, type NewPerson, type NewRecord } from '../pipedrive/create-record.ts';
import { readRecord, type RecordType } from '../pipedrive/records.ts';
import { automaticDemand } from './auto-demand.ts';
import { withoutMarks } from './clean-text.ts';
import type { Actor } from './changes.ts';
import { actorOf, conversationFor, lockedConversationFor } from './conversation.ts';
import { createOnce } from './create-once.ts';
import type { InboxDeps } from './deps.ts';

export interface LinkDeps extends InboxDeps {
  /** The acting user's own access: ownership and permissions stay Pipedrive's own (L2). */
  readonly pipedriveFor: (user: { companyId: string; userId: string }) => PipedriveClient;
}

type StoreDeps = Pick<InboxDeps, 'clock' | 'changes'>;

export interface Failed {
  readonly type: RecordType;
  readonly error: UpstreamError;
}

export interface Linked {
  readonly made: LinkRow[];
  readonly failed: Failed[];
}

/** Links a record that is there already. */
export async function linkRecord(
  deps: LinkDeps,
  viewer: Viewer,
  input: { conversationId: string; type: RecordType; recordId: string },
): Promise<LinkRow> {
  const conversation = await deps.db.read((reader) => conversationFor(reader, viewer, input.conversationId));
  await requireNoOtherPerson(deps, conversation, input.type, input.recordId);
  const record = await readRecord(deps.pipedriveFor(viewer), input.type, input.recordId);
  if (record.state === 'gone') throw new UserError('record_not_found', { type: input.type });
  return deps.db.transaction((tx) =>
    storeLink(deps, tx, linkerOf(viewer), { ...input, title: record.title, details: record.details }),
  );
}

export interface CreateInput {
  readonly conversationId: string;
  readonly type: RecordType;
  readonly idempotencyKey: string;
  readonly person: { readonly id: string } | NewPerson | undefined;
  readonly record: Omit<NewRecord, 'personId'> | undefined;
}

/** Creates a person, or a lead or deal with its person, and links what was made; what was made is kept when a part fails (L7). */
export async function createAndLink(deps: LinkDeps, viewer: Viewer, input: CreateInput): Promise<Linked> {
  const conversation = await deps.db.read((reader) => conversationFor(reader, viewer, input.conversationId));
  const client = deps.pipedriveFor(viewer);
  const made: LinkRow[] = [];
  const person = await personFor(deps, viewer, client, conversation, input, made);
  if ('error' in person) {
    // Nothing was made at all: then it is a plain failure.
    throw person.error;
  }
  if (input.type === 'person' || !input.record) return { made, failed: [] };
  const record: NewRecord = {
    ownerId: viewer.userId,
    ...defined(input.record),
    title: input.record.title,
    personId: person.recordId,
  };
  try {
    const { type } = input;
    const created = await createOnce(deps, client, {
      companyId: viewer.companyId,
      conversationId: conversation.id,
      key: `${viewer.userId}/${input.idempotencyKey}/${type}`,
      type,
      title: record.title,
      personId: record.personId,
      create: () => (type === 'deal' ? createDeal(client, record) : createLead(client, record)),
    });
    made.push(await linkCreated(deps, viewer, client, conversation, type, created));
    return { made, failed: [] };
  } catch (error) {
    if (!(error instanceof UpstreamError) || made.length === 0) throw error;
    return { made, failed: [{ type: input.type, error }] };
  }
}

/** The person a record is made for: named, linked already, or created now from what is known of the contact. */
async function personFor(
  deps: LinkDeps,
  viewer: Viewer,
  client: PipedriveClient,
  conversation: ConversationRow,
  input: CreateInput,
  made: LinkRow[],
): Promise<{ recordId: string } | { error: UpstreamError }> {
  const linked = await deps.db.read((reader) =>
    reader.one<LinkRow>(`select * from link where conversation_id = ? and type = 'person' and removed_at is null`, [
      conversation.id,
    ]),
  );
  const given = input.person;
  if (given && 'id' in given) {
    if (linked && linked.recordId !== given.id) throw new UserError('person_linked', { title: linked.title });
    if (!linked) {
      made.push(
        await linkRecord(deps, viewer, { conversationId: conversation.id, type: 'person', recordId: given.id }),
      );
    }
    return { recordId: given.id };
  }
  const key = `${viewer.userId}/${input.idempotencyKey}/person`;
  if (linked && !(await wasMadeFor(deps, viewer, key, linked.recordId))) {
    if (input.type === 'person') throw new UserError('person_linked', { title: linked.title });
    return { recordId: linked.recordId };
  }
  const wanted = await newPersonFor(deps, viewer, conversation, given);
  try {
    const created = await createOnce(deps, client, {
      companyId: viewer.companyId,
      conversationId: conversation.id,
      // The app itself may be making this contact's person in this very moment: then that is the one.
      key: (await automaticDemand(deps, conversation)) ?? key,
      type: 'person',
      title: wanted.person.name,
      personId: null,
      create: () => createPerson(client, wanted.person, wanted.phoneLabel),
    });
    made.push(await linkCreated(deps, viewer, client, conversation, 'person', created));
    return { recordId: created.recordId };
  } catch (error) {
    if (error instanceof UpstreamError) return { error };
    throw error;
  }
}

async function wasMadeFor(deps: LinkDeps, viewer: Viewer, key: string, recordId: string): Promise<boolean> {
  const request = await deps.db.read((reader) =>
    reader.one('select 1 from record_request where company_id = ? and id = ? and record_id = ?', [
      viewer.companyId,
      key,
      recordId,
    ]),
  );
  return request !== undefined;
}

/** A person as he is known here, with what the form says instead. */
export async function newPersonFor(
  deps: Pick<LinkDeps, 'db'>,
  owner: { readonly userId: string },
  conversation: ConversationRow,
  given: NewPerson | undefined,
): Promise<{ person: NewPerson; phoneLabel: string }> {
  return deps.db.read(async (reader) => {
    const contact = await reader.one<ContactRow>('select * from contact where id = ?', [conversation.contactId]);
    const phone = await reader.one<ContactIdentityRow>(
      `select * from contact_identity where contact_id = ? and type = 'phone'`,
      [conversation.contactId],
    );
    const channel = await reader.one<ChannelRow>('select * from channel where id = ?', [conversation.channelId]);
    const base = {
      name: withoutMarks(contact?.name ?? ''),
      ownerId: owner.userId,
      ...(phone ? { phone: phone.value } : {}),
    };
    return {
      person: given ? { ...base, phone: undefined, ...defined(given), name: given.name } : base,
      phoneLabel: channel?.provider === 'whatsapp' ? 'WhatsApp' : 'mobile',
    };
  });
}

async function linkCreated(
  deps: LinkDeps,
  viewer: Viewer,
  client: PipedriveClient,
  conversation: ConversationRow,
  type: RecordType,
  created: { recordId: string; title: string },
): Promise<LinkRow> {
  // The record is there; its facts are an ornament that must not fail the link.
  const record = await readRecord(client, type, created.recordId).catch(() => undefined);
  const details = record?.state === 'present' ? record.details : null;
  return deps.db.transaction((tx) =>
    storeLink(deps, tx, linkerOf(viewer), {
      conversationId: conversation.id,
      type,
      recordId: created.recordId,
      title: created.title,
      details,
    }),
  );
}

async function requireNoOtherPerson(
  deps: LinkDeps,
  conversation: ConversationRow,
  type: RecordType,
  recordId: string,
): Promise<void> {
  if (type !== 'person') return;
  const other = await deps.db.read((reader) =>
    reader.one<LinkRow>(
      `select * from link where conversation_id = ? and type = 'person' and removed_at is null and record_id <> ?`,
      [conversation.id, recordId],
    ),
  );
  if (other) throw new UserError('person_linked', { title: other.title });
}

/** Latest messages that the first note holds: of the last 24 hours, at least ten, at most fifty (H1). */
const noteBackMs = 24 * 3_600_000;
const noteAtLeast = 10;
const noteAtMost = 50;

/** Who links: whose access it is, who is said to have done it, and how he comes to the conversation. */
export interface Linker {
  readonly companyId: string;
  readonly userId: string;
  readonly by: Actor;
  /** The conversation, held until the transaction ends; throws when it is not to be linked by him. */
  readonly hold: (tx: Tx, conversationId: string) => Promise<ConversationRow>;
}

function linkerOf(viewer: Viewer): Linker {
  const { companyId, userId } = viewer;
  return { companyId, userId, by: actorOf(viewer), hold: (tx, id) => lockedConversationFor(tx, viewer, id) };
}

export interface WantedLink {
  readonly conversationId: string;
  readonly type: RecordType;
  readonly recordId: string;
  readonly title: string;
  readonly details: object | null;
}

/** A step inside somebody's transaction. A link that is there already is answered as it is. */
export async function storeLink(deps: StoreDeps, tx: Tx, linker: Linker, wanted: WantedLink): Promise<LinkRow> {
  // Held until the end: a message that arrives in this moment is either seen here, or sees the link.
  const conversation = await linker.hold(tx, wanted.conversationId);
  const now = timeText(deps.clock);
  const newest = await tx.one<{ id: string | null }>('select max(id) as id from message where conversation_id = ?', [
    conversation.id,
  ]);
  const inserted = await tx.one<LinkRow>(
    `insert into link (id, company_id, conversation_id, type, record_id, title, details, state, after_message_id, history_complete,
       created_by, created_at, removed_at, checked_at)
     values (?, ?, ?, ?, ?, ?, ?, 'active', ?, 0, ?, ?, null, ?) on conflict do nothing returning *`,
    [
      newId(),
      linker.companyId,
      conversation.id,
      wanted.type,
      wanted.recordId,
      wanted.title,
      JSON.stringify(wanted.details),
      newest?.id ?? '',
      linker.userId,
      now,
      now,
    ],
  );
  if (!inserted) {
    const known = await tx.one<LinkRow>(
      'select * from link where conversation_id = ? and type = ? and record_id = ? and removed_at is null',
      [conversation.id, wanted.type, wanted.recordId],
    );
    if (known) return known;
    throw new UserError('person_linked');
  }
  await makeLatestDue(deps, tx, inserted);
  await deps.changes.record(tx, { kind: 'link.added', conversation, link: inserted, by: linker.by });
  return inserted;
}

async function makeLatestDue(deps: StoreDeps, tx: Tx, link: LinkRow): Promise<void> {
  const latest = await tx.query<Pick<MessageRow, 'id' | 'createdAt'>>(
    `select id, created_at from message where conversation_id = ? order by created_at desc, id desc limit ${noteAtMost}`,
    [link.conversationId],
  );
  const since = timeText(deps.clock, -noteBackMs);
  const chosen = latest.filter((message, index) => index < noteAtLeast || message.createdAt >= since);
  await tx.insert(
    NotedMessage,
    chosen.map((message) => ({
      linkId: link.id,
      messageId: message.id,
      noteId: '',
      confirmed: 0 as const,
      shown: null,
    })),
  );
}

/** Future messages are no longer noted; notes already written stay (L5). */
export function unlink(
  deps: InboxDeps,
  viewer: Viewer,
  input: { conversationId: string; linkId: string },
): Promise<void> {
  return deps.db.transaction(async (tx) => {
    const conversation = await conversationFor(tx, viewer, input.conversationId);
    const link = await tx.one<LinkRow>(
      'update link set removed_at = ? where id = ? and conversation_id = ? and removed_at is null returning *',
      [timeText(deps.clock), input.linkId, conversation.id],
    );
    if (!link) throw new UserError('not_found');
    await deps.changes.record(tx, { kind: 'link.removed', conversation, link, by: actorOf(viewer) });
  });
}

/**
 * A broken link is looked at again, or tied to another record of its type. What arrived meanwhile is noted there; on
 * another record in a note of its own.
 */
export async function mendLink(
  deps: LinkDeps,
  viewer: Viewer,
  input: { conversationId: string; linkId: string; recordId?: string },
): Promise<LinkRow> {
  const broken = await deps.db.read(async (reader) => {
    const conversation = await conversationFor(reader, viewer, input.conversationId);
    return reader.one<LinkRow>('select * from link where id = ? and conversation_id = ? and removed_at is null', [
      input.linkId,
      conversation.id,
    ]);
  });
  if (!broken) throw new UserError('not_found');
  const recordId = input.recordId ?? broken.recordId;
  if (broken.state === 'active' && recordId === broken.recordId) return broken;
  const record = await readRecord(deps.pipedriveFor(viewer), broken.type, recordId);
  if (record.state === 'gone') throw new UserError('record_not_found', { type: broken.type });
  return deps.db.transaction(async (tx) => {
    const conversation = await lockedConversationFor(tx, viewer, input.conversationId);
    const other = await tx.one(
      'select 1 from link where conversation_id = ? and type = ? and record_id = ? and removed_at is null and id <> ?',
      [conversation.id, broken.type, recordId, broken.id],
    );
    if (other) throw new UserError('conflict');
    const link = await tx.one<LinkRow>(
      `update link set state = 'active', reason = null, record_id = ?, title = ?, details = ?, checked_at = ?
       where id = ? and removed_at is null returning *`,
      [recordId, record.title, JSON.stringify(record.details), timeText(deps.clock), broken.id],
    );
    if (!link) throw new UserError('not_found');
    if (recordId !== broken.recordId) await leaveNotes(tx, link.id);
    await deps.changes.record(tx, {
      kind: 'link.changed',
      conversation,
      link,
      act: 'link_mended',
      by: actorOf(viewer),
    });
    return link;
  });
}

/** The notes on the record before stay as they are; what was only planned for one of them is due again. */
async function leaveNotes(tx: Tx, linkId: string): Promise<void> {
  await tx.query(`update noted_message set note_id = '' where link_id = ? and confirmed = 0`, [linkId]);
  await tx.query(`update note set state = 'closed', content_hash = null, stale = 0 where link_id = ?`, [linkId]);
}

function defined<T extends object>(value: T): T {
  return Object.fromEntries(Object.entries(value).filter(([, item]) => item !== undefined)) as T;
}

// Links a conversation to its person by itself, or makes a lead for who is unknown, where the company wants that (L3). Off by
// default. Only while nobody has linked anything: what a rep has linked or unlinked is his, for ever. Conversations of private
// channels are left alone, as their notes would be read by all who see the record (A8).
import { z } from 'zod';
import { later, timeText } from '../base/clock.ts';
import { UpstreamError, UserError } from '../base/errors.ts';
import { parseSettings, type CompanySettings } from '../companies/settings.ts';
import type { Reader, Tx } from '../db/database.ts';
import type {
  AutoLinkRow,
  ChannelRow,
  CompanyRow,
  ContactIdentityRow,
  ContactRow,
  ConversationRow,
  LinkRow,
} from '../db/tables.ts';
import { defineTask, type Outcome } from '../jobs/queue.ts';
import type { PipedriveClient } from '../pipedrive/client.ts';
import { createLead, createPerson } from '../pipedrive/create-record.ts';
import { readRecord } from '../pipedrive/records.ts';
import { personsByName, personsByPhone } from '../pipedrive/search-records.ts';
import type { Grant } from '../pipedrive/tokens.ts';
import { automaticKey } from './auto-demand.ts';
import { theApp, type Follower } from './changes.ts';
import { withoutMarks } from './clean-text.ts';
import { createOnce, type Demand } from './create-once.ts';
import type { InboxDeps } from './deps.ts';
import { newPersonFor, storeLink, type Linker } from './link.ts';
import { withSomebody } from './link-follow.ts';
import { isSamePhone, isVeryPhone, spellings } from './phone-variants.ts';
import { sameName } from './suggest.ts';

export interface AutoLinkDeps extends InboxDeps {
  /** Not urgent: it waits for tokens as notes do. */
  readonly pipedriveFor: (grant: Grant) => PipedriveClient;
  readonly grants: (companyId: string, preferred: readonly (string | null)[]) => Promise<Grant[]>;
}

/**
 * Of a conversation in which nothing was to be done, who writes another day is looked for again. All other outcomes are final:
 * `linked` and `created`, and `left` to people.
 */
const againMs = 24 * 3_600_000;
/** What arrives together is looked at once, and a name may come after the first message. */
const gatherMs = 500;
const nameMs = 60_000;
const askAgainMs = 30_000;

/** A message of a contact in a shared channel of a company that wants it: one look, however many arrive at once. */
export function createAutoLinkFollower({ queue, clock }: Pick<InboxDeps, 'queue' | 'clock'>): Follower {
  return async (tx, happenings) => {
    const ids = new Set<string>();
    for (const happening of happenings) {
      if (happening.kind !== 'message.received' || happening.origin === 'imported') continue;
      if (happening.message.direction === 'inbound') ids.add(happening.conversation.id);
    }
    if (ids.size === 0) return;
    const now = timeText(clock);
    const wanted = await tx.query<{ conversationId: string }>(
      `insert into auto_link (conversation_id, company_id, outcome, tried_at)
       select cv.id, cv.company_id, 'wanted', ? from conversation cv
       join channel ch on ch.id = cv.channel_id and ch.visibility = 'shared'
       join company co on co.id = cv.company_id
         and (co.settings like '%"autoLinkExactMatch":true%' or co.settings like '%"autoCreateLead":true%')
       where cv.id in (${[...ids].map(() => '?').join(', ')}) order by cv.id
       on conflict (conversation_id) do update set outcome = 'wanted', tried_at = excluded.tried_at
         where auto_link.outcome = 'none' and auto_link.tried_at < ?
       returning conversation_id`,
      [now, ...ids, later(now, -againMs)],
    );
    for (const { conversationId } of wanted) {
      await queue.enqueue(tx, autoLink, { conversationId }, { lane: `auto-link:${conversationId}`, delayMs: gatherMs });
    }
  };
}

export const autoLink = defineTask(
  'auto-link',
  z.object({ conversationId: z.string() }),
  async (deps: AutoLinkDeps, { conversationId }): Promise<Outcome> => {
    const subject = await deps.db.read((reader) => loadSubject(reader, conversationId));
    if (!subject) return undefined;
    const outcome = beforehand(subject);
    if (outcome) return settle(deps, conversationId, outcome);
    if (isNameless(subject) && later(subject.wantedAt, nameMs) > timeText(deps.clock)) return { againInMs: 5_000 };
    try {
      const { companyId, ownerId } = subject.channel;
      await withSomebody(deps, companyId, [ownerId], (client) => act(deps, client, subject));
      return undefined;
    } catch (error) {
      // Somebody linked it, deleted it or made the channel private in this moment.
      if (error instanceof UserError) return settle(deps, conversationId, 'left');
      if (!(error instanceof UpstreamError)) throw error;
      // Nobody has the app any more, or nobody may: when there is somebody, he who writes again is looked for again.
      if (error.kind === 'reconnect' || error.kind === 'refused') return settle(deps, conversationId, 'none');
      return { againInMs: Math.max(error.retryAfterMs ?? 0, askAgainMs) };
    }
  },
);

type Done = 'linked' | 'created' | 'left' | 'none';

interface Subject {
  readonly wantedAt: string;
  readonly conversation: ConversationRow;
  readonly channel: ChannelRow;
  readonly contact: ContactRow;
  readonly phone: string | null;
  readonly settings: CompanySettings;
  /** Somebody has linked, unlinked or begun to create something here. */
  readonly isTouched: boolean;
  /** We have begun to create his person: by now it may be found. */
  readonly isBegun: boolean;
}

async function loadSubject(reader: Reader, conversationId: string): Promise<Subject | undefined> {
  const wanted = await reader.one<AutoLinkRow>(
    `select * from auto_link where conversation_id = ? and outcome = 'wanted'`,
    [conversationId],
  );
  const conversation = await reader.one<ConversationRow>(
    'select * from conversation where id = ? and deleted_at is null',
    [conversationId],
  );
  const channel = await reader.one<ChannelRow>('select * from channel where id = ?', [conversation?.channelId ?? null]);
  const contact = await reader.one<ContactRow>('select * from contact where id = ?', [conversation?.contactId ?? null]);
  const company = await reader.one<CompanyRow>('select * from company where id = ?', [conversation?.companyId ?? null]);
  if (!wanted || !conversation || !channel || !contact || !company) return undefined;
  const identity = await reader.one<ContactIdentityRow>(
    `select * from contact_identity where contact_id = ? and type = 'phone'`,
    [contact.id],
  );
  const links = await reader.query<LinkRow>('select * from link where conversation_id = ?', [conversationId]);
  const requests = await reader.query<{ id: string; recordId: string | null }>(
    'select id, record_id from record_request where company_id = ? and conversation_id = ?',
    [conversation.companyId, conversationId],
  );
  const own = requests.filter(({ id }) =>
    (['person', 'lead'] as const).some((type) => id === automaticKey(conversationId, type)),
  );
  const isOwn = (link: LinkRow): boolean =>
    link.removedAt === null && own.some(({ recordId }) => recordId === link.recordId);
  return {
    wantedAt: wanted.triedAt,
    conversation,
    channel,
    contact,
    phone: identity?.value ?? null,
    settings: parseSettings(company),
    isTouched: links.some((link) => !isOwn(link)) || requests.length > own.length,
    isBegun: own.length > 0,
  };
}

/** What is clear without asking Pipedrive. */
function beforehand({ settings, channel, isTouched }: Subject): Done | undefined {
  if (isTouched) return 'left';
  const isWanted = settings.autoLinkExactMatch || settings.autoCreateLead;
  return isWanted && channel.visibility === 'shared' ? undefined : 'none';
}

/** All that is known of him is the provider's own number for him. */
function isNameless({ contact, phone }: Subject): boolean {
  return phone === null && contact.name === contact.address;
}

async function act(deps: AutoLinkDeps, client: PipedriveClient, subject: Subject): Promise<void> {
  if (subject.isBegun) return makeLead(deps, client, subject);
  const found = await find(client, subject);
  const { settings, conversation } = subject;
  if (found.exact && settings.autoLinkExactMatch) return linkExact(deps, client, subject, found.exact);
  if (found.isUnknown && settings.autoCreateLead) return makeLead(deps, client, subject);
  await settle(deps, conversation.id, 'none');
}

interface Finding {
  /** The only person with this number, and with exactly this one. */
  readonly exact?: { readonly recordId: string; readonly name: string };
  readonly isUnknown: boolean;
}

/** By the number, which says who it is; by the name only that it may be somebody who is there already. */
async function find(client: PipedriveClient, subject: Subject): Promise<Finding> {
  const { phone, contact } = subject;
  if (phone !== null) {
    const persons = (await personsByPhone(client, spellings(phone))).filter(({ phones }) =>
      phones.some((typed) => isSamePhone(typed, phone)),
    );
    const [only] = persons;
    const isExact = persons.length === 1 && only!.phones.some((typed) => isVeryPhone(typed, phone));
    return isExact ? { exact: only!, isUnknown: false } : { isUnknown: persons.length === 0 };
  }
  if (!/\p{L}{2}/u.test(contact.name)) return { isUnknown: false };
  const named = await personsByName(client, contact.name);
  return { isUnknown: !named.some(({ name }) => sameName(name, contact.name)) };
}

async function linkExact(
  deps: AutoLinkDeps,
  client: PipedriveClient,
  { conversation }: Subject,
  { recordId, name }: { recordId: string; name: string },
): Promise<void> {
  const record = await readRecord(client, 'person', recordId);
  if (record.state === 'gone') return settle(deps, conversation.id, 'none');
  await deps.db.transaction(async (tx) => {
    const wanted = { conversationId: conversation.id, type: 'person', recordId, title: record.title || name } as const;
    await storeLink(deps, tx, linkerOf(client.grant), { ...wanted, details: record.details });
    await finish(deps, tx, conversation.id, 'linked');
  });
}

/** Person and lead, each once whatever gets lost, each linked as soon as it is there: what a crash interrupts is gone on with (L4, L7). */
async function makeLead(deps: AutoLinkDeps, client: PipedriveClient, subject: Subject): Promise<void> {
  const { conversation, channel, contact } = subject;
  const { person, phoneLabel } = await newPersonFor(deps, client.grant, conversation, undefined);
  const demand = (type: 'person' | 'lead', title: string, personId: string | null): Omit<Demand, 'create'> => ({
    companyId: conversation.companyId,
    conversationId: conversation.id,
    key: automaticKey(conversation.id, type),
    type,
    title,
    personId,
  });
  const create = () => createPerson(client, person, phoneLabel);
  const made = await createOnce(deps, client, { ...demand('person', person.name, null), create });
  await linkMade(deps, client, conversation, { type: 'person', ...made });
  const title = `${withoutMarks(contact.name)} – ${channel.provider === 'whatsapp' ? 'WhatsApp' : 'Messenger'}`;
  const lead = { title, personId: made.recordId, ownerId: client.grant.userId };
  const leadMade = await createOnce(deps, client, {
    ...demand('lead', title, made.recordId),
    create: () => createLead(client, lead),
  });
  await linkMade(deps, client, conversation, { type: 'lead', ...leadMade }, 'created');
}

async function linkMade(
  deps: AutoLinkDeps,
  client: PipedriveClient,
  { id }: ConversationRow,
  made: { type: 'person' | 'lead'; recordId: string; title: string },
  outcome?: Done,
): Promise<void> {
  // The record is there; its facts are an ornament that must not fail the link.
  const record = await readRecord(client, made.type, made.recordId).catch(() => undefined);
  const details = record?.state === 'present' ? record.details : null;
  await deps.db.transaction(async (tx) => {
    await storeLink(deps, tx, linkerOf(client.grant), { conversationId: id, ...made, details });
    if (outcome) await finish(deps, tx, id, outcome);
  });
}

function linkerOf({ companyId, userId }: Grant): Linker {
  return { companyId, userId, by: theApp, hold };
}

async function hold(tx: Tx, conversationId: string): Promise<ConversationRow> {
  const lock = tx.kind === 'postgres' ? 'for no key update of cv' : '';
  const row = await tx.one<ConversationRow>(
    `select cv.* from conversation cv join channel ch on ch.id = cv.channel_id
     where cv.id = ? and cv.deleted_at is null and ch.visibility = 'shared' ${lock}`,
    [conversationId],
  );
  if (!row) throw new UserError('not_found');
  return row;
}

async function settle(deps: AutoLinkDeps, conversationId: string, outcome: Done): Promise<undefined> {
  await deps.db.transaction((tx) => finish(deps, tx, conversationId, outcome));
  return undefined;
}

async function finish(deps: AutoLinkDeps, tx: Tx, conversationId: string, outcome: Done): Promise<void> {
  await tx.query(`update auto_link set outcome = ?, tried_at = ? where conversation_id = ? and outcome = 'wanted'`, [
    outcome,
    timeText(deps.clock),
    conversationId,
  ]);
}

// What is known already of the messages that came in together, and of those who wrote them: read at once for all of them.
// Under load that is most of what storing a message asks the database for.
import { sha256 } from '../base/crypto.ts';
import type { MessageEvent } from '../channels/provider.ts';
import type { Reader, Tx } from '../db/database.ts';
import type { ChannelRow, ConversationRow } from '../db/tables.ts';
import { phoneForms } from './phone-variants.ts';

export interface KnownContact {
  readonly contactId: string;
  readonly name: string;
  readonly address: string;
  readonly createdAt: string;
  /** When its provider was last asked for name and picture. */
  readonly profileAt: string | null;
  /** Those of its identities that were asked for. */
  readonly identities: readonly { readonly type: string; readonly value: string }[];
}

/** Kept true by whoever changes something: what is not in here is not unknown, but must be looked up. */
export interface Surroundings {
  readonly channels: ReadonlyMap<string, ChannelRow>;
  /** Channel and provider's id of messages that are stored, or were and are erased. Complete. */
  readonly messages: Set<string>;
  /** By `formName`. */
  readonly contacts: Map<string, KnownContact[]>;
  /** By the contact's id. */
  readonly conversations: Map<string, ConversationRow>;
}

interface Arrived {
  readonly channelId: string;
  readonly event: MessageEvent;
}

export interface IdentityForm {
  readonly channelId: string;
  readonly type: string;
  readonly value: string;
}

/** A number may come in another of its forms; whom we reply to is decided by the address alone. */
export function identityForms(channelId: string, event: MessageEvent): IdentityForm[] {
  return event.contact.identities.flatMap(({ type, value }) =>
    (type === 'phone' ? phoneForms(value) : [value]).map((form) => ({ channelId, type, value: form })),
  );
}

function formName({ channelId, type, value }: IdentityForm): string {
  return `${channelId} ${type} ${value}`;
}

/**
 * First who wrote, then, with what is theirs locked until the commit, what is stored of them: what another group has stored
 * meanwhile is seen, a message that came twice in two lanes at once too (I-05). Locks are taken in the same order by all.
 */
export async function readSurroundings(tx: Tx, arrived: readonly Arrived[]): Promise<Surroundings> {
  const channelIds = [...new Set(arrived.map(({ channelId }) => channelId))];
  const channels = await tx.query<ChannelRow>(
    `select * from channel where id in (${channelIds.map(() => '?').join(', ')})`,
    channelIds,
  );
  const { contacts, conversations } = await lockThoseOf(
    tx,
    arrived.flatMap(({ channelId, event }) => identityForms(channelId, event)),
  );
  return {
    channels: new Map(channels.map((channel) => [channel.id, channel])),
    messages: await readMessageNames(tx, arrived),
    contacts,
    conversations,
  };
}

async function lockThoseOf(
  tx: Tx,
  forms: readonly IdentityForm[],
): Promise<Pick<Surroundings, 'contacts' | 'conversations'>> {
  for (;;) {
    const contacts = await readContacts(tx, forms);
    const strangers = forms.filter((form) => !contacts.has(formName(form)));
    if (tx.kind === 'postgres' && strangers.length > 0) {
      await lockStrangers(tx, strangers);
      for (const [name, found] of await readContacts(tx, strangers)) contacts.set(name, found);
    }
    const known = [...contacts.values()].flat();
    const conversations = await readConversationsOf(tx, known);
    if (tx.kind === 'sqlite' || known.every(({ contactId }) => conversations.has(contactId))) {
      return { contacts, conversations };
    }
    // While we waited for a lock, one of them was joined with another contact, or erased.
    const again = new Set([...(await readContacts(tx, forms)).values()].flat().map(({ contactId }) => contactId));
    if (known.every(({ contactId }) => again.has(contactId))) return { contacts, conversations };
  }
}

/** Identities of nobody yet may come in two lanes at once: only one makes a contact of them (C12). */
async function lockStrangers(tx: Tx, strangers: readonly IdentityForm[]): Promise<void> {
  const numbers = strangers.map((form) => Number.parseInt(sha256(formName(form)).slice(0, 8), 16) | 0);
  await tx.query('select pg_advisory_xact_lock(7210003, number) from unnest(?::int[]) as number', [
    `{${[...new Set(numbers)].sort((left, right) => left - right).join(',')}}`,
  ]);
}

/** A contact that was made: who comes after it in the same group finds it. */
export function remember(
  known: Surroundings,
  channelId: string,
  contactId: string,
  createdAt: string,
  { contact }: MessageEvent,
): void {
  const { address, identities } = contact;
  for (const { type, value } of identities) {
    known.contacts.set(formName({ channelId, type, value }), [
      { contactId, name: nameOf(contact), address, createdAt, profileAt: null, identities: [{ type, value }] },
    ]);
  }
}

export function nameOf({ name, address }: Pick<MessageEvent['contact'], 'name' | 'address'>): string {
  return name?.trim() || address.replace(/^whatsapp:/, '');
}

/** For when contacts or identities have changed: from now on everything is looked up. */
export function forget({ contacts, conversations }: Surroundings): void {
  contacts.clear();
  conversations.clear();
}

/** The contacts with one of these identities. The oldest first: it is the one that stays when they are joined. */
export async function among(
  reader: Reader,
  forms: readonly IdentityForm[],
  known: ReadonlyMap<string, readonly KnownContact[]>,
): Promise<KnownContact[]> {
  const isKnown = forms.some((form) => known.has(formName(form)));
  const found = isKnown ? known : await readContacts(reader, forms);
  const byId = new Map<string, KnownContact>();
  for (const contact of forms.flatMap((form) => found.get(formName(form)) ?? [])) {
    const identities = [...(byId.get(contact.contactId)?.identities ?? []), ...contact.identities];
    byId.set(contact.contactId, { ...contact, identities });
  }
  return [...byId.values()].sort((left, right) =>
    `${left.createdAt} ${left.contactId}` < `${right.createdAt} ${right.contactId}` ? -1 : 1,
  );
}

async function readContacts(reader: Reader, forms: readonly IdentityForm[]): Promise<Map<string, KnownContact[]>> {
  const wanted = [...new Map(forms.map((form) => [formName(form), form])).values()];
  const rows = await reader.query<IdentityForm & Omit<KnownContact, 'identities'>>(
    `with wanted (channel_id, type, value) as (values ${wanted.map(() => '(?, ?, ?)').join(', ')})
     select i.channel_id, i.type, i.value, c.id as contact_id, c.name, c.address, c.created_at, c.profile_at
     from wanted w join contact_identity i on i.channel_id = w.channel_id and i.type = w.type and i.value = w.value
     join contact c on c.id = i.contact_id`,
    wanted.flatMap(({ channelId, type, value }) => [channelId, type, value]),
  );
  const contacts = new Map<string, KnownContact[]>();
  for (const { channelId, type, value, ...contact } of rows) {
    const name = formName({ channelId, type, value });
    contacts.set(name, [...(contacts.get(name) ?? []), { ...contact, identities: [{ type, value }] }]);
  }
  return contacts;
}

async function readMessageNames(tx: Tx, arrived: readonly Arrived[]): Promise<Set<string>> {
  const names = new Map(
    arrived.map(({ channelId, event }) => [
      `${channelId} ${sha256(event.providerMessageId)}`,
      `${channelId} ${event.providerMessageId}`,
    ]),
  );
  const rows = arrived.map(() => '(?, ?)').join(', ');
  const stored = await tx.query<{ channelId: string; providerMessageId: string }>(
    `with arrived (channel_id, id) as (values ${rows})
     select m.channel_id, m.provider_message_id from arrived a
     join message m on m.channel_id = a.channel_id and m.provider_message_id = a.id`,
    arrived.flatMap(({ channelId, event }) => [channelId, event.providerMessageId]),
  );
  const erased = await tx.query<{ channelId: string; hash: string }>(
    `with arrived (channel_id, hash) as (values ${rows})
     select e.channel_id, e.provider_message_hash as hash from arrived a
     join erased_message e on e.channel_id = a.channel_id and e.provider_message_hash = a.hash`,
    arrived.flatMap(({ channelId, event }) => [channelId, sha256(event.providerMessageId)]),
  );
  return new Set([
    ...stored.map(({ channelId, providerMessageId }) => `${channelId} ${providerMessageId}`),
    ...erased.map(({ channelId, hash }) => names.get(`${channelId} ${hash}`)!),
  ]);
}

/** Held until the commit, so that nobody closes one in between; always in the same order, so that two groups never wait for each other. */
async function readConversationsOf(tx: Tx, contacts: readonly KnownContact[]): Promise<Map<string, ConversationRow>> {
  const ids = [...new Set(contacts.map(({ contactId }) => contactId))];
  if (ids.length === 0) return new Map();
  const rows = await tx.query<ConversationRow>(
    `select * from conversation where contact_id in (${ids.map(() => '?').join(', ')}) order by id
     ${tx.kind === 'postgres' ? 'for no key update' : ''}`,
    ids,
  );
  return new Map(rows.map((row) => [row.contactId, row]));
}

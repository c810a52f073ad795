// Who wrote: finds a contact by any identity, joins two that turn out to be one, takes what an event tells anew of somebody known,
// and makes contact and conversation of a stranger (C11, C12).
import { later, timeText } from '../base/clock.ts';
import { newId } from '../base/ids.ts';
import type { MessageEvent } from '../channels/provider.ts';
import type { Tx } from '../db/database.ts';
import { Contact, ContactIdentity, Conversation, type ChannelRow, type ConversationRow } from '../db/tables.ts';
import { theApp, type MessageOrigin } from './changes.ts';
import type { InboxDeps } from './deps.ts';
import { fetchProfile } from './fetch-profile.ts';
import { joinContacts } from './join-contacts.ts';
import { among, forget, identityForms, nameOf, type KnownContact, type Surroundings } from './known-contacts.ts';
import { reindexName } from './search-index.ts';

const dayMs = 24 * 3_600_000;

interface Found {
  conversation: ConversationRow | undefined;
  contactId: string | undefined;
  contactName: string | undefined;
}

/** By any of the contact's identities; two contacts that turn out to be one are joined (C11). */
export async function findConversation(
  deps: InboxDeps,
  tx: Tx,
  channel: ChannelRow,
  event: MessageEvent,
  { origin, known }: { origin: MessageOrigin; known: Surroundings },
): Promise<Found> {
  const [contact, ...others] = await among(tx, identityForms(channel.id, event), known.contacts);
  if (!contact) return { conversation: undefined, contactId: undefined, contactName: undefined };
  const name = event.echo ? null : event.contact.name;
  // What was said before the channel was connected tells nothing new.
  const learns =
    origin !== 'imported' &&
    !event.echo &&
    ((name && name !== contact.name) || event.contact.address !== contact.address);
  await unite(deps, tx, channel, event, { contact, others, known });
  if (learns) {
    await learn(tx, contact, event);
    forget(known);
  }
  if (origin !== 'imported') await refreshProfile(deps, tx, channel, contact, event);
  const conversation =
    known.conversations.get(contact.contactId) ??
    (await tx.one<ConversationRow>(
      `select * from conversation where channel_id = ? and contact_id = ? ${tx.kind === 'postgres' ? 'for update' : ''}`,
      [channel.id, contact.contactId],
    ));
  return { conversation, contactId: contact.contactId, contactName: name ?? contact.name };
}

/** Gives a contact the identities that it was not known by, and joins the contacts that had them (C11). */
async function unite(
  deps: InboxDeps,
  tx: Tx,
  channel: ChannelRow,
  event: MessageEvent,
  of: { contact: KnownContact; others: readonly KnownContact[]; known: Surroundings },
): Promise<void> {
  const { contact, others, known } = of;
  const isMissing = ({ type, value }: { type: string; value: string }): boolean =>
    !contact.identities.some((identity) => identity.type === type && identity.value === value);
  if (others.length === 0 && !event.contact.identities.some(isMissing)) return;
  for (const { contactId } of others) {
    await joinContacts(deps, tx, channel, { from: contactId, into: contact.contactId });
  }
  await storeIdentities(tx, channel, contact.contactId, event);
  forget(known);
}

/**
 * A history may have been quicker than the webhook. It knows a contact by one identity only, and no name: the webhook tells
 * the others, and who has no name yet gets one.
 */
export async function learnFromRepeat(
  deps: InboxDeps,
  tx: Tx,
  channel: ChannelRow,
  event: MessageEvent,
  known: Surroundings,
): Promise<void> {
  const [contact, ...others] = await among(tx, identityForms(channel.id, event), known.contacts);
  if (!contact) return;
  await unite(deps, tx, channel, event, { contact, others, known });
  if (!event.contact.name?.trim() || contact.name !== nameOf({ ...contact, name: null })) return;
  await learn(tx, contact, event);
  await tx.query(
    `update message set author_name = ? where author_kind = 'contact' and author_name = ?
       and conversation_id in (select id from conversation where contact_id = ?)`,
    [event.contact.name, contact.name, contact.contactId],
  );
  forget(known);
  const conversation = await tx.one<ConversationRow>(
    'select * from conversation where contact_id = ? and deleted_at is null',
    [contact.contactId],
  );
  if (conversation) {
    await deps.changes.record(tx, { kind: 'conversation.changed', conversation, act: null, by: theApp });
  }
}

/** Takes what an event tells anew of a known contact: another name, the address to reply to (C11). */
async function learn(tx: Tx, contact: KnownContact, event: MessageEvent): Promise<void> {
  const name = event.contact.name || contact.name;
  await tx.query('update contact set name = ?, address = ? where id = ?', [
    name,
    event.contact.address,
    contact.contactId,
  ]);
  if (name !== contact.name) await reindexName(tx, contact.contactId);
}

/** Names and pictures change; who had none yet may have one now. Asked for while somebody writes, and rarely. */
async function refreshProfile(
  deps: InboxDeps,
  tx: Tx,
  channel: ChannelRow,
  { contactId, name, address, profileAt }: KnownContact,
  event: MessageEvent,
): Promise<void> {
  if (event.echo !== null || profileAt === null || !deps.provider(channel.provider).profile) return;
  const age = name === address ? dayMs : 7 * dayMs;
  if (later(profileAt, age) > timeText(deps.clock)) return;
  await deps.queue.enqueue(tx, fetchProfile, { contactId }, { key: contactId });
}

export async function startConversation(
  deps: InboxDeps,
  tx: Tx,
  channel: ChannelRow,
  knownContactId: string | undefined,
  event: MessageEvent,
  { at, receivedAt }: { at: string; receivedAt: string },
): Promise<ConversationRow> {
  const contactId = knownContactId ?? newId();
  if (!knownContactId) {
    await tx.insert(Contact, {
      id: contactId,
      companyId: channel.companyId,
      channelId: channel.id,
      name: nameOf(event.contact),
      address: event.contact.address,
      avatarMediaKey: null,
      profileAt: null,
      createdAt: receivedAt,
    });
    await storeIdentities(tx, channel, contactId, event);
    if (deps.provider(channel.provider).profile) await deps.queue.enqueue(tx, fetchProfile, { contactId });
  }
  const conversation: ConversationRow = {
    id: newId(),
    companyId: channel.companyId,
    channelId: channel.id,
    contactId,
    status: 'open',
    assigneeId: null,
    lastMessageId: null,
    lastMessageAt: at,
    lastInboundAt: null,
    replyUntil: null,
    inboundCount: 0,
    deletedAt: null,
    createdAt: receivedAt,
    updatedAt: receivedAt,
  };
  await tx.insert(Conversation, conversation);
  return conversation;
}

async function storeIdentities(tx: Tx, channel: ChannelRow, contactId: string, event: MessageEvent): Promise<void> {
  await tx.insert(
    ContactIdentity,
    event.contact.identities.map(({ type, value }) => ({ channelId: channel.id, type, value, contactId })),
    { orIgnore: true },
  );
}

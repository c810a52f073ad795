// A contact wrote, or a message sent elsewhere was reported to us, by a webhook or by the provider's history: it is
// stored once, in the conversation that `recognise.ts` finds or makes.
import { z } from 'zod';
import { later } from '../base/clock.ts';
import { idAt, newId } from '../base/ids.ts';
import type { MessageEvent } from '../channels/provider.ts';
import { isAssignable } from '../companies/availability.ts';
import { readSettings } from '../companies/settings.ts';
import type { GatheredWrite, Tx } from '../db/database.ts';
import { Attachment, Message, type ChannelRow, type ConversationRow, type MessageRow } from '../db/tables.ts';
import { defineTask } from '../jobs/queue.ts';
import { theApp, type MessageOrigin } from './changes.ts';
import { changeFacts } from './channel-state.ts';
import type { InboxDeps } from './deps.ts';
import { fetchMedia } from './fetch-media.ts';
import { nameOf, readSurroundings, remember, type Surroundings } from './known-contacts.ts';
import { isSameMessage } from './same-message.ts';
import { findConversation, learnFromRepeat, startConversation } from './recognise.ts';

const party = z.object({
  address: z.string(),
  identities: z.array(z.object({ type: z.enum(['psid', 'phone', 'whatsapp_user']), value: z.string() })),
  name: z.string().nullable(),
});
const messageEvent = z.custom<MessageEvent>((value) => {
  const event = value as Partial<MessageEvent> | null;
  return (
    event?.type === 'message' && party.safeParse(event.contact).success && typeof event.providerMessageId === 'string'
  );
});

const origin = z.enum(['webhook', 'reconciled', 'imported']) satisfies z.ZodType<MessageOrigin>;

/** Stores one message of one contact; runs in the contact's lane. */
export const receiveMessage = defineTask(
  'receive-message',
  z.object({ channelId: z.string(), event: messageEvent, receivedAt: z.string(), origin: origin.default('webhook') }),
  async (deps: InboxDeps, received, job) => {
    await deps.db.groupedAfter(readSurroundings, received, async (tx, known) => {
      await storeMessage(deps, tx, received, known);
      job.done(tx);
    });
  },
);

/** All that happens between a channel and one contact happens one after the other. */
export function contactLane(channelId: string, contactAddress: string): string {
  return `contact:${channelId}:${contactAddress}`;
}

async function storeMessage(
  deps: InboxDeps,
  tx: Tx,
  received: { channelId: string; event: MessageEvent; receivedAt: string; origin: MessageOrigin },
  known: Surroundings,
): Promise<void> {
  const { channelId, event, receivedAt } = received;
  const channel = known.channels.get(channelId);
  if (!channel || channel.state === 'disconnected') return;
  // Seen before, or erased: a repeated or replayed webhook changes nothing (I-05, V7).
  const messageName = `${channel.id} ${event.providerMessageId}`;
  if (known.messages.has(messageName)) {
    if (received.origin === 'webhook' && !event.echo) await learnFromRepeat(deps, tx, channel, event, known);
    return;
  }
  if (event.echo && (await adoptEcho(deps, tx, channel, event))) return;

  const found = await findConversation(deps, tx, channel, event, { origin: received.origin, known });
  const provider = deps.provider(channel.provider);
  const createdAt = plausibleTime(event.at, receivedAt);
  const fromHistory = received.origin !== 'webhook';
  if (fromHistory && found.conversation) {
    const { deletedAt } = found.conversation;
    // What a history still has of a deleted conversation stays deleted (V7).
    if (deletedAt !== null && createdAt <= deletedAt) return;
    if (event.echo && (await adoptUnconfirmed(deps, tx, found.conversation, event))) return;
  }
  const inbound = event.echo === null;
  /** Tells nobody, is not unread and opens nothing (C13). */
  const imported = received.origin === 'imported';
  const counts = inbound && !imported;
  const opens = inbound && event.opensWindow;
  const windowUntil = later(createdAt, provider.capabilities.replyWindowMs);

  const { conversation: before, isNew } = found.conversation
    ? { conversation: found.conversation, isNew: false }
    : {
        conversation: await startConversation(deps, tx, channel, found.contactId, event, { at: createdAt, receivedAt }),
        isNew: true,
      };
  const reopened = counts && before.status === 'closed';
  const unassigned = reopened && (await returnsUnassigned(tx, before));
  // By its id too it stands among what was there at its time: a link made since then does not take it for new.
  const messageId = imported ? idAt(createdAt) : newId();
  const isLatest = before.lastMessageId === null || before.lastMessageAt <= createdAt;
  const isLater = (than: string | null, time: string): boolean => opens && (than === null || than < time);
  const conversation: ConversationRow = {
    ...before,
    status: counts ? 'open' : before.status,
    assigneeId: unassigned ? null : before.assigneeId,
    inboundCount: before.inboundCount + (counts ? 1 : 0),
    lastMessageId: isLatest ? messageId : before.lastMessageId,
    lastMessageAt: isLatest ? createdAt : before.lastMessageAt,
    lastInboundAt: isLater(before.lastInboundAt, createdAt) ? createdAt : before.lastInboundAt,
    replyUntil: isLater(before.replyUntil, windowUntil) ? windowUntil : before.replyUntil,
    deletedAt: null,
    updatedAt: receivedAt,
  };
  tx.gather(writeConversations, conversation);
  if (!found.contactId) remember(known, channel.id, conversation.contactId, receivedAt, event);
  known.conversations.set(conversation.contactId, conversation);
  known.messages.add(messageName);

  const message: MessageRow = {
    id: messageId,
    companyId: channel.companyId,
    channelId: channel.id,
    conversationId: conversation.id,
    direction: inbound ? 'inbound' : 'outbound',
    authorKind: inbound ? 'contact' : 'external',
    authorId: inbound ? (found.contactId ?? conversation.contactId) : null,
    authorName: inbound ? (found.contactName ?? nameOf(event.contact)) : event.echo.source,
    kind: event.kind,
    text: event.text,
    status: inbound ? 'received' : 'sent',
    errorCode: null,
    providerCode: null,
    providerMessageId: event.providerMessageId,
    clientMessageId: null,
    replyToProviderId: event.replyToProviderId,
    reactions: '[]',
    inboundNumber: counts ? conversation.inboundCount : null,
    details: event.details === null ? null : JSON.stringify(event.details),
    raw: event.kind === 'text' || event.kind === 'image' ? null : event.raw,
    createdAt,
    sentAt: inbound ? null : createdAt,
    sendingAt: null,
    attempts: 0,
  };
  tx.gather(writeMessages, message);
  await storeAttachments(deps, tx, message, event);
  if (counts && (channel.lastInboundAt === null || channel.lastInboundAt < later(receivedAt, -60_000))) {
    await tx.query(`update channel set last_inbound_at = ? where id in (${unlockedChannel(tx)})`, [
      receivedAt,
      channel.id,
    ]);
    channel.lastInboundAt = receivedAt;
  }
  if (inbound && received.origin === 'webhook' && isUnproven(channel)) {
    const proven = await changeFacts(tx, channel.id, (facts) => ({ ...facts, provenAt: receivedAt }));
    channel.facts = proven?.facts ?? channel.facts;
    await deps.changes.record(tx, { kind: 'channel.changed', companyId: channel.companyId, channelId: channel.id });
  }
  if (isNew || before.deletedAt !== null) {
    await deps.changes.record(tx, {
      kind: 'conversation.changed',
      conversation,
      act: imported ? null : 'started',
      by: { kind: 'contact', id: conversation.contactId, name: nameOf(event.contact) },
    });
  } else if (reopened) {
    await deps.changes.record(tx, { kind: 'conversation.changed', conversation, act: 'reopened', by: theApp });
    if (unassigned) {
      await deps.changes.record(tx, { kind: 'conversation.changed', conversation, act: 'unassigned', by: theApp });
    }
  }
  await deps.changes.record(tx, { kind: 'message.received', conversation, message, reopened, origin: received.origin });
}

const writeMessages: GatheredWrite<MessageRow> = (tx, messages) => tx.insert(Message, messages);

/** Each is locked by this transaction since it was read. Of several states of one, the last holds. */
const writeConversations: GatheredWrite<ConversationRow> = async (tx, conversations) => {
  const rows = [...new Map(conversations.map((row) => [row.id, row])).values()];
  await tx.query(
    `with new (id, status, assignee_id, inbound_count, last_message_id, last_message_at, last_inbound_at, reply_until,
       deleted_at, updated_at) as (values ${rows.map(() => '(?, ?, ?, ?, ?, ?, ?, ?, ?, ?)').join(', ')})
     update conversation set status = new.status, assignee_id = new.assignee_id,
       inbound_count = cast(new.inbound_count as integer), last_message_id = new.last_message_id,
       last_message_at = new.last_message_at, last_inbound_at = new.last_inbound_at, reply_until = new.reply_until,
       deleted_at = new.deleted_at, updated_at = new.updated_at
     from new where conversation.id = new.id`,
    rows.flatMap((row) => [
      row.id,
      row.status,
      row.assigneeId,
      row.inboundCount,
      row.lastMessageId,
      row.lastMessageAt,
      row.lastInboundAt,
      row.replyUntil,
      row.deletedAt,
      row.updatedAt,
    ]),
  );
};

/** Somebody had to enter our address by hand, and nothing has shown yet that he did (C2). Asked with every message. */
function isUnproven({ facts }: Pick<ChannelRow, 'facts'>): boolean {
  return facts.includes('"webhook":"manual"') && !facts.includes('"provenAt"');
}

/** Whoever comes second does not wait for a whole group of messages to be stored: the first one writes the same. */
function unlockedChannel({ kind }: Tx): string {
  return `select id from channel where id = ? ${kind === 'postgres' ? 'for update skip locked' : ''}`;
}

/** Whether its assignee is away and the company wants such a conversation to be anybody's again (V6). */
async function returnsUnassigned(tx: Tx, { companyId, assigneeId }: ConversationRow): Promise<boolean> {
  if (assigneeId === null) return false;
  const { returnToUnassignedWhenAway } = await readSettings(tx, companyId);
  return returnToUnassignedWhenAway && !(await isAssignable(tx, companyId, assigneeId));
}

/** An echo of a message of ours that overtook the answer to its send: it gives that message its provider's id (C10). */
async function adoptEcho(
  deps: InboxDeps,
  tx: Tx,
  channel: Pick<ChannelRow, 'id'>,
  event: MessageEvent,
): Promise<boolean> {
  if (!event.echo?.messageId) return false;
  const message = await tx.one<MessageRow>(
    `update message set provider_message_id = ?, sent_at = coalesce(sent_at, ?), sending_at = null, error_code = null,
       provider_code = null, status = case when status in ('queued', 'unknown', 'failed') then 'sent' else status end
     where id = ? and channel_id = ? and direction = 'outbound' and provider_message_id is null returning *`,
    [event.providerMessageId, event.at, event.echo.messageId, channel.id],
  );
  if (!message) return false;
  const conversation = { id: message.conversationId, companyId: message.companyId };
  await deps.changes.record(tx, { kind: 'message.changed', conversation, message });
  return true;
}

/**
 * The same from a history, which does not carry our id: an outbound message with the words of one of ours that is on its
 * way, or whose outcome nobody knows, is that one.
 */
async function adoptUnconfirmed(
  deps: InboxDeps,
  tx: Tx,
  conversation: ConversationRow,
  event: MessageEvent,
): Promise<boolean> {
  const open = await tx.query<MessageRow>(
    `select * from message where conversation_id = ? and direction = 'outbound' and provider_message_id is null
       and (status = 'unknown' or (status = 'queued' and sending_at is not null)
         or (status = 'failed' and error_code = 'not_confirmed'))
     order by created_at`,
    [conversation.id],
  );
  const ours = open.find((message) =>
    isSameMessage(message, { text: event.text, files: event.media.length, at: event.at }),
  );
  return ours
    ? adoptEcho(
        deps,
        tx,
        { id: ours.channelId },
        {
          ...event,
          echo: { messageId: ours.id, source: 'own_app' },
        },
      )
    : false;
}

async function storeAttachments(deps: InboxDeps, tx: Tx, message: MessageRow, event: MessageEvent): Promise<void> {
  for (const [position, media] of event.media.entries()) {
    const id = newId();
    await tx.insert(Attachment, {
      id,
      companyId: message.companyId,
      messageId: message.id,
      position,
      kind: media.kind,
      contentType: media.contentType ?? 'application/octet-stream',
      name: media.name ?? `${media.kind}-${position + 1}`,
      size: null,
      width: null,
      height: null,
      durationMs: null,
      state: 'pending',
      sourceUrl: media.url,
      mediaKey: null,
      uploadedBy: null,
      createdAt: message.createdAt,
    });
    await deps.queue.enqueue(tx, fetchMedia, { attachmentId: id });
  }
}

/** The provider's time if it can be true, else when we received it (M-20). */
function plausibleTime(at: string | null, receivedAt: string): string {
  if (at === null || at < '2010' || at > later(receivedAt, 300_000)) return receivedAt;
  return at;
}

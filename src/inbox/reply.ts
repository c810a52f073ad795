// A user answers a contact: checks the rules, stores the message as queued; `send.ts` does the sending.
import { timeText } from '../base/clock.ts';
import { UserError } from '../base/errors.ts';
import { newId } from '../base/ids.ts';
import type { MessageDetails } from '../channels/provider.ts';
import type { Viewer } from '../companies/access.ts';
import type { Tx } from '../db/database.ts';
import { Message, type ChannelRow, type ConversationRow, type MessageRow } from '../db/tables.ts';
import { cleanText } from './clean-text.ts';
import { actorOf, conversationFor, lockedConversationFor } from './conversation.ts';
import type { InboxDeps } from './deps.ts';
import { sendMessage } from './send.ts';
import { splitReply } from './split-reply.ts';
import { fillTemplate, type FilledTemplate, type WantedTemplate } from './templates.ts';
import { unsentUploads } from './uploads.ts';

export interface ReplyInput {
  readonly conversationId: string;
  /** Made by the client: the same one again changes nothing. */
  readonly clientMessageId: string;
  readonly text: string;
  readonly attachmentIds: readonly string[];
  /** Goes instead of text and files, and also when the reply window is shut. */
  readonly template: WantedTemplate | undefined;
  /** Newest message the user had seen. */
  readonly seenThrough: string | undefined;
  /** Who wrote it, where that is not the viewer, or is not known: Pipedrive's own inbox does not tell (B3). */
  readonly author?: Pick<MessageRow, 'authorId' | 'authorName'>;
}

/** Answers with the id of the stored message: the first, where text and files became several. */
export async function reply(deps: InboxDeps, viewer: Viewer, input: ReplyInput): Promise<string> {
  const repeated = await deps.db.read(async (reader) => {
    const { id } = await conversationFor(reader, viewer, input.conversationId);
    return messageByClientId(reader, id, input.clientMessageId);
  });
  if (repeated) return repeated.id;
  const template = input.template && (await fillTemplate(deps, viewer, input.conversationId, input.template));
  return deps.db.transaction((tx) => store(deps, tx, viewer, input, template));
}

async function store(
  deps: InboxDeps,
  tx: Tx,
  viewer: Viewer,
  input: ReplyInput,
  template: FilledTemplate | undefined,
): Promise<string> {
  const conversation = await lockedConversationFor(tx, viewer, input.conversationId);
  const repeated = await messageByClientId(tx, conversation.id, input.clientMessageId);
  if (repeated) return repeated.id;
  const channel = await tx.one<ChannelRow>('select * from channel where id = ?', [conversation.channelId]);
  requireSending(channel!);
  const text = cleanText(input.text);
  requireContent(deps, channel!, text, input);
  await requireNothingNewer(tx, viewer, conversation, input.seenThrough);
  if (!template) requireReplyWindow(deps, conversation);
  const files = await unsentUploads(tx, viewer, input.attachmentIds);
  const { attachments } = deps.provider(channel!.provider).capabilities;
  const parts = template
    ? [{ kind: 'template' as const, text: template.text, attachment: null }]
    : splitReply(attachments, text, files);

  const now = timeText(deps.clock);
  const messages = parts.map((part, index) =>
    queuedMessage(conversation, input.author ?? { authorId: viewer.userId, authorName: viewer.name }, {
      kind: part.kind,
      text: part.text,
      details: template ? { template: { id: template.id, name: template.name, variables: template.variables } } : null,
      clientMessageId: index === 0 ? input.clientMessageId : `${input.clientMessageId}#${index + 1}`,
      createdAt: now,
    }),
  );
  await tx.insert(Message, messages);
  for (const [index, { attachment, kind }] of parts.entries()) {
    if (!attachment) continue;
    await tx.query('update attachment set message_id = ?, kind = ? where id = ?', [
      messages[index]!.id,
      kind,
      attachment.id,
    ]);
  }
  const after = await tx.one<ConversationRow>(
    `update conversation set last_message_id = ?, last_message_at = ?, updated_at = ? where id = ? returning *`,
    [messages.at(-1)!.id, now, now, conversation.id],
  );
  for (const message of messages) {
    await deps.queue.enqueue(tx, sendMessage, { messageId: message.id }, { lane: `send:${conversation.id}` });
    await deps.changes.record(tx, { kind: 'message.queued', conversation: after!, message, by: actorOf(viewer) });
  }
  return messages[0]!.id;
}

function messageByClientId(
  reader: Pick<Tx, 'one'>,
  conversationId: string,
  clientMessageId: string,
): Promise<MessageRow | undefined> {
  return reader.one<MessageRow>('select * from message where conversation_id = ? and client_message_id = ?', [
    conversationId,
    clientMessageId,
  ]);
}

function queuedMessage(
  conversation: ConversationRow,
  author: Pick<MessageRow, 'authorId' | 'authorName'>,
  content: Pick<MessageRow, 'kind' | 'text' | 'clientMessageId' | 'createdAt'> & { details: MessageDetails | null },
): MessageRow {
  return {
    id: newId(),
    companyId: conversation.companyId,
    channelId: conversation.channelId,
    conversationId: conversation.id,
    direction: 'outbound',
    authorKind: 'user',
    authorId: author.authorId,
    authorName: author.authorName,
    kind: content.kind,
    text: content.text,
    status: 'queued',
    errorCode: null,
    providerCode: null,
    providerMessageId: null,
    clientMessageId: content.clientMessageId,
    replyToProviderId: null,
    reactions: '[]',
    details: content.details === null ? null : JSON.stringify(content.details),
    inboundNumber: null,
    raw: null,
    createdAt: content.createdAt,
    sentAt: null,
    sendingAt: null,
    attempts: 0,
  };
}

/** Sends a failed message again, as it is (C7). */
export function resend(deps: InboxDeps, viewer: Viewer, messageId: string): Promise<string> {
  return deps.db.transaction(async (tx) => {
    const found = await tx.one<MessageRow>('select * from message where id = ? and company_id = ?', [
      messageId,
      viewer.companyId,
    ]);
    if (!found) throw new UserError('not_found');
    const conversation = await conversationFor(tx, viewer, found.conversationId);
    if (found.direction !== 'outbound' || found.status !== 'failed')
      throw new UserError('conflict', { status: found.status });
    const channel = await tx.one<ChannelRow>('select * from channel where id = ?', [conversation.channelId]);
    requireSending(channel!);
    if (found.kind !== 'template') requireReplyWindow(deps, conversation);
    // The old id belongs to the attempt that failed: late reports about it must not touch this one.
    const message = await tx.one<MessageRow>(
      `update message set status = 'queued', error_code = null, provider_code = null, provider_message_id = null,
         sent_at = null, sending_at = null where id = ? and status = 'failed' returning *`,
      [found.id],
    );
    if (!message) throw new UserError('conflict');
    await deps.queue.enqueue(tx, sendMessage, { messageId: found.id }, { lane: `send:${conversation.id}` });
    await deps.changes.record(tx, { kind: 'message.queued', conversation, message, by: actorOf(viewer) });
    return found.id;
  });
}

function requireSending(channel: ChannelRow): void {
  if (channel.state === 'connected') return;
  throw new UserError('channel_broken', {
    reason: channel.state === 'disconnected' ? 'disconnected' : channel.brokenReason,
  });
}

function requireContent(deps: InboxDeps, channel: ChannelRow, text: string, input: ReplyInput): void {
  const { maxText } = deps.provider(channel.provider).capabilities;
  const isEmpty = text.trim() === '' && input.attachmentIds.length === 0;
  if (input.template && !isEmpty) throw new UserError('invalid', { fields: { template: 'stands_alone' } });
  if (!input.template && isEmpty) throw new UserError('invalid', { fields: { text: 'required' } });
  if (text.length > maxText) throw new UserError('too_long', { max: maxText, over: text.length - maxText });
}

/** Somebody answered what this user has not seen: he is asked first (V9). */
async function requireNothingNewer(
  tx: Tx,
  viewer: Viewer,
  conversation: ConversationRow,
  seenThrough: string | undefined,
): Promise<void> {
  if (seenThrough === undefined) return;
  const newer = await tx.one<MessageRow>(
    `select m.* from message m where m.conversation_id = ? and m.direction = 'outbound'
       and (m.author_id is null or m.author_id <> ?)
       and (m.created_at, m.id) > (select s.created_at, s.id from message s where s.id = ? and s.conversation_id = m.conversation_id)
     order by m.created_at desc, m.id desc limit 1`,
    [conversation.id, viewer.userId, seenThrough],
  );
  if (!newer) return;
  throw new UserError('newer_reply', {
    messageId: newer.id,
    text: newer.text,
    author: { id: newer.authorId, name: newer.authorName },
    createdAt: newer.createdAt,
  });
}

/** Free text is allowed for so long after the contact's last sign (C9); the clock is the server's. */
function requireReplyWindow(deps: InboxDeps, conversation: ConversationRow): void {
  const open = conversation.replyUntil !== null && conversation.replyUntil > timeText(deps.clock);
  if (!open) throw new UserError('reply_window_closed', { replyUntil: conversation.replyUntil });
}

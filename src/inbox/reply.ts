// A user answers a contact: checks the rules, stores the message as queued; `send.ts` does the sending.
import { timeText } from '../base/clock.ts';
import { UserError } from '../base/errors.ts';
import { newId } from '../base/ids.ts';
import type { Viewer } from '../companies/access.ts';
import type { Tx } from '../db/database.ts';
import { Message, type AttachmentRow, type ChannelRow, type ConversationRow, type MessageRow } from '../db/tables.ts';
import { cleanText } from './clean-text.ts';
import { actorOf, conversationFor, lockedConversationFor } from './conversation.ts';
import type { InboxDeps } from './deps.ts';
import { sendMessage } from './send.ts';

export interface ReplyInput {
  readonly conversationId: string;
  /** Made by the client: the same one again changes nothing. */
  readonly clientMessageId: string;
  readonly text: string;
  readonly attachmentIds: readonly string[];
  /** Newest message the user had seen. */
  readonly seenThrough: string | undefined;
}

/** Answers with the stored message's id. */
export function reply(deps: InboxDeps, viewer: Viewer, input: ReplyInput): Promise<string> {
  return deps.db.transaction(async (tx) => {
    const conversation = await lockedConversationFor(tx, viewer, input.conversationId);
    const repeated = await tx.one<MessageRow>(
      'select * from message where conversation_id = ? and client_message_id = ?',
      [conversation.id, input.clientMessageId],
    );
    if (repeated) return repeated.id;
    const channel = await tx.one<ChannelRow>('select * from channel where id = ?', [conversation.channelId]);
    requireSending(channel!);
    const text = cleanText(input.text);
    requireText(deps, channel!, text, input.attachmentIds);
    await requireNothingNewer(tx, viewer, conversation, input.seenThrough);
    requireReplyWindow(deps, conversation);
    const attachment = await takeAttachment(tx, viewer, input.attachmentIds);

    const now = timeText(deps.clock);
    const message: MessageRow = {
      id: newId(),
      companyId: conversation.companyId,
      channelId: conversation.channelId,
      conversationId: conversation.id,
      direction: 'outbound',
      authorKind: 'user',
      authorId: viewer.userId,
      authorName: viewer.name,
      kind: attachment?.kind ?? 'text',
      text,
      status: 'queued',
      errorCode: null,
      providerCode: null,
      providerMessageId: null,
      clientMessageId: input.clientMessageId,
      replyToProviderId: null,
      reactions: '[]',
      details: null,
      inboundNumber: null,
      raw: null,
      createdAt: now,
      sentAt: null,
      sendingAt: null,
      attempts: 0,
    };
    await tx.insert(Message, message);
    if (attachment) await tx.query('update attachment set message_id = ? where id = ?', [message.id, attachment.id]);
    const after = await tx.one<ConversationRow>(
      `update conversation set last_message_id = ?, last_message_at = ?, updated_at = ? where id = ? returning *`,
      [message.id, now, now, conversation.id],
    );
    await deps.queue.enqueue(tx, sendMessage, { messageId: message.id }, { lane: `send:${conversation.id}` });
    await deps.changes.record(tx, { kind: 'message.queued', conversation: after!, message, by: actorOf(viewer) });
    return message.id;
  });
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

function requireText(deps: InboxDeps, channel: ChannelRow, text: string, attachmentIds: readonly string[]): void {
  const { maxText, attachments } = deps.provider(channel.provider).capabilities;
  if (text.trim() === '' && attachmentIds.length === 0)
    throw new UserError('invalid', { fields: { text: 'required' } });
  if (text.length > maxText) throw new UserError('too_long', { max: maxText, over: text.length - maxText });
  if (attachmentIds.length > 0 && !attachments) throw new UserError('attachment_refused', { reason: 'unsupported' });
  if (attachmentIds.length > 1) throw new UserError('attachment_refused', { reason: 'one_at_a_time' });
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

async function takeAttachment(tx: Tx, viewer: Viewer, ids: readonly string[]): Promise<AttachmentRow | undefined> {
  const [id] = ids;
  if (id === undefined) return undefined;
  const attachment = await tx.one<AttachmentRow>(
    `select * from attachment where id = ? and company_id = ? and uploaded_by = ? and message_id is null and state = 'ready'`,
    [id, viewer.companyId, viewer.userId],
  );
  if (!attachment) throw new UserError('invalid', { fields: { attachmentIds: 'unknown' } });
  return attachment;
}

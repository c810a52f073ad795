// Sends one queued message, and settles one whose outcome is unknown. A reply is never sent twice (C8).
import { z } from 'zod';
import { later, timeText } from '../base/clock.ts';
import { UpstreamError } from '../base/errors.ts';
import type { HistoryMessage, MessageDetails, OutboundAttachment, OutboundTemplate } from '../channels/provider.ts';
import type { Tx } from '../db/database.ts';
import type { AttachmentRow, ChannelRow, ContactRow, ConversationRow, MessageRow } from '../db/tables.ts';
import { defineTask } from '../jobs/queue.ts';
import { markBroken, rememberError } from './channel-state.ts';
import { accessOf, type InboxDeps } from './deps.ts';
import { isSameMessage } from './same-message.ts';

/** A message not in the provider's history this long after it left is taken as not sent. */
const settleAfterMs = 60_000;
const lookAgainMs = 10_000;
/** While the provider does not answer, or our permission is gone. */
const notAnsweringMs = 30_000;
const maxAttempts = 9;
/** A rep is told that a message waits for its turn when it does so for this long. */
const noticeableMs = 5_000;
/** Of a provider that wants us to slow down and does not say for how long. */
const usualRestMs = 1_000;

interface Outgoing {
  readonly message: MessageRow;
  readonly conversation: ConversationRow;
  readonly channel: ChannelRow;
  readonly contact: ContactRow;
  readonly attachment: AttachmentRow | undefined;
}

/** Runs in the conversation's lane, so that replies leave in the order they were written. */
export const sendMessage = defineTask(
  'send-message',
  z.object({ messageId: z.string() }),
  async (deps: InboxDeps, { messageId }, job) => {
    const begun = await deps.db.transaction((tx) => begin(deps, tx, messageId));
    if (begun === 'settled') return undefined;
    if (typeof begun === 'object' && 'againInMs' in begun) return begun;
    if (begun === 'interrupted') {
      await deps.db.transaction(async (tx) => {
        await settleAs(deps, tx, messageId, 'unknown', null);
        await deps.queue.enqueue(tx, settleMessage, { messageId }, { lane: `settle:${messageId}` });
      });
      return undefined;
    }
    const { channel, contact, conversation, message } = begun;
    try {
      const accepted = await deps.provider(channel.provider).send(accessOf(deps, channel), {
        messageId: message.id,
        to: contact.address,
        text: message.text,
        attachment: begun.attachment ? outboundAttachment(deps, begun.attachment) : null,
        template: templateOf(message),
        replyToProviderId: message.replyToProviderId,
        windowOpenedAt: conversation.lastInboundAt,
        now: timeText(deps.clock),
      });
      await deps.db.transaction(async (tx) => {
        await recordAccepted(deps, tx, begun, accepted.providerMessageId);
        job.done(tx);
      });
    } catch (error) {
      if (!(error instanceof UpstreamError)) throw error;
      await recordFailure(deps, begun, error, job.lastAttempt);
      if (error.kind === 'retry' && !job.lastAttempt) throw error;
    }
    return undefined;
  },
  { maxAttempts },
);

/** Looks an unknown message up in the provider's history; only that decides between sent and failed. */
export const settleMessage = defineTask(
  'settle-message',
  z.object({ messageId: z.string() }),
  async (deps: InboxDeps, { messageId }) => {
    const found = await deps.db.read((reader) => load(reader, messageId));
    if (!found || found.message.status !== 'unknown') return undefined;
    const { message, channel, contact } = found;
    if (channel.state === 'disconnected') {
      await deps.db.transaction((tx) =>
        settleAs(deps, tx, messageId, 'failed', { code: 'disconnected', providerCode: null }),
      );
      return undefined;
    }
    // Looked for until the provider answers: giving up would leave it unknown for good.
    if (channel.state === 'broken') return { againInMs: notAnsweringMs };
    const left = message.sendingAt ?? message.createdAt;
    let history: HistoryMessage[];
    try {
      history = await deps
        .provider(channel.provider)
        .recentMessages(accessOf(deps, channel), contact.address, later(left, -120_000));
    } catch (error) {
      if (!(error instanceof UpstreamError)) throw error;
      if (error.kind === 'reconnect') {
        await deps.db.transaction((tx) => markBroken(deps, tx, channel, error.reason ?? 'reconnect'));
      }
      return { againInMs: Math.max(notAnsweringMs, error.retryAfterMs ?? 0) };
    }
    const known = await deps.db.read((reader) => knownProviderIds(reader, channel.id, history));
    const ours = history
      .filter((item) => item.direction === 'outbound' && !known.has(item.providerMessageId))
      .filter((item) => isSameMessage(message, item))
      .at(-1);
    if (ours) {
      await deps.db.transaction(async (tx) => {
        await recordAccepted(deps, tx, found, ours.providerMessageId);
        if (ours.status === 'failed')
          await settleAs(deps, tx, messageId, 'failed', ours.failure, ours.providerMessageId);
      });
      return undefined;
    }
    if (timeText(deps.clock) < later(left, settleAfterMs)) return { againInMs: lookAgainMs };
    await deps.db.transaction((tx) =>
      settleAs(deps, tx, messageId, 'failed', { code: 'not_confirmed', providerCode: null }),
    );
    return undefined;
  },
);

/**
 * Marks that a call is about to be made. What was marked before and has no outcome was interrupted; what would come too fast
 * for its sender has its turn later.
 */
async function begin(
  deps: InboxDeps,
  tx: Tx,
  messageId: string,
): Promise<Outgoing | 'settled' | 'interrupted' | { againInMs: number }> {
  const found = await load(tx, messageId);
  if (!found || found.message.status !== 'queued') return 'settled';
  if (found.message.sendingAt !== null) return 'interrupted';
  const refusal = refusalBefore(deps, found);
  if (refusal) {
    await settleAs(deps, tx, messageId, 'failed', { code: refusal, providerCode: null });
    return 'settled';
  }
  const { channel, message } = found;
  const perSecond = deps.provider(channel.provider).perSecond(channel.address, message.kind);
  const againInMs = deps.sendPace.waitMs(channel.id, messageId, perSecond);
  if (againInMs > 0) {
    if (againInMs >= noticeableMs) await showWaiting(deps, tx, messageId, null);
    return { againInMs };
  }
  await tx.query('update message set sending_at = ?, attempts = attempts + 1 where id = ?', [
    timeText(deps.clock),
    messageId,
  ]);
  return found;
}

/** What makes a send pointless, known before the call (C9, C14, R-05). */
function refusalBefore(deps: InboxDeps, { channel, conversation, message }: Outgoing): string | undefined {
  if (channel.state === 'disconnected') return 'disconnected';
  if (channel.state === 'broken') return 'channel_broken';
  const closed = conversation.replyUntil === null || conversation.replyUntil <= timeText(deps.clock);
  if (closed && message.kind !== 'template')
    return deps.provider(channel.provider).capabilities.templates ? 'template_needed' : 'window_closed';
  return undefined;
}

async function recordAccepted(
  deps: InboxDeps,
  tx: Tx,
  { message, channel }: Outgoing,
  providerMessageId: string,
): Promise<void> {
  // Its own echo may have come first, without our id in it: then it stands there as sent outside. Ours takes its place.
  await tx.query(
    `delete from message where channel_id = ? and provider_message_id = ? and id <> ? and author_kind = 'external'`,
    [channel.id, providerMessageId, message.id],
  );
  const now = timeText(deps.clock);
  // Sent when the call began: a provider's "read through" may lie before the answer to it.
  const after = await tx.one<MessageRow>(
    `update message set provider_message_id = coalesce(provider_message_id, ?), sent_at = coalesce(sent_at, sending_at, ?), sending_at = null,
       error_code = null, provider_code = null,
       status = case when status in ('queued', 'unknown') then 'sent' else status end
     where id = ? returning *`,
    [providerMessageId, now, message.id],
  );
  await tx.query('update channel set last_outbound_at = ? where id = ?', [now, channel.id]);
  if (!after) return;
  const conversation = { id: after.conversationId, companyId: after.companyId };
  await deps.changes.record(tx, { kind: 'message.changed', conversation, message: after });
}

async function recordFailure(deps: InboxDeps, outgoing: Outgoing, error: UpstreamError, last: boolean): Promise<void> {
  const { message, channel } = outgoing;
  const failure = { code: error.reason ?? 'other', providerCode: error.providerCode ?? null };
  await deps.db.transaction(async (tx) => {
    if (error.kind === 'unknown') {
      await settleAs(deps, tx, message.id, 'unknown', null);
      await deps.queue.enqueue(
        tx,
        settleMessage,
        { messageId: message.id },
        { lane: `settle:${message.id}`, delayMs: 2_000 },
      );
      return;
    }
    // Whatever else is to leave by this sender would be refused too, and might make it worse.
    if (error.kind === 'retry' && failure.code === 'rate')
      deps.sendPace.rest(channel.id, error.retryAfterMs ?? usualRestMs);
    if (failure.code === 'template_unusable') deps.templates.forget(channel.id);
    if (error.kind === 'reconnect') await markBroken(deps, tx, channel, failure.code);
    const again = error.kind === 'retry' && !last;
    if (!again) await rememberError(tx, channel.id, { ...failure, at: timeText(deps.clock) });
    if (!again)
      return settleAs(
        deps,
        tx,
        message.id,
        'failed',
        error.kind === 'retry' ? { ...failure, code: 'unreachable' } : failure,
      );
    await showWaiting(deps, tx, message.id, failure.providerCode);
  });
}

/** It will be tried again by itself; meanwhile the rep sees that it has not left, and that we go on. */
async function showWaiting(deps: InboxDeps, tx: Tx, messageId: string, providerCode: string | null): Promise<void> {
  const before = await tx.one<MessageRow>('select * from message where id = ?', [messageId]);
  const message = await tx.one<MessageRow>(
    `update message set sending_at = null, error_code = 'waiting', provider_code = coalesce(?, provider_code)
     where id = ? returning *`,
    [providerCode, messageId],
  );
  if (!message || before?.errorCode === 'waiting') return;
  const conversation = { id: message.conversationId, companyId: message.companyId };
  await deps.changes.record(tx, { kind: 'message.changed', conversation, message });
}

/**
 * Gives a message that has no outcome yet its outcome. What an echo or a history has shown to be at its provider meanwhile has
 * one already; only what is said of that very one, `accepted` there, counts against it.
 */
async function settleAs(
  deps: InboxDeps,
  tx: Tx,
  messageId: string,
  status: 'failed' | 'unknown',
  failure: { code: string; providerCode: string | null } | null,
  accepted: string | null = null,
): Promise<void> {
  const message = await tx.one<MessageRow>(
    `update message set status = ?, error_code = ?, provider_code = ?,
       sending_at = case when ? = 'unknown' then coalesce(sending_at, created_at) else null end
     where id = ? and ((status in ('queued', 'unknown') and provider_message_id is null)
       or (status = 'sent' and provider_message_id = ?)) returning *`,
    [status, failure?.code ?? null, failure?.providerCode ?? null, status, messageId, accepted],
  );
  if (!message) return;
  const conversation = { id: message.conversationId, companyId: message.companyId };
  await deps.changes.record(tx, { kind: 'message.changed', conversation, message });
}

async function load(reader: Pick<Tx, 'one'>, messageId: string): Promise<Outgoing | undefined> {
  const message = await reader.one<MessageRow>('select * from message where id = ?', [messageId]);
  if (!message) return undefined;
  const conversation = await reader.one<ConversationRow>('select * from conversation where id = ?', [
    message.conversationId,
  ]);
  const channel = await reader.one<ChannelRow>('select * from channel where id = ?', [message.channelId]);
  const contact = await reader.one<ContactRow>('select * from contact where id = ?', [conversation?.contactId ?? null]);
  const attachment = await reader.one<AttachmentRow>('select * from attachment where message_id = ?', [messageId]);
  return conversation && channel && contact ? { message, conversation, channel, contact, attachment } : undefined;
}

async function knownProviderIds(
  reader: Pick<Tx, 'query'>,
  channelId: string,
  history: readonly HistoryMessage[],
): Promise<Set<string>> {
  if (history.length === 0) return new Set();
  const rows = await reader.query<{ providerMessageId: string }>(
    `select provider_message_id from message where channel_id = ?
       and provider_message_id in (${history.map(() => '?').join(', ')})`,
    [channelId, ...history.map((item) => item.providerMessageId)],
  );
  return new Set(rows.map((row) => row.providerMessageId));
}

function templateOf(message: MessageRow): OutboundTemplate | null {
  if (message.kind !== 'template' || message.details === null) return null;
  const { template } = JSON.parse(message.details) as MessageDetails;
  return template ? { id: template.id, variables: template.variables } : null;
}

function outboundAttachment(deps: InboxDeps, row: AttachmentRow): OutboundAttachment {
  return {
    kind: row.kind,
    contentType: row.contentType,
    name: row.name,
    size: row.size ?? 0,
    url: deps.mediaLink(row, 'provider'),
    bytes: () => deps.mediaBytes(row.mediaKey ?? ''),
  };
}

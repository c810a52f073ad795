// One message from a Page (Send API), and the signs that somebody reads or types (Sender Actions).
import { UpstreamError } from '../../base/errors.ts';
import type { Accepted, ChannelAccess, OutboundMessage } from '../provider.ts';
import { graph } from './graph.ts';
import type { MessengerDeps } from './settings.ts';
import { uploadAttachment } from './upload.ts';
import { metadataPrefix } from './webhook.ts';

const dayMs = 24 * 3_600_000;

export async function sendMessage(
  deps: MessengerDeps,
  channel: ChannelAccess,
  message: OutboundMessage,
): Promise<Accepted> {
  const content = await contentOf(deps, channel, message);
  const answer = await graph(deps, {
    method: 'POST',
    path: `${channel.address}/messages`,
    token: channel.credentials.pageToken ?? '',
    json: {
      recipient: { id: message.to },
      ...typeOf(deps, message),
      ...(message.replyToProviderId === null ? {} : { reply_to: { mid: message.replyToProviderId } }),
      message: {
        ...content,
        // Comes back in our echo, so that an echo which overtakes this answer is known as ours.
        metadata: `${metadataPrefix}${message.messageId}`,
      },
    },
  });
  const id = answer.message_id;
  if (typeof id !== 'string' || id === '') throw new UpstreamError('meta', 'unknown', { reason: 'ambiguous' });
  return { providerMessageId: id, status: 'sent' };
}

/** `RESPONSE` inside 24 hours; the tag for a human answer only where it is granted, and only after them. */
function typeOf(deps: MessengerDeps, message: OutboundMessage): Record<string, string> {
  const opened = message.windowOpenedAt === null ? 0 : Date.parse(message.windowOpenedAt);
  const late = Date.parse(message.now) - opened > dayMs;
  return late && deps.humanAgent
    ? { messaging_type: 'MESSAGE_TAG', tag: 'HUMAN_AGENT' }
    : { messaging_type: 'RESPONSE' };
}

/** Text and attachment exclude each other: there is no caption on Messenger. */
async function contentOf(
  deps: MessengerDeps,
  channel: ChannelAccess,
  message: OutboundMessage,
): Promise<Record<string, unknown>> {
  const { attachment } = message;
  if (!attachment) return { text: message.text };
  const type = attachment.kind === 'sticker' ? 'image' : attachment.kind;
  return { attachment: { type, payload: { attachment_id: await uploadAttachment(deps, channel, type, attachment) } } };
}

export async function showHint(
  deps: MessengerDeps,
  channel: ChannelAccess,
  psid: string,
  what: 'seen' | 'typing',
): Promise<void> {
  await graph(deps, {
    method: 'POST',
    path: `${channel.address}/messages`,
    token: channel.credentials.pageToken ?? '',
    json: { recipient: { id: psid }, sender_action: what === 'seen' ? 'mark_seen' : 'typing_on' },
  });
}

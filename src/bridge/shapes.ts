// Our conversations in the words of Pipedrive's messaging extension: what is pushed and what its calls are answered with.
import { text } from '../base/texts.ts';
import type { MessageDetails } from '../channels/provider.ts';
import type { AttachmentRow, ContactRow, ConversationRow, MessageRow, MessageStatus } from '../db/tables.ts';
import type { PushedAttachment, PushedMessage } from '../pipedrive/channels-api.ts';

export interface ShapeDeps {
  readonly publicUrl: string;
  readonly mediaLink: (file: Pick<AttachmentRow, 'id' | 'companyId' | 'name'>, purpose: 'provider') => string;
}

/** It knows no message on its way: what may still go well is `sent` (Shared objects). */
const statuses: Readonly<Record<MessageStatus, PushedMessage['status']>> = {
  received: 'delivered',
  queued: 'sent',
  unknown: 'sent',
  sent: 'sent',
  delivered: 'delivered',
  read: 'read',
  failed: 'failed',
};

export interface ShownMessage {
  readonly message: MessageRow;
  readonly attachments: readonly AttachmentRow[];
}

/** Fields that the push and the answers have in common. Our side is one participant, with the channel's id. */
export function messageShape(
  deps: ShapeDeps,
  conversation: Pick<ConversationRow, 'replyUntil' | 'contactId'>,
  language: string,
  { message, attachments }: ShownMessage,
) {
  return {
    id: message.id,
    status: statuses[message.status],
    created_at: message.createdAt,
    message: wordsOf(language, message, attachments),
    sender_id: message.direction === 'inbound' ? conversation.contactId : message.channelId,
    ...(conversation.replyUntil === null ? {} : { reply_by: conversation.replyUntil }),
    attachments: attachments
      .filter(({ state }) => state === 'ready')
      .map((attachment) => attachmentShape(deps, attachment)),
  };
}

export function conversationLink(deps: Pick<ShapeDeps, 'publicUrl'>, conversationId: string): string {
  return `${deps.publicUrl}/conversations/${conversationId}`;
}

export function pushedMessage(
  deps: ShapeDeps,
  conversation: Pick<ConversationRow, 'id' | 'replyUntil' | 'contactId'>,
  language: string,
  shown: ShownMessage,
): PushedMessage {
  return {
    ...messageShape(deps, conversation, language, shown),
    channel_id: shown.message.channelId,
    conversation_id: conversation.id,
    conversation_link: conversationLink(deps, conversation.id),
  };
}

/** The two sides of a conversation: there are never more (two-party limit). */
export function participantShapes(
  deps: ShapeDeps,
  channel: { id: string; name: string; hasProfiles: boolean },
  contact: ContactRow,
) {
  return [
    { id: channel.id, name: channel.name, role: 'source_user' },
    {
      id: contact.id,
      name: contact.name,
      role: 'end_user',
      ...(contact.avatarMediaKey !== null
        ? { avatar_url: contactPicture(deps, contact), avatar_expires: true }
        : // Asked for once: by then the picture may have come.
          channel.hasProfiles && contact.profileAt === null
          ? { fetch_avatar: true }
          : {}),
    },
  ];
}

/** Empty when there is none. */
export function contactPicture(deps: ShapeDeps, contact: ContactRow): string {
  return contact.avatarMediaKey === null ? '' : deps.mediaLink({ ...contact, name: 'picture.jpg' }, 'provider');
}

function attachmentShape(deps: ShapeDeps, attachment: AttachmentRow): PushedAttachment {
  const url = deps.mediaLink(attachment, 'provider');
  return {
    id: attachment.id,
    type: attachment.contentType,
    name: attachment.name,
    size: attachment.size,
    url,
    preview_url: attachment.contentType.startsWith('image/') ? url : null,
    link_expires: true,
  };
}

/** There are only texts and files there: places, cards and the like are said in words. */
function wordsOf(language: string, message: MessageRow, attachments: readonly AttachmentRow[]): string {
  const details = message.details === null ? null : (JSON.parse(message.details) as MessageDetails);
  const lines = [message.text, ...wordsOfDetails(details)].filter((line) => line.trim() !== '');
  if (lines.length > 0) return lines.join('\n');
  return message.kind === 'text' || attachments.length > 0 ? '' : text(language, `kind.${message.kind}`);
}

function wordsOfDetails(details: MessageDetails | null): string[] {
  const { location, contacts, shared } = details ?? {};
  return [
    ...(location
      ? [
          [location.name, location.address].filter(Boolean).join(', '),
          `https://maps.google.com/?q=${location.latitude},${location.longitude}`,
        ]
      : []),
    ...(contacts ?? []).map(({ name, phones }) => [name, ...phones].join(' ')),
    ...(shared ? [[shared.title, shared.url].filter(Boolean).join(' ')] : []),
  ];
}

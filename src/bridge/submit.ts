// A message written in Leads Inbox (postMessage): goes the way of every reply of ours, once however often it is submitted (B3).
import { timeText } from '../base/clock.ts';
import { sha256 } from '../base/crypto.ts';
import { UserError } from '../base/errors.ts';
import { newId } from '../base/ids.ts';
import type { Viewer } from '../companies/access.ts';
import type { Reader } from '../db/database.ts';
import type { ChannelRow, ConversationRow, UserRow } from '../db/tables.ts';
import { reply } from '../inbox/reply.ts';
import { bridgedChannel, conversationIn, type EndpointDeps } from './provider-endpoints.ts';

export interface Submission {
  readonly conversationId: string;
  readonly senderId: string;
  readonly recipientIds: readonly string[];
  readonly text: string;
}

/** No id of the submission is sent along (dossier 2.4): the same again within this time is taken for the same. */
const sameWithinMs = 20_000;

/** Answers with our message's id. Its status follows by push. */
export async function submitMessage(deps: EndpointDeps, channelId: string, submission: Submission): Promise<string> {
  const { conversation, viewer } = await deps.db.read(async (reader) => {
    const channel = await bridgedChannel(deps, reader, channelId);
    const conversation = await conversationIn(reader, channel, submission.conversationId);
    requireParties(channel, conversation, submission);
    return { conversation, viewer: await ownerAsViewer(reader, channel) };
  });
  const clientMessageId = await claim(deps, conversation, sha256(submission.text));
  return reply(deps, viewer, {
    conversationId: conversation.id,
    clientMessageId,
    text: submission.text,
    attachmentIds: [],
    seenThrough: undefined,
  });
}

/** There are two sides only: ours, and the contact. */
function requireParties(channel: ChannelRow, conversation: ConversationRow, submission: Submission): void {
  const fields = {
    ...(submission.senderId === channel.id ? {} : { senderId: 'unknown' }),
    ...(submission.recipientIds.length === 1 && submission.recipientIds[0] === conversation.contactId
      ? {}
      : { recipientIds: 'unknown' }),
  };
  if (Object.keys(fields).length > 0) throw new UserError('invalid', { fields });
}

/** The id under which this content is sent now; within a short time the same content gets the same one. */
function claim(deps: EndpointDeps, conversation: ConversationRow, digest: string): Promise<string> {
  return deps.db.transaction(async (tx) => {
    const row = await tx.one<{ clientMessageId: string }>(
      `insert into bridge_submission (conversation_id, digest, company_id, client_message_id, submitted_at)
       values (?, ?, ?, ?, ?)
       on conflict (conversation_id, digest) do update set
         client_message_id = case when bridge_submission.submitted_at > ? then bridge_submission.client_message_id
           else excluded.client_message_id end,
         submitted_at = case when bridge_submission.submitted_at > ? then bridge_submission.submitted_at
           else excluded.submitted_at end
       returning client_message_id`,
      [
        conversation.id,
        digest,
        conversation.companyId,
        `leads-inbox-${newId()}`,
        timeText(deps.clock),
        timeText(deps.clock, -sameWithinMs),
        timeText(deps.clock, -sameWithinMs),
      ],
    );
    return row!.clientMessageId;
  });
}

/** The rules of a reply are asked for somebody: the channel's owner may always. */
async function ownerAsViewer(reader: Reader, channel: ChannelRow): Promise<Viewer> {
  const owner = await reader.one<UserRow>('select * from app_user where company_id = ? and id = ?', [
    channel.companyId,
    channel.ownerId,
  ]);
  return {
    companyId: channel.companyId,
    userId: channel.ownerId,
    name: owner?.name ?? 'Leads Inbox',
    language: owner?.language ?? 'en',
    timeZone: owner?.timeZone ?? 'UTC',
    isAdmin: false,
    sessionId: '',
    kind: 'page',
  };
}

// A message written in Leads Inbox (postMessage): goes the way of every reply of ours, once however often it is submitted (B3).
import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { timeText } from '../base/clock.ts';
import { UserError } from '../base/errors.ts';
import { newId } from '../base/ids.ts';
import type { Template } from '../channels/provider.ts';
import type { Viewer } from '../companies/access.ts';
import type { Reader } from '../db/database.ts';
import type { ChannelRow, ConversationRow, MessageRow, UserRow } from '../db/tables.ts';
import { reply, type ReplyInput } from '../inbox/reply.ts';
import { templatesOf, type WantedTemplate } from '../inbox/templates.ts';
import { keepUpload } from '../inbox/uploads.ts';
import { bridgedChannel, conversationIn, type EndpointDeps } from './provider-endpoints.ts';

export interface Submission {
  readonly conversationId: string;
  readonly senderId: string;
  readonly recipientIds: readonly string[];
  readonly text: string;
  /** Lying on disk as long as the call runs. */
  readonly files: readonly { readonly path: string; readonly name: string; readonly size: number }[];
}

/** No id of the submission is sent along (dossier 2.4): the same again within this time is taken for the same. */
const sameWithinMs = 20_000;

/** Answers with the id of our message, or of the first where text and files became several. Its status follows by push. */
export async function submitMessage(deps: EndpointDeps, channelId: string, submission: Submission): Promise<string> {
  const { channel, conversation, viewer, author } = await deps.db.read(async (reader) => {
    const channel = await bridgedChannel(deps, reader, channelId);
    const conversation = await conversationIn(reader, channel, submission.conversationId);
    requireParties(channel, conversation, submission);
    const viewer = await ownerAsViewer(reader, channel);
    return { channel, conversation, viewer, author: await authorOf(reader, channel, viewer) };
  });
  const clientMessageId = await claim(deps, conversation, await digestOf(submission));
  const known = await sentAs(deps, conversation, clientMessageId);
  if (known !== undefined) return known;
  const template = await templateOf(deps, channel, conversation, submission);
  const attachmentIds: string[] = [];
  for (const file of submission.files) attachmentIds.push((await keepUpload(deps, viewer, file)).id);
  return reply(deps, viewer, {
    conversationId: conversation.id,
    clientMessageId,
    text: template ? '' : submission.text,
    attachmentIds,
    template,
    seenThrough: undefined,
    author,
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

/** What makes two submissions the same: the text, and the bytes of the files. */
async function digestOf({ text, files }: Submission): Promise<string> {
  const hash = createHash('sha256').update(text);
  for (const { path } of files) {
    const ofFile = createHash('sha256');
    for await (const part of createReadStream(path) as AsyncIterable<Buffer>) ofFile.update(part);
    hash.update(`|${ofFile.digest('hex')}`);
  }
  return hash.digest('hex');
}

/** The id under which this content is sent now; within a short time the same content gets the same one. */
function claim(deps: EndpointDeps, conversation: ConversationRow, digest: string): Promise<string> {
  const isSame = 'bridge_submission.submitted_at > ?';
  const since = timeText(deps.clock, -sameWithinMs);
  return deps.db.transaction(async (tx) => {
    const row = await tx.one<{ clientMessageId: string }>(
      `insert into bridge_submission (conversation_id, digest, company_id, client_message_id, submitted_at)
       values (?, ?, ?, ?, ?)
       on conflict (conversation_id, digest) do update set
         client_message_id = case when ${isSame} then bridge_submission.client_message_id else excluded.client_message_id end,
         submitted_at = case when ${isSame} then bridge_submission.submitted_at else excluded.submitted_at end
       returning client_message_id`,
      [conversation.id, digest, conversation.companyId, `leads-inbox-${newId()}`, timeText(deps.clock), since, since],
    );
    // What is older guards nothing any more.
    await tx.query('delete from bridge_submission where conversation_id = ? and submitted_at <= ?', [
      conversation.id,
      since,
    ]);
    return row!.clientMessageId;
  });
}

function sentAs(deps: EndpointDeps, { id }: ConversationRow, clientMessageId: string): Promise<string | undefined> {
  return deps.db.read(async (reader) => {
    const message = await reader.one<Pick<MessageRow, 'id'>>(
      'select id from message where conversation_id = ? and client_message_id = ?',
      [id, clientMessageId],
    );
    return message?.id;
  });
}

/**
 * Outside the reply window only a template may go, and a template chosen there comes as plain text: it is known again by its
 * words. Within the window text is text.
 */
async function templateOf(
  deps: EndpointDeps,
  channel: ChannelRow,
  conversation: ConversationRow,
  { text, files }: Submission,
): Promise<WantedTemplate | undefined> {
  const isOpen = conversation.replyUntil !== null && conversation.replyUntil > timeText(deps.clock);
  const cannot = files.length > 0 || text.length > longestTemplate || channel.state !== 'connected';
  if (isOpen || cannot) return undefined;
  for (const template of await templatesOf(deps, channel)) {
    const variables = variablesIn(template, text);
    if (variables) return { id: template.id, variables };
  }
  return undefined;
}

/** WhatsApp's own limit with the gaps filled is lower. */
const longestTemplate = 2_000;
const gap = /\{\{\s*(\w+)\s*\}\}/g;

/** What stands in the template's gaps, if the text is made of it; a gap that was left as it is, is not filled. */
function variablesIn(template: Template, text: string): Record<string, string> | undefined {
  const escaped = (words: string): string => words.replace(/[.*+?^${}()|[\]\\]/g, '\\$&').replace(/\s+/g, '\\s+');
  const names = [...template.body.matchAll(gap)].map(([, name]) => name!);
  const parts = template.body
    .trim()
    .split(/\{\{\s*\w+\s*\}\}/)
    .map(escaped);
  // The same gap twice must hold the same words.
  const pattern = parts.reduce((before, part, index) => {
    const name = names[index - 1]!;
    const isRepeated = names.indexOf(name) < index - 1;
    return `${before}${isRepeated ? `\\k<v${name}>` : `(?<v${name}>[^\\n]+?)`}${part}`;
  });
  const found = new RegExp(`^${pattern}$`, 'u').exec(text.trim());
  if (!found) return undefined;
  const values = Object.entries(found.groups ?? {}).map(([name, value]) => [name.slice(1), value] as const);
  return values.some(([, value]) => value.includes('{{')) ? undefined : Object.fromEntries(values);
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
    name: owner?.name ?? '',
    language: owner?.language ?? 'en',
    timeZone: owner?.timeZone ?? 'UTC',
    isAdmin: false,
    sessionId: '',
    kind: 'page',
  };
}

/** Pipedrive does not say who wrote. It is known where only one user can have: of a private channel, or of a company of one. */
async function authorOf(
  reader: Reader,
  channel: ChannelRow,
  owner: Viewer,
): Promise<NonNullable<ReplyInput['author']>> {
  const users = await reader.query<{ userId: string }>(
    'select user_id from installation where company_id = ? limit 2',
    [channel.companyId],
  );
  const isOwner = channel.visibility === 'private' || (users.length === 1 && users[0]!.userId === owner.userId);
  return isOwner ? { authorId: owner.userId, authorName: owner.name } : { authorId: null, authorName: 'Leads Inbox' };
}

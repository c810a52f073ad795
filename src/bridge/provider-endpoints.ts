// What Pipedrive reads of us through the manifest's endpoints: conversations page by page, messages, senders, templates.
// The caller proved that it is Pipedrive, not for which company: whatever is asked for is looked for in the named channel only.
import { z } from 'zod';
import { timeText } from '../base/clock.ts';
import { UserError } from '../base/errors.ts';
import { newId } from '../base/ids.ts';
import { audit } from '../companies/audit.ts';
import { readSettings } from '../companies/settings.ts';
import type { Reader } from '../db/database.ts';
import type { AttachmentRow, ChannelRow, ContactRow, ConversationRow, MessageRow } from '../db/tables.ts';
import type { InboxDeps } from '../inbox/deps.ts';
import { templatesOf } from '../inbox/templates.ts';
import { contactPicture, conversationLink, messageShape, participantShapes } from './shapes.ts';
import type { BridgeSwitch } from './state.ts';

export interface EndpointDeps extends InboxDeps {
  readonly channelsApi: BridgeSwitch;
}

/** A channel that takes part in the bridge, or `not_found`. While it is being registered Pipedrive reads it already. */
export async function bridgedChannel(
  deps: Pick<EndpointDeps, 'channelsApi'>,
  reader: Pick<Reader, 'one'>,
  channelId: string,
): Promise<ChannelRow> {
  const channel =
    deps.channelsApi === 'off'
      ? undefined
      : await reader.one<ChannelRow>(
          `select ch.* from channel ch join bridge_channel b on b.channel_id = ch.id
           where ch.id = ? and ch.state <> 'disconnected' and b.state <> 'removed'`,
          [channelId],
        );
  if (!channel) throw new UserError('not_found');
  return channel;
}

/** Pipedrive asks for 30; more than this is never given, however much is asked for. */
const mostAnswered = 100;
const limit = z.coerce
  .number()
  .int()
  .min(1)
  .transform((wanted) => Math.min(wanted, mostAnswered))
  .default(30);
const listQuery = z.object({ conversations_limit: limit, messages_limit: limit, after: z.string().optional() });
const pageQuery = z.object({ messages_limit: limit, after: z.string().optional() });

/**
 * The order is that of the first page, however much is written meanwhile: by the newest message of each conversation among
 * those that were there then: our ids are in the order of storing, so one made now parts them from what comes. So paging meets every conversation once; what came later is pushed.
 */
const listCursor = z.tuple([z.uuid(), z.iso.datetime(), z.uuid()]);

export async function listConversations(deps: EndpointDeps, channelId: string, query: unknown) {
  const asked = readQuery(listQuery, query);
  return deps.db.read(async (reader) => {
    const channel = await bridgedChannel(deps, reader, channelId);
    const [seen, beforeAt, beforeId] = asked.after ? readCursor(listCursor, asked.after) : [newId(), null, null];
    const before = beforeAt === null ? '' : 'and (newest_at < ? or (newest_at = ? and id < ?))';
    const rows = await reader.query<ConversationRow & { newestAt: string }>(
      `select * from (
         select cv.*, (select m.created_at from message m where m.conversation_id = cv.id and m.id <= ?
           order by m.created_at desc limit 1) as newest_at
         from conversation cv where cv.channel_id = ? and cv.deleted_at is null) seen
       where newest_at is not null ${before} order by newest_at desc, id desc limit ${asked.conversations_limit + 1}`,
      beforeAt === null ? [seen, channelId] : [seen, channelId, beforeAt, beforeAt, beforeId],
    );
    const shown = rows.slice(0, asked.conversations_limit);
    const data = [];
    for (const row of shown)
      data.push(await conversationShape(deps, reader, channel, row, asked.messages_limit, undefined));
    const last = shown.at(-1);
    const after = rows.length > shown.length && last ? cursorOf([seen, last.newestAt, last.id]) : undefined;
    return { success: true, data, additional_data: { ...(after === undefined ? {} : { after }) } };
  });
}

/** The place of the oldest message that was given: what is older never changes its place. */
const messageCursor = z.tuple([z.iso.datetime(), z.uuid()]);

export async function readConversation(deps: EndpointDeps, channelId: string, conversationId: string, query: unknown) {
  const asked = readQuery(pageQuery, query);
  const before = asked.after ? readCursor(messageCursor, asked.after) : undefined;
  return deps.db.read(async (reader) => {
    const channel = await bridgedChannel(deps, reader, channelId);
    const conversation = await conversationIn(reader, channel, conversationId);
    const data = await conversationShape(deps, reader, channel, conversation, asked.messages_limit, before);
    const after = data.next_messages_cursor;
    return { success: true, data, additional_data: { ...(after === null ? {} : { after }) } };
  });
}

/** Bare, as the only one (getMessageById). Its links are fresh. */
export async function readMessage(deps: EndpointDeps, channelId: string, messageId: string, conversationId?: string) {
  return deps.db.read(async (reader) => {
    const channel = await bridgedChannel(deps, reader, channelId);
    const message = await reader.one<MessageRow>('select * from message where id = ? and channel_id = ?', [
      messageId,
      channel.id,
    ]);
    if (!message || (conversationId !== undefined && message.conversationId !== conversationId))
      throw new UserError('not_found');
    const conversation = await conversationIn(reader, channel, message.conversationId);
    const [shown] = await messageShapes(deps, reader, channel, conversation, [message]);
    return shown!;
  });
}

export async function readSender(deps: EndpointDeps, channelId: string, senderId: string) {
  return deps.db.read(async (reader) => {
    const channel = await bridgedChannel(deps, reader, channelId);
    if (senderId === channel.id)
      return { success: true, data: { id: channel.id, name: channel.name, avatar_url: channel.avatarUrl ?? '' } };
    const contact = await reader.one<ContactRow>('select * from contact where id = ? and channel_id = ?', [
      senderId,
      channel.id,
    ]);
    if (!contact) throw new UserError('not_found');
    return { success: true, data: { id: contact.id, name: contact.name, avatar_url: contactPicture(deps, contact) } };
  });
}

/** Approved ones only, with their gaps as they are. */
export async function listTemplates(deps: EndpointDeps, channelId: string) {
  const channel = await deps.db.read((reader) => bridgedChannel(deps, reader, channelId));
  const templates = await templatesOf(deps, channel);
  return {
    success: true,
    data: { templates: templates.map(({ id, name, body, language }) => ({ id, name, content: body, language })) },
  };
}

/**
 * A user took the channel out of Leads Inbox. It stays connected here, as nothing else depends on the bridge; it comes back
 * there when it is disconnected and connected anew.
 */
export async function takeOutChannel(deps: EndpointDeps, channelId: string): Promise<{ success: true }> {
  await deps.db.transaction(async (tx) => {
    const { companyId } = await bridgedChannel(deps, tx, channelId);
    await tx.query(`update bridge_channel set state = 'removed', since = ? where channel_id = ?`, [
      timeText(deps.clock),
      channelId,
    ]);
    await tx.query('delete from bridge_pending where channel_id = ?', [channelId]);
    await audit(deps, tx, { companyId, userId: null, act: 'bridge_channel_removed', details: { channelId } });
    await deps.changes.record(tx, { kind: 'channel.changed', companyId, channelId });
  });
  return { success: true };
}

export async function conversationIn(
  reader: Pick<Reader, 'one'>,
  channel: Pick<ChannelRow, 'id'>,
  conversationId: string,
): Promise<ConversationRow> {
  const row = await reader.one<ConversationRow>(
    'select * from conversation where id = ? and channel_id = ? and deleted_at is null',
    [conversationId, channel.id],
  );
  if (!row) throw new UserError('not_found');
  return row;
}

async function conversationShape(
  deps: EndpointDeps,
  reader: Reader,
  channel: ChannelRow,
  conversation: ConversationRow,
  messagesLimit: number,
  before: readonly [string, string] | undefined,
) {
  const older = before ? 'and (created_at < ? or (created_at = ? and id < ?))' : '';
  const rows = await reader.query<MessageRow>(
    `select * from message where conversation_id = ? ${older} order by created_at desc, id desc limit ${messagesLimit + 1}`,
    before ? [conversation.id, before[0], before[0], before[1]] : [conversation.id],
  );
  const shown = rows.slice(0, messagesLimit).reverse();
  const contact = await reader.one<ContactRow>('select * from contact where id = ?', [conversation.contactId]);
  const hasProfiles = deps.provider(channel.provider).profile !== undefined;
  return {
    id: conversation.id,
    link: conversationLink(deps, conversation.id),
    status: conversation.status,
    seen: await isSeen(reader, conversation),
    next_messages_cursor: rows.length > shown.length ? cursorOf([shown[0]!.createdAt, shown[0]!.id]) : null,
    messages: await messageShapes(deps, reader, channel, conversation, shown),
    participants: participantShapes(deps, { id: channel.id, name: channel.name, hasProfiles }, contact!),
  };
}

/** Seen by the contact: he has read our last message, or has written since. */
async function isSeen(reader: Reader, { id }: ConversationRow): Promise<boolean> {
  const last = await reader.one<Pick<MessageRow, 'direction' | 'status'>>(
    'select direction, status from message where conversation_id = ? order by created_at desc, id desc limit 1',
    [id],
  );
  return last === undefined || last.direction === 'inbound' || last.status === 'read';
}

async function messageShapes(
  deps: EndpointDeps,
  reader: Reader,
  channel: ChannelRow,
  conversation: ConversationRow,
  messages: readonly MessageRow[],
) {
  if (messages.length === 0) return [];
  const attachments = await reader.query<AttachmentRow>(
    `select * from attachment where message_id in (${messages.map(() => '?').join(', ')}) order by position`,
    messages.map(({ id }) => id),
  );
  const { language } = await readSettings(reader, channel.companyId);
  return messages.map((message) =>
    messageShape(deps, conversation, language, {
      message,
      attachments: attachments.filter(({ messageId }) => messageId === message.id),
    }),
  );
}

function readQuery<T extends z.ZodType>(shape: T, query: unknown): z.infer<T> {
  const parsed = shape.safeParse(query);
  if (!parsed.success)
    throw new UserError('invalid', {
      fields: Object.fromEntries(parsed.error.issues.map(({ path }) => [path.join('.'), 'wrong'])),
    });
  return parsed.data;
}

function cursorOf(parts: readonly string[]): string {
  return Buffer.from(JSON.stringify(parts)).toString('base64url');
}

function readCursor<T extends z.ZodType>(shape: T, cursor: string): z.infer<T> {
  try {
    return shape.parse(JSON.parse(Buffer.from(cursor, 'base64url').toString('utf8')));
  } catch (cause) {
    throw new UserError('invalid', { fields: { after: 'unknown' } }, { cause });
  }
}

// Leads Inbox → Messaging: the channels that apps registered, filled only through the manifest's endpoints and the Channels API.
import { newSecret, type State, type User } from './state.ts';
import { createAppCaller, readManifest, type AppCaller, type Manifest } from './manifest.ts';
import {
  faultsOfConversation,
  faultsOfMessage,
  faultsOfSender,
  faultsOfTemplates,
  type Attachment,
  type Conversation,
  type Message,
  type Participant,
  type Template,
} from './messaging-shapes.ts';

export interface InboxConversation {
  id: string;
  link: string;
  status: 'open' | 'closed';
  nextMessagesCursor: string | null;
  participants: Participant[];
  messages: Message[];
}

export interface InboxChannel {
  uuid: string;
  providerChannelId: string;
  name: string;
  avatarUrl: string | null;
  providerType: 'facebook' | 'whatsapp' | 'other';
  templateSupport: boolean;
  companyId: number;
  /** Who registered it: the installation owner. */
  userId: number;
  createdAt: string;
  conversations: InboxConversation[];
  templates: Template[];
}

/** What the Channels API answers: it works, or the status of the day. */
export type ApiMode = 'alive' | 401 | 403 | 404 | 405 | 410 | 500 | 501;

export interface Written {
  text?: string;
  files?: readonly { name: string; type: string; bytes: Uint8Array }[];
  /** How the recipients are spelt: the guide and the description differ, and so may the number of parts. */
  spelling?: 'brackets' | 'plain' | 'joined' | 'repeated';
}

export interface LeadsInbox {
  mode: ApiMode;
  readonly channels: InboxChannel[];
  /** What the app answered or pushed that is not as documented; to stay empty. */
  readonly problems: string[];
  /** Every push that was taken, in order. */
  readonly received: { channelId: string; conversationId: string; messageId: string; status: string }[];
  readonly appCalls: AppCaller['calls'];
  uploadManifest(manifest: unknown): void;
  hasManifest(): boolean;
  channelOf(providerChannelId: string): InboxChannel | undefined;
  register(user: User, channel: Omit<InboxChannel, 'uuid' | 'createdAt' | 'conversations' | 'templates'>): InboxChannel;
  take(message: Message & { channel_id: string; conversation_id: string }, channel: InboxChannel): void;
  /** Reads older messages of a conversation; false when there are none. */
  readOlder(channel: InboxChannel, conversationId: string): Promise<boolean>;
  /** A user presses send; answers the app's status and error code. */
  write(
    channel: InboxChannel,
    conversationId: string,
    written: Written,
  ): Promise<{ status: number; id: string | null; code: string | null; message: string | null }>;
  /** A user looks at a file: its link is tried, and renewed if it died. */
  linkOf(
    channel: InboxChannel,
    conversationId: string,
    messageId: string,
    attachmentId: string,
  ): Promise<string | null>;
  /** A user takes the channel out. */
  removeChannel(channel: InboxChannel): Promise<number>;
  /** Waits for calls on their way. */
  settled(): Promise<void>;
}

const pageOf = 30;

export function createLeadsInbox(state: State, options: { clientId: string; clientSecret: string }): LeadsInbox {
  let manifest: Manifest | undefined;
  const app = createAppCaller({ ...options, manifest: () => manifest, now: state.now });
  const problems: string[] = [];
  const busy = new Set<Promise<void>>();
  const background = (work: Promise<void>): void => {
    const watched = work
      .catch((error: unknown) => void problems.push(String(error)))
      .finally(() => busy.delete(watched));
    busy.add(watched);
  };
  const expectNone = (what: string, faults: readonly string[]): boolean => {
    if (faults.length > 0) problems.push(`${what}: ${faults.join(', ')}`);
    return faults.length === 0;
  };

  const readHistory = async (channel: InboxChannel): Promise<void> => {
    const met = new Set<string>();
    let after: string | undefined;
    do {
      const answer = await app.call(
        'getConversations',
        { providerChannelId: channel.providerChannelId },
        {
          query: {
            conversations_limit: String(pageOf),
            messages_limit: String(pageOf),
            ...(after === undefined ? {} : { after }),
          },
        },
      );
      const page = answer?.body as { success?: unknown; data?: Conversation[]; additional_data?: { after?: string } };
      if (answer?.status !== 200 || page.success !== true || !Array.isArray(page.data))
        return void problems.push(`getConversations answered ${answer?.status}`);
      if (page.data.length > pageOf) problems.push('getConversations gave more than was asked for');
      for (const conversation of page.data) {
        if (met.has(conversation.id)) problems.push(`conversation ${conversation.id} came twice`);
        met.add(conversation.id);
        keepConversation(channel, conversation);
      }
      after = page.data.length === 0 ? undefined : (page.additional_data?.after ?? undefined);
    } while (after !== undefined);
  };

  const keepConversation = (channel: InboxChannel, given: Conversation): InboxConversation | undefined => {
    if (!expectNone('conversation', faultsOfConversation(given))) return undefined;
    if ((given.messages?.length ?? 0) > pageOf) problems.push('a conversation has more messages than were asked for');
    const known = channel.conversations.find(({ id }) => id === given.id);
    const conversation: InboxConversation = known ?? {
      id: given.id,
      link: given.link,
      status: given.status,
      nextMessagesCursor: null,
      participants: [],
      messages: [],
    };
    conversation.participants = given.participants ?? conversation.participants;
    conversation.nextMessagesCursor = given.next_messages_cursor ?? null;
    for (const message of given.messages ?? []) keepMessage(conversation, message);
    if (!known) channel.conversations.push(conversation);
    return conversation;
  };

  /** Pictures that are to be fetched are asked for once, when the channel is installed. */
  const readSenders = async (channel: InboxChannel): Promise<void> => {
    const wanted = channel.conversations
      .flatMap(({ participants }) => participants)
      .filter(({ fetch_avatar: fetches, avatar_url: url }) => fetches && !url);
    for (const participant of wanted) {
      const variables = { providerChannelId: channel.providerChannelId, senderId: participant.id };
      const answer = await app.call('getSenderById', variables);
      const { data } = (answer?.body ?? {}) as { data?: { avatar_url: string } };
      if (answer?.status === 200 && expectNone('sender', faultsOfSender(data)) && data?.avatar_url)
        participant.avatar_url = data.avatar_url;
    }
  };

  const readTemplates = async (channel: InboxChannel): Promise<void> => {
    if (!channel.templateSupport) return;
    const answer = await app.call('getTemplates', { providerChannelId: channel.providerChannelId });
    const { data } = (answer?.body ?? {}) as { data?: { templates: Template[] } };
    if (answer?.status !== 200) problems.push(`getTemplates answered ${answer?.status}`);
    else if (expectNone('templates', faultsOfTemplates(data))) channel.templates = data!.templates;
  };

  const readConversation = async (channel: InboxChannel, conversationId: string, after?: string): Promise<boolean> => {
    const answer = await app.call(
      'getConversationById',
      { providerChannelId: channel.providerChannelId, sourceConversationId: conversationId },
      { query: { messages_limit: String(pageOf), ...(after === undefined ? {} : { after }) } },
    );
    const { success, data } = (answer?.body ?? {}) as { success?: unknown; data?: Conversation };
    if (answer?.status === 404) return false;
    if (answer?.status !== 200 || success !== true || !data) {
      problems.push(`getConversationById answered ${answer?.status}`);
      return false;
    }
    return keepConversation(channel, data) !== undefined;
  };

  const find = (channel: InboxChannel, conversationId: string, messageId: string) => {
    const conversation = channel.conversations.find(({ id }) => id === conversationId);
    return { conversation, message: conversation?.messages.find(({ id }) => id === messageId) };
  };

  const inbox: LeadsInbox = {
    mode: 404,
    channels: [],
    problems,
    received: [],
    appCalls: app.calls,
    uploadManifest: (value) => {
      manifest = readManifest(value);
      inbox.mode = 'alive';
    },
    hasManifest: () => manifest !== undefined,
    channelOf: (providerChannelId) => inbox.channels.find((each) => each.providerChannelId === providerChannelId),
    register: (user, given) => {
      const channel: InboxChannel = {
        ...given,
        uuid: newSecret('ch-'),
        createdAt: new Date(state.now()).toISOString().slice(0, 19).replace('T', ' '),
        companyId: user.companyId,
        userId: user.id,
        conversations: [],
        templates: [],
      };
      inbox.channels.push(channel);
      background(readHistory(channel).then(() => readSenders(channel).then(() => readTemplates(channel))));
      return channel;
    },
    take: ({ channel_id: channelId, conversation_id: conversationId, ...message }, channel) => {
      inbox.received.push({ channelId, conversationId, messageId: message.id, status: message.status });
      const known = channel.conversations.find(({ id }) => id === conversationId);
      if (known) return keepMessage(known, message);
      background(
        readConversation(channel, conversationId).then((found) => {
          const conversation = channel.conversations.find(({ id }) => id === conversationId);
          if (!found || !conversation) return void problems.push(`conversation ${conversationId} cannot be read`);
          keepMessage(conversation, message);
        }),
      );
    },
    readOlder: async (channel, conversationId) => {
      const cursor = channel.conversations.find(({ id }) => id === conversationId)?.nextMessagesCursor;
      return cursor ? readConversation(channel, conversationId, cursor) : false;
    },
    write: async (channel, conversationId, written) => {
      const conversation = channel.conversations.find(({ id }) => id === conversationId);
      const sender = conversation?.participants.find(({ role }) => role === 'source_user');
      const recipient = conversation?.participants.find(({ role }) => role === 'end_user');
      if (!conversation || !sender || !recipient) throw new Error('There is no such conversation');
      const form = formOf(conversation.id, sender.id, recipient.id, written);
      const answer = await app.call('postMessage', { providerChannelId: channel.providerChannelId }, { form });
      const { success, data } = (answer?.body ?? {}) as {
        success?: boolean;
        data?: { id?: string; code?: string; message?: string };
      };
      if (answer?.status === 200 && success === true && typeof data?.id === 'string') {
        if (!conversation.messages.some(({ id }) => id === data.id))
          keepMessage(conversation, sentMessage(state, data.id, sender.id, written));
        return { status: 200, id: data.id, code: null, message: null };
      }
      if (success !== false || typeof data?.code !== 'string' || typeof data.message !== 'string')
        problems.push(`postMessage answered ${answer?.status} without an error body`);
      return { status: answer?.status ?? 0, id: null, code: data?.code ?? null, message: data?.message ?? null };
    },
    linkOf: async (channel, conversationId, messageId, attachmentId) => {
      const { message, conversation } = find(channel, conversationId, messageId);
      const attachment = message?.attachments.find(({ id }) => id === attachmentId);
      if (!message || !conversation || !attachment) return null;
      if (await isReachable(attachment)) return attachment.url;
      if (!attachment.link_expires) return null;
      const answer = await app.call('getMessageById', {
        providerChannelId: channel.providerChannelId,
        sourceConversationId: conversationId,
        sourceMessageId: messageId,
      });
      if (answer?.status !== 200 || !expectNone('message', faultsOfMessage(answer.body))) return null;
      keepMessage(conversation, answer.body as Message);
      const renewed = find(channel, conversationId, messageId).message?.attachments.find(
        ({ id }) => id === attachmentId,
      );
      return renewed && (await isReachable(renewed)) ? renewed.url : null;
    },
    removeChannel: async (channel) => {
      const answer = await app.call('deleteChannelById', { providerChannelId: channel.providerChannelId });
      if (answer?.status === 200) inbox.channels.splice(inbox.channels.indexOf(channel), 1);
      return answer?.status ?? 0;
    },
    settled: async () => {
      while (busy.size > 0) await Promise.all(busy);
    },
  };
  return inbox;
}

/** The same id again changes the message; the thread is shown by the time of writing. */
function keepMessage(conversation: InboxConversation, message: Message): void {
  const at = conversation.messages.findIndex(({ id }) => id === message.id);
  if (at >= 0) conversation.messages[at] = message;
  else conversation.messages.push(message);
  conversation.messages.sort((one, other) => Date.parse(one.created_at) - Date.parse(other.created_at));
}

function formOf(conversationId: string, senderId: string, recipientId: string, written: Written): FormData {
  const form = new FormData();
  form.set('message', written.text ?? '');
  form.set('senderId', senderId);
  form.set('conversationId', conversationId);
  const spelling = written.spelling ?? 'brackets';
  if (spelling === 'brackets' || spelling === 'joined') form.append('recipientIds[]', recipientId);
  if (spelling === 'plain' || spelling === 'joined') form.append('recipientIds', recipientId);
  if (spelling === 'repeated') for (const part of [recipientId, recipientId]) form.append('recipientIds[]', part);
  for (const { name, type, bytes } of written.files ?? [])
    form.append('files', new Blob([new Uint8Array(bytes)], { type }), name);
  return form;
}

function sentMessage(state: State, id: string, senderId: string, written: Written): Message {
  return {
    id,
    status: 'sent',
    created_at: new Date(state.now()).toISOString(),
    message: written.text ?? '',
    sender_id: senderId,
    attachments: [],
  };
}

async function isReachable({ url }: Attachment): Promise<boolean> {
  const answer = await fetch(url, { method: 'HEAD' }).catch(() => undefined);
  return answer?.ok ?? false;
}

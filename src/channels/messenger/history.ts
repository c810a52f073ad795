// What Facebook itself has of a Page's conversations (Conversations API): settles sends whose outcome is unknown, and
// gives what was said before the Page was connected or while no webhook came.
import { z } from 'zod';
import { UpstreamError } from '../../base/errors.ts';
import type {
  ChannelAccess,
  HistoryMessage,
  HistoryPage,
  HistoryRequest,
  MediaKind,
  MessageEvent,
  RemoteMedia,
} from '../provider.ts';
import { graph } from './graph.ts';
import type { MessengerDeps } from './settings.ts';

const answerShape = z.object({
  data: z.array(
    z.object({
      messages: z
        .object({
          data: z.array(
            z.object({
              id: z.string(),
              created_time: z.string(),
              message: z.string().nullish(),
              from: z.object({ id: z.string() }).nullish(),
            }),
          ),
        })
        .nullish(),
    }),
  ),
});

export async function recentMessages(
  deps: MessengerDeps,
  channel: ChannelAccess,
  contactAddress: string,
  since: string,
): Promise<HistoryMessage[]> {
  const answer = await graph(deps, {
    method: 'GET',
    path: `${channel.address}/conversations`,
    token: channel.credentials.pageToken ?? '',
    query: { platform: 'messenger', user_id: contactAddress, fields: 'messages{id,created_time,from,message}' },
  });
  const parsed = answerShape.parse(answer);
  return parsed.data
    .flatMap((conversation) => conversation.messages?.data ?? [])
    .map((message): HistoryMessage => {
      const outbound = message.from?.id === channel.address;
      return {
        providerMessageId: message.id,
        direction: outbound ? 'outbound' : 'inbound',
        text: message.message ?? '',
        at: new Date(message.created_time).toISOString(),
        status: outbound ? 'sent' : null,
        failure: null,
      };
    })
    .filter((message) => message.at >= since);
}

/** Of a conversation only the newest 20 messages show what they say; older ones answer as if they were deleted. */
const readable = 20;
const messageFields = 'id,created_time,from,message,attachments,shares,sticker,reply_to';

const attachmentShape = z.object({
  mime_type: z.string().nullish(),
  name: z.string().nullish(),
  file_url: z.string().nullish(),
  image_data: z.object({ url: z.string(), render_as_sticker: z.boolean().nullish() }).nullish(),
  video_data: z.object({ url: z.string() }).nullish(),
});
const messageShape = z.object({
  id: z.string(),
  created_time: z.string(),
  from: z.object({ id: z.string() }).nullish(),
  message: z.string().nullish(),
  attachments: z.object({ data: z.array(attachmentShape) }).nullish(),
  shares: z
    .object({
      data: z.array(
        z.object({
          link: z.string().nullish(),
          url: z.string().nullish(),
          name: z.string().nullish(),
          title: z.string().nullish(),
        }),
      ),
    })
    .nullish(),
  sticker: z.string().nullish(),
  reply_to: z.object({ mid: z.string() }).nullish().catch(null),
});
const conversationsShape = z.object({
  data: z.array(
    z.object({
      updated_time: z.string(),
      participants: z.object({ data: z.array(z.object({ id: z.string(), name: z.string().nullish() })) }),
      messages: z.object({ data: z.array(z.unknown()) }).nullish(),
    }),
  ),
  paging: z
    .object({ cursors: z.object({ after: z.string() }).partial().optional(), next: z.string().optional() })
    .optional(),
});
const cursorShape = z.object({ after: z.string(), done: z.number() });

/** Conversations are listed by their last change, newest first: a look since a time ends where they get older. */
export async function readHistory(
  deps: MessengerDeps,
  channel: ChannelAccess,
  request: HistoryRequest,
): Promise<HistoryPage> {
  const { after, done } =
    request.cursor === null ? { after: null, done: 0 } : cursorShape.parse(JSON.parse(request.cursor));
  const messages = Math.min(request.messages, readable);
  const answer = conversationsShape.parse(
    await graph(deps, {
      method: 'GET',
      path: `${channel.address}/conversations`,
      token: channel.credentials.pageToken ?? '',
      query: {
        platform: 'messenger',
        fields: `updated_time,participants,messages.limit(${messages}){${messageFields}}`,
        limit: String(Math.min(perPage, request.conversations - done)),
        ...(after === null ? {} : { after }),
      },
    }),
  );
  const { since } = request;
  const recent = answer.data.filter((found) => since === null || timeOf(found.updated_time) >= wholeSecond(since));
  const events = recent.flatMap(({ participants, messages: list }) => {
    const person = participants.data.find(({ id }) => id !== channel.address);
    // Oldest first: within one second their order is all that tells which came first.
    const inOrder = (list?.data ?? []).slice().reverse();
    return person ? inOrder.flatMap((item) => eventOf(channel, person, item)) : [];
  });
  const through = done + recent.length;
  const further = answer.paging?.next ? answer.paging.cursors?.after : undefined;
  const isLast = further === undefined || recent.length < answer.data.length || through >= request.conversations;
  return {
    events: events.filter(({ at }) => since === null || (at ?? '') >= wholeSecond(since)),
    next: isLast ? null : JSON.stringify({ after: further, done: through }),
    done: through,
    total: isLast ? through : since === null ? request.conversations : null,
  };
}

const filesShape = messageShape.pick({ attachments: true, sticker: true });

/** Where a message's files are now: their addresses end (Conversations API). None for what is older than the newest 20. */
export async function currentMedia(
  deps: MessengerDeps,
  channel: ChannelAccess,
  messageId: string,
): Promise<RemoteMedia[]> {
  try {
    const answer = await graph(deps, {
      method: 'GET',
      path: encodeURIComponent(messageId),
      token: channel.credentials.pageToken ?? '',
      query: { fields: 'attachments,sticker' },
    });
    return mediaOf(filesShape.parse(answer));
  } catch (error) {
    if (error instanceof UpstreamError && error.kind === 'refused') return [];
    throw error;
  }
}

/** Conversations in one answer: few, as each comes with its messages. */
const perPage = 6;

/** `created_time` has whole seconds. */
function wholeSecond(time: string): string {
  return `${time.slice(0, 19)}.000Z`;
}

function timeOf(time: string): string {
  return new Date(time).toISOString();
}

/** Nothing for a message that is too old to be read or that we do not understand: the others must not suffer. */
function eventOf(
  channel: ChannelAccess,
  person: { id: string; name?: string | null | undefined },
  item: unknown,
): MessageEvent[] {
  const parsed = messageShape.safeParse(item);
  if (!parsed.success || !parsed.data.from) return [];
  const message = parsed.data;
  const media = mediaOf(message);
  const shared = message.shares?.data.map(({ title, name, url, link }) => ({
    title: title ?? name,
    url: url ?? link,
  }))[0];
  const text = message.message ?? '';
  const inbound = message.from?.id !== channel.address;
  const kind = media[0]?.kind ?? (shared ? 'shared' : text === '' ? 'unsupported' : 'text');
  return [
    {
      type: 'message',
      account: channel.account,
      address: channel.address,
      at: timeOf(message.created_time),
      contact: {
        address: person.id,
        identities: [{ type: 'psid', value: person.id }],
        name: person.name || null,
      },
      providerMessageId: message.id,
      kind,
      text,
      media,
      details: shared
        ? {
            shared: {
              ...(shared.title ? { title: shared.title } : {}),
              ...(shared.url ? { url: shared.url } : {}),
            },
          }
        : null,
      replyToProviderId: message.reply_to?.mid ?? null,
      // Who sent it is not told; metadata neither.
      echo: inbound ? null : { messageId: null, source: 'unknown' },
      opensWindow: inbound,
      raw: JSON.stringify(item),
    },
  ];
}

function mediaOf(message: z.infer<typeof filesShape>): RemoteMedia[] {
  const files = (message.attachments?.data ?? []).flatMap((attachment): RemoteMedia[] => {
    const { image_data: image, video_data: video, file_url: file, mime_type: type, name } = attachment;
    const url = image?.url ?? video?.url ?? file;
    if (!url) return [];
    const isAudio = type?.startsWith('audio/') ?? false;
    const kind: MediaKind = image
      ? image.render_as_sticker
        ? 'sticker'
        : 'image'
      : video
        ? 'video'
        : isAudio
          ? 'audio'
          : 'file';
    return [{ kind, url, contentType: type ?? null, name: name ?? null }];
  });
  if (files.length > 0 || !message.sticker) return files;
  return [{ kind: 'sticker', url: message.sticker, contentType: null, name: null }];
}

// What Twilio's own log has of a sender's messages (Messages resource): settles sends whose outcome is unknown, and gives what
// was said before the sender was connected, while no webhook came, or from elsewhere. It keeps no names, quotes, places or buttons.
import { z } from 'zod';
import type { MessageInstance } from 'twilio/lib/rest/api/v2010/account/message.js';
import type { Twilio } from 'twilio';
import type {
  ChannelAccess,
  HistoryMessage,
  HistoryPage,
  HistoryRequest,
  Identity,
  MessageEvent,
  RemoteMedia,
  SendFailure,
  StatusEvent,
} from '../provider.ts';
import { accountOf, twilioClient } from './client.ts';
import { messageKind, remoteMedia } from './content.ts';
import { failureCode } from './errors.ts';
import type { WhatsappSettings } from './settings.ts';

export async function recentMessages(
  settings: WhatsappSettings,
  channel: ChannelAccess,
  contactAddress: string,
  since: string,
): Promise<HistoryMessage[]> {
  const client = await twilioClient(settings, accountOf(channel));
  const found = await client.messages.list({
    from: channel.address,
    to: contactAddress,
    dateSentAfter: new Date(since),
    pageSize: 100,
    limit: 200,
  });
  return found.map((message) => ({
    providerMessageId: message.sid,
    direction: 'outbound',
    text: message.body ?? '',
    files: Number(message.numMedia ?? '0'),
    at: timeOf(message) ?? since,
    status: statusOf(message.status),
    failure: failureOf(message),
  }));
}

const pageSize = 100;

/** Inbound and outbound are two lists, each newest first; the log has no list of conversations. */
const cursorShape = z.object({
  list: z.enum(['to', 'from']),
  /** The page to read; null for the first of a list. */
  url: z.string().nullable(),
  /** How many messages of this list each contact has so far. */
  taken: z.record(z.string(), z.number()),
  /** How many pages of this list were read. */
  pages: z.number(),
});
type Cursor = z.infer<typeof cursorShape>;

/** One page of the log. What is wanted without a `since` is bounded by the numbers of the request, page by page. */
export async function readHistory(
  settings: WhatsappSettings,
  channel: ChannelAccess,
  request: HistoryRequest,
): Promise<HistoryPage> {
  const cursor: Cursor =
    request.cursor === null
      ? { list: 'to', url: null, taken: {}, pages: 0 }
      : cursorShape.parse(JSON.parse(request.cursor));
  const client = await twilioClient(settings, accountOf(channel));
  const { messages, next } = await readPage(client, channel, cursor, request.since);
  const { wanted, taken } = take(messages, cursor, request);
  const events: (MessageEvent | StatusEvent)[] = [];
  for (const message of wanted.reverse()) events.push(...(await eventsOf(settings, client, channel, message)));
  const pages = cursor.pages + 1;
  // A log reaches back 400 days: who wrote long before all others is not looked for to its end.
  const mostPages = Math.max(5, Math.ceil((request.conversations * request.messages) / pageSize));
  const isFull = Object.keys(taken).length >= request.conversations && wanted.length === 0;
  const isEnough = request.since === null && (isFull || pages >= mostPages);
  const following: Cursor | null =
    next !== null && !isEnough
      ? { list: cursor.list, url: next, taken, pages }
      : cursor.list === 'to'
        ? { list: 'from', url: null, taken: zeroed(taken), pages: 0 }
        : null;
  const done = Object.keys(taken).length;
  return { events, next: following && JSON.stringify(following), done, total: following === null ? done : null };
}

/** Keeps who was met, so that both lists speak of the same people. */
function zeroed(taken: Readonly<Record<string, number>>): Record<string, number> {
  return Object.fromEntries(Object.keys(taken).map((address) => [address, 0]));
}

async function readPage(
  client: Twilio,
  channel: ChannelAccess,
  { list, url }: Cursor,
  since: string | null,
): Promise<{ messages: MessageInstance[]; next: string | null }> {
  const page =
    url === null
      ? await client.messages.page({
          [list]: channel.address,
          ...(since === null ? {} : { dateSentAfter: new Date(since) }),
          pageSize,
        })
      : await client.messages.getPage(url);
  return { messages: page.instances, next: page.nextPageUrl ?? null };
}

function take(
  messages: readonly MessageInstance[],
  cursor: Cursor,
  request: HistoryRequest,
): { wanted: MessageInstance[]; taken: Record<string, number> } {
  const taken = { ...cursor.taken };
  // Half of each conversation is inbound, as far as anybody can tell before reading both lists.
  const most = request.since === null ? Math.ceil(request.messages / 2) : Number.POSITIVE_INFINITY;
  const wanted = messages.filter((message) => {
    const person = personOf(message, cursor.list);
    if (!person?.startsWith('whatsapp:')) return false;
    const isNew = !Object.hasOwn(taken, person);
    if (isNew && Object.keys(taken).length >= request.conversations) return false;
    if ((taken[person] ?? 0) >= most) return false;
    taken[person] = (taken[person] ?? 0) + 1;
    return true;
  });
  return { wanted, taken };
}

function personOf(message: MessageInstance, list: Cursor['list']): string | undefined {
  return (list === 'to' ? message.from : message.to) ?? undefined;
}

async function eventsOf(
  settings: WhatsappSettings,
  client: Twilio,
  channel: ChannelAccess,
  message: MessageInstance,
): Promise<(MessageEvent | StatusEvent)[]> {
  const isInbound = message.direction === 'inbound';
  const person = personOf(message, isInbound ? 'to' : 'from');
  const at = timeOf(message);
  if (!person) return [];
  const media = Number(message.numMedia ?? '0') > 0 ? await mediaOf(settings, client, channel, message.sid) : [];
  const text = message.body ?? '';
  const [first] = media;
  const base = { account: channel.account, address: channel.address, at };
  const event: MessageEvent = {
    ...base,
    type: 'message',
    contact: { address: person, identities: [identityOf(person)], name: null },
    providerMessageId: message.sid,
    kind: messageKind(first, text),
    text: first?.kind === 'file' && first.name === text ? '' : text,
    media,
    details: null,
    replyToProviderId: null,
    echo: isInbound ? null : { messageId: null, source: message.direction },
    opensWindow: isInbound,
    raw: JSON.stringify({ sid: message.sid, direction: message.direction, body: text, num_media: message.numMedia }),
  };
  if (isInbound) return [event];
  const status: StatusEvent = {
    ...base,
    type: 'status',
    contact: null,
    providerMessageId: message.sid,
    messageId: null,
    through: null,
    status: statusOf(message.status),
    failure: failureOf(message),
  };
  return [event, status];
}

function identityOf(address: string): Identity {
  const value = address.replace('whatsapp:', '');
  return { type: value.startsWith('+') ? 'phone' : 'whatsapp_user', value };
}

/** The log itself does not say where the files are (`/Messages/{sid}/Media.json` does). */
async function mediaOf(
  settings: WhatsappSettings,
  client: Twilio,
  channel: ChannelAccess,
  sid: string,
): Promise<RemoteMedia[]> {
  const found = await client.messages(sid).media.list({ limit: 10 });
  const origin = settings.apiUrl ?? 'https://api.twilio.com';
  const base = `${origin}/2010-04-01/Accounts/${channel.account}/Messages/${sid}/Media`;
  return found.map((media) => remoteMedia(`${base}/${media.sid}`, media.contentType, undefined, undefined));
}

function timeOf(message: MessageInstance): string | null {
  // An answer may have times that are none.
  const time = [message.dateCreated, message.dateSent].find((date) => date && !Number.isNaN(date.getTime()));
  return time ? time.toISOString() : null;
}

function failureOf(message: MessageInstance): SendFailure | null {
  if (statusOf(message.status) !== 'failed') return null;
  const code = message.errorCode ? String(message.errorCode) : null;
  return { code: failureCode(code), providerCode: code };
}

function statusOf(status: string): StatusEvent['status'] {
  if (status === 'failed' || status === 'undelivered' || status === 'canceled') return 'failed';
  return status === 'delivered' || status === 'read' ? status : 'sent';
}

// Meta's webhooks: whether they are genuine, and what each of their events says.
import { hmac, sameSecret, sha256 } from '../../base/crypto.ts';
import type {
  IgnoredEvent,
  InboundEvent,
  MediaKind,
  MessageEvent,
  MessageKind,
  RemoteMedia,
  StatusEvent,
  WebhookRequest,
} from '../provider.ts';
import { parseJson } from './long-numbers.ts';

/** Signed with the app secret over the received bytes; the older SHA-1 header counts for nothing (Webhooks: validating payloads). */
export function verifyWebhook(appSecret: string, request: WebhookRequest): boolean {
  const header = request.headers['x-hub-signature-256'];
  if (typeof header !== 'string' || !/^sha256=[0-9a-f]{64}$/.test(header)) return false;
  return sameSecret(header.slice('sha256='.length), hmac('sha256', appSecret, request.body).toString('hex'));
}

/** The challenge to answer with, when mode and token are right and it is digits. */
export function answerHandshake(
  query: Readonly<Record<string, string | string[] | undefined>>,
  verifyToken: string,
): string | null {
  const { 'hub.mode': mode, 'hub.verify_token': token, 'hub.challenge': challenge } = query;
  if (mode !== 'subscribe' || typeof token !== 'string' || typeof challenge !== 'string') return null;
  return sameSecret(token, verifyToken) && /^\d{1,40}$/.test(challenge) ? challenge : null;
}

type Json = Readonly<Record<string, unknown>>;

export function parseWebhook(appId: string, body: Buffer): InboundEvent[] {
  const raw = body.toString('utf8');
  const parsed = parseJson(raw);
  if (!isObject(parsed)) return [unreadable(null, 'not_an_object', raw)];
  if (parsed.object !== 'page') {
    return [{ type: 'ignored', account: '', address: '', at: null, reason: 'object' }];
  }
  if (!Array.isArray(parsed.entry)) return [unreadable(null, 'no_entries', raw)];
  return parsed.entry.flatMap((entry: unknown) => entryEvents(appId, entry));
}

function entryEvents(appId: string, entry: unknown): InboundEvent[] {
  if (!isObject(entry)) return [unreadable(null, 'entry', JSON.stringify(entry))];
  const page = idOf(entry.id);
  const lists = [entry.messaging, entry.standby].filter((list) => list !== undefined);
  if (lists.length === 0) return [ignored(page ?? '', 'no_messaging')];
  return lists.flatMap((list): InboundEvent[] => {
    if (!Array.isArray(list)) return [unreadable(page, 'messaging', JSON.stringify(entry))];
    return list.map((event: unknown) => {
      try {
        return eventOf(appId, page, entry, event);
      } catch {
        return unreadable(page, 'malformed', JSON.stringify(event));
      }
    });
  });
}

function eventOf(appId: string, entryPage: string | null, entry: Json, event: unknown): InboundEvent {
  const raw = JSON.stringify(event);
  if (!isObject(event)) return unreadable(entryPage, 'event', raw);
  const sender = isObject(event.sender) ? idOf(event.sender.id) : null;
  const recipient = isObject(event.recipient) ? idOf(event.recipient.id) : null;
  const isEcho = isObject(event.message) && event.message.is_echo === true;
  const page = entryPage ?? (isEcho ? sender : recipient);
  if (page === null) return unreadable(null, 'no_page', raw);
  const at = timeOf(event.timestamp) ?? timeOf(entry.time);
  // The contact is always the one that is not the Page.
  const contact = sender === page ? recipient : sender;
  const base = { account: page, address: page, at };
  if ('message' in event) {
    if (!isObject(event.message) || contact === null) return unreadable(page, 'message', raw);
    return messageEvent(appId, base, contact, event.message, raw);
  }
  if (contact !== null && (isObject(event.delivery) || isObject(event.read))) return receipt(base, contact, event);
  if (contact !== null && isObject(event.postback)) return postback(base, contact, event.postback, raw);
  if (contact === null && isObject(event.postback)) return ignored(page, 'postback_without_person');
  const known = knownKinds.find((kind) => kind in event);
  return ignored(page, known ?? 'unknown_event');
}

const knownKinds = [
  'message_edit',
  'reaction',
  'referral',
  'optin',
  'pass_thread_control',
  'take_thread_control',
  'request_thread_control',
  'app_roles',
  'policy_enforcement',
  'messaging_feedback',
  'response_feedback',
  'account_linking',
  'order',
] as const;

type Base = Pick<MessageEvent, 'account' | 'address' | 'at'>;

function messageEvent(appId: string, base: Base, contact: string, message: Json, raw: string): InboundEvent {
  const mid = message.mid;
  if (typeof mid !== 'string' || mid === '' || mid.length > 1_000) return unreadable(base.account, 'mid', raw);
  const content = contentOf(message);
  const replyTo = isObject(message.reply_to) && typeof message.reply_to.mid === 'string' ? message.reply_to.mid : null;
  return {
    ...base,
    type: 'message',
    contact: partyOf(contact),
    providerMessageId: mid,
    ...content,
    details: null,
    replyToProviderId: replyTo,
    echo: message.is_echo === true ? echoOf(appId, message) : null,
    opensWindow: message.is_echo !== true,
    raw,
  };
}

function partyOf(psid: string): MessageEvent['contact'] {
  return { address: psid, identities: [{ type: 'psid', value: psid }], name: null };
}

/** Both spellings of the Page inbox's app id are printed in Meta's pages. */
const pageInbox = new Set(['263902037430900', '26390203743090']);
export const metadataPrefix = 'inbox.';

function echoOf(appId: string, message: Json): NonNullable<MessageEvent['echo']> {
  const metadata = typeof message.metadata === 'string' ? message.metadata : '';
  const app = idOf(message.app_id);
  return {
    messageId: metadata.startsWith(metadataPrefix) ? metadata.slice(metadataPrefix.length) : null,
    source: app === appId ? 'own_app' : app !== null && pageInbox.has(app) ? 'page_inbox' : 'other_app',
  };
}

interface Content {
  readonly kind: MessageKind;
  readonly text: string;
  readonly media: readonly RemoteMedia[];
}

function contentOf(message: Json): Content {
  const words = typeof message.text === 'string' ? message.text : '';
  const attachments = Array.isArray(message.attachments) ? message.attachments.filter(isObject).slice(0, 30) : [];
  const media = mediaOf(attachments);
  const [first] = media;
  if (first) return { kind: first.kind, text: words, media };
  const shared = attachments.map(sharedText).filter((line) => line !== '');
  const place = attachments.find((attachment) => attachment.type === 'location');
  if (place) return { kind: 'location', text: [words, placeText(place)].filter(Boolean).join('\n'), media };
  if (shared.length > 0) return { kind: 'shared', text: [words, ...shared].filter(Boolean).join('\n'), media };
  if (words !== '') return { kind: isObject(message.quick_reply) ? 'postback' : 'text', text: words, media };
  return { kind: 'unsupported', text: '', media };
}

const mediaKinds = new Map<unknown, MediaKind>([
  ['image', 'image'],
  ['video', 'video'],
  ['audio', 'audio'],
  ['file', 'file'],
  ['sticker', 'sticker'],
]);

function mediaOf(attachments: readonly Json[]): RemoteMedia[] {
  const stickers = new Set<string>();
  return attachments.flatMap((attachment) => {
    const payload = isObject(attachment.payload) ? attachment.payload : {};
    const kind = mediaKinds.get(attachment.type);
    if (!kind || typeof payload.url !== 'string') return [];
    const sticker = idOf(payload.sticker_id);
    // From June to August 2026 a sticker came twice: as image with sticker_id and as sticker.
    if (sticker !== null && stickers.has(sticker)) return [];
    if (sticker !== null) stickers.add(sticker);
    const name = kind === 'file' ? fileName(payload.url) : null;
    return [
      { kind: sticker === null ? kind : 'sticker', url: payload.url, contentType: null, name } satisfies RemoteMedia,
    ];
  });
}

function fileName(url: string): string | null {
  if (!URL.canParse(url)) return null;
  const last = new URL(url).pathname.split('/').at(-1) ?? '';
  try {
    return decodeURIComponent(last).slice(0, 200) || null;
  } catch {
    return null;
  }
}

/** Title and address of a shared link, post or reel; their address is a page, never a file. */
function sharedText(attachment: Json): string {
  const payload = isObject(attachment.payload) ? attachment.payload : {};
  const title = [payload.title, attachment.title].find((value) => typeof value === 'string' && value !== '');
  const url = [payload.url, attachment.url].find((value) => typeof value === 'string' && value !== '');
  return [title, url].filter((value) => typeof value === 'string').join('\n');
}

function placeText(attachment: Json): string {
  const payload = isObject(attachment.payload) ? attachment.payload : {};
  const coordinates = isObject(payload.coordinates) ? payload.coordinates : {};
  return `${String(coordinates.lat)}, ${String(coordinates.long)}`;
}

function receipt(base: Base, contact: string, event: Json): StatusEvent | IgnoredEvent {
  const isRead = isObject(event.read);
  const body = (isRead ? event.read : event.delivery) as Json;
  const through = timeOf(body.watermark);
  if (through === null) return ignored(base.account, 'receipt_without_watermark');
  return {
    ...base,
    type: 'status',
    contact: partyOf(contact),
    providerMessageId: null,
    messageId: null,
    through,
    status: isRead ? 'read' : 'delivered',
    failure: null,
  };
}

function postback(base: Base, contact: string, body: Json, raw: string): MessageEvent {
  const title = typeof body.title === 'string' ? body.title : '';
  const mid = typeof body.mid === 'string' && body.mid !== '' ? body.mid : `postback:${sha256(`${contact}|${raw}`)}`;
  return {
    ...base,
    type: 'message',
    contact: partyOf(contact),
    providerMessageId: mid,
    kind: 'postback',
    text: title,
    media: [],
    details: null,
    replyToProviderId: null,
    echo: null,
    opensWindow: true,
    raw,
  };
}

function unreadable(page: string | null, reason: string, raw: string): InboundEvent {
  return { type: 'unreadable', account: page, address: page, reason, raw };
}

function ignored(page: string, reason: string): IgnoredEvent {
  return { type: 'ignored', account: page, address: page, at: null, reason };
}

function isObject(value: unknown): value is Json {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function idOf(value: unknown): string | null {
  if (typeof value === 'number' && Number.isSafeInteger(value)) return String(value);
  return typeof value === 'string' && /^\d{1,40}$/.test(value) ? value : null;
}

/** Milliseconds, or seconds where a reference sample has them, as numbers or digits. */
function timeOf(value: unknown): string | null {
  const number = typeof value === 'string' && /^\d{1,16}$/.test(value) ? Number(value) : value;
  if (typeof number !== 'number' || !Number.isFinite(number) || number <= 0) return null;
  const ms = number < 1e12 ? number * 1_000 : number;
  return ms < 4e12 ? new Date(ms).toISOString() : null;
}

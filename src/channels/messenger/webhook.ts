// Meta's webhooks: whether they are genuine, and what each of their events says.
import { hmac, sameSecret, sha256 } from '../../base/crypto.ts';
import type {
  IgnoredEvent,
  InboundEvent,
  EditEvent,
  MessageEvent,
  ReactionEvent,
  StatusEvent,
  WebhookRequest,
} from '../provider.ts';
import { answersOf, contentOf, orderText, referralOf, type Content } from './content.ts';
import { idOf, isObject, parseJson, type Json } from './long-numbers.ts';

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
  if (!isObject(entry)) return [unreadable(null, 'entry', bodyOf(entry))];
  const page = idOf(entry.id);
  const lists = [entry.messaging, entry.standby].filter((list) => list !== undefined);
  if (lists.length === 0) return [ignored(page ?? '', 'no_messaging')];
  return lists.flatMap((list): InboundEvent[] => {
    if (!Array.isArray(list)) return [unreadable(page, 'messaging', bodyOf(entry))];
    return list.map((event: unknown) => {
      const raw = bodyOf({
        id: entry.id,
        time: entry.time,
        [list === entry.standby ? 'standby' : 'messaging']: [event],
      });
      try {
        const read = eventOf(appId, page, entry, event);
        if (read.type === 'unreadable') return { ...read, raw };
        const isStandby = list === entry.standby && read.type === 'message';
        return isStandby ? { ...read, details: { ...read.details, answeredElsewhere: true } } : read;
      } catch {
        return unreadable(page, 'malformed', raw);
      }
    });
  });
}

/** A webhook with one entry. Ids that were too long for a number stay the text they were read as. */
function bodyOf(entry: unknown): string {
  return JSON.stringify({ object: 'page', entry: [entry] });
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
  if (contact === null && isObject(event.postback)) return ignored(page, 'postback_without_person');
  if (contact !== null) {
    const said = otherEvent(base, contact, event, raw);
    if (said) return said;
  }
  if (isObject(event.policy_enforcement)) return policyEvent(base, event.policy_enforcement);
  const known = knownKinds.find((kind) => kind in event);
  return ignored(page, known ?? 'unknown_event');
}

/** What a person did other than write. */
function otherEvent(base: Base, contact: string, event: Json, raw: string): InboundEvent | undefined {
  if (isObject(event.reaction)) return reaction(base, contact, event.reaction, raw);
  if (isObject(event.message_edit)) return edit(base, contact, event.message_edit, raw);
  const { postback, referral, order, messaging_feedback: feedback } = event;
  if (isObject(postback)) {
    const title = typeof postback.title === 'string' ? postback.title : '';
    const details = isObject(postback.referral) ? { referral: referralOf(postback.referral) } : null;
    const content: Content = { kind: 'postback', text: title, media: [], details };
    return act(base, contact, 'postback', postback.mid, content, raw);
  }
  if (isObject(referral)) {
    // An m.me link or an ad led back into a conversation that is there already.
    const content: Content = { kind: 'postback', text: '', media: [], details: { referral: referralOf(referral) } };
    return act(base, contact, 'referral', undefined, content, raw);
  }
  if (isObject(order)) {
    return act(
      base,
      contact,
      'order',
      undefined,
      { kind: 'text', text: orderText(order), media: [], details: null },
      raw,
    );
  }
  if (isObject(feedback)) {
    const content: Content = { kind: 'text', text: answersOf(feedback), media: [], details: null };
    return { ...act(base, contact, 'feedback', undefined, content, raw), opensWindow: false };
  }
  return undefined;
}

const knownKinds = [
  'optin',
  'pass_thread_control',
  'take_thread_control',
  'request_thread_control',
  'app_roles',
  'response_feedback',
  'account_linking',
] as const;

/** Meta warns or blocks the Page, or lifts that (messaging_policy_enforcement). */
function policyEvent(base: Base, { action }: Json): InboundEvent {
  const code = action === 'block' ? 'policy' : 'policy_warned';
  return { ...base, type: 'trouble', code, isOver: action === 'unblock' };
}

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

/** Something done that shows as a message. Without a `mid` it is known again by all that it says. */
function act(base: Base, contact: string, what: string, mid: unknown, content: Content, raw: string): MessageEvent {
  const hasMid = typeof mid === 'string' && mid !== '' && mid.length <= 1_000;
  return {
    ...base,
    type: 'message',
    contact: partyOf(contact),
    providerMessageId: hasMid ? mid : `${what}:${sha256(`${contact}|${raw}`)}`,
    ...content,
    replyToProviderId: null,
    echo: null,
    opensWindow: true,
    raw,
  };
}

/** `reaction` and `emoji` may be missing when it is taken back. */
function reaction(base: Base, contact: string, body: Json, raw: string): ReactionEvent | InboundEvent {
  if (typeof body.mid !== 'string' || body.mid === '') return unreadable(base.account, 'reaction', raw);
  const given = body.action !== 'unreact';
  const emoji = typeof body.emoji === 'string' && body.emoji !== '' ? body.emoji : '❤️';
  return {
    ...base,
    type: 'reaction',
    contact: partyOf(contact),
    targetProviderId: body.mid,
    emoji: given ? emoji : null,
    by: 'contact',
  };
}

/** `num_edit` is a number in the reference's table and text in its sample. */
function edit(base: Base, contact: string, body: Json, raw: string): EditEvent | InboundEvent {
  if (typeof body.mid !== 'string' || body.mid === '' || typeof body.text !== 'string')
    return unreadable(base.account, 'edit', raw);
  const version = Number(body.num_edit);
  return {
    ...base,
    type: 'edit',
    contact: partyOf(contact),
    targetProviderId: body.mid,
    text: body.text,
    version: Number.isInteger(version) ? version : 1,
  };
}

function unreadable(page: string | null, reason: string, raw: string): InboundEvent {
  return { type: 'unreadable', account: page, address: page, reason, raw };
}

function ignored(page: string, reason: string): IgnoredEvent {
  return { type: 'ignored', account: page, address: page, at: null, reason };
}

/** Milliseconds, or seconds where a reference sample has them, as numbers or digits. */
function timeOf(value: unknown): string | null {
  const number = typeof value === 'string' && /^\d{1,16}$/.test(value) ? Number(value) : value;
  if (typeof number !== 'number' || !Number.isFinite(number) || number <= 0) return null;
  const ms = number < 1e12 ? number * 1_000 : number;
  return ms < 4e12 ? new Date(ms).toISOString() : null;
}

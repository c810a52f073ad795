// People with WhatsApp: what they write becomes a signed webhook to the sender's address, and what they read a callback.
import { advance } from './delivery.ts';
import { post } from './callbacks.ts';
import {
  newSid,
  serviceOf,
  sidFor,
  type TwilioMedia,
  type TwilioMessage,
  type TwilioPerson,
  type TwilioSender,
  type TwilioState,
  type WebhookDelivery,
} from './state.ts';

export type Photo = Omit<TwilioMedia, 'sid'>;

export interface Writing {
  /** Which sender; the only one there is when left out. */
  to?: TwilioSender | string;
  media?: Photo[];
  /** Any further webhook parameters, such as `OriginalRepliedMessageSid` or `Latitude`. */
  params?: Record<string, string>;
}

export interface Written {
  sid: string;
  /** Null when no webhook address is set: the message then stands in Twilio's log only. */
  delivery: WebhookDelivery | null;
}

/** Somebody with WhatsApp, to be played by a test or by the phone page. */
export interface WhatsappCustomer {
  readonly name: string;
  readonly address: string;
  readonly person: TwilioPerson;
  /** What the business sent, in order, as far as it arrived. */
  readonly inbox: readonly TwilioMessage[];
  writes(text: string, writing?: Writing): Promise<Written>;
  sendsPhoto(photo: Photo, writing?: Writing & { caption?: string }): Promise<Written>;
  /** Opens the chat once: everything delivered there becomes read. */
  reads(sender?: TwilioSender | string): Promise<void>;
  /** Everything said with one sender, oldest first. */
  thread(sender?: TwilioSender | string): readonly TwilioMessage[];
  optsOut(): void;
  blocks(sender?: TwilioSender | string): void;
}

export function customerOf(state: TwilioState, person: TwilioPerson): WhatsappCustomer {
  const mine = (message: TwilioMessage) =>
    [message.from, message.to].some((address) => address === person.address || address === person.userId);
  const arrived = (message: TwilioMessage) =>
    message.direction === 'outbound-api' && ['sent', 'delivered', 'read'].includes(message.status);
  const customer: WhatsappCustomer = {
    name: person.name,
    address: person.address,
    person,
    get inbox() {
      return [...state.messages.values()].filter((message) => mine(message) && arrived(message));
    },
    writes: (text, writing = {}) => write(state, person, text, writing),
    sendsPhoto: (photo, writing = {}) =>
      write(state, person, writing.caption ?? '', { ...writing, media: [photo, ...(writing.media ?? [])] }),
    async reads(which) {
      const sender = senderFor(state, which);
      const account = state.accounts.get(sender.accountSid);
      if (!account) return;
      for (const message of customer.inbox.filter((each) => each.from === sender.address && each.status !== 'read')) {
        await advance(state, account, message, 'read');
      }
    },
    thread(which) {
      const sender = senderFor(state, which);
      return [...state.messages.values()].filter(
        (message) =>
          message.accountSid === sender.accountSid &&
          mine(message) &&
          (message.from === sender.address || message.to === sender.address) &&
          (message.direction === 'inbound' || arrived(message)),
      );
    },
    optsOut() {
      person.optedOut = true;
    },
    blocks(which) {
      person.blocked.add(senderFor(state, which).address);
    },
  };
  return customer;
}

function senderFor(state: TwilioState, which: TwilioSender | string | undefined): TwilioSender {
  const senders = [...state.senders.values()];
  if (typeof which === 'object') return which;
  const found =
    which === undefined
      ? senders[0]
      : senders.find((each) => each.address.replace('whatsapp:', '') === which.replace('whatsapp:', ''));
  if (!found) throw new Error(`There is no WhatsApp sender ${which ?? ''} in this sandbox`);
  return found;
}

async function write(state: TwilioState, person: TwilioPerson, text: string, writing: Writing): Promise<Written> {
  const sender = senderFor(state, writing.to);
  const sid = newSid(writing.media?.length ? 'MM' : 'SM');
  const at = state.now();
  const media: TwilioMedia[] = (writing.media ?? []).map((photo) => ({ sid: newSid('ME'), ...photo }));
  const message: TwilioMessage = {
    sid,
    accountSid: sender.accountSid,
    direction: 'inbound',
    from: person.address,
    to: sender.address,
    body: text,
    media,
    mediaUrls: [],
    status: 'received',
    errorCode: null,
    serviceSid: serviceOf(state, sender)?.sid ?? null,
    contentSid: null,
    statusCallback: null,
    createdAt: at,
    updatedAt: at,
    sentAt: at,
    seen: false,
  };
  state.messages.set(sid, message);
  state.lastInbound.set(`${sender.address} ${person.address}`, at);
  state.changed();
  const params = { ...inboundParams(state, person, message), ...writing.params };
  return { sid, delivery: await postInbound(state, sender, params) };
}

/** The parameters of an inbound webhook (Request parameters; Key concepts; names and order as observed). */
function inboundParams(state: TwilioState, person: TwilioPerson, message: TwilioMessage): Record<string, string> {
  const context = { ProfileName: person.name, ...(person.waId === null ? {} : { WaId: person.waId }) };
  const base = `${state.url}/2010-04-01/Accounts/${message.accountSid}/Messages/${message.sid}/Media`;
  return {
    SmsMessageSid: message.sid,
    NumMedia: String(message.media.length),
    ProfileName: person.name,
    MessageType: kindOf(message.media[0]?.contentType),
    SmsSid: message.sid,
    ...(person.waId === null ? {} : { WaId: person.waId }),
    SmsStatus: 'received',
    Body: message.body,
    To: message.to,
    NumSegments: '1',
    ReferralNumMedia: '0',
    MessageSid: message.sid,
    AccountSid: message.accountSid,
    ChannelMetadata: JSON.stringify({ type: 'whatsapp', data: { context } }),
    From: message.from,
    ApiVersion: '2010-04-01',
    ...(person.userId === null ? {} : { ExternalUserId: person.userId }),
    ...(person.username === null ? {} : { ProfileUsername: person.username }),
    ...(message.serviceSid === null ? {} : { MessagingServiceSid: message.serviceSid }),
    ...Object.fromEntries(
      message.media.flatMap((media, index) => [
        [`MediaContentType${index}`, media.contentType],
        [`MediaUrl${index}`, `${base}/${media.sid}`],
      ]),
    ),
  };
}

function kindOf(contentType: string | undefined): string {
  if (contentType === undefined) return 'text';
  const main = contentType.split('/')[0] ?? '';
  return ['image', 'audio', 'video'].includes(main) ? main : 'document';
}

/** To the service's address or the sender's, whichever counts; then, if that failed, to the fallback. */
export async function postInbound(
  state: TwilioState,
  sender: TwilioSender,
  params: Record<string, string>,
): Promise<WebhookDelivery | null> {
  const account = state.accounts.get(sender.accountSid);
  const service = serviceOf(state, sender);
  const url = service && !service.useInboundWebhookOnNumber ? service.inboundRequestUrl : sender.webhook.callback_url;
  if (!account || !url) return null;
  const delivery = await post(state, { url, params, authToken: account.authToken });
  const failed = (delivery.attempts.at(-1) ?? 0) === 0 || (delivery.attempts.at(-1) ?? 0) >= 400;
  if (!failed || !sender.webhook.fallback_url) return delivery;
  const told = { ...params, ErrorCode: '11200', ErrorUrl: url.replace(/#.*$/, '') };
  return post(state, { url: sender.webhook.fallback_url, params: told, authToken: account.authToken });
}

/** The business showed that it read: blue ticks for the customer, and 25 seconds of "typing". */
export function advanceSeen(state: TwilioState, message: TwilioMessage): void {
  for (const each of state.messages.values()) {
    const isSameThread = each.direction === 'inbound' && each.from === message.from && each.to === message.to;
    if (isSameThread && each.createdAt <= message.createdAt) each.seen = true;
  }
  const person = state.people.find((each) => each.address === message.from);
  person?.typing.set(message.to, state.now() + 25_000);
  state.changed();
}

export interface NewPerson {
  name?: string;
  /** Differs from the number in Brazil, Mexico and Argentina. */
  waId?: string;
  /** `SE.123…`; one is made from the number when left out, null for none. */
  bsuid?: string | null;
  username?: string;
  hasWhatsapp?: boolean;
}

/** Somebody by number (`+46…`), or by business-scoped id (`SE.123…`) who hides the number. */
export function newPerson(state: TwilioState, number: string, given: NewPerson): TwilioPerson {
  const bare = number.replace('whatsapp:', '');
  const hidden = !bare.startsWith('+');
  const made = `SE.${BigInt(`0x${sidFor('', bare).slice(0, 15)}`)
    .toString()
    .slice(0, 16)}`;
  const userId = hidden ? bare : given.bsuid === undefined ? made : given.bsuid;
  const person: TwilioPerson = {
    name: given.name ?? bare,
    address: `whatsapp:${bare}`,
    userId: userId === null ? null : `whatsapp:${userId}`,
    waId: given.waId ?? (hidden ? null : bare.slice(1)),
    username: given.username ?? null,
    optedOut: false,
    blocked: new Set(),
    hasWhatsapp: given.hasWhatsapp ?? true,
    open: new Set(),
    typing: new Map(),
  };
  state.people.push(person);
  return person;
}

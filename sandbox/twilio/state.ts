// What this Twilio knows: accounts, senders, services, templates, messages and the people with WhatsApp.
import { createHash, randomBytes } from 'node:crypto';
import type { Call } from '../listen.ts';

export interface TwilioAccount {
  sid: string;
  name: string;
  authToken: string;
  status: 'active' | 'suspended' | 'closed';
  ownerSid: string;
  createdAt: number;
  /** API keys: sid to secret. */
  keys: Map<string, { secret: string; kind: 'main' | 'standard' }>;
}

export interface SenderWebhook {
  callback_url: string | null;
  callback_method: 'POST' | 'PUT' | null;
  fallback_url: string | null;
  fallback_method: 'POST' | 'PUT' | null;
  status_callback_url: string | null;
  status_callback_method: 'POST' | 'PUT' | null;
}

export interface TwilioSender {
  sid: string;
  accountSid: string;
  /** `whatsapp:+46…` */
  address: string;
  name: string;
  status: string;
  webhook: SenderWebhook;
  /** A sender may be missing from the Senders list and work all the same. */
  listed: boolean;
}

export interface TwilioService {
  sid: string;
  accountSid: string;
  name: string;
  inboundRequestUrl: string | null;
  useInboundWebhookOnNumber: boolean;
  statusCallback: string | null;
  senders: TwilioSender[];
}

export interface TwilioTemplate {
  sid: string;
  accountSid: string;
  name: string;
  language: string;
  variables: Record<string, string>;
  types: Record<string, Record<string, unknown>>;
  approval: {
    name: string;
    category: string;
    content_type: string;
    status: string;
    rejection_reason: string;
    allow_category_change: boolean;
  };
  createdAt: number;
}

export interface TwilioMedia {
  sid: string;
  contentType: string;
  bytes: Buffer;
  /** So many times it is not there yet: media follows its webhook. */
  late?: number;
  /** The bytes are followed by others, for as long as somebody reads. */
  endless?: boolean;
  /** Where the API sends whoever asks for it, in place of the media host. */
  redirectTo?: string;
}

export type TwilioStatus =
  | 'accepted'
  | 'queued'
  | 'sending'
  | 'sent'
  | 'delivered'
  | 'read'
  | 'failed'
  | 'undelivered'
  | 'canceled'
  | 'received';

export interface TwilioMessage {
  sid: string;
  accountSid: string;
  direction: 'inbound' | 'outbound-api';
  from: string;
  to: string;
  body: string;
  media: TwilioMedia[];
  mediaUrls: string[];
  status: TwilioStatus;
  errorCode: number | null;
  serviceSid: string | null;
  contentSid: string | null;
  statusCallback: string | null;
  createdAt: number;
  updatedAt: number;
  sentAt: number | null;
  /** On an inbound message: the business has shown that it read it. */
  seen: boolean;
}

/** Somebody with WhatsApp, who may or may not show a number. */
export interface TwilioPerson {
  name: string;
  /** `whatsapp:+46…` or `whatsapp:SE.…`: what webhooks say in From. */
  address: string;
  /** `whatsapp:SE.…`, or null for one whose provider does not tell. */
  userId: string | null;
  waId: string | null;
  username: string | null;
  optedOut: boolean;
  blocked: Set<string>;
  hasWhatsapp: boolean;
  /** Sender addresses whose chat lies open: what arrives there is read at once. */
  open: Set<string>;
  typing: Map<string, number>;
}

export interface TwilioOptions {
  /** `sent` and `delivered` callbacks follow an accepted message by themselves. */
  autoDeliver: boolean;
  /** `read` follows too, as if the customer always had the chat open. */
  autoRead: boolean;
  /** Before each callback. */
  callbackDelayMs: number;
}

export interface WebhookDelivery {
  url: string;
  params: Record<string, string>;
  /** HTTP status of each attempt, or 0 where there was no answer. */
  attempts: number[];
  answer: string;
}

export interface TwilioState {
  now: () => number;
  options: TwilioOptions;
  accounts: Map<string, TwilioAccount>;
  senders: Map<string, TwilioSender>;
  services: Map<string, TwilioService>;
  templates: Map<string, TwilioTemplate>;
  messages: Map<string, TwilioMessage>;
  people: TwilioPerson[];
  /** `sender person` to the time of the person's last message. */
  lastInbound: Map<string, number>;
  calls: Call[];
  webhooks: WebhookDelivery[];
  /** Callbacks on their way; awaited when the stand-in stops. */
  running: Set<Promise<unknown>>;
  stopped: boolean;
  /** Of the API and of the media host; known once both listen. */
  url: string;
  mediaUrl: string;
  changed: () => void;
}

export function createState(now: () => number): TwilioState {
  return {
    now,
    options: { autoDeliver: true, autoRead: false, callbackDelayMs: 5 },
    accounts: new Map(),
    senders: new Map(),
    services: new Map(),
    templates: new Map(),
    messages: new Map(),
    people: [],
    lastInbound: new Map(),
    calls: [],
    webhooks: [],
    running: new Set(),
    stopped: false,
    url: '',
    mediaUrl: '',
    changed: () => undefined,
  };
}

export function newSid(prefix: string): string {
  return prefix + randomBytes(16).toString('hex');
}

/** The same for the same words, so that a demo looks alike each time. */
export function sidFor(prefix: string, words: string): string {
  return prefix + createHash('md5').update(words).digest('hex');
}

export function personAt(state: TwilioState, address: string): TwilioPerson | undefined {
  return state.people.find((person) => person.address === address || person.userId === address);
}

export function senderAt(state: TwilioState, accountSid: string, address: string): TwilioSender | undefined {
  return [...state.senders.values()].find((sender) => sender.accountSid === accountSid && sender.address === address);
}

export function serviceOf(state: TwilioState, sender: TwilioSender): TwilioService | undefined {
  return [...state.services.values()].find((service) => service.senders.includes(sender));
}

const dayMs = 24 * 3_600_000;

/** Free text may be sent for 24 hours after the person's last message to this very sender (dossier section 7). */
export function isWindowOpen(state: TwilioState, sender: string, person: string): boolean {
  const known = personAt(state, person);
  const last = Math.max(
    ...[person, known?.address, known?.userId].map((address) => state.lastInbound.get(`${sender} ${address}`) ?? 0),
  );
  return state.now() - last < dayMs;
}

/** Keeps hold of work that goes on after the answer, so that stopping waits for it and no failure is lost. */
export function goOn(state: TwilioState, work: Promise<unknown>): void {
  const tracked = work.catch(() => undefined).finally(() => state.running.delete(tracked));
  state.running.add(tracked);
}

// What this Meta knows: people who log in, their Pages, tokens, customers with Messenger, and everything said.
import { createHash, randomBytes } from 'node:crypto';
import type { Call } from '../listen.ts';

export interface MetaApp {
  id: string;
  secret: string;
  verifyToken: string;
  name: string;
}

/** Somebody who logs in and runs Pages. */
export interface MetaPerson {
  /** App-scoped id. */
  id: string;
  name: string;
  /** Page id to the tasks this person has there. */
  tasks: Map<string, string[]>;
  /** What the last login granted; null before one. */
  grant: { scopes: Set<string>; declined: Set<string>; pageIds: Set<string> } | null;
}

export interface MetaPage {
  id: string;
  name: string;
  category: string;
  picture: MetaFile | null;
  /** In a business portfolio: listed only with `business_management`. */
  inBusiness: boolean;
  /** Fields our app is subscribed to; null while the app is not installed on the Page. */
  subscribedFields: string[] | null;
  /** Another app owns the threads: events come as `standby`, sends are refused. */
  ownedByOtherApp: boolean;
}

export interface MetaToken {
  value: string;
  kind: 'user' | 'page';
  personId: string;
  pageId: string | null;
  issuedAt: number;
  /** 0 for never. */
  expiresAt: number;
  /** Set when it was invalidated; with the subcode of the 190, or 0 for none. */
  deadWith: number | null;
}

export interface MetaFile {
  bytes: Buffer;
  contentType: string;
  name: string;
}

export interface MetaAttachment {
  id: string;
  type: 'image' | 'video' | 'audio' | 'file';
  file: MetaFile;
}

export interface MetaMessage {
  mid: string;
  pageId: string;
  psid: string;
  direction: 'inbound' | 'outbound';
  text: string;
  attachments: MetaAttachment[];
  at: number;
  /** Which app sent it; the Page inbox is one too. Null on inbound. */
  appId: string | null;
  metadata: string | null;
  replyToMid: string | null;
  delivered: boolean;
  read: boolean;
  reaction: string | null;
}

/** `nowhere`: no name in the list of conversations either. */
export type ProfileKind = 'full' | 'name-only' | 'empty' | 'none' | 'nowhere' | 'permission';

/** Somebody with Messenger; a different id on every Page. */
export interface MetaHuman {
  name: string;
  picture: MetaFile | null;
  profile: ProfileKind;
  psids: Map<string, string>;
  /** Page ids. */
  blocked: Set<string>;
  /** Pages whose chat lies open: what arrives there is read at once. */
  open: Set<string>;
  typing: Map<string, number>;
}

export interface MetaOptions {
  /** Sends of ours come back as echoes. */
  autoEcho: boolean;
  /** The echo is posted before the send is answered, as happens. */
  echoBeforeAnswer: boolean;
  autoDeliver: boolean;
  autoRead: boolean;
  webhookDelayMs: number;
  /** Repeats of a webhook that was not answered with 200. */
  webhookRetries: number;
  /** "Require App Secret": calls without `appsecret_proof` are refused. */
  requireProof: boolean;
  /** The app was granted the feature Human Agent. */
  humanAgent: boolean;
}

export interface MetaDelivery {
  /** The bytes as posted. */
  raw: string;
  attempts: number[];
  answer: string;
}

export interface MetaState {
  app: MetaApp;
  appUrl: () => string;
  now: () => number;
  options: MetaOptions;
  people: Map<string, MetaPerson>;
  pages: Map<string, MetaPage>;
  tokens: Map<string, MetaToken>;
  codes: Map<string, { personId: string; redirectUri: string; expiresAt: number }>;
  humans: MetaHuman[];
  messages: Map<string, MetaMessage>;
  uploads: Map<string, { pageId: string; attachment: MetaAttachment }>;
  /** Everything served under /media: id to file. */
  files: Map<string, MetaFile>;
  /** `page psid` to the time of the last action that opens the window. */
  lastOpening: Map<string, number>;
  calls: Call[];
  webhooks: MetaDelivery[];
  /** The last webhook of a Page, so that the next one waits for it. */
  queues: Map<string, Promise<unknown>>;
  /** Events held back to be posted in one body. */
  batch: { page: MetaPage; list: 'messaging' | 'standby'; event: object }[] | null;
  stopped: boolean;
  url: string;
  changed: () => void;
}

export const pageInboxAppId = '263902037430900';

export function createState(app: MetaApp, appUrl: () => string, now: () => number): MetaState {
  return {
    app,
    appUrl,
    now,
    options: {
      autoEcho: true,
      echoBeforeAnswer: false,
      autoDeliver: true,
      autoRead: false,
      webhookDelayMs: 5,
      webhookRetries: 3,
      requireProof: false,
      humanAgent: false,
    },
    people: new Map(),
    pages: new Map(),
    tokens: new Map(),
    codes: new Map(),
    humans: [],
    messages: new Map(),
    uploads: new Map(),
    files: new Map(),
    lastOpening: new Map(),
    calls: [],
    webhooks: [],
    queues: new Map(),
    batch: null,
    stopped: false,
    url: '',
    changed: () => undefined,
  };
}

export function newMid(): string {
  return `m_${randomBytes(64).toString('base64url')}`;
}

export function newToken(): string {
  return `EAA${randomBytes(48).toString('hex').toUpperCase()}`;
}

/** A long decimal id, the same for the same words. */
export function idFor(words: string, digits = 16): string {
  const number = BigInt(`0x${createHash('sha256').update(words).digest('hex').slice(0, 16)}`).toString();
  return `${(Number(number[0]) % 9) + 1}${number
    .slice(1)
    .padEnd(digits, '7')
    .slice(0, digits - 1)}`;
}

export function psidOf(state: MetaState, human: MetaHuman, page: MetaPage): string {
  const known = human.psids.get(page.id);
  if (known) return known;
  const psid = idFor(`${page.id} ${human.name} ${state.humans.indexOf(human)}`);
  human.psids.set(page.id, psid);
  return psid;
}

export function humanAt(state: MetaState, pageId: string, psid: string): MetaHuman | undefined {
  return state.humans.find((human) => human.psids.get(pageId) === psid);
}

export function threadOf(state: MetaState, pageId: string, psid: string): MetaMessage[] {
  return [...state.messages.values()].filter((message) => message.pageId === pageId && message.psid === psid);
}

/** Puts a file under an address that anybody may fetch, as Meta's CDN does; `oe` is a hint of how long. */
export function addressOf(state: MetaState, id: string, file: MetaFile): string {
  state.files.set(id, file);
  const until = Math.floor(state.now() / 1_000) + 30 * 24 * 3_600;
  return `${state.url}/media/${id}/${encodeURIComponent(file.name)}?_nc_cat=104&oe=${until.toString(16).toUpperCase()}`;
}

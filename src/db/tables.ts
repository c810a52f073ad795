// Every table: the type of its rows, and under it its schema. Ids are text, times UTC ISO-8601 text, flags 0 or 1, JSON text.
import { EntitySchema, type EntitySchemaColumnOptions } from 'typeorm';

export type Flag = 0 | 1;

type Columns<Row> = { readonly [Field in keyof Row]-?: EntitySchemaColumnOptions };

const id: EntitySchemaColumnOptions = { type: 'text', primary: true };
const text: EntitySchemaColumnOptions = { type: 'text' };
const maybeText: EntitySchemaColumnOptions = { type: 'text', nullable: true };
const number: EntitySchemaColumnOptions = { type: 'integer' };
const maybeNumber: EntitySchemaColumnOptions = { type: 'integer', nullable: true };
const idNumber: EntitySchemaColumnOptions = { type: 'integer', primary: true };

function table<Row extends object>(name: string, columns: Columns<Row>): EntitySchema<Row> {
  const named = Object.entries<EntitySchemaColumnOptions>(columns).map(([field, column]) => [
    field,
    { ...column, name: field.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`) },
  ]);
  return new EntitySchema<Row>({ name, tableName: name, columns: Object.fromEntries(named) as Columns<Row> });
}

/** Every column of a table by its name in the database, for statements that must not say `*`. */
export function columnsOf<Row extends object>(table: EntitySchema<Row>): string {
  return Object.values<EntitySchemaColumnOptions | undefined>(table.options.columns)
    .map((column) => column!.name)
    .join(', ');
}

export interface CompanyRow {
  /** Pipedrive's company id, as text. */
  id: string;
  name: string;
  /** `acme` of acme.pipedrive.com. */
  domain: string;
  /** JSON of `CompanySettings` (companies/settings.ts). */
  settings: string;
  /** Number of the newest change: unbroken per company. */
  changeNumber: number;
  /** When the data is erased, after the last user uninstalled (A3). */
  eraseAt: string | null;
  /** When its notes were last held against its messages; null before the first time. */
  historyCheckedAt: string | null;
  createdAt: string;
}

export const Company = table<CompanyRow>('company', {
  id,
  name: text,
  domain: text,
  settings: text,
  changeNumber: number,
  eraseAt: maybeText,
  historyCheckedAt: maybeText,
  createdAt: text,
});

export interface UserRow {
  companyId: string;
  /** Pipedrive's user id, as text. */
  id: string;
  name: string;
  email: string;
  avatarUrl: string | null;
  language: string;
  timeZone: string;
  isAdmin: Flag;
  available: Flag;
  /** JSON of the notification switches. */
  notifications: string;
  /** ISO 4217, of his values in Pipedrive; null until his profile tells. */
  currency: string | null;
  /** When name, language and rights were last read at Pipedrive. */
  profileAt: string | null;
  createdAt: string;
}

/** `user` is a reserved word in SQL. */
export const User = table<UserRow>('app_user', {
  companyId: id,
  id,
  name: text,
  email: text,
  avatarUrl: maybeText,
  language: text,
  timeZone: text,
  isAdmin: number,
  available: number,
  notifications: text,
  currency: maybeText,
  profileAt: maybeText,
  createdAt: text,
});

/** One user's grant. Gone when he uninstalls. */
export interface InstallationRow {
  companyId: string;
  userId: string;
  sealedAccessToken: string;
  sealedRefreshToken: string;
  accessExpiresAt: string;
  scope: string;
  apiDomain: string;
  /** `reconnect` when Pipedrive answered invalid_grant: no more calls until he installs again (A4). */
  state: 'active' | 'reconnect';
  /** Who refreshes the token now, and until when the others wait for him. */
  refreshLeaseUntil: string | null;
  installedAt: string;
  refreshedAt: string;
}

export const Installation = table<InstallationRow>('installation', {
  companyId: id,
  userId: id,
  sealedAccessToken: text,
  sealedRefreshToken: text,
  accessExpiresAt: text,
  scope: text,
  apiDomain: text,
  state: text,
  refreshLeaseUntil: maybeText,
  installedAt: text,
  refreshedAt: text,
});

export interface OauthStateRow {
  /** Hash of the `state` value. */
  id: string;
  kind: 'pipedrive' | 'meta';
  /** Hash of the value in the browser's cookie that this state is bound to. */
  browserHash: string;
  companyId: string | null;
  userId: string | null;
  /** Where to go afterwards: a path of ours; or the login this state belongs to. */
  next: string;
  expiresAt: string;
}

export const OauthState = table<OauthStateRow>('oauth_state', {
  id,
  kind: text,
  browserHash: text,
  companyId: maybeText,
  userId: maybeText,
  next: text,
  expiresAt: text,
});

export interface SessionRow {
  /** Hash of the session token. */
  id: string;
  companyId: string;
  userId: string;
  kind: 'extension' | 'page';
  createdAt: string;
  expiresAt: string;
}

export const Session = table<SessionRow>('session', {
  id,
  companyId: text,
  userId: text,
  kind: text,
  createdAt: text,
  expiresAt: text,
});

/** What Pipedrive said of a company's daily token budget. */
export interface TokenBudgetRow {
  companyId: string;
  dailyLimit: number | null;
  remaining: number | null;
  /** No call but urgent ones before this time. */
  blockedUntil: string | null;
  updatedAt: string;
}

const TokenBudget = table<TokenBudgetRow>('token_budget', {
  companyId: id,
  dailyLimit: maybeNumber,
  remaining: maybeNumber,
  blockedUntil: maybeText,
  updatedAt: text,
});

export interface ChannelRow {
  id: string;
  companyId: string;
  ownerId: string;
  provider: 'messenger' | 'whatsapp';
  /** Page id, or Twilio account SID. */
  account: string;
  /** Page id, or `whatsapp:+…`: what webhooks call us. */
  address: string;
  name: string;
  avatarUrl: string | null;
  visibility: 'shared' | 'private';
  /** JSON of the provider's credentials, sealed; null once disconnected. */
  sealedCredentials: string | null;
  state: 'connected' | 'broken' | 'disconnected';
  /** Machine word of what is broken, e.g. `token_expired`. */
  brokenReason: string | null;
  /** JSON of health facts (inbox/connect.ts). */
  facts: string;
  lastInboundAt: string | null;
  lastOutboundAt: string | null;
  createdAt: string;
  disconnectedAt: string | null;
}

export const Channel = table<ChannelRow>('channel', {
  id,
  companyId: text,
  ownerId: text,
  provider: text,
  account: text,
  address: text,
  name: text,
  avatarUrl: maybeText,
  visibility: text,
  sealedCredentials: maybeText,
  state: text,
  brokenReason: maybeText,
  facts: text,
  lastInboundAt: maybeText,
  lastOutboundAt: maybeText,
  createdAt: text,
  disconnectedAt: maybeText,
});

/** A Facebook Login that has not been used up: its Pages can be chosen. */
export interface MessengerLoginRow {
  id: string;
  companyId: string;
  userId: string;
  /** App-scoped id of the person at Facebook. */
  facebookUserId: string | null;
  /** JSON of the Pages with their tokens, sealed; null until the callback came. */
  sealedPages: string | null;
  expiresAt: string;
}

export const MessengerLogin = table<MessengerLoginRow>('messenger_login', {
  id,
  companyId: text,
  userId: text,
  facebookUserId: maybeText,
  sealedPages: maybeText,
  expiresAt: text,
});

/** A deletion that a person asked Facebook for, under its confirmation code; nothing in it names him. */
export interface DataDeletionRow {
  id: string;
  channels: number;
  doneAt: string;
}

export const DataDeletion = table<DataDeletionRow>('data_deletion', { id, channels: number, doneAt: text });

export interface ContactRow {
  id: string;
  companyId: string;
  channelId: string;
  name: string;
  /** Exactly what we reply to. */
  address: string;
  avatarMediaKey: string | null;
  /** When the profile was last asked for. */
  profileAt: string | null;
  createdAt: string;
}

export const Contact = table<ContactRow>('contact', {
  id,
  companyId: text,
  channelId: text,
  name: text,
  address: text,
  avatarMediaKey: maybeText,
  profileAt: maybeText,
  createdAt: text,
});

export interface ContactIdentityRow {
  channelId: string;
  type: 'psid' | 'phone' | 'whatsapp_user';
  value: string;
  contactId: string;
}

export const ContactIdentity = table<ContactIdentityRow>('contact_identity', {
  channelId: id,
  type: id,
  value: id,
  contactId: text,
});

export interface ConversationRow {
  id: string;
  companyId: string;
  channelId: string;
  contactId: string;
  status: 'open' | 'closed';
  assigneeId: string | null;
  lastMessageId: string | null;
  lastMessageAt: string;
  /** When the contact last did something that opens the reply window. */
  lastInboundAt: string | null;
  replyUntil: string | null;
  /** How many inbound messages there ever were; unread is this less the viewer's `readCount`. */
  inboundCount: number;
  /** Set while it is deleted (V7); cleared by a new message. */
  deletedAt: string | null;
  createdAt: string;
  updatedAt: string;
}

export const Conversation = table<ConversationRow>('conversation', {
  id,
  companyId: text,
  channelId: text,
  contactId: text,
  status: text,
  assigneeId: maybeText,
  lastMessageId: maybeText,
  lastMessageAt: text,
  lastInboundAt: maybeText,
  replyUntil: maybeText,
  inboundCount: number,
  deletedAt: maybeText,
  createdAt: text,
  updatedAt: text,
});

export interface ReadMarkRow {
  conversationId: string;
  userId: string;
  companyId: string;
  /** `inboundNumber` of the newest inbound message he has read. */
  readCount: number;
  /** The newest message of any direction he has seen. */
  throughMessageId: string;
  /** Where the conversation stands, kept by a trigger, so that counting needs no look at each conversation. */
  channelId: string;
  status: 'open' | 'closed';
  assigneeId: string | null;
  /** Whether there is an inbound message and he has read them all; the trigger keeps this too. */
  caughtUp: Flag;
}

const ReadMark = table<ReadMarkRow>('read_mark', {
  conversationId: id,
  userId: id,
  companyId: text,
  readCount: number,
  throughMessageId: text,
  channelId: text,
  status: text,
  assigneeId: maybeText,
  caughtUp: number,
});

export type MessageStatus = 'received' | 'queued' | 'sent' | 'delivered' | 'read' | 'failed' | 'unknown';

export type MessageKind =
  | 'text'
  | 'image'
  | 'video'
  | 'audio'
  | 'file'
  | 'sticker'
  | 'location'
  | 'contact'
  | 'template'
  | 'postback'
  | 'shared'
  | 'unsupported';

export interface MessageRow {
  id: string;
  companyId: string;
  channelId: string;
  conversationId: string;
  direction: 'inbound' | 'outbound';
  authorKind: 'contact' | 'user' | 'external';
  authorId: string | null;
  authorName: string;
  kind: MessageKind;
  text: string;
  status: MessageStatus;
  errorCode: string | null;
  providerCode: string | null;
  providerMessageId: string | null;
  clientMessageId: string | null;
  /** The provider's id of the message this one answers. */
  replyToProviderId: string | null;
  /** JSON list of `{emoji, by}`. */
  reactions: string;
  /** JSON of `MessageDetails` (channels/provider.ts), or null. */
  details: string | null;
  /** Order by arrival among the inbound ones of its conversation; null for outbound. */
  inboundNumber: number | null;
  /** The event as it came, for kinds we cannot show. */
  raw: string | null;
  /** When it was written, by the provider's clock if it tells; the thread is ordered by this, then by id. */
  createdAt: string;
  /** Outbound: when the provider took it. */
  sentAt: string | null;
  /** Outbound: set while a call to the provider is under way; still set after a crash, its outcome is unknown (C8). */
  sendingAt: string | null;
  /** Outbound: how often the provider was asked. */
  attempts: number;
}

export const Message = table<MessageRow>('message', {
  id,
  companyId: text,
  channelId: text,
  conversationId: text,
  direction: text,
  authorKind: text,
  authorId: maybeText,
  authorName: text,
  kind: text,
  text,
  status: text,
  errorCode: maybeText,
  providerCode: maybeText,
  providerMessageId: maybeText,
  clientMessageId: maybeText,
  replyToProviderId: maybeText,
  reactions: text,
  details: maybeText,
  inboundNumber: maybeNumber,
  raw: maybeText,
  createdAt: text,
  sentAt: maybeText,
  sendingAt: maybeText,
  attempts: number,
});

export interface AttachmentRow {
  id: string;
  companyId: string;
  /** Null until the upload is sent. */
  messageId: string | null;
  position: number;
  kind: 'image' | 'video' | 'audio' | 'file' | 'sticker';
  contentType: string;
  name: string;
  size: number | null;
  width: number | null;
  height: number | null;
  /** Length of sound or film. */
  durationMs: number | null;
  state: 'pending' | 'ready' | 'failed';
  /** Where the provider has it; may be a signed link, so never shown or logged. */
  sourceUrl: string | null;
  mediaKey: string | null;
  uploadedBy: string | null;
  createdAt: string;
}

export const Attachment = table<AttachmentRow>('attachment', {
  id,
  companyId: text,
  messageId: maybeText,
  position: number,
  kind: text,
  contentType: text,
  name: text,
  size: maybeNumber,
  width: maybeNumber,
  height: maybeNumber,
  durationMs: maybeNumber,
  state: text,
  sourceUrl: maybeText,
  mediaKey: maybeText,
  uploadedBy: maybeText,
  createdAt: text,
});

/** A provider's message id that was erased, so that a replayed webhook does not bring it back (V7). */
export interface ErasedMessageRow {
  channelId: string;
  providerMessageHash: string;
}

export const ErasedMessage = table<ErasedMessageRow>('erased_message', { channelId: id, providerMessageHash: id });

export interface LinkRow {
  id: string;
  companyId: string;
  conversationId: string;
  type: 'person' | 'lead' | 'deal';
  recordId: string;
  title: string;
  /** JSON of what the screens show of the record. */
  details: string;
  state: 'active' | 'broken';
  /** Newest message when it was linked; what arrived later (its id is greater) goes into notes as it comes. */
  afterMessageId: string;
  /** Whether every message that belongs into this link's notes stands in one (H9). */
  historyComplete: Flag;
  createdBy: string;
  createdAt: string;
  removedAt: string | null;
  /** Why it is broken, or what else is to be said of its record: `deleted`, `merged`, `forbidden`, `archived`. */
  reason: string | null;
  /** When its record was last looked at, or heard of. */
  checkedAt: string | null;
}

const Link = table<LinkRow>('link', {
  id,
  companyId: text,
  conversationId: text,
  type: text,
  recordId: text,
  title: text,
  details: text,
  state: text,
  afterMessageId: text,
  historyComplete: number,
  createdBy: text,
  createdAt: text,
  removedAt: maybeText,
  reason: maybeText,
  checkedAt: maybeText,
});

/** A record being created on a user's demand, so that a repeated demand makes no second one (L4). */
export interface RecordRequestRow {
  companyId: string;
  /** The caller's idempotency key, and the part of it: `…/person`, `…/deal`. */
  id: string;
  conversationId: string;
  type: 'person' | 'lead' | 'deal';
  title: string;
  state: 'creating' | 'created' | 'failed';
  recordId: string | null;
  startedAt: string;
}

const RecordRequest = table<RecordRequestRow>('record_request', {
  companyId: id,
  id,
  conversationId: text,
  type: text,
  title: text,
  state: text,
  recordId: maybeText,
  startedAt: text,
});

export interface NoteRow {
  id: string;
  companyId: string;
  linkId: string;
  /** Pipedrive's id; null while the outcome of its creation is unknown. */
  pipedriveNoteId: string | null;
  /** `writing` before the first answer, `open` while it takes messages, `closed` after. */
  state: 'writing' | 'open' | 'closed';
  /** A mark inside the note's text by which a lost creation is found again. */
  mark: string;
  /** How often it was planned to be written; stands in its text, so that a write whose answer was lost can be recognised. */
  version: number;
  /** Hash of the content as Pipedrive returned it after our last write (H3). */
  contentHash: string | null;
  /** Whose token wrote it. */
  authorId: string | null;
  windowUntil: string;
  createdAt: string;
  /** 1 when a message in it changed since it was written, 2 while it is written anew. */
  stale: 0 | 1 | 2;
  /** When its creation was last asked for; once it stands, when it was last written. */
  attemptedAt: string | null;
}

export const Note = table<NoteRow>('note', {
  id,
  companyId: text,
  linkId: text,
  pipedriveNoteId: maybeText,
  state: text,
  mark: text,
  version: number,
  contentHash: maybeText,
  authorId: maybeText,
  windowUntil: text,
  createdAt: text,
  stale: number,
  attemptedAt: maybeText,
});

/** What becomes of a message in the notes of a link: it stands in at most one (H4). A very long one has further rows, `id#2`, … */
export interface NotedMessageRow {
  linkId: string;
  messageId: string;
  /** Empty while it is due and in no note yet. */
  noteId: string;
  /** 0 until Pipedrive has confirmed the write. */
  confirmed: Flag;
  /** Fingerprint of how it looked when it was written. */
  shown: string | null;
}

export const NotedMessage = table<NotedMessageRow>('noted_message', {
  linkId: id,
  messageId: id,
  noteId: text,
  confirmed: number,
  shown: maybeText,
});

/** A company's subscriptions to Pipedrive's webhooks. */
export interface PipedriveWebhookRow {
  companyId: string;
  /** Password of the Basic auth that Pipedrive calls us with, sealed. */
  sealedPassword: string;
  /** JSON: Pipedrive's webhook id by the object it tells of. */
  hooks: string;
  /** Whose grant they were made with; they vanish when he uninstalls. */
  userId: string | null;
  state: 'active' | 'refused';
  /** Machine word of why Pipedrive refused. */
  reason: string | null;
  /** When something last came. */
  receivedAt: string | null;
  checkedAt: string;
}

const PipedriveWebhook = table<PipedriveWebhookRow>('pipedrive_webhook', {
  companyId: id,
  sealedPassword: text,
  hooks: text,
  userId: maybeText,
  state: text,
  reason: maybeText,
  receivedAt: maybeText,
  checkedAt: text,
});

/** That a conversation was looked at for an automatic link: once, whatever came of it (L3). */
export interface AutoLinkRow {
  conversationId: string;
  companyId: string;
  outcome: string;
  triedAt: string;
}

const AutoLink = table<AutoLinkRow>('auto_link', {
  conversationId: id,
  companyId: text,
  outcome: text,
  triedAt: text,
});

export interface TimelineEntryRow {
  id: string;
  companyId: string;
  conversationId: string;
  kind: string;
  byKind: 'user' | 'contact' | 'app';
  byId: string | null;
  byName: string;
  /** JSON. */
  details: string;
  createdAt: string;
}

export const TimelineEntry = table<TimelineEntryRow>('timeline_entry', {
  id,
  companyId: text,
  conversationId: text,
  kind: text,
  byKind: text,
  byId: maybeText,
  byName: text,
  details: text,
  createdAt: text,
});

/** Something that changed, for the streams. The shape is read when it is sent. */
export interface ChangeRow {
  companyId: string;
  number: number;
  kind: string;
  conversationId: string | null;
  /** Id of the message, channel or user it is about. */
  subjectId: string | null;
  createdAt: string;
}

export const Change = table<ChangeRow>('change', {
  companyId: id,
  number: idNumber,
  kind: text,
  conversationId: maybeText,
  subjectId: maybeText,
  createdAt: text,
});

export interface JobRow {
  id: string;
  task: string;
  /** JSON. */
  payload: string;
  lane: string | null;
  mergeKey: string | null;
  runAt: string;
  /** A merged job waits no longer than this. */
  latestAt: string | null;
  attempts: number;
  leaseUntil: string | null;
  leaseOwner: string | null;
  parkedAt: string | null;
  /** Machine words of the last failure. */
  error: string | null;
  correlationId: string | null;
  createdAt: string;
}

export const Job = table<JobRow>('job', {
  id,
  task: text,
  payload: text,
  lane: maybeText,
  mergeKey: maybeText,
  runAt: text,
  latestAt: maybeText,
  attempts: number,
  leaseUntil: maybeText,
  leaseOwner: maybeText,
  parkedAt: maybeText,
  error: maybeText,
  correlationId: maybeText,
  createdAt: text,
});

export interface AuditEntryRow {
  id: string;
  companyId: string;
  userId: string | null;
  act: string;
  /** JSON. */
  details: string;
  createdAt: string;
}

export const AuditEntry = table<AuditEntryRow>('audit_entry', {
  id,
  companyId: text,
  userId: maybeText,
  act: text,
  details: text,
  createdAt: text,
});

/** A text to answer with (V12): the company's when it has no user, else that user's own. */
export interface SavedReplyRow {
  id: string;
  companyId: string;
  userId: string | null;
  name: string;
  text: string;
  createdAt: string;
  updatedAt: string;
}

export const SavedReply = table<SavedReplyRow>('saved_reply', {
  id,
  companyId: text,
  userId: maybeText,
  name: text,
  text,
  createdAt: text,
  updatedAt: text,
});

/** When a channel's owner was last asked to reconnect or share it (N5). */
export interface OwnerRequestRow {
  channelId: string;
  what: 'reconnect' | 'share';
  askedBy: string;
  askedAt: string;
}

const OwnerRequest = table<OwnerRequestRow>('owner_request', {
  channelId: id,
  what: id,
  askedBy: text,
  askedAt: text,
});

/** What a user is to be told of a conversation by one way: at most one per way, the newer event replaces the older. */
export interface NoticeRow {
  companyId: string;
  userId: string;
  conversationId: string;
  via: 'desktop' | 'email';
  trigger: 'mine' | 'others' | 'unassigned' | 'assigned';
  /** Id of the message, or of the assignment, that it is about (inbox/changes.ts). */
  eventId: string;
  eventAt: string;
  /** `inboundNumber` of the last message before those it stands for. */
  afterNumber: number;
  /** Who assigned. */
  byName: string | null;
  /** `told`: mailed; `withdrawn`: read, answered or out of his hands before that. */
  state: 'pending' | 'told' | 'withdrawn';
  /** When the last mail about this conversation left: the next one keeps its distance (N4). */
  toldAt: string | null;
  /** The mail that is being sent, whose Message-ID it makes; null when none is. */
  mailId: string | null;
  /** The job that sends it. */
  mailJob: string | null;
}

const Notice = table<NoticeRow>('notice', {
  conversationId: id,
  userId: id,
  companyId: id,
  via: id,
  trigger: text,
  eventId: text,
  eventAt: text,
  afterNumber: number,
  byName: maybeText,
  state: text,
  toldAt: maybeText,
  mailId: maybeText,
  mailJob: maybeText,
});

/** A browser that takes Web Push. */
export interface PushSubscriptionRow {
  id: string;
  companyId: string;
  userId: string;
  /** The session it was made in; goes with it when the user signs out. */
  sessionId: string;
  endpointHash: string;
  /** JSON of endpoint and keys, sealed: whoever has the endpoint can write to the browser. */
  sealedTarget: string;
  createdAt: string;
}

export const PushSubscription = table<PushSubscriptionRow>('push_subscription', {
  id,
  companyId: text,
  userId: text,
  sessionId: text,
  endpointHash: text,
  sealedTarget: text,
  createdAt: text,
});

/** What was last pushed to a browser about a conversation, so that it is pushed once and can be withdrawn. */
export interface PushedNoticeRow {
  conversationId: string;
  subscriptionId: string;
  companyId: string;
  eventId: string;
  pushedAt: string;
}

const PushedNotice = table<PushedNoticeRow>('pushed_notice', {
  conversationId: id,
  subscriptionId: id,
  companyId: text,
  eventId: text,
  pushedAt: text,
});

/** Something that needs an admin or a channel's owner; told once, until it has ended. */
export interface AdminNoticeRow {
  id: string;
  companyId: string;
  kind: 'channel_broken' | 'reconnect_needed' | 'budget_spent' | 'asked_to_reconnect' | 'asked_to_share';
  /** The channel, user or company it is about. */
  subjectId: string;
  /** Machine word of what is broken. */
  reason: string | null;
  /** Who asked. */
  byName: string | null;
  createdAt: string;
  endedAt: string | null;
}

const AdminNotice = table<AdminNoticeRow>('admin_notice', {
  id,
  companyId: text,
  kind: text,
  subjectId: text,
  reason: maybeText,
  byName: maybeText,
  createdAt: text,
  endedAt: maybeText,
});

/**
 * What a row of the full-text index is about: a message, or the contact's name when the message id is empty. The index
 * itself, `search_index`, is of each database's own kind (inbox/search-index.ts).
 */
export interface SearchEntryRow {
  number: number;
  companyId: string;
  conversationId: string;
  messageId: string;
}

const SearchEntry = table<SearchEntryRow>('search_entry', {
  number: idNumber,
  companyId: text,
  conversationId: text,
  messageId: text,
});

export type BridgeState = 'active' | 'unavailable' | 'blocked' | 'off';

/** How the bridge into Leads Inbox stands for a company; no row before the first channel was offered (B4). */
export interface BridgeRow {
  companyId: string;
  state: BridgeState;
  /** Machine word of why it is not active (bridge/state.ts). */
  reason: string | null;
  checkedAt: string;
}

const Bridge = table<BridgeRow>('bridge', { companyId: id, state: text, reason: maybeText, checkedAt: text });

/** A channel that Pipedrive was told of. */
export interface BridgeChannelRow {
  channelId: string;
  companyId: string;
  /** Whose token registered it: he alone may delete its conversations there. */
  userId: string;
  /** `registering` until the answer came; `removed` when a user took it out of Leads Inbox. */
  state: 'registering' | 'registered' | 'removed';
  since: string;
}

const BridgeChannel = table<BridgeChannelRow>('bridge_channel', {
  channelId: id,
  companyId: text,
  userId: text,
  state: text,
  since: text,
});

/** What Pipedrive has yet to hear of a registered channel: kept until it has, however long that takes. */
export interface BridgePendingRow {
  /** Id of the message, or of the conversation that was deleted. */
  id: string;
  companyId: string;
  channelId: string;
  conversationId: string;
  what: 'message' | 'deletion';
  /** Counts the changes, so that one that comes while an earlier is told is not taken for told. */
  version: number;
  /** When the first of these changes happened. */
  since: string;
}

const BridgePending = table<BridgePendingRow>('bridge_pending', {
  id,
  companyId: text,
  channelId: text,
  conversationId: text,
  what: text,
  version: number,
  since: text,
});

/** A message written in Leads Inbox, so that a double submit sends once (B3). */
export interface BridgeSubmissionRow {
  conversationId: string;
  /** Hash of its text and files. */
  digest: string;
  companyId: string;
  clientMessageId: string;
  submittedAt: string;
}

const BridgeSubmission = table<BridgeSubmissionRow>('bridge_submission', {
  conversationId: id,
  digest: id,
  companyId: text,
  clientMessageId: text,
  submittedAt: text,
});

export const tables: EntitySchema[] = [
  Company,
  User,
  Installation,
  OauthState,
  Session,
  TokenBudget,
  Channel,
  MessengerLogin,
  DataDeletion,
  Contact,
  ContactIdentity,
  Conversation,
  ReadMark,
  Message,
  Attachment,
  ErasedMessage,
  Link,
  RecordRequest,
  Note,
  NotedMessage,
  PipedriveWebhook,
  AutoLink,
  TimelineEntry,
  Change,
  Job,
  AuditEntry,
  SavedReply,
  OwnerRequest,
  Notice,
  PushSubscription,
  PushedNotice,
  AdminNotice,
  SearchEntry,
  Bridge,
  BridgeChannel,
  BridgePending,
  BridgeSubmission,
];

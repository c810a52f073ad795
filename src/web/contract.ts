// The app's public API in one place: the shape of every request, answer, event and error code, and the table of calls.
// openapi.json is generated from this file and tests hold the running app to it. The surfaces import its types only.
import { z } from 'zod';
import { isTimeZone } from '../base/clock.ts';

const id = z.string().min(1).max(200);
const time = z.string().meta({ format: 'date-time' });

/** Public error codes with their HTTP status. A code is never renamed; its sentence is in `locales/`. */
export const errorStatus = {
  unauthenticated: 401,
  forbidden: 403,
  app_not_installed: 403,
  not_found: 404,
  method_not_allowed: 405,
  conflict: 409,
  assignee_changed: 409,
  assignee_unavailable: 409,
  channel_taken: 409,
  newer_reply: 409,
  person_linked: 409,
  reply_window_closed: 409,
  channel_broken: 409,
  payload_too_large: 413,
  unsupported_media_type: 415,
  invalid: 422,
  too_long: 422,
  attachment_refused: 422,
  credentials_rejected: 422,
  sender_not_found: 422,
  template_refused: 422,
  login_expired: 422,
  record_not_found: 422,
  reconnect_needed: 409,
  upstream_refused: 422,
  rate_limited: 429,
  internal: 500,
  upstream_unavailable: 503,
  not_ready: 503,
} as const;
export type ErrorCode = keyof typeof errorStatus;

export const errorBody = z.object({
  error: z.object({
    code: z.enum(Object.keys(errorStatus) as [ErrorCode, ...ErrorCode[]]),
    message: z.string(),
    details: z.record(z.string(), z.unknown()).optional(),
  }),
});

export const language = z.enum(['en', 'sv']);
export const provider = z.enum(['messenger', 'whatsapp']);
export const visibility = z.enum(['shared', 'private']);
export const section = z.enum(['unassigned', 'mine', 'others', 'closed']);
export const recordType = z.enum(['person', 'lead', 'deal']);
export const userRef = z.object({ id, name: z.string() });
/** All that a user is told of a conversation in a colleague's private channel: whom to ask for it (A8, N5). */
export const privateChannel = z.object({ channelId: id, owner: userRef });

export const user = z.object({
  id,
  name: z.string(),
  email: z.string(),
  avatarUrl: z.string().nullable(),
  language,
  timeZone: z.string(),
  /** What he reckons in at Pipedrive (ISO 4217); null where that is not known. */
  currency: z.string().nullable(),
  isAdmin: z.boolean(),
  available: z.boolean(),
});
export const colleague = user.pick({ id: true, name: true, avatarUrl: true, available: true, isAdmin: true });
export const company = z.object({ id, name: z.string(), domain: z.string() });

export const settings = z.object({
  returnToUnassignedWhenAway: z.boolean(),
  autoLinkExactMatch: z.boolean(),
  autoCreateLead: z.boolean(),
  mailContent: z.boolean(),
  retentionDays: z.number().int().min(1).max(36_500).nullable(),
  defaultVisibility: visibility,
  language,
  /** IANA, such as `Europe/Stockholm`. */
  timeZone: z.string().min(1).max(100).refine(isTimeZone),
});
const triggers = z.object({ mine: z.boolean(), others: z.boolean(), unassigned: z.boolean(), assigned: z.boolean() });
export const notificationSettings = z.object({ desktop: triggers, email: triggers });
/** What a test button found: taken by the push service or the mail server, or the reason why it cannot arrive (N2). */
export const notificationTest = z.object({
  sent: z.boolean(),
  reason: z
    .enum([
      'push_off',
      'no_browser',
      'browser_gone',
      'in_focus',
      'push_failed',
      'mail_off',
      'no_address',
      'mail_refused',
      'mail_failed',
    ])
    .nullable(),
  message: z.string(),
  /** Stands in the push message, so that a page can see that it was this one that arrived. */
  testId: id,
});
/** Something an admin or a channel's owner must put right, as long as it lasts. */
export const adminNotice = z.object({
  id,
  kind: z.enum(['channel_broken', 'reconnect_needed', 'budget_spent', 'asked_to_reconnect', 'asked_to_share']),
  title: z.string(),
  body: z.string(),
  action: z.string(),
  /** A path of ours. */
  url: z.string(),
  dismissible: z.boolean(),
  createdAt: time,
});

const fileKind = z.enum(['image', 'video', 'audio', 'file', 'sticker']);
export const healthReason = z.object({ code: z.string(), message: z.string(), action: z.string().nullable() });
export const channel = z.object({
  id,
  provider,
  name: z.string(),
  /** What it belongs to at its provider: the Page's id, or the Twilio account's SID. */
  account: z.string(),
  address: z.string(),
  avatarUrl: z.string().nullable(),
  visibility,
  owner: userRef,
  health: z.object({
    state: z.enum(['ok', 'warning', 'broken']),
    reasons: z.array(healthReason),
    checks: z.array(z.object({ name: z.string(), ok: z.boolean(), value: z.string() })),
  }),
  bridge: z.enum(['active', 'unavailable', 'blocked', 'off']),
  /** What can be sent here; the composer offers no more, and the server takes no more. */
  sending: z.object({
    maxText: z.number().int(),
    templates: z.boolean(),
    /** Largest size in bytes and content types of each kind of file; null when no file may be sent. A star is any word. */
    files: z.array(z.object({ kind: fileKind, maxBytes: z.number().int(), types: z.array(z.string()) })).nullable(),
    /** Kinds of file that the text travels with; with others it becomes a message of its own, after them. */
    captions: z.array(fileKind),
  }),
});

export const template = z.object({
  id,
  name: z.string(),
  language: z.string(),
  /** What the customer will read, with `{{1}}` or `{{name}}` where the variables go. */
  body: z.string(),
  variables: z.array(z.object({ name: z.string(), example: z.string().nullable() })),
  buttons: z.array(z.string()),
  category: z.enum(['utility', 'marketing', 'authentication']).nullable(),
});

export const noteFacts = z.object({
  count: z.number().int(),
  messages: z.number().int(),
  openUntil: time.nullable(),
});
export const link = z.object({
  id,
  type: recordType,
  recordId: z.string(),
  title: z.string(),
  url: z.string(),
  state: z.enum(['active', 'broken']),
  /** Why it is broken: `deleted`, `merged`, `forbidden`; or that its lead is `archived`. */
  reason: z.string().nullable(),
  createdAt: time,
  details: z
    .object({
      value: z.number().nullable(),
      currency: z.string().nullable(),
      stage: z.string().nullable(),
      stageIndex: z.number().int().nullable(),
      stageCount: z.number().int().nullable(),
      ownerName: z.string().nullable(),
      phone: z.string().nullable(),
      email: z.string().nullable(),
      organization: z.string().nullable(),
    })
    .nullable(),
  notes: noteFacts.nullable(),
});

export const messageStatus = z.enum(['received', 'queued', 'sent', 'delivered', 'read', 'failed', 'unknown']);
export const messageKind = z.enum([
  'text',
  'image',
  'video',
  'audio',
  'file',
  'sticker',
  'location',
  'contact',
  'template',
  'postback',
  'shared',
  'unsupported',
]);
export const attachment = z.object({
  id,
  kind: fileKind,
  contentType: z.string(),
  name: z.string(),
  size: z.number().int().nullable(),
  width: z.number().int().nullable().optional(),
  height: z.number().int().nullable().optional(),
  duration: z.number().nullable().optional(),
  state: z.enum(['pending', 'ready', 'failed']),
  url: z.string().nullable(),
});
export const message = z.object({
  id,
  conversationId: id,
  direction: z.enum(['inbound', 'outbound']),
  author: z.object({ kind: z.enum(['contact', 'user', 'external']), id: id.optional(), name: z.string() }),
  kind: messageKind,
  text: z.string(),
  reactions: z.array(z.object({ emoji: z.string(), by: z.string() })),
  /** What the message holds beyond text and files; each part only where the provider brought it. */
  details: z
    .object({
      location: z
        .object({
          latitude: z.number(),
          longitude: z.number(),
          name: z.string().optional(),
          address: z.string().optional(),
        })
        .optional(),
      contacts: z.array(z.object({ name: z.string(), phones: z.array(z.string()) })).optional(),
      shared: z.object({ title: z.string().optional(), url: z.string().optional() }).optional(),
      forwarded: z.literal(true).optional(),
      /** It was written while another app answers the contact (Messenger's standby). */
      answeredElsewhere: z.literal(true).optional(),
      edited: z.literal(true).optional(),
      referral: z
        .object({
          source: z.string(),
          title: z.string().optional(),
          body: z.string().optional(),
          url: z.string().optional(),
        })
        .optional(),
      template: z.object({ id, name: z.string(), variables: z.record(z.string(), z.string()) }).optional(),
    })
    .nullable(),
  attachments: z.array(attachment),
  replyTo: z.object({ id, preview: z.string() }).nullable(),
  status: messageStatus,
  error: z.object({ code: z.string(), message: z.string(), providerCode: z.string().nullable() }).nullable(),
  clientMessageId: z.string().nullable(),
  inNote: z.boolean(),
  createdAt: time,
});

export const conversation = z.object({
  id,
  channel: z.object({ id, provider, name: z.string() }),
  contact: z.object({
    id,
    name: z.string(),
    avatarUrl: z.string().nullable(),
    identities: z.array(z.object({ type: z.string(), value: z.string() })),
  }),
  status: z.enum(['open', 'closed']),
  section,
  assignee: userRef.nullable(),
  lastMessage: z
    .object({
      id,
      direction: z.enum(['inbound', 'outbound']),
      kind: messageKind,
      preview: z.string(),
      status: messageStatus,
      authorName: z.string(),
      /** Of the user who wrote it; null for a contact, and for what was sent outside Pipedrive. */
      authorId: id.nullable(),
      errorMessage: z.string().nullable(),
      createdAt: time,
    })
    .nullable(),
  unreadCount: z.number().int(),
  /** Id of the newest message this user has read; the first one after it is "new". */
  readThrough: id.nullable(),
  replyUntil: time.nullable(),
  /** How long a reply window of this channel is, in milliseconds: what a full dial means. */
  replyWindowMs: z.number().int(),
  replyWindowOpen: z.boolean(),
  links: z.array(link),
  historyComplete: z.boolean(),
  canDelete: z.boolean(),
  createdAt: time,
  updatedAt: time,
});
/** The error of a conversation that is not there for this user. */
const conversationNotFound = errorBody.extend({
  error: errorBody.shape.error.extend({
    code: z.literal('not_found'),
    details: z.object({ private: privateChannel }).optional(),
  }),
});

const sectionCount = z.object({ total: z.number().int(), unread: z.number().int() });
export const counts = z.object({
  unassigned: sectionCount,
  mine: sectionCount,
  others: sectionCount,
  closed: sectionCount,
});

export const me = z.object({
  user,
  company,
  settings,
  availability: z.object({ available: z.boolean() }),
  notifications: notificationSettings,
  /** By which ways this server can tell: the key browsers subscribe with, and the address mails go to; null where it cannot. */
  ways: z.object({ pushKey: z.string().nullable(), mailAddress: z.string().nullable() }),
  bridge: z.object({ state: z.enum(['active', 'unavailable', 'blocked', 'off']), reason: z.string().nullable() }),
  tokenBudget: z.object({
    limit: z.number().int().nullable(),
    remaining: z.number().int().nullable(),
    resetsAt: time.nullable(),
    notesWaiting: z.number().int(),
    reason: z.string().nullable(),
  }),
  /** True when Pipedrive withdrew this user's or every admin's grant: install again (A4). */
  reconnectNeeded: z.boolean(),
  serverTime: time,
  /** Number of the newest change; a stream opened after it misses nothing. */
  changeNumber: z.number().int(),
});

export const timelineEntry = z.object({
  id,
  kind: z.string(),
  by: z.object({ kind: z.enum(['user', 'contact', 'app']), id: id.optional(), name: z.string() }),
  createdAt: time,
  details: z.record(z.string(), z.unknown()),
});

export const suggestion = z.object({
  recordId: z.string(),
  name: z.string(),
  organization: z.string().nullable(),
  /** Machine-readable: `same_number`, `same_number_written_differently`, `same_name`. */
  reasonCode: z.enum(['same_number', 'same_number_written_differently', 'same_name']),
  reason: z.string(),
  openDeals: z.array(
    z.object({
      recordId: z.string(),
      title: z.string(),
      stage: z.string().nullable(),
      value: z.number().nullable(),
      currency: z.string().nullable(),
    }),
  ),
});
export const record = z.object({
  type: recordType,
  recordId: z.string(),
  title: z.string(),
  subtitle: z.string().nullable(),
  personId: z.string().nullable(),
});
export const pipeline = z.object({
  id: z.string(),
  name: z.string(),
  stages: z.array(z.object({ id: z.string(), name: z.string() })),
});

const amount = z.object({ amount: z.number().finite(), currency: z.string().length(3) });
const newPerson = z.object({
  name: z.string().trim().min(1).max(255),
  phone: z.string().max(100).optional(),
  email: z.string().max(255).optional(),
  ownerId: z.string().max(20).optional(),
});
const newRecord = z.object({
  title: z.string().trim().min(1).max(255),
  person: z.union([z.object({ id: z.string().min(1).max(50) }), newPerson]).optional(),
  ownerId: z.string().max(20).optional(),
  pipelineId: z.string().max(20).optional(),
  stageId: z.string().max(20).optional(),
  value: amount.optional(),
});
export const linkRequest = z.union([
  z.object({ type: recordType, recordId: z.string().min(1).max(50) }),
  z.object({ type: z.literal('person'), create: newPerson, idempotencyKey: z.string().min(8).max(100) }),
  z.object({ type: z.enum(['lead', 'deal']), create: newRecord, idempotencyKey: z.string().min(8).max(100) }),
]);
export const linkAnswer = z.object({
  data: z.array(link),
  failed: z.array(z.object({ type: recordType, code: z.string(), message: z.string() })).optional(),
});

/**
 * Several files become several messages in their order, and so does a text that cannot travel with the first. The answer
 * is the first of them; each further one has `#2`, `#3` … behind the client message id and comes over the event stream.
 */
export const sendRequest = z.object({
  clientMessageId: z.string().min(1).max(100),
  text: z.string().max(20_000).optional(),
  attachmentIds: z.array(id).max(10).optional(),
  /** Goes instead of text and files. */
  template: z.object({ id, variables: z.record(z.string().max(100), z.string().max(1_600)) }).optional(),
  /** Newest message the sender has seen; a newer outbound one is refused with `newer_reply` (V9). */
  seenThrough: id.optional(),
});

/** `{contact}` and `{user}` in the text stand for the contact's and the sending user's name (V12). */
export const savedReply = z.object({
  id,
  name: z.string(),
  text: z.string(),
  /** Of the company, written by admins; or of this user alone. */
  scope: z.enum(['company', 'personal']),
});
export const savedReplyRequest = z.object({
  name: z.string().trim().min(1).max(80),
  text: z
    .string()
    .max(4_000)
    .refine((text) => text.trim() !== ''),
  scope: savedReply.shape.scope,
});

export const sender = z.object({
  sid: z.string(),
  address: z.string(),
  name: z.string(),
  online: z.boolean(),
  /** Whose it is: the account that was signed in to, or a subaccount of it. */
  account: z.object({ sid: z.string(), name: z.string() }),
  /** It is a channel of this company already. */
  connected: z.boolean(),
});
export const whatsappRequest = z.object({
  accountSid: z.string().max(100),
  authToken: z.string().max(100),
  /** Of a sender that a subaccount has. */
  subaccountSid: z.string().max(100).optional(),
  sender: z.string().max(40),
  name: z.string().trim().min(1).max(100).optional(),
  visibility: visibility.optional(),
  unlisted: z.boolean().optional(),
});
export const page = z.object({
  id,
  name: z.string(),
  usable: z.boolean(),
  /** Why it cannot be connected, in the user's language. */
  reason: z.string().nullable(),
  connected: z.boolean(),
});

const list = <T extends z.ZodType>(item: T) => z.object({ data: z.array(item), nextCursor: z.string().nullable() });
const listQuery = z.object({
  limit: z.coerce.number().int().min(1).max(100).default(30),
  cursor: z.string().max(500).optional(),
});

/** A message as an export has it. Addresses of attachments are signed and expire after a day. */
const exportedMessage = message
  .pick({ id: true, direction: true, author: true, kind: true, text: true, reactions: true, details: true })
  .extend({
    attachments: z.array(
      attachment.pick({ id: true, kind: true, contentType: true, name: true, size: true, url: true }),
    ),
    status: messageStatus,
    errorCode: z.string().nullable(),
    createdAt: time,
  });
export const exportedConversation = z.object({
  id,
  channel: z.object({ id, provider, name: z.string(), address: z.string() }),
  contact: z.object({
    id,
    name: z.string(),
    address: z.string(),
    identities: z.array(z.object({ type: z.string(), value: z.string() })),
    createdAt: time,
  }),
  status: z.enum(['open', 'closed']),
  assignee: userRef.nullable(),
  links: z.array(link.pick({ type: true, recordId: true, title: true, url: true, createdAt: true })),
  createdAt: time,
  timeline: z.array(timelineEntry.omit({ id: true })),
  messages: z.array(exportedMessage),
});
export const companyExport = z.object({
  exportedAt: time,
  company,
  conversations: z.array(exportedConversation),
});
/** All that is kept of one contact. */
export const contactExport = exportedConversation.shape.contact.extend({
  exportedAt: time,
  channel: exportedConversation.shape.channel,
  conversations: z.array(exportedConversation),
});

/** What comes over `GET /api/events`; the number of the change is the event's `id`. */
export const events = {
  'conversation.changed': z.object({ conversation }),
  'conversation.deleted': z.object({ id }),
  'message.changed': z.object({ message }),
  /** A failed one that its author took away, or one that the company keeps no longer. */
  'message.removed': z.object({ id, conversationId: id }),
  presence: z.object({
    conversationId: id,
    users: z.array(z.object({ id, name: z.string(), typing: z.boolean() })),
  }),
  'user.changed': z.object({ user: colleague }),
  'channel.changed': z.object({ channel: channel.nullable(), id }),
  notification: z.object({
    trigger: z.string(),
    /** Null when it is about a channel (N5). */
    conversationId: id.nullable(),
    channelId: id.optional(),
    title: z.string(),
    body: z.string(),
  }),
  resync: z.object({}),
} as const;

/** Who may call: `public`, any `user` with a session, `admin` (account-settings access), channel `owner`. */
export type CallRight = 'public' | 'user' | 'admin' | 'owner';

export interface Call {
  readonly method: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';
  readonly path: string;
  readonly does: string;
  readonly right: CallRight;
  readonly query?: z.ZodType;
  readonly body?: z.ZodType;
  /** Takes one file, in the field `file` of a multipart form. */
  readonly upload?: true;
  /** Answered piece by piece, in one of these types; the shape is that of the JSON, if there is one. */
  readonly streams?: readonly string[];
  readonly answers: Readonly<Record<number, z.ZodType | null>>;
}

/** Every call of the app's own API. The server refuses to start with a route that is not here, and the other way round. */
export const calls = {
  createSession: {
    method: 'POST',
    path: '/api/session',
    does: "Exchanges Pipedrive's signed token for a session token",
    right: 'public',
    body: z.object({ token: z.string().max(8_192) }),
    answers: { 200: z.object({ token: z.string(), expiresAt: time, user, company, me }) },
  },
  endSession: {
    method: 'DELETE',
    path: '/api/session',
    does: 'Ends this session',
    right: 'user',
    answers: { 204: null },
  },
  getMe: { method: 'GET', path: '/api/me', does: 'The user behind this session', right: 'user', answers: { 200: me } },
  setMyAvailability: {
    method: 'PUT',
    path: '/api/me/availability',
    does: 'Says whether conversations may be assigned to me (V3)',
    right: 'user',
    body: z.object({ available: z.boolean() }),
    answers: { 200: z.object({ available: z.boolean() }) },
  },
  setUserAvailability: {
    method: 'PUT',
    path: '/api/users/:id/availability',
    does: 'The same for a colleague (V3)',
    right: 'admin',
    body: z.object({ available: z.boolean() }),
    answers: { 200: z.object({ available: z.boolean() }) },
  },
  getNotifications: {
    method: 'GET',
    path: '/api/me/notifications',
    does: 'Of what I am told, and by which way (N1)',
    right: 'user',
    answers: { 200: notificationSettings },
  },
  changeNotifications: {
    method: 'PUT',
    path: '/api/me/notifications',
    does: 'Changes of what I am told, and by which way (N1)',
    right: 'user',
    body: notificationSettings,
    answers: { 200: notificationSettings },
  },
  testNotification: {
    method: 'POST',
    path: '/api/me/notifications/test',
    does: 'Sends me one notice now, or says why it cannot arrive (N2)',
    right: 'user',
    body: z.object({
      via: z.enum(['desktop', 'email']),
      /** Fares as a notice of this conversation would: none while I have it open and in focus (N3). */
      conversationId: id.optional(),
    }),
    answers: { 200: notificationTest },
  },
  subscribeBrowser: {
    method: 'PUT',
    path: '/api/me/push-subscription',
    does: 'Desktop notices come to this browser (Push API: the subscription as JSON)',
    right: 'user',
    body: z.object({
      endpoint: z.string().max(2_000),
      keys: z.object({ p256dh: z.string().max(200), auth: z.string().max(100) }),
    }),
    answers: { 204: null },
  },
  unsubscribeBrowser: {
    method: 'DELETE',
    path: '/api/me/push-subscription',
    does: 'They no longer come to the browser with this endpoint, or to that of this session',
    right: 'user',
    body: z.object({ endpoint: z.string().max(2_000).optional() }),
    answers: { 204: null },
  },
  listAdminNotices: {
    method: 'GET',
    path: '/api/me/admin-notices',
    does: 'What I must put right, as an admin or as the owner of a channel',
    right: 'user',
    answers: { 200: list(adminNotice) },
  },
  dismissAdminNotice: {
    method: 'DELETE',
    path: '/api/me/admin-notices/:id',
    does: "Puts a colleague's wish aside; what is broken stays until it is mended",
    right: 'user',
    answers: { 204: null },
  },
  listUsers: {
    method: 'GET',
    path: '/api/users',
    does: 'Users of the company with the app',
    right: 'user',
    answers: { 200: list(colleague) },
  },
  getSettings: {
    method: 'GET',
    path: '/api/settings',
    does: 'Company settings',
    right: 'user',
    answers: { 200: settings },
  },
  changeSettings: {
    method: 'PATCH',
    path: '/api/settings',
    does: 'Changes company settings',
    right: 'admin',
    body: settings.partial(),
    answers: { 200: settings },
  },
  listChannels: {
    method: 'GET',
    path: '/api/channels',
    does: 'Channels this user may see, with their health (C14)',
    right: 'user',
    answers: { 200: list(channel) },
  },
  connectWhatsapp: {
    method: 'POST',
    path: '/api/channels/whatsapp',
    does: 'Connects a WhatsApp sender by Twilio credentials (C2)',
    right: 'admin',
    body: whatsappRequest,
    answers: { 201: channel },
  },
  listSenders: {
    method: 'POST',
    path: '/api/channels/whatsapp/senders',
    does: 'WhatsApp senders of a Twilio account, to choose from',
    right: 'admin',
    body: z.object({ accountSid: z.string().max(100), authToken: z.string().max(100) }),
    answers: { 200: list(sender) },
  },
  startMessengerLogin: {
    method: 'POST',
    path: '/api/channels/messenger/login',
    does: 'Starts a Facebook Login; open the address, then ask for its Pages',
    right: 'admin',
    answers: { 200: z.object({ login: id, authorizeUrl: z.string() }) },
  },
  listPages: {
    method: 'GET',
    path: '/api/channels/messenger/pages',
    does: 'Pages found by a Facebook Login',
    right: 'admin',
    query: z.object({ login: id }),
    answers: { 200: z.object({ data: z.array(page), nextCursor: z.null(), ready: z.boolean() }) },
  },
  connectMessenger: {
    method: 'POST',
    path: '/api/channels/messenger',
    does: 'Connects Pages found by a login (C1)',
    right: 'admin',
    body: z.object({ login: id, pageIds: z.array(id).min(1).max(50), visibility: visibility.optional() }),
    answers: { 201: z.object({ data: z.array(channel) }) },
  },
  changeChannel: {
    method: 'PATCH',
    path: '/api/channels/:id',
    does: 'Renames a channel or changes who sees it (A8)',
    right: 'owner',
    body: z.object({ name: z.string().trim().min(1).max(100).optional(), visibility: visibility.optional() }),
    answers: { 200: channel },
  },
  checkChannel: {
    method: 'POST',
    path: '/api/channels/:id/check',
    does: 'Asks the provider how the channel is: permission, rights, webhook; for its owner and admins (C14)',
    right: 'user',
    answers: { 200: channel },
  },
  disconnectChannel: {
    method: 'DELETE',
    path: '/api/channels/:id',
    does: 'Disconnects a channel; its conversations stay readable (C15)',
    right: 'owner',
    answers: { 204: null },
  },
  askOwner: {
    method: 'POST',
    path: '/api/channels/:id/ask-owner',
    does: "Asks the channel's owner to reconnect or share it: one notice, at most once a day for each (N5)",
    right: 'user',
    body: z.object({ what: z.enum(['reconnect', 'share']) }),
    answers: { 202: z.object({ notified: z.boolean(), owner: userRef, askAgainAt: time }) },
  },
  listSavedReplies: {
    method: 'GET',
    path: '/api/saved-replies',
    does: 'Saved replies of the company and of this user, by name (V12)',
    right: 'user',
    answers: { 200: list(savedReply) },
  },
  createSavedReply: {
    method: 'POST',
    path: '/api/saved-replies',
    does: "Saves a reply; the company's by admins only (V12)",
    right: 'user',
    body: savedReplyRequest,
    answers: { 201: savedReply },
  },
  changeSavedReply: {
    method: 'PUT',
    path: '/api/saved-replies/:id',
    does: 'Changes a saved reply (V12)',
    right: 'user',
    body: savedReplyRequest,
    answers: { 200: savedReply },
  },
  removeSavedReply: {
    method: 'DELETE',
    path: '/api/saved-replies/:id',
    does: 'Removes a saved reply (V12)',
    right: 'user',
    answers: { 204: null },
  },
  takeWebhook: {
    method: 'POST',
    path: '/api/channels/:id/webhook',
    does: 'Tells Twilio our webhook addresses; in place of somebody else’s only with `takeOver` (C2)',
    right: 'owner',
    body: z.object({ takeOver: z.boolean().optional() }),
    answers: { 200: channel },
  },
  listTemplates: {
    method: 'GET',
    path: '/api/channels/:id/templates',
    does: 'Approved templates with their variables (C7, C9)',
    right: 'user',
    answers: { 200: list(template) },
  },
  uploadAttachment: {
    method: 'POST',
    path: '/api/attachments',
    does: 'Takes a file to be sent; what is not sent within a day is removed',
    right: 'user',
    upload: true,
    answers: {
      201: z.object({ id, name: z.string(), contentType: z.string(), size: z.number().int(), kind: fileKind }),
    },
  },
  fetchAgain: {
    method: 'POST',
    path: '/api/attachments/:id/fetch',
    does: 'Asks the provider once more for a file that could not be fetched; answers its message (C6)',
    right: 'user',
    answers: { 202: message },
  },
  listConversations: {
    method: 'GET',
    path: '/api/conversations',
    does: 'Conversations of a section, a search or a record, newest message first (V1)',
    right: 'user',
    query: listQuery.extend({
      section: z.enum(['unassigned', 'mine', 'others', 'closed', 'all']).default('all'),
      channelId: id.optional(),
      q: z.string().max(500).optional(),
      sort: z.enum(['newest', 'closing']).default('newest'),
      /** With `recordId`; of an organization those of its persons and deals. */
      recordType: z.enum([...recordType.options, 'organization']).optional(),
      recordId: z.string().max(50).optional(),
    }),
    answers: { 200: list(conversation) },
  },
  countConversations: {
    method: 'GET',
    path: '/api/conversations/counts',
    does: 'Conversations per section, and how many of them hold something unread',
    right: 'user',
    answers: { 200: counts },
  },
  getConversation: {
    method: 'GET',
    path: '/api/conversations/:id',
    does: 'One conversation; the 404 for one in a colleague’s private channel tells whom to ask for it (A8)',
    right: 'user',
    answers: { 200: conversation, 404: conversationNotFound },
  },
  deleteConversation: {
    method: 'DELETE',
    path: '/api/conversations/:id',
    does: 'Erases a conversation for good (V7)',
    right: 'owner',
    answers: { 204: null },
  },
  measureConversation: {
    method: 'GET',
    path: '/api/conversations/:id/size',
    does: 'How much a deletion would erase',
    right: 'user',
    answers: {
      200: z.object({ messages: z.number().int(), attachments: z.number().int(), links: z.number().int() }),
    },
  },
  listMessages: {
    method: 'GET',
    path: '/api/conversations/:id/messages',
    does: 'Messages of a conversation, newest last; `before` pages back',
    right: 'user',
    query: z.object({ limit: z.coerce.number().int().min(1).max(100).default(30), before: id.optional() }),
    answers: { 200: list(message) },
  },
  sendMessage: {
    method: 'POST',
    path: '/api/conversations/:id/messages',
    does: 'Answers a contact; repeated with the same client message id it changes nothing (C8)',
    right: 'user',
    body: sendRequest,
    answers: { 202: message },
  },
  resendMessage: {
    method: 'POST',
    path: '/api/messages/:id/resend',
    does: 'Sends a failed message again',
    right: 'user',
    answers: { 202: message },
  },
  removeMessage: {
    method: 'DELETE',
    path: '/api/messages/:id',
    does: 'Removes an own failed message',
    right: 'user',
    answers: { 204: null },
  },
  assignConversation: {
    method: 'PUT',
    path: '/api/conversations/:id/assignee',
    does: 'Assigns to an available user, or to nobody (V4)',
    right: 'user',
    body: z.object({ userId: id.nullable(), expected: id.nullable().optional() }),
    answers: { 200: conversation },
  },
  changeStatus: {
    method: 'PUT',
    path: '/api/conversations/:id/status',
    does: 'Closes or opens (V5)',
    right: 'user',
    body: z.object({ status: z.enum(['open', 'closed']) }),
    answers: { 200: conversation },
  },
  markRead: {
    method: 'PUT',
    path: '/api/conversations/:id/read',
    does: 'Marks as read through a message (V8)',
    right: 'user',
    body: z.object({ through: id }),
    answers: { 200: conversation },
  },
  showPresence: {
    method: 'PUT',
    path: '/api/conversations/:id/presence',
    does: 'Says that this user looks at the conversation, whether he types (V9), and whether it has his focus (N3)',
    right: 'user',
    body: z.object({ typing: z.boolean(), focused: z.boolean().default(true) }),
    answers: { 204: null },
  },
  listTimeline: {
    method: 'GET',
    path: '/api/conversations/:id/timeline',
    does: 'What happened to the conversation, and who did it (V10)',
    right: 'user',
    query: listQuery,
    answers: { 200: list(timelineEntry) },
  },
  listSuggestions: {
    method: 'GET',
    path: '/api/conversations/:id/suggestions',
    does: 'Persons in Pipedrive that may be this contact (L3)',
    right: 'user',
    answers: { 200: list(suggestion) },
  },
  searchRecords: {
    method: 'GET',
    path: '/api/records',
    does: 'Searches persons, leads or deals in Pipedrive',
    right: 'user',
    query: z.object({ type: recordType, q: z.string().trim().min(2).max(200) }),
    answers: { 200: list(record) },
  },
  listPipelines: {
    method: 'GET',
    path: '/api/pipelines',
    does: 'Pipelines with their stages, for the deal form',
    right: 'user',
    answers: { 200: list(pipeline) },
  },
  createLink: {
    method: 'POST',
    path: '/api/conversations/:id/links',
    does: 'Links an existing record, or creates one and links it (L1, L4, L7)',
    right: 'user',
    body: linkRequest,
    answers: { 201: linkAnswer, 207: linkAnswer },
  },
  mendLink: {
    method: 'PUT',
    path: '/api/conversations/:id/links/:linkId',
    does: 'Mends a broken link: looks again, or ties it to another record of its type (L6)',
    right: 'user',
    body: z.object({ recordId: z.string().min(1).max(50).optional() }),
    answers: { 200: linkAnswer },
  },
  removeLink: {
    method: 'DELETE',
    path: '/api/conversations/:id/links/:linkId',
    does: 'Unlinks; notes already written stay (L5)',
    right: 'user',
    answers: { 204: null },
  },
  streamEvents: {
    method: 'GET',
    path: '/api/events',
    does: 'Server-sent events, numbered; resumes by `Last-Event-ID` or `after` (V11)',
    right: 'user',
    query: z.object({ after: z.string().max(30).optional() }),
    streams: ['text/event-stream'],
    answers: { 200: null },
  },
  exportCompany: {
    method: 'GET',
    path: '/api/export',
    does: "Every conversation of the company with its messages, without other people's private channels (O5)",
    right: 'admin',
    query: z.object({ format: z.enum(['json', 'csv']).default('json') }),
    streams: ['application/json', 'text/csv'],
    answers: { 200: companyExport },
  },
  exportContact: {
    method: 'GET',
    path: '/api/contacts/:id',
    does: 'All that is kept of one contact (O5)',
    right: 'admin',
    streams: ['application/json'],
    answers: { 200: contactExport },
  },
  eraseContact: {
    method: 'DELETE',
    path: '/api/contacts/:id',
    does: 'Erases a contact with his conversation for good; notes in Pipedrive and what the provider keeps stay (O5)',
    right: 'admin',
    answers: { 204: null },
  },
} as const satisfies Record<string, Call>;
export type CallName = keyof typeof calls;

/** No call answers with it: it goes to the service worker through the push service. */
export type { PushMessage } from '../notify/push-message.ts';
export type User = z.infer<typeof user>;
export type Colleague = z.infer<typeof colleague>;
export type Company = z.infer<typeof company>;
export type Settings = z.infer<typeof settings>;
export type NotificationSettings = z.infer<typeof notificationSettings>;
export type NotificationTest = z.infer<typeof notificationTest>;
export type AdminNotice = z.infer<typeof adminNotice>;
export type Channel = z.infer<typeof channel>;
export type TwilioSender = z.infer<typeof sender>;
export type Template = z.infer<typeof template>;
export type Link = z.infer<typeof link>;
export type Message = z.infer<typeof message>;
export type MessageStatus = z.infer<typeof messageStatus>;
export type Attachment = z.infer<typeof attachment>;
export type Conversation = z.infer<typeof conversation>;
export type Counts = z.infer<typeof counts>;
export type Section = z.infer<typeof section>;
export type RecordType = z.infer<typeof recordType>;
export type Me = z.infer<typeof me>;
export type TimelineEntry = z.infer<typeof timelineEntry>;
export type Suggestion = z.infer<typeof suggestion>;
export type PipedriveRecord = z.infer<typeof record>;
export type Pipeline = z.infer<typeof pipeline>;
export type LinkRequest = z.infer<typeof linkRequest>;
export type LinkAnswer = z.infer<typeof linkAnswer>;
export type SendRequest = z.infer<typeof sendRequest>;
export type SavedReply = z.infer<typeof savedReply>;
export type SavedReplyRequest = z.infer<typeof savedReplyRequest>;
export type PrivateChannel = z.infer<typeof privateChannel>;
export type ErrorBody = z.infer<typeof errorBody>;
export type Language = z.infer<typeof language>;
export type ExportedConversation = z.infer<typeof exportedConversation>;
export type Events = { [K in keyof typeof events]: z.infer<(typeof events)[K]> };

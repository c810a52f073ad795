// The app's own API as typed calls. Inside Pipedrive with a bearer token, renewed before it ends; on the full page with the cookie.
import type {
  AdminNotice,
  Channel,
  Colleague,
  Conversation,
  Counts,
  ErrorBody,
  LinkAnswer,
  LinkRequest,
  Me,
  Message,
  NotificationSettings,
  NotificationTest,
  PipedriveRecord,
  Pipeline,
  RecordType,
  SavedReply,
  SavedReplyRequest,
  Section,
  SendRequest,
  Settings,
  Suggestion,
  Template,
  TimelineEntry,
  TwilioSender,
} from '../../src/web/contract.ts';

import type { Early } from './early.ts';

/** A refusal of the server, in the user's words. */
export class ApiError extends Error {
  readonly status: number;
  readonly code: string;
  readonly details: Record<string, unknown>;

  constructor(status: number, body: ErrorBody['error']) {
    super(body.message);
    this.status = status;
    this.code = body.code;
    this.details = body.details ?? {};
  }
}

/** The request never came back: no network, or the server is away. */
export class OfflineError extends Error {}

export interface SessionSource {
  /** A signed token for a (new) session; absent on the full page. */
  readonly signedToken?: () => Promise<string>;
  /** Called when there is no session to be had. */
  readonly onSignedOut: () => void;
}

export interface Page<T> {
  readonly data: T[];
  readonly nextCursor: string | null;
}

export type Api = ReturnType<typeof createApi>;

const renewBeforeMs = 5 * 60_000;

export function createApi(source: SessionSource) {
  let session: { token: string; expiresAt: number } | undefined;
  let opening: Promise<void> | undefined;
  /** As the opening of the session told it. */
  let self: Me | undefined;

  const openSession = (): Promise<void> => {
    opening ??= (async () => {
      const token = await source.signedToken!();
      const answer = await (takeSession(token) ?? send('POST', '/api/session', { token }, undefined));
      const opened = (await read(answer)) as { token: string; expiresAt: string; me: Me };
      session = { token: opened.token, expiresAt: Date.parse(opened.expiresAt) };
      self = opened.me;
    })().finally(() => (opening = undefined));
    return opening;
  };
  const bearer = async (): Promise<string | undefined> => {
    if (!source.signedToken) return undefined;
    if (!session || session.expiresAt - Date.now() < renewBeforeMs) await openSession();
    return session?.token;
  };
  const call = async <T>(method: string, path: string, body?: unknown): Promise<T> => {
    const token = await bearer();
    let answer = (method === 'GET' ? await takeAnswer(path) : undefined) ?? (await send(method, path, body, token));
    if (answer.status === 401 && source.signedToken) {
      session = undefined;
      answer = await send(method, path, body, await bearer());
    }
    if (answer.status === 401) source.onSignedOut();
    return (await read(answer)) as T;
  };
  const query = (values: Record<string, string | number | undefined>): string => {
    const given = Object.entries(values).filter(
      (entry): entry is [string, string | number] => entry[1] !== undefined && entry[1] !== '',
    );
    return given.length === 0
      ? ''
      : `?${new URLSearchParams(given.map(([name, value]) => [name, String(value)])).toString()}`;
  };
  const path = (id: string, rest = ''): string => `/api/conversations/${encodeURIComponent(id)}${rest}`;

  return {
    /** Headers for a stream of one's own; `anew` after a refusal, when there may be a session to be had all the same. */
    streamHeaders: async (anew: boolean): Promise<Record<string, string>> => {
      if (anew && source.signedToken) session = undefined;
      else if (anew) source.onSignedOut();
      const token = await bearer();
      return token ? { authorization: `Bearer ${token}` } : {};
    },
    me: async (): Promise<Me> => {
      const opens = session === undefined;
      await bearer();
      return opens && self ? self : call<Me>('GET', '/api/me');
    },
    users: () => call<Page<Colleague>>('GET', '/api/users'),
    counts: () => call<Counts>('GET', '/api/conversations/counts'),
    conversations: (filter: {
      section?: Section | 'all';
      q?: string | undefined;
      sort?: 'newest' | 'closing';
      channelId?: string | undefined;
      cursor?: string | undefined;
      limit?: number;
      recordType?: RecordType | 'organization';
      recordId?: string;
    }) => call<Page<Conversation>>('GET', `/api/conversations${query(filter)}`),
    conversation: (id: string) => call<Conversation>('GET', path(id)),
    messages: (id: string, before?: string) =>
      call<Page<Message>>('GET', path(id, `/messages${query({ before, limit: 50 })}`)),
    send: (id: string, request: SendRequest) => call<Message>('POST', path(id, '/messages'), request),
    /** `onProgress` hears 0 to 1; `signal` gives it up. */
    upload: async (file: File, onProgress: (share: number) => void, signal: AbortSignal) =>
      upload(file, await bearer(), onProgress, signal),
    templates: (channelId: string) => call<Page<Template>>('GET', `/api/channels/${channelId}/templates`),
    savedReplies: () => call<Page<SavedReply>>('GET', '/api/saved-replies'),
    createSavedReply: (reply: SavedReplyRequest) => call<SavedReply>('POST', '/api/saved-replies', reply),
    changeSavedReply: (id: string, reply: SavedReplyRequest) =>
      call<SavedReply>('PUT', `/api/saved-replies/${id}`, reply),
    removeSavedReply: (id: string) => call<void>('DELETE', `/api/saved-replies/${id}`),
    askOwner: (channelId: string, what: 'reconnect' | 'share') =>
      call<{ notified: boolean; owner: { id: string; name: string }; askAgainAt: string }>(
        'POST',
        `/api/channels/${channelId}/ask-owner`,
        { what },
      ),
    resend: (messageId: string) => call<Message>('POST', `/api/messages/${messageId}/resend`),
    fetchAgain: (attachmentId: string) => call<Message>('POST', `/api/attachments/${attachmentId}/fetch`),
    removeMessage: (messageId: string) => call<void>('DELETE', `/api/messages/${messageId}`),
    assign: (id: string, userId: string | null, expected: string | null) =>
      call<Conversation>('PUT', path(id, '/assignee'), { userId, expected }),
    setStatus: (id: string, status: 'open' | 'closed') => call<Conversation>('PUT', path(id, '/status'), { status }),
    markRead: (id: string, through: string) => call<Conversation>('PUT', path(id, '/read'), { through }),
    presence: (id: string, typing: boolean, focused: boolean) =>
      call<void>('PUT', path(id, '/presence'), { typing, focused }),
    size: (id: string) => call<{ messages: number; attachments: number; links: number }>('GET', path(id, '/size')),
    deleteConversation: (id: string) => call<void>('DELETE', path(id)),
    timeline: (id: string) => call<Page<TimelineEntry>>('GET', path(id, '/timeline?limit=50')),
    suggestions: (id: string) => call<Page<Suggestion>>('GET', path(id, '/suggestions')),
    searchRecords: (type: RecordType, q: string) =>
      call<Page<PipedriveRecord>>('GET', `/api/records${query({ type, q })}`),
    pipelines: () => call<Page<Pipeline>>('GET', '/api/pipelines'),
    link: (id: string, request: LinkRequest) => call<LinkAnswer>('POST', path(id, '/links'), request),
    /** Looks again, or ties a broken link to another record. */
    mendLink: (id: string, linkId: string, recordId?: string) =>
      call<LinkAnswer>('PUT', path(id, `/links/${linkId}`), recordId === undefined ? {} : { recordId }),
    unlink: (id: string, linkId: string) => call<void>('DELETE', path(id, `/links/${linkId}`)),
    setAvailability: (available: boolean) => call<void>('PUT', '/api/me/availability', { available }),
    setUserAvailability: (userId: string, available: boolean) =>
      call<void>('PUT', `/api/users/${userId}/availability`, { available }),
    setNotifications: (switches: NotificationSettings) =>
      call<NotificationSettings>('PUT', '/api/me/notifications', switches),
    testNotification: (via: 'desktop' | 'email', conversationId: string | null) =>
      call<NotificationTest>('POST', '/api/me/notifications/test', {
        via,
        ...(conversationId === null ? {} : { conversationId }),
      }),
    subscribeBrowser: (subscription: PushSubscriptionJSON) =>
      call<void>('PUT', '/api/me/push-subscription', subscription),
    adminNotices: () => call<Page<AdminNotice>>('GET', '/api/me/admin-notices'),
    dismissAdminNotice: (id: string) => call<void>('DELETE', `/api/me/admin-notices/${id}`),
    settings: () => call<Settings>('GET', '/api/settings'),
    changeSettings: (patch: Partial<Settings>) => call<Settings>('PATCH', '/api/settings', patch),
    channels: () => call<Page<Channel>>('GET', '/api/channels'),
    senders: (accountSid: string, authToken: string) =>
      call<Page<TwilioSender>>('POST', '/api/channels/whatsapp/senders', { accountSid, authToken }),
    connectWhatsapp: (request: {
      accountSid: string;
      authToken: string;
      subaccountSid?: string;
      sender: string;
      name?: string;
      visibility?: 'shared' | 'private';
      unlisted?: boolean;
    }) => call<Channel>('POST', '/api/channels/whatsapp', request),
    startLogin: () => call<{ login: string; authorizeUrl: string }>('POST', '/api/channels/messenger/login'),
    pages: (login: string) =>
      call<
        Page<{ id: string; name: string; usable: boolean; reason: string | null; connected: boolean }> & {
          ready: boolean;
        }
      >('GET', `/api/channels/messenger/pages${query({ login })}`),
    connectMessenger: (login: string, pageIds: string[], visibility: 'shared' | 'private') =>
      call<{ data: Channel[] }>('POST', '/api/channels/messenger', { login, pageIds, visibility }),
    takeWebhook: (id: string) => call<Channel>('POST', `/api/channels/${id}/webhook`, { takeOver: true }),
    checkChannel: (id: string) => call<Channel>('POST', `/api/channels/${id}/check`),
    changeChannel: (id: string, change: { name?: string; visibility?: 'shared' | 'private' }) =>
      call<Channel>('PATCH', `/api/channels/${id}`, change),
    disconnect: (id: string) => call<void>('DELETE', `/api/channels/${id}`),
  };
}

/** What was asked for before this script was there. Whatever is wrong with it, it is asked for again. */
const early = (globalThis as { readonly early?: Early }).early;

function takeSession(token: string): Promise<Response> | undefined {
  if (early?.token !== token) return undefined;
  const again = (): Promise<Response> => send('POST', '/api/session', { token }, undefined);
  return early.session.then((answer) => (answer.ok ? answer : again()), again);
}

async function takeAnswer(path: string): Promise<Response | undefined> {
  const answer = early?.answers.get(path);
  early?.answers.delete(path);
  return answer?.catch(() => undefined);
}

async function send(method: string, path: string, body: unknown, token: string | undefined): Promise<Response> {
  try {
    return await fetch(path, {
      method,
      credentials: 'same-origin',
      headers: {
        ...(token ? { authorization: `Bearer ${token}` } : {}),
        ...(body === undefined ? {} : { 'content-type': 'application/json' }),
      },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
  } catch (cause) {
    throw new OfflineError('offline', { cause });
  }
}

export interface Uploaded {
  readonly id: string;
  readonly name: string;
  readonly contentType: string;
  readonly size: number;
  readonly kind: 'image' | 'video' | 'audio' | 'file' | 'sticker';
}

/** By XMLHttpRequest: fetch does not tell how far an upload has come. */
function upload(
  file: File,
  token: string | undefined,
  onProgress: (share: number) => void,
  signal: AbortSignal,
): Promise<Uploaded> {
  return new Promise((resolve, reject) => {
    const request = new XMLHttpRequest();
    request.open('POST', '/api/attachments');
    if (token) request.setRequestHeader('authorization', `Bearer ${token}`);
    request.upload.onprogress = ({ loaded, total }) => onProgress(total > 0 ? loaded / total : 0);
    request.onerror = () => reject(new OfflineError('offline'));
    request.onabort = () => reject(new DOMException('given up', 'AbortError'));
    request.onload = () => {
      const answer = new Response(request.responseText, { status: request.status });
      read(answer).then((body) => resolve(body as Uploaded), reject);
    };
    signal.addEventListener('abort', () => request.abort());
    const form = new FormData();
    form.append('file', file);
    request.send(form);
  });
}

async function read(answer: Response): Promise<unknown> {
  if (answer.status === 204) return undefined;
  const body: unknown = await answer.json().catch((cause: unknown) => {
    // Cut off on its way, or the word of somebody in between.
    if (answer.ok) throw new OfflineError('no whole answer', { cause });
  });
  if (answer.ok) return body;
  const error = (body as ErrorBody | undefined)?.error ?? { code: 'internal' as const, message: '' };
  throw new ApiError(answer.status, error);
}

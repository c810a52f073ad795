// What becomes of an outbound message after it was accepted: fetched media, the 24-hour window, ticks, and the callbacks that tell.
import { post } from './callbacks.ts';
import {
  goOn,
  isWindowOpen,
  newSid,
  personAt,
  senderAt,
  serviceOf,
  type TwilioAccount,
  type TwilioMessage,
  type TwilioState,
  type TwilioStatus,
  type WebhookDelivery,
} from './state.ts';

/** Sends it on, in the background: the caller has its 201 already. */
export function deliver(state: TwilioState, account: TwilioAccount, message: TwilioMessage): void {
  goOn(state, deliverNow(state, account, message));
}

async function deliverNow(state: TwilioState, account: TwilioAccount, message: TwilioMessage): Promise<void> {
  if (message.serviceSid !== null) await advance(state, account, message, 'queued');
  const problem = await problemOf(state, message);
  if (problem !== null) {
    await advance(state, account, message, problem === 63024 ? 'undelivered' : 'failed', problem);
    return;
  }
  if (!state.options.autoDeliver) return;
  await advance(state, account, message, 'sent');
  const person = personAt(state, message.to);
  // One who blocked us is never told of: the message stays `sent` for ever (error page 63033).
  if (person?.blocked.has(message.from)) return;
  await advance(state, account, message, 'delivered');
  if (state.options.autoRead || person?.open.has(message.from)) await advance(state, account, message, 'read');
}

/** The error this message ends with, or null; media is fetched on the way. */
async function problemOf(state: TwilioState, message: TwilioMessage): Promise<number | null> {
  if (message.to === message.from) return 63031;
  if (isTooSoon(state, message)) return 63018;
  if (personAt(state, message.to)?.hasWhatsapp === false) return 63024;
  const template = message.contentSid === null ? undefined : state.templates.get(message.contentSid);
  const mayOpen = template?.approval.status === 'approved';
  if (!mayOpen && !isWindowOpen(state, message.from, message.to)) return 63016;
  for (const url of message.mediaUrls) {
    const fetched = await fetchMedia(url);
    if (typeof fetched === 'number') return fetched;
    message.media.push({ sid: newSid('ME'), ...fetched });
  }
  return null;
}

/** Twilio's number for trying WhatsApp sends one message in three seconds (Sandbox). */
const tryOutNumber = 'whatsapp:+14155238886';
const tryOutEveryMs = 3_000;

function isTooSoon(state: TwilioState, message: TwilioMessage): boolean {
  if (message.from !== tryOutNumber) return false;
  const sent = [...state.messages.values()].filter(
    ({ from, direction }) => from === tryOutNumber && direction !== 'inbound',
  );
  const before = sent[sent.indexOf(message) - 1];
  return before !== undefined && message.createdAt - before.createdAt < tryOutEveryMs;
}

const mb = 1024 * 1024;
/** Guidance for WhatsApp media messages: what is taken, and up to which size. */
const sizes: Readonly<Record<string, number>> = {
  'image/jpeg': 5 * mb,
  'image/png': 5 * mb,
  'image/webp': 5 * mb,
  'audio/ogg': 16 * mb,
  'audio/amr': 16 * mb,
  'audio/3gpp': 16 * mb,
  'audio/aac': 16 * mb,
  'audio/mpeg': 16 * mb,
  'audio/mp4': 16 * mb,
  'video/mp4': 16 * mb,
  'application/pdf': 16 * mb,
  'application/msword': 16 * mb,
  'application/vnd.openxmlformats-officedocument.wordprocessingml.document': 16 * mb,
  'application/vnd.openxmlformats-officedocument.presentationml.presentation': 16 * mb,
  'application/vnd.openxmlformats-officedocument.spreadsheetml.sheet': 16 * mb,
  'text/vcard': 16 * mb,
};

async function fetchMedia(url: string): Promise<{ contentType: string; bytes: Buffer } | number> {
  try {
    const response = await fetch(url, { redirect: 'manual', signal: AbortSignal.timeout(10_000) });
    const contentType = (response.headers.get('content-type') ?? '').split(';')[0]?.trim() ?? '';
    const bytes = Buffer.from(await response.arrayBuffer());
    const limit = sizes[contentType];
    if (response.status !== 200 || bytes.length === 0 || limit === undefined) return 63019;
    return bytes.length > limit ? 63034 : { contentType, bytes };
  } catch {
    return 63019;
  }
}

const rank: Readonly<Record<TwilioStatus, number>> = {
  accepted: 1,
  queued: 2,
  sending: 3,
  sent: 4,
  undelivered: 5,
  failed: 5,
  canceled: 5,
  delivered: 6,
  read: 7,
  received: 9,
};

/** Moves a message on and tells the status callback; a step back does nothing. */
export async function advance(
  state: TwilioState,
  account: TwilioAccount,
  message: TwilioMessage,
  status: TwilioStatus,
  errorCode: number | null = null,
): Promise<WebhookDelivery | null> {
  await new Promise((resolve) => setTimeout(resolve, state.options.callbackDelayMs));
  if (state.stopped || rank[status] <= rank[message.status]) return null;
  message.status = status;
  message.errorCode = errorCode;
  message.updatedAt = state.now();
  if (status === 'sent') message.sentAt = state.now();
  state.changed();
  const sender = senderAt(state, account.sid, message.from);
  const service = sender && serviceOf(state, sender);
  const url = message.statusCallback ?? service?.statusCallback ?? sender?.webhook.status_callback_url;
  if (!url) return null;
  return post(state, { url, params: statusParams(state, message, sender?.sid ?? ''), authToken: account.authToken });
}

/** What a status callback says (Track outbound message status; field names as observed). */
function statusParams(state: TwilioState, message: TwilioMessage, senderSid: string): Record<string, string> {
  const bare = message.to.replace('whatsapp:', '');
  const isFailure = message.status === 'failed' || message.status === 'undelivered';
  const eventType = { delivered: 'DELIVERED', read: 'READ', undelivered: 'UNDELIVERED' }[message.status as string];
  const userId = personAt(state, message.to)?.userId;
  return {
    ...(eventType ? { EventType: eventType } : {}),
    SmsSid: message.sid,
    SmsStatus: message.status,
    MessageStatus: message.status,
    ChannelToAddress: bare.startsWith('+') ? `${bare.slice(0, -4)}XXXX` : bare,
    To: message.to,
    ChannelPrefix: 'whatsapp',
    MessageSid: message.sid,
    AccountSid: message.accountSid,
    StructuredMessage: String(message.contentSid !== null),
    From: message.from,
    ApiVersion: '2010-04-01',
    ChannelInstallSid: senderSid,
    ...(message.serviceSid === null ? {} : { MessagingServiceSid: message.serviceSid }),
    ...(!bare.startsWith('+') && userId ? { ExternalUserId: userId } : {}),
    // The message of an error is reported to be empty (dossier section 0, fact 7).
    ...(isFailure ? { ErrorCode: String(message.errorCode ?? 63009), ErrorMessage: '' } : {}),
    ...(message.errorCode === 63016 ? { ChannelStatusMessage: 'Re-engagement message' } : {}),
  };
}

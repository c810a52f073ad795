// Twilio's webhooks: whose they are, whether they are genuine, and what they say.
import { validateRequest } from 'twilio/lib/webhooks/webhooks.js';
import type { Credentials, Identity, InboundEvent, Party, WebhookRequest } from '../provider.ts';
import { contentOf } from './content.ts';
import { failureCode } from './errors.ts';

const accountSid = /^AC[0-9a-fA-F]{32}$/;
const messageSid = /^(SM|MM)[0-9a-fA-F]{32}$/;
/** A number, or the business-scoped id of somebody who hides it: `CC.` and up to 128 letters and digits (Key concepts). */
const whatsappAddress = /^whatsapp:(\+\d{5,20}|[A-Z]{2}\.(ENT\.)?[0-9A-Za-z]{1,128})$/;
const maxNameLength = 255;
const statusPath = '/webhooks/twilio/status';

/** The fields of a form. Of a name that comes twice the last counts, in the signature's input all of them do (W-06). */
function fieldsOf(body: Buffer): Map<string, string> {
  return new Map(new URLSearchParams(body.toString('utf8')));
}

export function claimWebhook(request: WebhookRequest): { account: string; address: string } | null {
  const fields = fieldsOf(request.body);
  const account = fields.get('AccountSid');
  const address = isStatus(request.pathAndQuery) ? fields.get('From') : fields.get('To');
  return account && address && accountSid.test(account) ? { account, address } : null;
}

export function verifyWebhook(publicUrl: string, request: WebhookRequest, credentials: Credentials | null): boolean {
  const signature = request.headers['x-twilio-signature'];
  const tokens = [credentials?.authToken, credentials?.previousAuthToken].filter((token) => !!token) as string[];
  if (typeof signature !== 'string' || tokens.length === 0) return false;
  const parameters = Object.create(null) as Record<string, string | string[]>;
  for (const [name, value] of new URLSearchParams(request.body.toString('utf8'))) {
    const known = parameters[name];
    parameters[name] = known === undefined ? value : [...(Array.isArray(known) ? known : [known]), value];
  }
  const url = publicUrl + request.pathAndQuery;
  return tokens.some((token) => validateRequest(token, signature, url, parameters));
}

export function parseWebhook(request: { body: Buffer; pathAndQuery: string }): InboundEvent[] {
  const fields = fieldsOf(request.body);
  const account = fields.get('AccountSid') ?? '';
  try {
    return [
      isStatus(request.pathAndQuery)
        ? statusEvent(fields, account, request.pathAndQuery)
        : messageEvent(fields, account, request.body),
    ];
  } catch {
    const body = request.body.toString('utf8');
    return [{ type: 'unreadable', account, address: fields.get('To') ?? null, reason: 'malformed', raw: body }];
  }
}

function isStatus(pathAndQuery: string): boolean {
  return pathAndQuery.split('?')[0] === statusPath;
}

function messageEvent(fields: Map<string, string>, account: string, body: Buffer): InboundEvent {
  const address = fields.get('To') ?? '';
  const from = fields.get('From') ?? '';
  const sid = fields.get('MessageSid') ?? fields.get('SmsMessageSid') ?? '';
  if (!messageSid.test(sid) || !whatsappAddress.test(from)) {
    const reason = messageSid.test(sid) ? 'sender' : 'message_sid';
    return { type: 'unreadable', account, address, reason, raw: body.toString('utf8') };
  }
  return {
    type: 'message',
    account,
    address,
    // Twilio's webhooks carry no time.
    at: null,
    contact: partyOf(fields, from),
    providerMessageId: sid,
    ...contentOf(fields),
    replyToProviderId: fields.get('OriginalRepliedMessageSid') ?? null,
    echo: null,
    opensWindow: true,
    raw: JSON.stringify(Object.fromEntries(fields)),
  };
}

function partyOf(fields: Map<string, string>, from: string): Party {
  const bare = from.slice('whatsapp:'.length);
  const identities: Identity[] = [];
  if (bare.startsWith('+')) identities.push({ type: 'phone', value: bare });
  const userId = (fields.get('ExternalUserId') ?? (bare.startsWith('+') ? '' : from)).replace(/^whatsapp:/, '');
  if (userId !== '' && whatsappAddress.test(`whatsapp:${userId}`))
    identities.push({ type: 'whatsapp_user', value: userId });
  // Somebody who hides the number may show a user name instead; both spellings of the field were seen.
  const name = ['ProfileName', 'ProfileUsername', 'Username']
    .map((field) => (fields.get(field) ?? '').replace(/[\r\n]+/g, ' ').trim())
    .find((words) => words !== '');
  return { address: from, identities, name: name ? [...name].slice(0, maxNameLength).join('') : null };
}

function statusEvent(fields: Map<string, string>, account: string, pathAndQuery: string): InboundEvent {
  const address = fields.get('From') ?? '';
  const sid = fields.get('MessageSid') ?? fields.get('SmsSid') ?? '';
  const word = fields.get('MessageStatus') ?? fields.get('SmsStatus') ?? '';
  const status = statusWords.get(word);
  if (!status || !messageSid.test(sid)) {
    return {
      type: 'ignored',
      account,
      address,
      at: null,
      reason: quietWords.has(word) ? 'status_on_its_way' : 'status_unknown',
    };
  }
  const code = fields.get('ErrorCode') ?? null;
  return {
    type: 'status',
    account,
    address,
    at: null,
    contact: null,
    providerMessageId: sid,
    messageId: new URLSearchParams(pathAndQuery.split('?')[1] ?? '').get('m'),
    through: null,
    status,
    failure: status === 'failed' ? { code: failureCode(code), providerCode: code } : null,
  };
}

/** Twilio's words for what became of a message (Message status in callbacks). */
const statusWords = new Map([
  ['sent', 'sent'],
  ['delivered', 'delivered'],
  ['read', 'read'],
  ['failed', 'failed'],
  ['undelivered', 'failed'],
  ['canceled', 'failed'],
] as const) as ReadonlyMap<string, 'sent' | 'delivered' | 'read' | 'failed'>;
const quietWords = new Set(['accepted', 'scheduled', 'queued', 'sending', 'partially_delivered']);

// The Messages resource (v2010): create, list, fetch, redact or cancel, delete.
import type Router from '@koa/router';
import type { Context } from 'koa';
import { paramOf, scalar } from '../listen.ts';
import { deliver } from './delivery.ts';
import { TwilioError, formOf, notFound, pageSizeOf, pathAccount, queryOf, rfc2822 } from './api.ts';
import {
  newSid,
  personAt,
  senderAt,
  type TwilioAccount,
  type TwilioMessage,
  type TwilioSender,
  type TwilioService,
  type TwilioState,
} from './state.ts';

const createFields = [
  'To', 'From', 'MessagingServiceSid', 'Body', 'MediaUrl', 'ContentSid', 'ContentVariables', 'StatusCallback',
  'ValidityPeriod', 'PersistentAction', 'ScheduleType', 'SendAt', 'ShortenUrls', 'SmartEncoded', 'SendAsMms',
  'FallbackFrom', 'ProvideFeedback', 'ForceDelivery', 'Attempt', 'MaxPrice', 'TrafficType', 'ApplicationSid',
  'ContentRetention', 'AddressRetention', 'RiskCheck', 'MessageIntent',
]; // prettier-ignore
const listFields = ['To', 'From', 'DateSent', 'DateSent<', 'DateSent>', 'PageSize', 'Page', 'PageToken'];
const address = /^whatsapp:(\+[1-9]\d{6,14}|[A-Z]{2}\.(ENT\.)?[A-Za-z0-9]{1,128})$/;
const maxBody = 1_600;

export function messageRoutes(router: Router, state: TwilioState): void {
  const base = '/2010-04-01/Accounts/:account';

  router.post(`${base}/Messages.json`, async (ctx) => {
    const account = pathAccount(state, ctx);
    const message = create(state, account, await formOf(ctx, createFields, ['MediaUrl', 'PersistentAction']));
    ctx.status = 201;
    ctx.body = resource(message);
    state.changed();
    deliver(state, account, message);
  });

  router.get(`${base}/Messages.json`, (ctx) => {
    const account = pathAccount(state, ctx);
    ctx.body = list(state, ctx, account);
  });

  router.get(`${base}/Messages/:file`, (ctx, next) => {
    if (!ctx.path.endsWith('.json')) return next();
    queryOf(ctx, []);
    ctx.body = resource(messageOf(state, ctx));
  });

  router.post(`${base}/Messages/:file`, async (ctx) => {
    const message = messageOf(state, ctx);
    const fields = await formOf(ctx, ['Body', 'Status']);
    if (fields.get('Body')?.[0]) throw new TwilioError(400, 20001, 'Body may only be set to the empty string');
    if (fields.has('Body')) message.body = '';
    if (fields.has('Status')) throw new TwilioError(400, 30409, 'Only a scheduled message can be canceled');
    message.updatedAt = state.now();
    ctx.body = resource(message);
  });

  router.delete(`${base}/Messages/:file`, (ctx) => {
    state.messages.delete(messageOf(state, ctx).sid);
    ctx.status = 204;
  });
}

function messageOf(state: TwilioState, ctx: Context): TwilioMessage {
  const account = pathAccount(state, ctx);
  const message = state.messages.get(paramOf(ctx, 'file').replace(/\.json$/, ''));
  if (!message || message.accountSid !== account.sid) throw notFound(ctx);
  return message;
}

function create(state: TwilioState, account: TwilioAccount, fields: Map<string, string[]>): TwilioMessage {
  const one = (name: string) => fields.get(name)?.[0] ?? '';
  const to = recipientOf(one('To'));
  const { sender, service } = senderOf(state, account, one('From'), one('MessagingServiceSid'));
  const body = contentOf(state, account, fields);
  const statusCallback = callbackOf(one('StatusCallback')) ?? service?.statusCallback ?? null;
  if (personAt(state, to)?.optedOut) {
    throw new TwilioError(400, 21610, 'Attempt to send to unsubscribed recipient');
  }
  const at = state.now();
  const message: TwilioMessage = {
    sid: newSid(fields.has('MediaUrl') ? 'MM' : 'SM'),
    accountSid: account.sid,
    direction: 'outbound-api',
    from: sender.address,
    to,
    body,
    media: [],
    mediaUrls: fields.get('MediaUrl') ?? [],
    status: service ? 'accepted' : 'queued',
    errorCode: null,
    serviceSid: service?.sid ?? null,
    contentSid: one('ContentSid') || null,
    statusCallback,
    createdAt: at,
    updatedAt: at,
    sentAt: null,
    seen: false,
  };
  state.messages.set(message.sid, message);
  return message;
}

function recipientOf(to: string): string {
  if (to === '') throw new TwilioError(400, 21604, "A 'To' phone number is required.");
  if (!to.startsWith('whatsapp:')) {
    throw new TwilioError(400, 21910, 'Invalid From and To pair. From and To should be of the same channel');
  }
  if (!address.test(to)) throw new TwilioError(400, 21211, `The 'To' number ${to} is not a valid phone number.`);
  return to;
}

function senderOf(
  state: TwilioState,
  account: TwilioAccount,
  from: string,
  serviceSid: string,
): { sender: TwilioSender; service: TwilioService | undefined } {
  if (from === '' && serviceSid === '') {
    throw new TwilioError(400, 21603, "A 'From' phone number or 'MessagingServiceSid' is required.");
  }
  const service = serviceSid === '' ? undefined : state.services.get(serviceSid);
  if (serviceSid !== '' && service?.accountSid !== account.sid) {
    throw new TwilioError(400, 21705, 'The Messaging Service Sid is invalid');
  }
  if (from !== '' && !from.startsWith('whatsapp:')) {
    throw new TwilioError(400, 21910, 'Invalid From and To pair. From and To should be of the same channel');
  }
  const sender = from === '' ? service?.senders[0] : senderAt(state, account.sid, from);
  if (!sender && service) throw new TwilioError(400, 21703, 'The Messaging Service has no usable sender');
  if (!sender?.status.startsWith('ONLINE')) {
    throw new TwilioError(400, 63007, 'Twilio could not find a Channel with the specified From address');
  }
  return { sender, service };
}

/** Checks what is to be said, and returns the text of it. */
function contentOf(state: TwilioState, account: TwilioAccount, fields: Map<string, string[]>): string {
  const body = fields.get('Body')?.[0] ?? '';
  const media = fields.get('MediaUrl') ?? [];
  const contentSid = fields.get('ContentSid')?.[0] ?? '';
  if (body === '' && media.length === 0 && contentSid === '') {
    throw new TwilioError(400, 21602, 'Message body is required.');
  }
  if (body.length > maxBody) {
    throw new TwilioError(400, 21617, 'The concatenated message body exceeds the 1600 character limit');
  }
  if (media.length > 1) throw new TwilioError(400, 21623, 'Number of media files exceeds allowed limit');
  for (const url of media) {
    if (!isFetchable(url)) throw new TwilioError(400, 21620, `Invalid media URL: ${url}`);
  }
  if (contentSid === '') return body;
  return templateText(state, account, contentSid, fields.get('ContentVariables')?.[0]);
}

/** Real Twilio wants https; a stand-in's neighbours live on the loopback address. */
function isFetchable(value: string): boolean {
  if (!URL.canParse(value)) return false;
  const url = new URL(value);
  return url.protocol === 'https:' || (url.protocol === 'http:' && /^(127\.0\.0\.1|localhost)$/.test(url.hostname));
}

function callbackOf(value: string): string | null {
  if (value === '') return null;
  const isGood =
    URL.canParse(value) && /^https?:$/.test(new URL(value).protocol) && !new URL(value).hostname.includes('_');
  if (!isGood) throw new TwilioError(400, 21609, 'The StatusCallback URL is not a valid URL');
  return value;
}

function templateText(state: TwilioState, account: TwilioAccount, sid: string, variables: string | undefined): string {
  const template = state.templates.get(sid);
  if (template?.accountSid !== account.sid) throw new TwilioError(400, 21655, 'The ContentSid is Invalid');
  const given = variablesOf(variables);
  const body = Object.values(template.types).find((type) => typeof type.body === 'string')?.body;
  // A value that is left out becomes the template's sample value (dossier section 5).
  return scalar(body).replace(
    /\{\{(\w+)\}\}/g,
    (whole, name: string) => given[name] ?? template.variables[name] ?? whole,
  );
}

function variablesOf(text: string | undefined): Record<string, string> {
  if (text === undefined || text === '') return {};
  let parsed: unknown;
  try {
    parsed = JSON.parse(text);
  } catch {
    parsed = null;
  }
  if (typeof parsed !== 'object' || parsed === null || Array.isArray(parsed)) {
    throw new TwilioError(400, 21656, 'The Content Variables Parameter is invalid');
  }
  const values = Object.entries(parsed).map(([name, value]) => [name, String(value)] as const);
  if (values.some(([, value]) => value.length > maxBody)) {
    throw new TwilioError(400, 21658, 'A Content Variable exceeds 1600 characters');
  }
  return Object.fromEntries(values);
}

function list(state: TwilioState, ctx: Context, account: TwilioAccount): object {
  const query = queryOf(ctx, listFields);
  const size = pageSizeOf(query, 50);
  const page = Number(query.get('Page') ?? '0');
  if (page > 0 && query.get('PageToken') === null) throw new TwilioError(400, 20001, 'A PageToken is required');
  const keep = filterOf(query);
  const found = [...state.messages.values()]
    .filter((message) => message.accountSid === account.sid && keep(message))
    .reverse();
  const shown = found.slice(page * size, (page + 1) * size);
  const uriOf = (number: number) => {
    const params = new URLSearchParams([...query].filter(([name]) => !/^Page(Size|Token)?$/.test(name)));
    params.set('PageSize', String(size));
    params.set('Page', String(number));
    if (number > 0) params.set('PageToken', `PA${shown.at(-1)?.sid ?? ''}`);
    return `${ctx.path}?${params.toString()}`;
  };
  return {
    messages: shown.map(resource),
    page,
    page_size: size,
    start: page * size,
    end: page * size + Math.max(0, shown.length - 1),
    uri: uriOf(page),
    first_page_uri: uriOf(0),
    next_page_uri: (page + 1) * size < found.length ? uriOf(page + 1) : null,
    previous_page_uri: page > 0 ? uriOf(page - 1) : null,
  };
}

function filterOf(query: URLSearchParams): (message: TwilioMessage) => boolean {
  const dayMs = 24 * 3_600_000;
  const time = (name: string) => {
    const value = query.get(name);
    if (value === null) return null;
    const parsed = Date.parse(value);
    if (Number.isNaN(parsed)) throw new TwilioError(400, 20001, `${name} is no date`);
    return { at: parsed, end: /^\d{4}-\d\d-\d\d$/.test(value) ? parsed + dayMs - 1 : parsed };
  };
  const [on, before, after] = [time('DateSent'), time('DateSent<'), time('DateSent>')];
  const [to, from] = [query.get('To'), query.get('From')];
  return (message) => {
    const sent = message.sentAt ?? message.createdAt;
    return (
      (to === null || message.to === to) &&
      (from === null || message.from === from) &&
      (on === null || (sent >= on.at && sent <= on.end)) &&
      (before === null || sent <= before.end) &&
      (after === null || sent >= after.at)
    );
  };
}

function resource(message: TwilioMessage): object {
  const uri = `/2010-04-01/Accounts/${message.accountSid}/Messages/${message.sid}`;
  const isUnpicked = message.status === 'accepted';
  const media = Math.max(message.media.length, message.mediaUrls.length);
  return {
    account_sid: message.accountSid,
    api_version: '2010-04-01',
    body: message.body,
    date_created: rfc2822(message.createdAt),
    date_sent: message.sentAt === null ? null : rfc2822(message.sentAt),
    date_updated: rfc2822(message.updatedAt),
    direction: message.direction,
    error_code: message.errorCode,
    error_message: null,
    from: isUnpicked ? null : message.from,
    messaging_service_sid: message.serviceSid,
    num_media: String(media),
    num_segments: isUnpicked ? '0' : '1',
    price: null,
    price_unit: 'USD',
    sid: message.sid,
    status: message.status,
    subresource_uris: { media: `${uri}/Media.json` },
    tags: null,
    to: message.to,
    uri: `${uri}.json`,
  };
}

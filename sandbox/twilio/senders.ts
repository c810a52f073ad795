// Accounts, WhatsApp senders (Senders API v2), messaging services and the typing indicator.
import type Router from '@koa/router';
import type { Context } from 'koa';
import { paramOf } from '../listen.ts';
import { TwilioError, formOf, jsonOf, metaList, notFound, ownAccount, pathAccount, queryOf, rfc2822 } from './api.ts';
import { advanceSeen } from './inbound.ts';
import type { SenderWebhook, TwilioAccount, TwilioSender, TwilioService, TwilioState } from './state.ts';

const paging = ['PageSize', 'Page', 'PageToken'];
const webhookKeys = [
  'callback_url',
  'callback_method',
  'fallback_url',
  'fallback_method',
  'status_callback_url',
  'status_callback_method',
] as const;

export function senderRoutes(router: Router, state: TwilioState): void {
  router.get('/2010-04-01/Accounts/:account', (ctx) => {
    if (!ctx.path.endsWith('.json')) throw notFound(ctx);
    queryOf(ctx, []);
    const account = pathAccount(state, ctx, { anyStatus: true });
    ctx.body = accountResource(account);
  });

  // The account's own and those below it; a subaccount sees itself alone.
  router.get('/2010-04-01/Accounts.json', (ctx) => {
    const query = queryOf(ctx, ['FriendlyName', 'Status', ...paging]);
    const own = ownAccount(ctx);
    const size = Number(query.get('PageSize') ?? 50);
    const asked = (name: string, value: string) => [null, value].includes(query.get(name));
    const accounts = [...state.accounts.values()]
      .filter((account) => account === own || account.ownerSid === own.sid)
      .filter(({ status, name }) => asked('Status', status) && asked('FriendlyName', name))
      .slice(0, size);
    ctx.body = {
      accounts: accounts.map(accountResource),
      page: 0,
      page_size: size,
      start: 0,
      end: Math.max(0, accounts.length - 1),
      uri: ctx.url,
      first_page_uri: ctx.url,
      next_page_uri: null,
      previous_page_uri: null,
    };
  });

  router.get('/v2/Channels/Senders', (ctx) => {
    const query = queryOf(ctx, ['Channel', ...paging]);
    const account = ownAccount(ctx);
    const channel = query.get('Channel');
    if (channel === null) throw new TwilioError(400, 20001, 'Missing required parameter Channel in the query string');
    const senders = [...state.senders.values()].filter(
      (sender) => channel === 'whatsapp' && sender.accountSid === account.sid && sender.listed,
    );
    ctx.body = metaList(
      state,
      ctx,
      'senders',
      senders.map((sender) => senderResource(state, sender)),
      20,
    );
  });

  router.get('/v2/Channels/Senders/:sender', (ctx) => {
    queryOf(ctx, []);
    const sender = senderOf(state, ctx);
    ctx.body = senderResource(state, sender);
  });

  router.post('/v2/Channels/Senders/:sender', async (ctx) => {
    const sender = senderOf(state, ctx);
    const body = await jsonOf(ctx);
    for (const name of Object.keys(body)) {
      if (!['webhook', 'profile', 'configuration'].includes(name)) throw unknownKey(name);
    }
    if (body.webhook !== undefined) sender.webhook = webhookOf(body.webhook);
    ctx.status = 202;
    ctx.body = { ...senderResource(state, sender), status: 'ONLINE:UPDATING' };
  });

  router.get('/v1/Services', (ctx) => {
    queryOf(ctx, paging);
    const account = ownAccount(ctx);
    const services = [...state.services.values()].filter((service) => service.accountSid === account.sid);
    ctx.body = metaList(
      state,
      ctx,
      'services',
      services.map((service) => serviceResource(state, service)),
      50,
    );
  });

  router.get('/v1/Services/:service', (ctx) => {
    queryOf(ctx, []);
    ctx.body = serviceResource(state, serviceOf(state, ctx));
  });

  router.get('/v1/Services/:service/ChannelSenders', (ctx) => {
    queryOf(ctx, paging);
    const service = serviceOf(state, ctx);
    const senders = service.senders.map((sender) => ({
      account_sid: service.accountSid,
      messaging_service_sid: service.sid,
      sid: sender.sid,
      sender: sender.address,
      sender_type: 'WhatsApp',
      country_code: null,
      url: `${state.url}/v1/Services/${service.sid}/ChannelSenders/${sender.sid}`,
    }));
    ctx.body = metaList(state, ctx, 'senders', senders, 50);
  });

  router.post('/v2/Indicators/Typing.json', async (ctx) => {
    const account = ownAccount(ctx);
    const fields = await formOf(ctx, ['channel', 'messageId']);
    const message = state.messages.get(fields.get('messageId')?.[0] ?? '');
    if (fields.get('channel')?.[0] !== 'whatsapp') throw new TwilioError(400, 20001, 'channel must be whatsapp');
    if (message?.accountSid !== account.sid || message.direction !== 'inbound') throw notFound(ctx);
    advanceSeen(state, message);
    ctx.body = { success: true };
  });
}

function accountResource(account: TwilioAccount): object {
  const uri = `/2010-04-01/Accounts/${account.sid}`;
  return {
    sid: account.sid,
    friendly_name: account.name,
    status: account.status,
    type: 'Full',
    owner_account_sid: account.ownerSid,
    auth_token: account.authToken,
    date_created: rfc2822(account.createdAt),
    date_updated: rfc2822(account.createdAt),
    subresource_uris: { messages: `${uri}/Messages.json` },
    uri: `${uri}.json`,
  };
}

function senderOf(state: TwilioState, ctx: Context): TwilioSender {
  const sender = state.senders.get(paramOf(ctx, 'sender'));
  if (sender?.accountSid !== ownAccount(ctx).sid) throw notFound(ctx);
  return sender;
}

function serviceOf(state: TwilioState, ctx: Context): TwilioService {
  const service = state.services.get(paramOf(ctx, 'service'));
  if (service?.accountSid !== ownAccount(ctx).sid) throw notFound(ctx);
  return service;
}

/** The whole object is replaced: whether left-out keys survive is not documented, so nobody may count on it. */
function webhookOf(value: unknown): SenderWebhook {
  if (typeof value !== 'object' || value === null) throw new TwilioError(400, 20001, 'webhook must be an object');
  const given = value as Record<string, unknown>;
  for (const [name, each] of Object.entries(given)) {
    if (!webhookKeys.some((known) => known === name)) throw unknownKey(`webhook.${name}`);
    if (each !== null && typeof each !== 'string')
      throw new TwilioError(400, 20001, `webhook.${name} must be a string`);
    // It may be null, says the description, but is one of two words: null is none of them.
    if (name.endsWith('_method') && !['POST', 'PUT'].includes(String(each))) {
      throw new TwilioError(400, 20001, `webhook.${name} must be POST or PUT`);
    }
    if (name.endsWith('_url') && each && !URL.canParse(String(each))) {
      throw new TwilioError(400, 20001, `webhook.${name} is no URL`);
    }
  }
  const url = (name: (typeof webhookKeys)[number]) => (given[name] as string | null | undefined) ?? null;
  const method = (name: (typeof webhookKeys)[number]) => (given[name] as 'POST' | 'PUT' | null | undefined) ?? null;
  return {
    callback_url: url('callback_url'),
    callback_method: method('callback_method'),
    fallback_url: url('fallback_url'),
    fallback_method: method('fallback_method'),
    status_callback_url: url('status_callback_url'),
    status_callback_method: method('status_callback_method'),
  };
}

function unknownKey(name: string): TwilioError {
  return new TwilioError(400, 20001, `Unrecognized field ${name}`);
}

function senderResource(state: TwilioState, sender: TwilioSender): object {
  return {
    sid: sender.sid,
    sender_id: sender.address,
    status: sender.status,
    configuration: {
      waba_id: `10${sender.sid.slice(2).replace(/\D/g, '').padEnd(14, '7').slice(0, 14)}`,
      verification_method: null,
      verification_code: null,
      voice_application_sid: null,
    },
    webhook: sender.webhook,
    profile: { name: sender.name, about: null, address: null, description: null, logo_url: null, vertical: 'Other' },
    properties: { quality_rating: 'HIGH', messaging_limit: '10K Customers/24hr' },
    offline_reasons: null,
    compliance: null,
    url: `${state.url}/v2/Channels/Senders/${sender.sid}`,
  };
}

function serviceResource(state: TwilioState, service: TwilioService): object {
  return {
    sid: service.sid,
    account_sid: service.accountSid,
    friendly_name: service.name,
    inbound_request_url: service.inboundRequestUrl,
    inbound_method: 'POST',
    fallback_url: null,
    fallback_method: 'POST',
    status_callback: service.statusCallback,
    use_inbound_webhook_on_number: service.useInboundWebhookOnNumber,
    url: `${state.url}/v1/Services/${service.sid}`,
  };
}

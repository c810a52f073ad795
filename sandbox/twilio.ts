// A local Twilio for WhatsApp: api., content. and messaging.twilio.com behind one origin, and a second one for media.
// As strict as the real one (shared dossier); what people do is played by verbs.
import Router from '@koa/router';
import Koa from 'koa';
import { faultMiddleware, type Faults } from './faults.ts';
import { listen, type Call } from './listen.ts';
import { answerErrors, authenticate, noteCalls } from './twilio/api.ts';
import { post, sign } from './twilio/callbacks.ts';
import { contentRoutes } from './twilio/content.ts';
import { advance } from './twilio/delivery.ts';
import { customerOf, newPerson, postInbound, type NewPerson, type WhatsappCustomer } from './twilio/inbound.ts';
import { mediaHost, mediaRoutes } from './twilio/media.ts';
import { messageRoutes } from './twilio/messages.ts';
import { senderRoutes } from './twilio/senders.ts';
import {
  createState,
  newSid,
  personAt,
  sidFor,
  type TwilioAccount,
  type TwilioMessage,
  type TwilioOptions,
  type TwilioSender,
  type TwilioService,
  type TwilioState,
  type TwilioStatus,
  type TwilioTemplate,
  type WebhookDelivery,
} from './twilio/state.ts';

export interface TwilioSandboxOptions {
  port?: number;
  mediaPort?: number;
  faults: Faults;
  now?: () => number;
}

export interface NewTemplate {
  name: string;
  body: string;
  language?: string;
  category?: string;
  status?: string;
  variables?: Record<string, string>;
  types?: Record<string, Record<string, unknown>>;
}

export interface TwilioSandbox {
  /** TWILIO_API_URL. */
  readonly url: string;
  /** Plays https://mms.twiliocdn.com. */
  readonly mediaUrl: string;
  /** `host:port` of both, for MEDIA_EXTRA_HOSTS. */
  readonly mediaHosts: readonly string[];
  readonly state: TwilioState;
  readonly options: TwilioOptions;
  /** Every API call received. */
  readonly calls: Call[];
  /** Every webhook and callback posted, with what came back. */
  readonly webhooks: WebhookDelivery[];
  addAccount(account?: { name?: string; sid?: string; authToken?: string; parent?: TwilioAccount }): TwilioAccount;
  addKey(account: TwilioAccount, kind?: 'main' | 'standard'): { sid: string; secret: string };
  addSender(
    account: TwilioAccount,
    number: string,
    sender?: { name?: string; listed?: boolean; sid?: string },
  ): TwilioSender;
  addService(account: TwilioAccount, service: Partial<Omit<TwilioService, 'sid' | 'accountSid'>>): TwilioService;
  addTemplate(account: TwilioAccount, template: NewTemplate): TwilioTemplate;
  /** A new primary auth token; the old one is refused from now on. */
  rotateToken(account: TwilioAccount, authToken?: string): string;
  /** The customer with this number or business-scoped id: known, or new. */
  customer(number: string, person?: NewPerson): WhatsappCustomer;
  /** Posts inbound parameters as they are, signed, to the address set for the sender in `To` (or to `url`). */
  deliver(params: Record<string, string>, to?: Posted): Promise<WebhookDelivery | null>;
  /** Posts a status callback as it is; where to: the message's own address, the sender's, or `url`. */
  deliverStatus(params: Record<string, string>, to?: Posted): Promise<WebhookDelivery | null>;
  /** Moves an outbound message on, with its callback; for tests with `autoDeliver` off. */
  advance(sid: string, status: TwilioStatus, errorCode?: number): Promise<WebhookDelivery | null>;
  /** `X-Twilio-Signature` for a request of your own making. */
  sign(url: string, params: Readonly<Record<string, string>>, authToken: string): string;
  /** Waits for callbacks that are on their way. */
  settled(): Promise<void>;
  stop(): Promise<void>;
}

export interface Posted {
  url?: string;
  authToken?: string;
  signature?: string | null;
}

export async function startTwilio(options: TwilioSandboxOptions): Promise<TwilioSandbox> {
  const state = createState(options.now ?? Date.now);
  const api = await listen(apiOf(state, options.faults), options.port);
  const media = await listen(mediaHost(state), options.mediaPort);
  state.url = api.url;
  state.mediaUrl = media.url;
  const settled = async () => {
    while (state.running.size > 0) await Promise.all(state.running);
  };
  return {
    url: api.url,
    mediaUrl: media.url,
    mediaHosts: [api.host, media.host],
    state,
    options: state.options,
    calls: state.calls,
    webhooks: state.webhooks,
    ...verbs(state),
    ...postings(state),
    sign,
    settled,
    async stop() {
      state.stopped = true;
      await Promise.all([api.stop(), media.stop()]);
      await settled();
    },
  };
}

function apiOf(state: TwilioState, faults: Faults): Koa {
  const router = new Router();
  senderRoutes(router, state);
  messageRoutes(router, state);
  mediaRoutes(router, state);
  contentRoutes(router, state);
  const app = new Koa();
  app.silent = true;
  app.use(faultMiddleware(faults, 'twilio'));
  app.use(noteCalls(state));
  app.use(answerErrors());
  app.use(authenticate(state));
  app.use(router.routes());
  app.use(router.allowedMethods());
  return app;
}

function verbs(
  state: TwilioState,
): Pick<
  TwilioSandbox,
  'addAccount' | 'addKey' | 'addSender' | 'addService' | 'addTemplate' | 'rotateToken' | 'customer'
> {
  return {
    addAccount({ name = 'Sandbox account', sid = newSid('AC'), authToken = newSid(''), parent } = {}) {
      const account: TwilioAccount = {
        sid,
        name,
        authToken,
        status: 'active',
        ownerSid: parent?.sid ?? sid,
        createdAt: state.now(),
        keys: new Map(),
      };
      state.accounts.set(sid, account);
      return account;
    },
    addKey(account, kind = 'main') {
      const key = { sid: newSid('SK'), secret: newSid('') };
      account.keys.set(key.sid, { secret: key.secret, kind });
      return key;
    },
    addSender(account, number, { name = number, listed = true, sid = sidFor('XE', account.sid + number) } = {}) {
      const none = { callback_url: null, callback_method: null, fallback_url: null, fallback_method: null };
      const sender: TwilioSender = {
        sid,
        accountSid: account.sid,
        address: `whatsapp:${number.replace('whatsapp:', '')}`,
        name,
        status: 'ONLINE',
        webhook: { ...none, status_callback_url: null, status_callback_method: null },
        listed,
      };
      state.senders.set(sid, sender);
      state.changed();
      return sender;
    },
    addService(account, given) {
      const service: TwilioService = {
        sid: newSid('MG'),
        accountSid: account.sid,
        name: given.name ?? 'Messaging service',
        inboundRequestUrl: given.inboundRequestUrl ?? null,
        useInboundWebhookOnNumber: given.useInboundWebhookOnNumber ?? false,
        statusCallback: given.statusCallback ?? null,
        senders: given.senders ?? [],
      };
      state.services.set(service.sid, service);
      return service;
    },
    addTemplate(account, given) {
      const template: TwilioTemplate = {
        sid: newSid('HX'),
        accountSid: account.sid,
        name: given.name,
        language: given.language ?? 'en',
        variables: given.variables ?? {},
        types: given.types ?? { 'twilio/text': { body: given.body } },
        approval: {
          name: given.name,
          category: given.category ?? 'UTILITY',
          content_type: Object.keys(given.types ?? { 'twilio/text': {} })[0] ?? 'twilio/text',
          status: given.status ?? 'approved',
          rejection_reason: '',
          allow_category_change: false,
        },
        createdAt: state.now(),
      };
      state.templates.set(template.sid, template);
      return template;
    },
    rotateToken(account, authToken = newSid('')) {
      account.authToken = authToken;
      return authToken;
    },
    customer(number, given = {}) {
      const bare = number.replace('whatsapp:', '');
      const known = personAt(state, `whatsapp:${bare}`);
      if (known && given.name !== undefined) known.name = given.name;
      return customerOf(state, known ?? newPerson(state, bare, given));
    },
  };
}

function postings(state: TwilioState): Pick<TwilioSandbox, 'deliver' | 'deliverStatus' | 'advance'> {
  const tokenOf = (params: Record<string, string>, to: Posted | undefined) =>
    to?.authToken ?? state.accounts.get(params.AccountSid ?? '')?.authToken ?? '';
  const senderOf = (params: Record<string, string>, field: 'To' | 'From') =>
    [...state.senders.values()].find((each) => each.accountSid === params.AccountSid && each.address === params[field]);
  const signatureOf = (to: Posted | undefined) => (to?.signature === undefined ? {} : { signature: to.signature });
  return {
    async deliver(params, to) {
      const sender = senderOf(params, 'To');
      if (sender) state.lastInbound.set(`${sender.address} ${params.From ?? ''}`, state.now());
      if (!to && sender) return postInbound(state, sender, params);
      const url = to?.url ?? sender?.webhook.callback_url;
      if (!url) return null;
      return post(state, { url, params, authToken: tokenOf(params, to), ...signatureOf(to) });
    },
    async deliverStatus(params, to) {
      const message: TwilioMessage | undefined = state.messages.get(params.MessageSid ?? '');
      const url = to?.url ?? message?.statusCallback ?? senderOf(params, 'From')?.webhook.status_callback_url;
      if (!url) return null;
      return post(state, { url, params, authToken: tokenOf(params, to), ...signatureOf(to) });
    },
    async advance(sid, status, errorCode) {
      const message = state.messages.get(sid);
      const account = state.accounts.get(message?.accountSid ?? '');
      if (!message || !account) throw new Error(`There is no message ${sid} in this sandbox`);
      return advance(state, account, message, status, errorCode ?? null);
    },
  };
}

export type { TwilioAccount, TwilioMessage, TwilioSender, WhatsappCustomer };

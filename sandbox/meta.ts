// A local Meta: Facebook Login, the Graph API as far as an inbox needs it, and signed Messenger webhooks.
// As strict as the real one (shared dossier); what people do is played by verbs.
import Router from '@koa/router';
import Koa from 'koa';
import { faultMiddleware, type Faults } from './faults.ts';
import { listen, paramOf, type Call } from './listen.ts';
import { conversationRoutes } from './meta/conversations.ts';
import { customerOf, sendFromPageInbox, type MessengerCustomer } from './meta/customer.ts';
import { answerErrors, noteCalls, proofOf, requireVersion } from './meta/graph.ts';
import { askedOf, consent, dialogRoutes, loginRoutes, refuse } from './meta/login.ts';
import { pageRoutes } from './meta/pages.ts';
import { sendRoutes } from './meta/send.ts';
import {
  createState,
  idFor,
  type MetaApp,
  type MetaDelivery,
  type MetaFile,
  type MetaMessage,
  type MetaOptions,
  type MetaPage,
  type MetaPerson,
  type MetaState,
  type ProfileKind,
} from './meta/state.ts';
import { emit, escapedJson, inOneBody, post, signature, signedRequest } from './meta/webhooks.ts';

export interface MetaSandboxOptions {
  port?: number;
  app: MetaApp;
  /** Where webhooks go: `{appUrl}/webhooks/messenger`. */
  appUrl: () => string;
  faults: Faults;
  now?: () => number;
}

const allTasks = ['ADVERTISE', 'ANALYZE', 'CREATE_CONTENT', 'MESSAGING', 'MODERATE', 'MANAGE'];

export interface NewPage {
  name: string;
  ownedBy: MetaPerson | readonly MetaPerson[];
  id?: string;
  category?: string;
  tasks?: string[];
  picture?: MetaFile;
  inBusiness?: boolean;
}

export interface Choice {
  /** Pages to tick; all of the person's when left out. */
  pages?: readonly MetaPage[];
  /** Permissions to untick. */
  declined?: readonly string[];
  deny?: boolean;
}

export interface MetaSandbox {
  /** META_GRAPH_URL and META_LOGIN_URL. */
  readonly url: string;
  /** `host:port` of attachments and pictures, for MEDIA_EXTRA_HOSTS. */
  readonly mediaHosts: readonly string[];
  readonly app: MetaApp;
  readonly state: MetaState;
  readonly options: MetaOptions;
  readonly calls: Call[];
  /** Every webhook posted, with what came back. */
  readonly webhooks: MetaDelivery[];
  /** Somebody who can log in. */
  addPerson(person: { name: string; id?: string }): MetaPerson;
  addPage(page: NewPage): MetaPage;
  /** A new customer. */
  customer(human: { name: string; picture?: MetaFile; profile?: ProfileKind }): MessengerCustomer;
  /** The consent without a browser: the address it redirects to. Throws what the dialog would refuse. */
  authorize(person: MetaPerson, dialogUrl: string, choice?: Choice): string;
  /** Answers from the Page's own inbox. */
  pageInbox: { sends(page: MetaPage, to: MessengerCustomer, text: string): Promise<MetaMessage> };
  /** Posts a body as it is, signed: an object in Meta's escaping, text byte by byte. */
  deliver(body: string | object, signed?: { signature: string | null }): Promise<MetaDelivery>;
  /** Tells of any event, if its field is subscribed on the Page. */
  emit(page: MetaPage, field: string, event: object): Promise<MetaDelivery | null>;
  /** Everything that happens during the work arrives in one body. */
  inOneBody(work: () => Promise<unknown>): Promise<MetaDelivery | null>;
  /** The verification handshake, as the dashboard does it. */
  handshake(given?: {
    token?: string;
    challenge?: string;
    mode?: string;
  }): Promise<{ status: number; body: string; type: string }>;
  /** All tokens of the Page die: 190, with the subcode if given (460: password changed). */
  revokePageToken(page: MetaPage, subcode?: number): void;
  /** The person removes the app: tokens die with 190/458, and the app is told. */
  deauthorize(person: MetaPerson): Promise<Response>;
  /** "Send Request" for deletion: answers what the app says. */
  requestDeletion(person: MetaPerson): Promise<Response>;
  sign(raw: string | Buffer): string;
  signedRequest(payload: object): string;
  proof(token: string): string;
  settled(): Promise<void>;
  stop(): Promise<void>;
}

export async function startMeta(options: MetaSandboxOptions): Promise<MetaSandbox> {
  const state = createState(options.app, options.appUrl, options.now ?? Date.now);
  const server = await listen(appOf(state, options.faults), options.port);
  state.url = server.url;
  const settled = async () => {
    for (let before = -1; before !== state.webhooks.length;) {
      before = state.webhooks.length;
      await Promise.allSettled(state.queues.values());
    }
  };
  return {
    url: server.url,
    mediaHosts: [server.host],
    app: state.app,
    state,
    options: state.options,
    calls: state.calls,
    webhooks: state.webhooks,
    ...verbs(state),
    ...callbacks(state),
    settled,
    async stop() {
      state.stopped = true;
      await server.stop();
      await settled();
    },
  };
}

function appOf(state: MetaState, faults: Faults): Koa {
  const media = new Router();
  media.get('/media/:id/:name', (ctx) => {
    const file = state.files.get(paramOf(ctx, 'id'));
    if (!file) return;
    ctx.type = file.contentType;
    ctx.body = file.bytes;
  });
  const graph = new Router();
  dialogRoutes(graph, state);
  loginRoutes(graph, state);
  conversationRoutes(graph, state);
  sendRoutes(graph, state);
  pageRoutes(graph, state);
  const app = new Koa();
  app.silent = true;
  app.use(faultMiddleware(faults, 'meta'));
  app.use(media.routes());
  app.use(noteCalls(state));
  app.use(answerErrors());
  app.use(requireVersion());
  app.use(graph.routes());
  app.use(graph.allowedMethods());
  return app;
}

function verbs(
  state: MetaState,
): Pick<MetaSandbox, 'addPerson' | 'addPage' | 'customer' | 'authorize' | 'pageInbox' | 'revokePageToken'> {
  return {
    addPerson({ name, id = idFor(`person ${name}`, 17) }) {
      const person: MetaPerson = { id, name, tasks: new Map(), grant: null };
      state.people.set(id, person);
      return person;
    },
    addPage(given) {
      const page: MetaPage = {
        id: given.id ?? idFor(`page ${given.name}`, 15),
        name: given.name,
        category: given.category ?? 'Local business',
        picture: given.picture ?? null,
        inBusiness: given.inBusiness ?? false,
        subscribedFields: null,
        ownedByOtherApp: false,
      };
      state.pages.set(page.id, page);
      const owners = Array.isArray(given.ownedBy) ? given.ownedBy : [given.ownedBy];
      for (const owner of owners as MetaPerson[]) owner.tasks.set(page.id, given.tasks ?? allTasks);
      state.changed();
      return page;
    },
    customer({ name, picture, profile = 'full' }) {
      const none = { psids: new Map(), blocked: new Set<string>(), open: new Set<string>(), typing: new Map() };
      const human = { name, picture: picture ?? null, profile, ...none };
      state.humans.push(human);
      state.changed();
      return customerOf(state, human);
    },
    authorize(person, dialogUrl, choice = {}) {
      const asked = askedOf(state, new URL(dialogUrl).searchParams);
      if (typeof asked === 'string') throw new Error(asked);
      if (choice.deny) return refuse(asked);
      const pageIds = choice.pages?.map((page) => page.id) ?? [...person.tasks.keys()];
      return consent(state, person, asked, { pageIds, declined: choice.declined ?? [] });
    },
    pageInbox: {
      sends: (page, to, text) => sendFromPageInbox(state, page, to.human, text),
    },
    revokePageToken(page, subcode = 0) {
      for (const token of state.tokens.values()) if (token.pageId === page.id) token.deadWith = subcode;
    },
  };
}

function callbacks(
  state: MetaState,
): Pick<
  MetaSandbox,
  | 'deliver'
  | 'emit'
  | 'inOneBody'
  | 'handshake'
  | 'deauthorize'
  | 'requestDeletion'
  | 'sign'
  | 'signedRequest'
  | 'proof'
> {
  const tell = (path: string, person: MetaPerson) => {
    const issued = Math.floor(state.now() / 1_000);
    const payload = { algorithm: 'HMAC-SHA256', expires: issued + 3_600, issued_at: issued, user_id: person.id };
    const body = new URLSearchParams({ signed_request: signedRequest(state.app.secret, payload) });
    return fetch(state.appUrl() + path, { method: 'POST', body });
  };
  return {
    deliver: (body, signed) => post(state, typeof body === 'string' ? body : escapedJson(body), signed?.signature),
    emit: (page, field, event) => emit(state, page, field, event),
    inOneBody: (work) => inOneBody(state, work),
    async handshake({ token = state.app.verifyToken, challenge = '1158201444', mode = 'subscribe' } = {}) {
      const url = new URL(`${state.appUrl()}/webhooks/messenger`);
      url.search = new URLSearchParams({
        'hub.mode': mode,
        'hub.verify_token': token,
        'hub.challenge': challenge,
      }).toString();
      const response = await fetch(url);
      return { status: response.status, body: await response.text(), type: response.headers.get('content-type') ?? '' };
    },
    async deauthorize(person) {
      person.grant = null;
      for (const token of state.tokens.values()) if (token.personId === person.id) token.deadWith = 458;
      for (const id of person.tasks.keys()) {
        const page = state.pages.get(id);
        if (page) page.subscribedFields = null;
      }
      return tell('/webhooks/meta/deauthorize', person);
    },
    requestDeletion: (person) => tell('/webhooks/meta/data-deletion', person),
    sign: (raw) => signature(state.app.secret, raw),
    signedRequest: (payload) => signedRequest(state.app.secret, payload),
    proof: (token) => proofOf(state.app.secret, token),
  };
}

export type { MessengerCustomer, MetaApp, MetaFile, MetaMessage, MetaPage, MetaPerson };

// Koa: the order of middleware and every route, on one page.
import { randomBytes } from 'node:crypto';
import { createServer, type Server } from 'node:http';
import { Readable } from 'node:stream';
import Router from '@koa/router';
import compress from 'koa-compress';
import helmet from 'koa-helmet';
import Koa, { type Context, type Next } from 'koa';
import { HttpMethodEnum, koaBody } from 'koa-body';
import type { z } from 'zod';
import { UserError } from '../base/errors.ts';
import { newId } from '../base/ids.ts';
import { withContext, type Log } from '../base/log.ts';
import { requireAdmin, type Viewer } from '../companies/access.ts';
import { languageOfSignedToken, viewerOf } from '../companies/session.ts';
import { cleanTexts } from '../inbox/clean-text.ts';
import { attachmentCalls } from './api/attachments.ts';
import { createSession, meCalls, type MeCallDeps } from './api/me.ts';
import { channelCalls, messengerLogin } from './api/channels.ts';
import { conversationCalls, type ConversationCallDeps } from './api/conversations.ts';
import { exportCalls } from './api/export.ts';
import { linkCalls, type LinkCallDeps } from './api/links.ts';
import { messageCalls } from './api/messages.ts';
import { savedReplyCalls } from './api/saved-replies.ts';
import { templateCalls } from './api/templates.ts';
import { notificationCalls, type NotificationCallDeps } from './api/notifications.ts';
import { calls, type Call, type CallName } from './contract.ts';
import { apiErrors } from './errors.ts';
import type { CallAnswer, Handler, Handlers } from './handler.ts';
import { live, metrics, ready, type HealthDeps } from './health.ts';
import { leadsInboxRoutes, type LeadsInboxDeps } from './leads-inbox.ts';
import { serveMedia, type MediaDeps } from './media.ts';
import { deauthorizeCallback, deletionCallback, deletionStatus } from './meta-callbacks.ts';
import {
  bindBrowser,
  install,
  installCallback,
  messengerCallback,
  readCookie,
  sessionCookie,
  showPage,
  uninstallCallback,
  type OauthRouteDeps,
} from './oauth.ts';
import { openApi } from './openapi.ts';
import { browserLanguage } from './pages.ts';
import type { Streams } from './stream.ts';
import type { Surfaces, SurfaceName } from './surfaces.ts';
import { fileOf, takeFiles } from './upload.ts';
import { askToUnsubscribe, unsubscribeMails, type UnsubscribeDeps } from './unsubscribe.ts';
import { receivePipedrive } from './pipedrive-webhook.ts';
import { checkMessenger, receiveMessenger, receiveTwilio, type WebhookDeps } from './webhooks.ts';
import type { MessageDeps } from '../inbox/message-shape.ts';

export interface ServerDeps {
  readonly log: Log;
  readonly publicUrl: string;
  /** Origins, besides Pipedrive's own, whose pages may frame our surfaces; stand-ins only. */
  readonly frameAncestors: readonly string[];
  readonly webhooks: WebhookDeps;
  readonly health: HealthDeps;
  readonly oauth: OauthRouteDeps;
  readonly media: MediaDeps;
  readonly leadsInbox: LeadsInboxDeps;
  readonly me: MeCallDeps;
  readonly conversations: ConversationCallDeps;
  readonly messageReading: MessageDeps;
  readonly links: LinkCallDeps;
  readonly notifications: NotificationCallDeps;
  readonly unsubscribe: UnsubscribeDeps;
  readonly streams: Streams;
  readonly surfaces: Surfaces;
}

const idShape = /^[\w:.-]{1,100}$/;

export function createHttpServer(deps: ServerDeps): Server {
  const app = new Koa();
  app.on('error', (error: NodeJS.ErrnoException) => {
    // Whoever asked has gone away: his right, and nobody's fault.
    const left = error.code === 'ERR_STREAM_PREMATURE_CLOSE' || error.code === 'ECONNRESET' || error.code === 'EPIPE';
    deps.log[left ? 'debug' : 'warn']({ err: error }, 'a response failed');
  });
  app.use(intake(deps));
  app.use(surroundings(deps));
  app.use(securityHeaders(deps));
  app.use(compress({ filter: isWords }));
  app.use(streamsAsTheyAre());
  const router = new Router();
  pageRoutes(deps, router);
  leadsInboxRoutes(deps.leadsInbox, router);
  apiRoutes(deps, router);
  app.use(router.routes());
  app.use(router.allowedMethods());
  app.use(notFound());
  const answer = app.callback();
  const server = createServer(
    // A file of the largest size over a slow line takes minutes.
    { requestTimeout: 240_000, headersTimeout: 15_000, keepAliveTimeout: 65_000, maxHeaderSize: 32_768 },
    (request, response) => void answer(request, response),
  );
  return server;
}

/** What shrinks: no page, which holds a secret, and not the stream of events. */
function isWords(type: string): boolean {
  return /^(application\/json|text\/javascript|text\/css|image\/svg\+xml)\b/.test(type);
}

/**
 * What is told bit by bit is not shrunk, neither an export nor a file: the compressor does not hear when its source fails, and
 * whoever reads would wait for the rest for ever.
 */
function streamsAsTheyAre() {
  return async (ctx: Context, next: Next): Promise<void> => {
    await next();
    if (ctx.body instanceof Readable) ctx.compress = false;
  };
}

/** Before all else, and with as little as possible: what must be fast, and read raw. */
function intake(deps: ServerDeps) {
  const receivers: Readonly<Record<string, (ctx: Context) => Promise<void> | void>> = {
    'POST /webhooks/messenger': (ctx) => receiveMessenger(deps.webhooks, ctx),
    'GET /webhooks/messenger': (ctx) => checkMessenger(deps.webhooks, ctx),
    'POST /webhooks/twilio': (ctx) => receiveTwilio(deps.webhooks, ctx),
    'POST /webhooks/twilio/status': (ctx) => receiveTwilio(deps.webhooks, ctx),
  };
  return async (ctx: Context, next: Next): Promise<void> => {
    const receive = receivers[`${ctx.method} ${ctx.path}`];
    const company = ctx.method === 'POST' ? /^\/webhooks\/pipedrive\/(\w{1,40})$/.exec(ctx.path)?.[1] : undefined;
    if (receive) await receive(ctx);
    else if (company !== undefined) await receivePipedrive(deps.webhooks, ctx, company);
    else await next();
  };
}

/** A correlation id for everything the request causes, and one line when it ends. */
function surroundings(deps: ServerDeps) {
  return (ctx: Context, next: Next): Promise<void> =>
    withContext({ correlationId: newId() }, async () => {
      const begun = performance.now();
      try {
        await next();
      } finally {
        const ms = Math.round(performance.now() - begun);
        deps.log.info({ method: ctx.method, route: routeOf(ctx), status: ctx.status, ms }, 'request done');
      }
    });
}

/** The route's pattern: a path holds ids of others, a query may hold secrets. */
function routeOf(ctx: Context): string {
  return (ctx as { _matchedRoute?: string })._matchedRoute ?? 'none';
}

function securityHeaders(deps: ServerDeps) {
  const protect = helmet({
    contentSecurityPolicy: false,
    xFrameOptions: false,
    crossOriginEmbedderPolicy: false,
    crossOriginOpenerPolicy: false,
  });
  const framed = ["'self'", 'https://*.pipedrive.com', ...deps.frameAncestors].join(' ');
  const secure = deps.publicUrl.startsWith('https:') ? '; upgrade-insecure-requests' : '';
  return async (ctx: Context, next: Next): Promise<void> => {
    const nonce = randomBytes(16).toString('base64');
    (ctx.state as { nonce?: string }).nonce = nonce;
    const ancestors = ctx.path.startsWith('/ui/') ? framed : "'none'";
    ctx.set(
      'Content-Security-Policy',
      `default-src 'none'; script-src 'self' 'nonce-${nonce}'; style-src 'self' 'nonce-${nonce}'; img-src 'self' data: blob:; ` +
        `media-src 'self' blob:; font-src 'self'; connect-src 'self'; manifest-src 'self'; worker-src 'self'; form-action 'self'; ` +
        `base-uri 'none'; frame-ancestors ${ancestors}${secure}`,
    );
    await protect(ctx, async () => {
      ctx.set('Referrer-Policy', 'no-referrer');
      if (deps.publicUrl.startsWith('http:')) ctx.remove('Strict-Transport-Security');
      await next();
    });
  };
}

function pageRoutes(deps: ServerDeps, router: Router): void {
  router.get('/health/live', (ctx) => live(ctx));
  router.get('/health/ready', (ctx) => ready(deps.health, ctx));
  router.get('/metrics', (ctx) => metrics(deps.health, ctx));
  router.get('/install', (ctx) => install(deps.oauth, ctx));
  router.get('/oauth/callback', (ctx) => installCallback(deps.oauth, ctx));
  // The body parser leaves DELETE bodies alone unless it is told.
  const uninstallBody = koaBody({
    parsedMethods: [HttpMethodEnum.DELETE],
    jsonLimit: '20kb',
    onError: () => undefined,
  });
  router.delete('/oauth/callback', uninstallBody, (ctx) => uninstallCallback(deps.oauth, ctx, ctx.request.body));
  const signed = koaBody({ multipart: false, formLimit: '20kb', jsonLimit: '20kb', onError: () => undefined });
  router.post('/webhooks/meta/deauthorize', signed, (ctx) => deauthorizeCallback(deps.oauth.connect, ctx));
  router.post('/webhooks/meta/data-deletion', signed, (ctx) => deletionCallback(deps.oauth.connect, ctx));
  router.get('/privacy/deletion/:code', (ctx) => deletionStatus(deps.oauth.connect, ctx, ctx.params.code ?? ''));
  router.get('/oauth/meta/callback', (ctx) => messengerCallback(deps.oauth, ctx));
  const media = async (ctx: Context): Promise<void> => {
    const { id = '' } = (ctx as unknown as { params: Record<string, string> }).params;
    if (idShape.test(id)) await serveMedia(deps.media, ctx, id);
    else ctx.status = 404;
  };
  router.get('/media/:id', media);
  router.get('/media/:id/:name', media);
  for (const name of ['window', 'panel', 'modal', 'settings'] as const) {
    router.get(`/ui/${name}`, async (ctx) => deps.surfaces.show(ctx, name, await frameLanguage(deps, ctx)));
  }
  router.get('/ui/assets/:file', (ctx) => deps.surfaces.asset(ctx, ctx.params.file ?? ''));
  const page = (name: SurfaceName) => async (ctx: Context) => {
    const viewer = await pageViewer(deps, ctx);
    if (viewer) return deps.surfaces.show(ctx, name, viewer.language);
    ctx.redirect(`/install?next=${encodeURIComponent(ctx.path)}`);
  };
  router.get('/', page('page'));
  router.get('/conversations/:id', page('page'));
  router.get('/settings', page('page'));
  router.get('/service-worker.js', (ctx) => deps.surfaces.serviceWorker(ctx));
  router.get('/unsubscribe/:token', (ctx) => askToUnsubscribe(deps.unsubscribe, ctx, ctx.params.token ?? ''));
  router.post('/unsubscribe/:token', (ctx) => unsubscribeMails(deps.unsubscribe, ctx, ctx.params.token ?? ''));
  router.get('/api/openapi.json', (ctx) => void (ctx.body = openApi));
}

/** The user's own, so that no other has to be loaded first. */
async function frameLanguage(deps: ServerDeps, ctx: Context): Promise<string> {
  const { token } = ctx.query;
  const own = typeof token === 'string' ? await languageOfSignedToken(deps.me.session, token) : undefined;
  return own ?? browserLanguage(ctx.get('accept-language'));
}

async function pageViewer(deps: ServerDeps, ctx: Context): Promise<Viewer | undefined> {
  const token = readCookie(ctx, deps.publicUrl, sessionCookie);
  return token === undefined ? undefined : deps.me.inbox.db.read((reader) => viewerOf(deps.me.inbox, reader, token));
}

function apiRoutes(deps: ServerDeps, router: Router): void {
  const handlers: Handlers = {
    ...meCalls(deps.me),
    ...channelCalls(deps.oauth.connect, deps.conversations.reading),
    ...conversationCalls(deps.conversations),
    ...messageCalls({ inbox: deps.conversations.inbox, reading: deps.messageReading }),
    ...linkCalls(deps.links),
    ...exportCalls(deps.conversations.inbox),
    ...savedReplyCalls(deps.conversations.inbox),
    ...attachmentCalls({ inbox: deps.conversations.inbox, reading: deps.messageReading }),
    ...templateCalls(deps.conversations.inbox),
    ...notificationCalls(deps.notifications),
  };
  const json = koaBody({
    multipart: false,
    urlencoded: false,
    text: false,
    jsonLimit: '256kb',
    jsonStrict: false,
    parsedMethods: [HttpMethodEnum.POST, HttpMethodEnum.PUT, HttpMethodEnum.PATCH, HttpMethodEnum.DELETE],
  });
  const errors = apiErrors(deps.log);
  for (const [name, call] of Object.entries(calls) as [CallName, Call][]) {
    const route = call.method.toLowerCase() as 'get' | 'post' | 'put' | 'patch' | 'delete';
    const intake = call.upload ? [requireSession(deps), takeFiles()] : [requireJson(call), json];
    router[route](call.path, errors, ...intake, async (ctx: Context) => {
      const answer = await runCall(deps, handlers, ctx, name, call);
      if (!answer) return;
      ctx.set('Cache-Control', 'no-store');
      ctx.status = answer.status;
      if (answer.fileName !== undefined) ctx.attachment(answer.fileName);
      if (answer.type !== undefined) ctx.type = answer.type;
      if (answer.body !== undefined) ctx.body = answer.body;
    });
  }
}

async function runCall(
  deps: ServerDeps,
  handlers: Handlers,
  ctx: Context,
  name: CallName,
  call: Call,
): Promise<CallAnswer | undefined> {
  const { params } = ctx as unknown as { params: Record<string, string> };
  if (call.right === 'public') {
    if (name !== 'createSession') throw new Error(`no handler for ${name}`);
    return createSession(deps.me, readShape(call.body!, rawBodyOf(ctx)) as { token: string });
  }
  const { viewer, token } = await requireViewer(deps, ctx);
  (ctx.state as { language?: string }).language = viewer.language;
  if (Object.values(params).some((value) => !idShape.test(value))) throw new UserError('not_found');
  if (call.right === 'admin') requireAdmin(viewer);
  const query = call.query ? readShape(call.query, ctx.query) : undefined;
  const body = call.body ? readShape(call.body, bodyOf(ctx)) : undefined;
  if (name === 'streamEvents') return openStream(deps, ctx, viewer, token, query as { after?: string });
  if (name === 'startMessengerLogin')
    return messengerLogin(deps.oauth.connect, viewer, () => bindBrowser(ctx, deps.publicUrl));
  const handler: Handler | undefined = handlers[name];
  if (!handler) throw new Error(`no handler for ${name}`);
  return handler({ viewer, params, query: query as never, body: body as never, file: fileOf(ctx) });
}

async function openStream(
  deps: ServerDeps,
  ctx: Context,
  viewer: Viewer,
  token: string,
  query: { after?: string },
): Promise<CallAnswer | undefined> {
  const after = ctx.get('last-event-id') || query.after;
  ctx.respond = false;
  ctx.res.statusCode = 200;
  if (await deps.streams.open(viewer, token, after, ctx.res)) return undefined;
  ctx.respond = true;
  throw new UserError('rate_limited');
}

/** Before a file is taken: nobody unknown may fill the disk. */
function requireSession(deps: ServerDeps) {
  return async (ctx: Context, next: Next): Promise<void> => {
    await requireViewer(deps, ctx);
    await next();
  };
}

/** By session token, or by the first-party cookie together with proof that the call comes from our own page (T-18). */
async function requireViewer(deps: ServerDeps, ctx: Context): Promise<{ viewer: Viewer; token: string }> {
  const bearer = /^Bearer ([\w-]+)$/.exec(ctx.get('authorization'))?.[1];
  const cookie = bearer === undefined ? readCookie(ctx, deps.publicUrl, sessionCookie) : undefined;
  if (cookie !== undefined) requireOwnOrigin(deps, ctx);
  const token = bearer ?? cookie;
  const viewer =
    token === undefined ? undefined : await deps.me.inbox.db.read((reader) => viewerOf(deps.me.inbox, reader, token));
  if (!viewer || token === undefined) throw new UserError('unauthenticated');
  return { viewer, token };
}

function requireOwnOrigin(deps: ServerDeps, ctx: Context): void {
  const site = ctx.get('sec-fetch-site');
  if (site !== '' && site !== 'same-origin' && site !== 'none')
    throw new UserError('forbidden', { needs: 'same_origin' });
  const origin = ctx.get('origin');
  const isRead = ctx.method === 'GET' || ctx.method === 'HEAD';
  const isOwn = origin === new URL(deps.publicUrl).origin;
  if ((origin !== '' && !isOwn) || (!isRead && !isOwn)) throw new UserError('forbidden', { needs: 'same_origin' });
}

/** A body must say that it is JSON: a form of another site cannot. */
function requireJson(call: Call) {
  return async (ctx: Context, next: Next): Promise<void> => {
    const hasBody = Number(ctx.get('content-length') || 0) > 0 || ctx.get('transfer-encoding') !== '';
    if (call.body && hasBody && !ctx.is('application/json')) throw new UserError('unsupported_media_type');
    await next();
  };
}

function bodyOf(ctx: Context): unknown {
  return cleanTexts(rawBodyOf(ctx));
}

function rawBodyOf(ctx: Context): unknown {
  return (ctx.request as { body?: unknown }).body ?? {};
}

function readShape(shape: z.ZodType, value: unknown): unknown {
  const parsed = shape.safeParse(value);
  if (parsed.success) return parsed.data;
  const fields = Object.fromEntries(parsed.error.issues.map((issue) => [issue.path.join('.') || 'body', issue.code]));
  throw new UserError('invalid', { fields });
}

function notFound() {
  return (ctx: Context): void => {
    if (ctx.status !== 404 || ctx.body !== undefined) return;
    if (ctx.path.startsWith('/api/')) {
      ctx.status = 404;
      ctx.body = { error: { code: 'not_found', message: 'Not found' } };
    } else if (ctx.accepts('html') && ctx.method === 'GET' && !/^\/(media|ui)\//.test(ctx.path)) {
      showPage(ctx, 404, { key: 'notFound', action: { href: '/', key: 'page.toInbox' } });
    }
  };
}

// `/pipedrive/channels/…`: the seven endpoints of the messaging manifest, called by Pipedrive with our own client id and secret.
// Their errors look as its messaging extension wants them: `{success: false, data: {message, code}}` (Error codes and troubleshooting).
import type Router from '@koa/router';
import type { Context, Next } from 'koa';
import { sameSecret } from '../base/crypto.ts';
import { UpstreamError, UserError } from '../base/errors.ts';
import { text } from '../base/texts.ts';
import {
  listConversations,
  listTemplates,
  readConversation,
  readMessage,
  readSender,
  takeOutChannel,
  type EndpointDeps,
} from '../bridge/provider-endpoints.ts';
import { submitMessage, type Submission } from '../bridge/submit.ts';
import { filesIn, takeFiles } from './upload.ts';

export interface LeadsInboxDeps {
  readonly endpoints: EndpointDeps;
  readonly clientId: string;
  readonly clientSecret: string;
}

const root = '/pipedrive/channels/:channel';

/** What Developer Hub is given so that Pipedrive finds us (Messaging app extension). `npm run manifest` writes it down. */
export function messagingManifest(publicUrl: string) {
  const channel = `${publicUrl}/pipedrive/channels/:providerChannelId`;
  const conversation = `${channel}/conversations/:sourceConversationId`;
  return {
    version: 'v202101',
    endpoints: {
      getConversations: `${channel}/conversations`,
      getConversationById: conversation,
      postMessage: `${channel}/messages`,
      getSenderById: `${channel}/senders/:senderId`,
      deleteChannelById: channel,
      getTemplates: `${channel}/templates`,
      getMessageById: `${conversation}/messages/:sourceMessageId`,
    },
  };
}
const idShape = /^[\w.-]{1,100}$/;

export function leadsInboxRoutes(deps: LeadsInboxDeps, router: Router): void {
  const { endpoints } = deps;
  const inOrder = [withErrors(deps), authenticated(deps)];
  const form = takeFiles({ maxFiles: 10, maxTextBytes: 200_000 });
  const channel = (ctx: Context) => idOf(ctx, 'channel');
  const answer = (work: (ctx: Context) => Promise<unknown>) => async (ctx: Context) => {
    ctx.set('Cache-Control', 'no-store');
    ctx.body = await work(ctx);
  };

  router.get(
    `${root}/conversations`,
    ...inOrder,
    answer((ctx) => listConversations(endpoints, channel(ctx), ctx.query)),
  );
  router.get(
    `${root}/conversations/:conversation`,
    ...inOrder,
    answer((ctx) => readConversation(endpoints, channel(ctx), idOf(ctx, 'conversation'), ctx.query)),
  );
  router.get(
    `${root}/conversations/:conversation/messages/:message`,
    ...inOrder,
    answer((ctx) => readMessage(endpoints, channel(ctx), idOf(ctx, 'message'), idOf(ctx, 'conversation'))),
  );
  // The description of the endpoints has it without the conversation too.
  router.get(
    `${root}/messages/:message`,
    ...inOrder,
    answer((ctx) => readMessage(endpoints, channel(ctx), idOf(ctx, 'message'))),
  );
  router.post(
    `${root}/messages`,
    ...inOrder,
    form,
    answer(async (ctx) => {
      const id = await submitMessage(endpoints, channel(ctx), submissionOf(ctx));
      return { success: true, data: { id } };
    }),
  );
  router.get(
    `${root}/senders/:sender`,
    ...inOrder,
    answer((ctx) => readSender(endpoints, channel(ctx), idOf(ctx, 'sender'))),
  );
  router.get(
    `${root}/templates`,
    ...inOrder,
    answer((ctx) => listTemplates(endpoints, channel(ctx))),
  );
  router.delete(
    root,
    ...inOrder,
    answer((ctx) => takeOutChannel(endpoints, channel(ctx))),
  );
  router.all(
    ['/pipedrive/channels', '/pipedrive/channels/{*rest}'],
    ...inOrder,
    answer(() => {
      throw new UserError('not_found');
    }),
  );
}

/** What is no id of ours names nothing. */
function idOf(ctx: Context, name: string): string {
  const { params } = ctx as unknown as { params: Record<string, string | undefined> };
  const id = params[name] ?? '';
  if (!idShape.test(id)) throw new UserError('not_found');
  return id;
}

/** Before anything else is read. The whole header is compared, in constant time; two of them are none (J-19). */
function authenticated({ clientId, clientSecret }: LeadsInboxDeps) {
  const expected = `Basic ${Buffer.from(`${clientId}:${clientSecret}`).toString('base64')}`;
  return async (ctx: Context, next: Next): Promise<void> => {
    const names = ctx.req.rawHeaders.filter((_, index) => index % 2 === 0);
    const given = names.filter((name) => name.toLowerCase() === 'authorization').length;
    if (given === 1 && sameSecret(ctx.get('authorization'), expected)) {
      await next();
      return;
    }
    ctx.set('WWW-Authenticate', 'Basic');
    refuse(ctx, 401, 'UNAUTHORIZED', 'unauthenticated');
  };
}

function submissionOf(ctx: Context): Submission {
  const { body } = ctx.request as { body?: Record<string, unknown> };
  const one = (name: string): string => {
    const [value] = listOf(body?.[name]);
    return value ?? '';
  };
  // The guide has it with brackets, the description without; either may be one joined text or several parts.
  const recipients = [...listOf(body?.['recipientIds[]']), ...listOf(body?.recipientIds)];
  return {
    conversationId: one('conversationId'),
    senderId: one('senderId'),
    recipientIds: [...new Set(recipients.flatMap((value) => value.split(',')).map((value) => value.trim()))].filter(
      (value) => value !== '',
    ),
    text: one('message'),
    files: filesIn(ctx, 'files'),
  };
}

function listOf(value: unknown): string[] {
  const values = Array.isArray(value) ? value : [value];
  return values.filter((each): each is string => typeof each === 'string');
}

/** What each refusal of ours is there. Without an entry it is a body that cannot be taken. */
const known: Readonly<Record<string, { status: number; code: string }>> = {
  not_found: { status: 404, code: 'NOT_FOUND' },
  forbidden: { status: 403, code: 'FORBIDDEN' },
  channel_broken: { status: 401, code: 'UNAUTHORIZED' },
  payload_too_large: { status: 413, code: 'INVALID_BODY' },
  unsupported_media_type: { status: 415, code: 'INVALID_BODY' },
};

/** Pipedrive shows its users words of its own for exactly this. */
const suspended = { status: 401, code: 'ACCOUNT_SUSPENDED' };

function withErrors(deps: LeadsInboxDeps) {
  return async (ctx: Context, next: Next): Promise<void> => {
    try {
      await next();
    } catch (error) {
      answerError(deps, ctx, error);
    }
  };
}

function answerError(deps: LeadsInboxDeps, ctx: Context, error: unknown): void {
  const { log } = deps.endpoints;
  if (error instanceof UserError) {
    const isSuspended = error.details?.reason === 'account_suspended';
    const { status, code } = isSuspended ? suspended : (known[error.code] ?? { status: 400, code: 'INVALID_BODY' });
    return refuse(ctx, status, code, error.code, error.details);
  }
  if (error instanceof UpstreamError) {
    log.info({ err: error }, 'a vendor did not do it');
    return refuse(ctx, 503, 'UNAVAILABLE', 'upstream_unavailable');
  }
  log.error({ err: error }, 'a request failed');
  refuse(ctx, 500, 'INTERNAL', 'internal');
}

/** The sentence is for Pipedrive's developers; its users see one of its own. */
function refuse(ctx: Context, status: number, code: string, word: string, details?: object): void {
  const values = Object.fromEntries(
    Object.entries(details ?? {}).filter((entry): entry is [string, string | number] =>
      ['string', 'number'].includes(typeof entry[1]),
    ),
  );
  ctx.status = status;
  ctx.body = { success: false, data: { message: text('en', `error.${word}`, values), code } };
}

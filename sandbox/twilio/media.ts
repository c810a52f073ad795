// The Media resource, and the host that plays mms.twiliocdn.com: the API wants a login and redirects, the host refuses one.
import { createHmac, randomBytes } from 'node:crypto';
import { Readable } from 'node:stream';
import Koa from 'koa';
import type Router from '@koa/router';
import type { Context } from 'koa';
import { paramOf } from '../listen.ts';
import { formOf, notFound, pathAccount, queryOf, rfc2822 } from './api.ts';
import type { TwilioMedia, TwilioMessage, TwilioState } from './state.ts';

const linkLifeMs = 4 * 3_600_000;
const keyPair = randomBytes(16);

export function mediaRoutes(router: Router, state: TwilioState): void {
  const base = '/2010-04-01/Accounts/:account/Messages/:message/Media';

  router.get(`${base}.json`, (ctx) => {
    queryOf(ctx, ['PageSize', 'Page', 'PageToken', 'DateCreated', 'DateCreated<', 'DateCreated>']);
    const message = messageOf(state, ctx);
    ctx.body = {
      media_list: message.media.map((media) => resource(message, media)),
      page: 0,
      page_size: 50,
      start: 0,
      end: Math.max(0, message.media.length - 1),
      uri: ctx.path,
      first_page_uri: ctx.path,
      next_page_uri: null,
      previous_page_uri: null,
    };
  });

  router.get(`${base}/:file`, (ctx) => {
    queryOf(ctx, []);
    const { message, media } = mediaOf(state, ctx);
    if (ctx.path.endsWith('.json')) {
      ctx.body = resource(message, media);
      return;
    }
    if (media.late) {
      media.late -= 1;
      throw notFound(ctx);
    }
    ctx.redirect(media.redirectTo ?? linkTo(state, message, media));
    // Koa says 302; reports from production say 307 (dossier section 13, point 4).
    ctx.status = 307;
  });

  router.delete(`${base}/:file`, async (ctx) => {
    await formOf(ctx, []);
    const { message, media } = mediaOf(state, ctx);
    message.media.splice(message.media.indexOf(media), 1);
    ctx.status = 204;
  });
}

function messageOf(state: TwilioState, ctx: Context): TwilioMessage {
  const account = pathAccount(state, ctx);
  const message = state.messages.get(paramOf(ctx, 'message'));
  if (!message || message.accountSid !== account.sid) throw notFound(ctx);
  return message;
}

function mediaOf(state: TwilioState, ctx: Context): { message: TwilioMessage; media: TwilioMedia } {
  const message = messageOf(state, ctx);
  const sid = paramOf(ctx, 'file').replace(/\.json$/, '');
  const media = message.media.find((each) => each.sid === sid);
  if (!media) throw notFound(ctx);
  return { message, media };
}

function resource(message: TwilioMessage, media: TwilioMedia): object {
  return {
    sid: media.sid,
    account_sid: message.accountSid,
    parent_sid: message.sid,
    content_type: media.contentType,
    date_created: rfc2822(message.createdAt),
    date_updated: rfc2822(message.createdAt),
    uri: `/2010-04-01/Accounts/${message.accountSid}/Messages/${message.sid}/Media/${media.sid}.json`,
  };
}

function linkTo(state: TwilioState, message: TwilioMessage, media: TwilioMedia): string {
  const path = `/${message.accountSid}/${media.sid}`;
  const expires = Math.floor((state.now() + linkLifeMs) / 1_000);
  return `${state.mediaUrl}${path}?Expires=${expires}&Signature=${signature(path, expires)}&Key-Pair-Id=APKASANDBOX`;
}

function signature(path: string, expires: number): string {
  return createHmac('sha256', keyPair).update(`${path} ${expires}`).digest('base64url');
}

/** The signed links' host. It knows no login, and a caller that sends one has leaked it. */
export function mediaHost(state: TwilioState): Koa {
  const app = new Koa();
  // Whoever has read enough ends the connection.
  app.silent = true;
  app.use((ctx) => {
    const expires = Number(ctx.query.Expires);
    const [, accountSid = '', sid = ''] = ctx.path.split('/');
    if (ctx.get('authorization') !== '') {
      ctx.status = 400;
      ctx.body = 'Only one auth mechanism allowed';
      return;
    }
    const isSigned = ctx.query.Signature === signature(ctx.path, expires) && expires * 1_000 > state.now();
    const media = [...state.messages.values()]
      .filter((message) => message.accountSid === accountSid)
      .flatMap((message) => message.media)
      .find((each) => each.sid === sid);
    if (!isSigned || !media || !['GET', 'HEAD'].includes(ctx.method)) {
      ctx.status = 403;
      ctx.body = 'AccessDenied';
      return;
    }
    ctx.type = media.contentType;
    ctx.body = media.endless ? Readable.from(endless(media.bytes)) : media.bytes;
  });
  return app;
}

function* endless(first: Buffer): Generator<Buffer> {
  yield first;
  for (;;) yield Buffer.alloc(65_536);
}

// The calls of the customer's phone, and the live stream of its page.
import type Router from '@koa/router';
import type { Context } from 'koa';
import { paramOf, readBody } from '../listen.ts';
import { picture, pictureNames, pictureTitle } from '../pictures.ts';
import {
  bubbles,
  chatsOf,
  findBy,
  freeNumber,
  has,
  isTyping,
  lastOf,
  open,
  owners,
  say,
  shut,
  summary,
  type Chat,
  type Owner,
} from './chats.ts';
import type { ConsoleOptions } from './options.ts';

const maxUpload = 16 * 1024 * 1024;

export function phoneRoutes(router: Router, options: ConsoleOptions): { close(): void } {
  const streams = new Set<() => void>();
  /** Pages that have a chat open; the chat is shut when the last of them goes. */
  const lookers = new Map<string, number>();
  const tell = () => {
    for (const wake of streams) wake();
  };
  options.twilio.state.changed = tell;
  options.meta.state.changed = tell;

  router.get('/phone/customers', (ctx) => {
    const chats = chatsOf(options);
    ctx.body = {
      customers: owners(options)
        .map((owner) => ({
          id: owner.id,
          name: owner.name,
          number: owner.number,
          chats: chats.filter((chat) => has(owner, chat)).map((chat) => summary(owner, chat)),
        }))
        .sort((one, other) => lastOf(other.chats) - lastOf(one.chats)),
      pictures: pictureNames.map((name) => ({ name, title: pictureTitle(name) })),
    };
  });

  router.post('/phone/customers', async (ctx) => {
    const { name, number } = (await json(ctx)) as { name?: string; number?: string };
    const wanted = (name ?? '').trim();
    const digits = (number ?? '').replace(/[\s()-]/g, '').replace(/^00/, '+');
    if (wanted === '' || (digits !== '' && !/^\+[1-9]\d{6,14}$/.test(digits))) {
      ctx.status = 422;
      ctx.body = { message: wanted === '' ? 'A name is needed.' : 'A number looks like +46 70 123 45 67.' };
      return;
    }
    options.twilio.customer(digits === '' ? freeNumber(options) : digits, { name: wanted });
    options.meta.customer({ name: wanted });
    ctx.status = 201;
    ctx.body = { id: wanted };
  });

  router.get('/phone/customers/:customer/chats/:chat', (ctx) => {
    const found = find(options, ctx);
    if (found) ctx.body = { messages: bubbles(found.owner, found.chat), typing: isTyping(options, found) };
  });

  router.post('/phone/customers/:customer/chats/:chat/messages', async (ctx) => {
    const found = find(options, ctx);
    if (!found) return;
    const { text = '', picture: name } = (await json(ctx)) as { text?: string; picture?: string };
    const photo = name !== undefined && pictureNames.includes(name) ? await picture(name) : null;
    ctx.body = await say(found.owner, found.chat, text, photo);
  });

  router.post('/phone/customers/:customer/chats/:chat/photo', async (ctx) => {
    const found = find(options, ctx);
    if (!found) return;
    const contentType = ctx.get('content-type');
    if (!contentType.startsWith('image/')) {
      ctx.status = 422;
      ctx.body = { message: 'Only pictures can be sent from here.' };
      return;
    }
    const bytes = await readBody(ctx, maxUpload);
    ctx.body = await say(found.owner, found.chat, ctx.URL.searchParams.get('text') ?? '', {
      bytes,
      contentType,
      name: 'photo',
    });
  });

  router.get('/phone/pictures/:name', async (ctx) => {
    const name = paramOf(ctx, 'name');
    if (!pictureNames.includes(name)) return;
    const { bytes, contentType } = await picture(name);
    ctx.type = contentType;
    ctx.set('cache-control', 'max-age=3600');
    ctx.body = bytes;
  });

  router.get('/phone/media/:provider/:message/:index', (ctx) => {
    const index = Number(paramOf(ctx, 'index'));
    const id = paramOf(ctx, 'message');
    const file =
      paramOf(ctx, 'provider') === 'whatsapp'
        ? options.twilio.state.messages.get(id)?.media[index]
        : options.meta.state.messages.get(id)?.attachments[index]?.file;
    if (!file) return;
    ctx.type = file.contentType;
    ctx.set('cache-control', 'max-age=3600');
    ctx.set('x-content-type-options', 'nosniff');
    ctx.body = file.bytes;
  });

  // An open stream with a chat means that the chat lies open on the phone: what arrives is read at once.
  router.get('/phone/events', (ctx) => {
    const found =
      ctx.URL.searchParams.get('chat') === null
        ? null
        : findBy(options, ctx.URL.searchParams.get('customer') ?? '', ctx.URL.searchParams.get('chat') ?? '');
    ctx.respond = false;
    ctx.res.writeHead(200, { 'content-type': 'text/event-stream', 'cache-control': 'no-store' });
    const wake = coalesced(() => ctx.res.write('data: changed\n\n'));
    streams.add(wake);
    const key = found ? `${found.owner.id} ${found.chat.id}` : '';
    lookers.set(key, (lookers.get(key) ?? 0) + 1);
    if (found) open(found.owner, found.chat);
    ctx.res.on('close', () => {
      streams.delete(wake);
      lookers.set(key, (lookers.get(key) ?? 1) - 1);
      if (found && lookers.get(key) === 0) shut(found.owner, found.chat);
    });
    wake();
  });

  return {
    close: () => {
      options.twilio.state.changed = () => undefined;
      options.meta.state.changed = () => undefined;
      streams.clear();
    },
  };
}

/** A burst of changes costs one line. */
function coalesced(work: () => void): () => void {
  let waiting = false;
  return () => {
    if (waiting) return;
    waiting = true;
    setTimeout(() => {
      waiting = false;
      work();
    }, 15).unref();
  };
}

async function json(ctx: Context): Promise<unknown> {
  try {
    return JSON.parse((await readBody(ctx, 100_000)).toString('utf8')) as unknown;
  } catch {
    return {};
  }
}

function find(options: ConsoleOptions, ctx: Context): { owner: Owner; chat: Chat } | null {
  return findBy(options, paramOf(ctx, 'customer'), paramOf(ctx, 'chat'));
}

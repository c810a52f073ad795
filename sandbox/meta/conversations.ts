// The Conversations API: a Page's threads, their messages, one message. Only the newest twenty show what they say.
import type Router from '@koa/router';
import { paramOf } from '../listen.ts';
import { cut, pageThrough, parseFields, type Field } from './fields.ts';
import { GraphError, missing, pageOf, queryOf, tokenOf } from './graph.ts';
import {
  addressOf,
  humanAt,
  idFor,
  threadOf,
  type MetaAttachment,
  type MetaMessage,
  type MetaPage,
  type MetaState,
} from './state.ts';

const readable = 20;
const messageDefaults = 'id,created_time';
const reading = ['MESSAGING', 'MODERATE'];

export function conversationRoutes(router: Router, state: MetaState): void {
  router.get('/:id/conversations', (ctx) => {
    const query = queryOf(ctx, ['platform', 'user_id', 'limit', 'after', 'before', 'folder']);
    const page = pageOf(state, ctx, 'pages_read_engagement', reading);
    const psids = newestFirst(state, page).filter((psid) => [null, psid].includes(query.get('user_id')));
    const { shown, paging } = pageThrough(psids, query, (after) => nextAddress(state, ctx.originalUrl, after));
    const fields = parseFields(query.get('fields') ?? 'id,link,updated_time');
    ctx.body = { data: shown.map((psid) => conversation(state, page, psid, fields)), ...(paging ? { paging } : {}) };
  });

  router.get('/:id/messages', (ctx) => {
    const query = queryOf(ctx, ['limit', 'after', 'before']);
    const { page, psid } = threadFor(state, tokenOf(state, ctx).pageId, paramOf(ctx, 'id'));
    const fields = parseFields(query.get('fields') ?? messageDefaults);
    const all = threadOf(state, page.id, psid).reverse();
    const { shown, paging } = pageThrough(all, query, (after) => nextAddress(state, ctx.originalUrl, after));
    ctx.body = { data: shown.map((each) => messageIn(state, page, all, each, fields)), ...(paging ? { paging } : {}) };
  });

  router.get('/:id', (ctx, next) => {
    const id = paramOf(ctx, 'id');
    if (!/^[tm]_/.test(id)) return next();
    const query = queryOf(ctx);
    const { pageId } = tokenOf(state, ctx);
    ctx.body = id.startsWith('t_')
      ? oneConversation(state, pageId, id, query.get('fields'))
      : oneMessage(state, pageId, id, query.get('fields'));
  });
}

function oneConversation(state: MetaState, pageId: string | null, id: string, fields: string | null): object {
  const { page, psid } = threadFor(state, pageId, id);
  return conversation(state, page, psid, parseFields(fields ?? 'id,link,updated_time'));
}

function oneMessage(state: MetaState, pageId: string | null, id: string, fields: string | null): object {
  const message = state.messages.get(id);
  const page = state.pages.get(message?.pageId ?? '');
  if (!message || !page || pageId !== page.id) throw missing(id);
  const all = threadOf(state, page.id, message.psid).reverse();
  if (all.indexOf(message) >= readable) {
    throw new GraphError(9000001, undefined, 'The message was deleted, or is older than the last 20');
  }
  return messageIn(state, page, all, message, parseFields(fields ?? messageDefaults));
}

function nextAddress(state: MetaState, originalUrl: string, after: string): string {
  const url = new URL(state.url + originalUrl);
  url.searchParams.set('after', after);
  return url.href;
}

function newestFirst(state: MetaState, page: MetaPage): string[] {
  const psids = [...state.messages.values()].filter((message) => message.pageId === page.id).map(({ psid }) => psid);
  return [...new Set(psids.reverse())];
}

function conversationId(page: MetaPage, psid: string): string {
  return `t_${idFor(`${page.id} ${psid}`)}`;
}

function threadFor(state: MetaState, pageId: string | null, id: string): { page: MetaPage; psid: string } {
  const page = state.pages.get(pageId ?? '');
  const psid = page && newestFirst(state, page).find((each) => conversationId(page, each) === id);
  if (!page || psid === undefined) throw missing(id);
  return { page, psid };
}

function conversation(state: MetaState, page: MetaPage, psid: string, fields: readonly Field[]): object {
  const all = threadOf(state, page.id, psid).reverse();
  return cut('UnifiedThread', fields, {
    id: () => conversationId(page, psid),
    link: () => `/${page.id}/inbox/${psid}/`,
    updated_time: () => time(all[0]?.at ?? 0),
    message_count: () => all.length,
    unread_count: () => all.filter((message) => message.direction === 'inbound' && !message.read).length,
    can_reply: () => true,
    is_owner: () => !page.ownedByOtherApp,
    snippet: () => all[0]?.text,
    participants: () => ({ data: [customer(state, page, psid), self(page)] }),
    senders: () => ({ data: [customer(state, page, psid), self(page)] }),
    messages: (field) => messagesOf(state, page, all, field),
  });
}

function messagesOf(state: MetaState, page: MetaPage, all: readonly MetaMessage[], field: Field): object {
  const fields = field.inner.length > 0 ? field.inner : parseFields(messageDefaults);
  const data = all.slice(0, field.limit ?? 25).map((message) => messageIn(state, page, all, message, fields));
  return { data };
}

/** `all` is newest first; details stop after twenty (Conversations API). */
function messageIn(
  state: MetaState,
  page: MetaPage,
  all: readonly MetaMessage[],
  message: MetaMessage,
  fields: readonly Field[],
): object {
  const shows = all.indexOf(message) < readable;
  const out = message.direction === 'outbound';
  const [us, them] = [self(page), customer(state, page, message.psid)];
  const detail = <T>(value: T) => (shows ? value : undefined);
  return cut('Message', fields, {
    id: () => message.mid,
    created_time: () => time(message.at),
    from: () => detail(out ? us : them),
    to: () => detail({ data: [out ? them : us] }),
    message: () => detail(message.text),
    attachments: () =>
      message.attachments.length > 0
        ? detail({ data: message.attachments.map((each) => attachmentIn(state, each)) })
        : undefined,
    shares: () => undefined,
    sticker: () => undefined,
    tags: () => undefined,
    reply_to: () => (message.replyToMid === null ? undefined : detail({ mid: message.replyToMid })),
  });
}

function attachmentIn(state: MetaState, { id, type, file }: MetaAttachment): object {
  const url = addressOf(state, id, file);
  const base = { id, mime_type: file.contentType, name: file.name, size: type === 'image' ? 0 : file.bytes.length };
  if (type === 'image') {
    return {
      ...base,
      image_data: { width: 0, height: 0, url, preview_url: url, image_type: 1, render_as_sticker: false },
    };
  }
  return type === 'video' ? { ...base, video_data: { url, preview_url: url, length: 0 } } : { ...base, file_url: url };
}

function self(page: MetaPage): object {
  return { name: page.name, email: `${page.id}@facebook.com`, id: page.id };
}

function customer(state: MetaState, page: MetaPage, psid: string): object {
  const human = humanAt(state, page.id, psid);
  // Some have no name anywhere.
  return { name: human?.profile === 'nowhere' ? '' : (human?.name ?? ''), email: `${psid}@facebook.com`, id: psid };
}

/** `2026-11-20T14:05:12+0000`: whole seconds. */
function time(at: number): string {
  return new Date(at).toISOString().replace(/\.\d+Z$/, '+0000');
}

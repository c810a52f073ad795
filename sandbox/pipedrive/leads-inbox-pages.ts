// What the page "Leads Inbox" of our Pipedrive reads and does; its markup is made in console/leads-inbox.js.
import type Router from '@koa/router';
import type { Context } from 'koa';
import { paramOf, readBody } from '../listen.ts';
import type { ApiMode, InboxChannel, LeadsInbox } from './leads-inbox.ts';
import { currentUser } from './pages.ts';
import type { State } from './state.ts';

const longestBody = 40_000_000;
const modes: readonly ApiMode[] = ['alive', 401, 403, 404, 405, 410, 500, 501];
const mostShown = 15;

export function leadsInboxRoutes(router: Router, state: State, inbox: LeadsInbox): void {
  const channelsOf = (ctx: Context): InboxChannel[] => {
    const user = currentUser(state, ctx);
    return inbox.channels.filter(({ companyId }) => companyId === user?.companyId);
  };
  const channelOf = (ctx: Context) =>
    channelsOf(ctx).find(({ providerChannelId }) => providerChannelId === paramOf(ctx, 'channel'));

  router.get('/console/leads-inbox', (ctx) => {
    ctx.set('cache-control', 'no-store');
    ctx.body = {
      mode: inbox.mode,
      channels: channelsOf(ctx).map(shape),
      received: inbox.received.slice(-mostShown).reverse(),
      asked: inbox.appCalls
        .slice(-mostShown)
        .reverse()
        .map(({ endpoint, status }) => ({ endpoint, status })),
      problems: inbox.problems,
    };
  });
  router.post('/console/leads-inbox/mode', async (ctx) => {
    const { mode } = (await json(ctx)) as { mode?: ApiMode };
    if (mode === undefined || !modes.includes(mode)) return void (ctx.status = 422);
    inbox.mode = mode;
    ctx.body = { mode };
  });
  router.post('/console/leads-inbox/:channel/remove', async (ctx) => {
    const channel = channelOf(ctx);
    if (channel) ctx.body = { status: await inbox.removeChannel(channel) };
  });
  router.post('/console/leads-inbox/:channel/:conversation/messages', async (ctx) => {
    const channel = channelOf(ctx);
    if (!channel) return;
    const { text = '', files = [] } = (await json(ctx)) as {
      text?: string;
      files?: { name: string; type: string; base64: string }[];
    };
    ctx.body = await inbox.write(channel, paramOf(ctx, 'conversation'), {
      text,
      files: files.map(({ name, type, base64 }) => ({ name, type, bytes: Buffer.from(base64, 'base64') })),
    });
  });
  router.post('/console/leads-inbox/:channel/:conversation/older', async (ctx) => {
    const channel = channelOf(ctx);
    if (channel) ctx.body = { found: await inbox.readOlder(channel, paramOf(ctx, 'conversation')) };
  });
  // As the real one: the link is tried first, and asked for anew when it is dead.
  router.get('/console/leads-inbox/:channel/:conversation/:message/:attachment', async (ctx) => {
    const channel = channelOf(ctx);
    const [conversation, message, attachment] = ['conversation', 'message', 'attachment'].map((name) =>
      paramOf(ctx, name),
    );
    const link = channel && (await inbox.linkOf(channel, conversation!, message!, attachment!));
    if (link) ctx.redirect(link);
  });
}

function shape(channel: InboxChannel) {
  return {
    id: channel.providerChannelId,
    name: channel.name,
    provider: channel.providerType,
    templates: channel.templates,
    conversations: channel.conversations
      .map((conversation) => ({
        id: conversation.id,
        link: conversation.link,
        name: conversation.participants.find(({ role }) => role === 'end_user')?.name ?? '',
        picture: conversation.participants.find(({ role }) => role === 'end_user')?.avatar_url ?? null,
        hasOlder: Boolean(conversation.nextMessagesCursor),
        messages: conversation.messages.map((message) => ({
          ...message,
          mine: conversation.participants.some(({ id, role }) => id === message.sender_id && role === 'source_user'),
        })),
      }))
      .sort((one, other) => newest(other.messages) - newest(one.messages)),
  };
}

function newest(messages: readonly { created_at: string }[]): number {
  return Date.parse(messages.at(-1)?.created_at ?? '') || 0;
}

async function json(ctx: Context): Promise<unknown> {
  const text = (await readBody(ctx, longestBody)).toString('utf8');
  return text === '' ? {} : (JSON.parse(text) as unknown);
}

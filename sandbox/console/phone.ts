// The customer's phone: who the customers are, their chats on both channels, and a live stream for the page.
import type Router from '@koa/router';
import type { Context } from 'koa';
import { paramOf, readBody } from '../listen.ts';
import type { MessengerCustomer, MetaMessage, MetaPage } from '../meta.ts';
import { customerOf as messengerCustomer } from '../meta/customer.ts';
import { picture, pictureNames, pictureTitle } from '../pictures.ts';
import type { TwilioMessage, TwilioSender, WhatsappCustomer } from '../twilio.ts';
import { customerOf as whatsappCustomer } from '../twilio/inbound.ts';
import type { ConsoleOptions } from './console.ts';

/** One human on up to two channels; the name joins them. */
interface Owner {
  id: string;
  name: string;
  number: string | null;
  whatsapp: WhatsappCustomer | null;
  messenger: MessengerCustomer | null;
}

interface Chat {
  id: string;
  provider: 'whatsapp' | 'messenger';
  name: string;
  address: string;
  isConnected: boolean;
  target: { sender: TwilioSender } | { page: MetaPage };
}

interface Bubble {
  id: string;
  mine: boolean;
  text: string;
  photos: string[];
  files: { name: string; url: string }[];
  at: number;
  /** Of mine: what the business has done with it. */
  seen: boolean;
  reaction: string | null;
}

const maxUpload = 16 * 1024 * 1024;

export function phoneRoutes(router: Router, options: ConsoleOptions): { close(): void } {
  const streams = new Set<() => void>();
  const tell = () => {
    for (const wake of streams) wake();
  };
  options.twilio.state.changed = tell;
  options.meta.state.changed = tell;

  router.get('/phone/customers', (ctx) => {
    const chats = chatsOf(options);
    ctx.body = {
      customers: owners(options).map((owner) => ({
        id: owner.id,
        name: owner.name,
        number: owner.number,
        chats: chats.filter((chat) => has(owner, chat)).map((chat) => summary(options, owner, chat)),
      })),
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
    if (found) ctx.body = { messages: bubbles(options, found.owner, found.chat), typing: isTyping(options, found) };
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
    if (found) open(found.owner, found.chat);
    ctx.res.on('close', () => {
      streams.delete(wake);
      if (found) shut(found.owner, found.chat);
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

function owners({ twilio, meta }: ConsoleOptions): Owner[] {
  const found = new Map<string, Owner>();
  const ownerOf = (name: string): Owner => {
    const known = found.get(name) ?? { id: name, name, number: null, whatsapp: null, messenger: null };
    found.set(name, known);
    return known;
  };
  for (const person of twilio.state.people) {
    const owner = ownerOf(person.name);
    owner.whatsapp ??= whatsappCustomer(twilio.state, person);
    owner.number ??= person.waId === null ? null : `+${person.waId}`;
  }
  for (const human of meta.state.humans) ownerOf(human.name).messenger ??= messengerCustomer(meta.state, human);
  return [...found.values()];
}

function chatsOf({ twilio, meta }: ConsoleOptions): Chat[] {
  return [
    ...[...twilio.state.senders.values()].map((sender): Chat => {
      const address = sender.address.replace('whatsapp:', '');
      const isConnected = sender.webhook.callback_url !== null;
      return { id: sender.sid, provider: 'whatsapp', name: sender.name, address, isConnected, target: { sender } };
    }),
    ...[...meta.state.pages.values()].map((page): Chat => {
      const isConnected = page.subscribedFields !== null;
      return {
        id: page.id,
        provider: 'messenger',
        name: page.name,
        address: page.category,
        isConnected,
        target: { page },
      };
    }),
  ];
}

function has(owner: Owner, chat: Chat): boolean {
  return (chat.provider === 'whatsapp' ? owner.whatsapp : owner.messenger) !== null;
}

function findBy(options: ConsoleOptions, customer: string, chatId: string): { owner: Owner; chat: Chat } | null {
  const owner = owners(options).find((each) => each.id === customer);
  const chat = chatsOf(options).find((each) => each.id === chatId);
  return owner && chat && has(owner, chat) ? { owner, chat } : null;
}

function find(options: ConsoleOptions, ctx: Context): { owner: Owner; chat: Chat } | null {
  return findBy(options, paramOf(ctx, 'customer'), paramOf(ctx, 'chat'));
}

function summary(options: ConsoleOptions, owner: Owner, chat: Chat): object {
  const all = bubbles(options, owner, chat);
  const last = all.at(-1);
  return {
    id: chat.id,
    provider: chat.provider,
    name: chat.name,
    address: chat.address,
    isConnected: chat.isConnected,
    last: last
      ? { text: last.text || (last.photos.length > 0 ? 'Photo' : 'File'), mine: last.mine, at: last.at }
      : null,
    unread: unreadOf(owner, chat),
  };
}

function unreadOf(owner: Owner, chat: Chat): number {
  if ('sender' in chat.target) {
    const said = owner.whatsapp?.thread(chat.target.sender) ?? [];
    return said.filter((message) => message.direction === 'outbound-api' && message.status !== 'read').length;
  }
  const said = owner.messenger?.thread(chat.target.page) ?? [];
  return said.filter((message) => message.direction === 'outbound' && !message.read).length;
}

function bubbles(_options: ConsoleOptions, owner: Owner, chat: Chat): Bubble[] {
  return 'sender' in chat.target
    ? (owner.whatsapp?.thread(chat.target.sender) ?? []).map(whatsappBubble)
    : (owner.messenger?.thread(chat.target.page) ?? []).map(messengerBubble);
}

function whatsappBubble(message: TwilioMessage): Bubble {
  const parts = message.media.map((media, index) => ({
    isPhoto: media.contentType.startsWith('image/'),
    name: media.contentType,
    url: `/phone/media/whatsapp/${message.sid}/${index}`,
  }));
  return {
    id: message.sid,
    mine: message.direction === 'inbound',
    text: message.body,
    photos: parts.filter(({ isPhoto }) => isPhoto).map(({ url }) => url),
    files: parts.filter(({ isPhoto }) => !isPhoto).map(({ name, url }) => ({ name, url })),
    at: message.createdAt,
    seen: message.seen,
    reaction: null,
  };
}

function messengerBubble(message: MetaMessage): Bubble {
  const parts = message.attachments.map(({ type, file }, index) => ({
    isPhoto: type === 'image',
    name: file.name,
    url: `/phone/media/messenger/${message.mid}/${index}`,
  }));
  return {
    id: message.mid,
    mine: message.direction === 'inbound',
    text: message.text,
    photos: parts.filter(({ isPhoto }) => isPhoto).map(({ url }) => url),
    files: parts.filter(({ isPhoto }) => !isPhoto).map(({ name, url }) => ({ name, url })),
    at: message.at,
    seen: message.direction === 'inbound' && message.read,
    reaction: message.reaction,
  };
}

function isTyping({ twilio, meta }: ConsoleOptions, { owner, chat }: { owner: Owner; chat: Chat }): boolean {
  return 'sender' in chat.target
    ? (owner.whatsapp?.person.typing.get(chat.target.sender.address) ?? 0) > twilio.state.now()
    : (owner.messenger?.human.typing.get(chat.target.page.id) ?? 0) > meta.state.now();
}

async function say(
  owner: Owner,
  chat: Chat,
  text: string,
  photo: { bytes: Buffer; contentType: string; name: string } | null,
): Promise<{ told: boolean }> {
  if ('sender' in chat.target) {
    const to = chat.target.sender;
    const written = photo
      ? await owner.whatsapp?.sendsPhoto(photo, { to, caption: text })
      : await owner.whatsapp?.writes(text, { to });
    return { told: written?.delivery?.attempts.at(-1) === 200 };
  }
  const to = chat.target.page;
  // There is no caption on Messenger: the photo goes first, the text follows.
  const first = photo ? await owner.messenger?.sendsPhoto(photo, { to }) : undefined;
  const second = text === '' ? undefined : await owner.messenger?.writes(text, { to });
  return { told: (second ?? first)?.delivery?.attempts.at(-1) === 200 };
}

function open(owner: Owner, chat: Chat): void {
  if ('sender' in chat.target) {
    owner.whatsapp?.person.open.add(chat.target.sender.address);
    void owner.whatsapp?.reads(chat.target.sender);
    return;
  }
  owner.messenger?.human.open.add(chat.target.page.id);
  void owner.messenger?.reads(chat.target.page);
}

function shut(owner: Owner, chat: Chat): void {
  if ('sender' in chat.target) owner.whatsapp?.person.open.delete(chat.target.sender.address);
  else owner.messenger?.human.open.delete(chat.target.page.id);
}

function freeNumber({ twilio }: ConsoleOptions): string {
  // A range the Swedish authority keeps free for films and examples.
  for (let last = 5; last < 100; last += 1) {
    const number = `+467017406${String(last).padStart(2, '0')}`;
    if (!twilio.state.people.some((person) => person.address === `whatsapp:${number}`)) return number;
  }
  return `+4670174${Math.floor(1000 + Math.random() * 8999)}`;
}

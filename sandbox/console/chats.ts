// The customers and their chats on both channels, as the phone shows them, and what they do there.
import type { MessengerCustomer, MetaMessage, MetaPage } from '../meta.ts';
import { customerOf as messengerCustomer } from '../meta/customer.ts';
import type { TwilioMessage, TwilioSender, WhatsappCustomer } from '../twilio.ts';
import { customerOf as whatsappCustomer } from '../twilio/inbound.ts';
import type { ConsoleOptions } from './options.ts';

/** One human on up to two channels; the name joins them. */
export interface Owner {
  id: string;
  name: string;
  number: string | null;
  whatsapp: WhatsappCustomer | null;
  messenger: MessengerCustomer | null;
}

export interface Chat {
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

export function owners({ twilio, meta }: ConsoleOptions): Owner[] {
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

export function chatsOf({ twilio, meta }: ConsoleOptions): Chat[] {
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

export function has(owner: Owner, chat: Chat): boolean {
  return (chat.provider === 'whatsapp' ? owner.whatsapp : owner.messenger) !== null;
}

export function findBy(options: ConsoleOptions, customer: string, chatId: string): { owner: Owner; chat: Chat } | null {
  const owner = owners(options).find((each) => each.id === customer);
  const chat = chatsOf(options).find((each) => each.id === chatId);
  return owner && chat && has(owner, chat) ? { owner, chat } : null;
}

interface Summary extends Omit<Chat, 'target'> {
  last: { text: string; mine: boolean; at: number } | null;
  unread: number;
}

/** Who wrote or was written to last comes first. */
export function lastOf(chats: readonly Summary[]): number {
  return Math.max(0, ...chats.map((chat) => chat.last?.at ?? 0));
}

export function summary(owner: Owner, chat: Chat): Summary {
  const all = bubbles(owner, chat);
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

export function bubbles(owner: Owner, chat: Chat): Bubble[] {
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

export function isTyping({ twilio, meta }: ConsoleOptions, { owner, chat }: { owner: Owner; chat: Chat }): boolean {
  return 'sender' in chat.target
    ? (owner.whatsapp?.person.typing.get(chat.target.sender.address) ?? 0) > twilio.state.now()
    : (owner.messenger?.human.typing.get(chat.target.page.id) ?? 0) > meta.state.now();
}

export async function say(
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

export function open(owner: Owner, chat: Chat): void {
  if ('sender' in chat.target) {
    owner.whatsapp?.person.open.add(chat.target.sender.address);
    void owner.whatsapp?.reads(chat.target.sender);
    return;
  }
  owner.messenger?.human.open.add(chat.target.page.id);
  void owner.messenger?.reads(chat.target.page);
}

export function shut(owner: Owner, chat: Chat): void {
  if ('sender' in chat.target) owner.whatsapp?.person.open.delete(chat.target.sender.address);
  else owner.messenger?.human.open.delete(chat.target.page.id);
}

export function freeNumber({ twilio }: ConsoleOptions): string {
  // A range the Swedish authority keeps free for films and examples.
  for (let last = 5; last < 100; last += 1) {
    const number = `+467017406${String(last).padStart(2, '0')}`;
    if (!twilio.state.people.some((person) => person.address === `whatsapp:${number}`)) return number;
  }
  return `+4670174${Math.floor(1000 + Math.random() * 8999)}`;
}

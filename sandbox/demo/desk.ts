// What reps do in the story, through the app's own API, each step done before the next begins.
import type { MessengerCustomer, MetaPage } from '../meta.ts';
import type { Deal, Person } from '../pipedrive/state.ts';
import type { Sandbox } from '../sandbox.ts';
import type { TwilioSender, WhatsappCustomer } from '../twilio.ts';
import type { Rep } from './rep.ts';

/** One customer's chat on one channel, and how much was said there so far. */
export interface Chat {
  name: string;
  said: () => number;
}

export function chatOn(customer: WhatsappCustomer, to: TwilioSender): Chat;
export function chatOn(customer: MessengerCustomer, to: MetaPage): Chat;
export function chatOn<To>(customer: { name: string; thread(to: To): readonly unknown[] }, to: To): Chat {
  return { name: customer.name, said: () => customer.thread(to).length };
}

export interface Desk {
  sandbox: Sandbox;
  /** Looks whether things have arrived. */
  erik: Rep;
  /** Conversations already found, by the contact's name. */
  found: Map<string, string>;
}

/** Webhooks are worked off after they are answered: waits until everything said in this chat stands in the inbox. */
export async function settle({ sandbox, erik, found }: Desk, chat: Chat): Promise<string> {
  await sandbox.settled();
  return eventually(`the conversation with ${chat.name}`, async () => {
    const id = found.get(chat.name) ?? (await conversationWith(erik, chat.name));
    if (id === undefined) return undefined;
    found.set(chat.name, id);
    return (await messages(erik, id)).length >= chat.said() ? id : undefined;
  });
}

async function conversationWith(rep: Rep, name: string): Promise<string | undefined> {
  const { data } = await rep.call<{ data: { id: string; contact: { name: string } }[] }>(
    'GET',
    '/api/conversations?section=all&limit=100',
  );
  return data.find((conversation) => conversation.contact.name === name)?.id;
}

interface Said {
  id: string;
  status: string;
  clientMessageId: string | null;
}

async function messages(rep: Rep, id: string): Promise<Said[]> {
  return (await rep.call<{ data: Said[] }>('GET', `/api/conversations/${id}/messages?limit=100`)).data;
}

async function eventually<T>(what: string, look: () => Promise<T | undefined>): Promise<T> {
  const end = Date.now() + 15_000;
  while (Date.now() < end) {
    const found = await look();
    if (found !== undefined) return found;
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  throw new Error(`Waited in vain for ${what}`);
}

export async function assign(desk: Desk, chat: Chat, rep: Rep): Promise<void> {
  const id = await settle(desk, chat);
  await rep.call('PUT', `/api/conversations/${id}/assignee`, { userId: String(rep.user.id) });
}

/** A rep answers; done once it is on the customer's phone, so that the next word comes after it. */
export async function answer(desk: Desk, chat: Chat, rep: Rep, text: string): Promise<void> {
  const id = await settle(desk, chat);
  const clientMessageId = `demo-${chat.name}-${text.length}`;
  await rep.call('POST', `/api/conversations/${id}/messages`, { clientMessageId, text });
  await readAll(rep, id);
  await eventually(`the answer to ${chat.name}`, async () => {
    const status = (await messages(rep, id)).find((message) => message.clientMessageId === clientMessageId)?.status;
    if (status === 'failed') throw new Error(`The answer to ${chat.name} could not be sent`);
    return status === 'delivered' || status === 'read' ? status : undefined;
  });
}

async function readAll(rep: Rep, id: string): Promise<void> {
  const through = (await messages(rep, id)).at(-1)?.id;
  if (through) await rep.call('PUT', `/api/conversations/${id}/read`, { through });
}

export async function link(desk: Desk, chat: Chat, rep: Rep, records: { person: Person; deal: Deal }): Promise<void> {
  const id = await settle(desk, chat);
  const path = `/api/conversations/${id}/links`;
  await rep.call('POST', path, { type: 'person', recordId: String(records.person.id) });
  await rep.call('POST', path, { type: 'deal', recordId: String(records.deal.id) });
}

export async function close(desk: Desk, chat: Chat, rep: Rep): Promise<void> {
  const id = await settle(desk, chat);
  await readAll(rep, id);
  await rep.call('PUT', `/api/conversations/${id}/status`, { status: 'closed' });
}

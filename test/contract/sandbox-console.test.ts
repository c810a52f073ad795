// The customer's phone, by the calls its page makes.
import { afterEach, beforeEach, expect, test } from 'vitest';
import { startSandbox, type Sandbox } from '../../sandbox/sandbox.ts';
import type { MetaPage } from '../../sandbox/meta.ts';
import type { TwilioSender } from '../../sandbox/twilio.ts';
import { startReceiver, until, type WebhookReceiver } from '../support/webhook-receiver.ts';

let sandbox: Sandbox;
let app: WebhookReceiver;
let sender: TwilioSender;
let page: MetaPage;

beforeEach(async () => {
  app = await startReceiver();
  sandbox = await startSandbox({ appUrl: app.url });
  sender = sandbox.twilio.addSender(sandbox.twilio.addAccount(), '+46317880100', { name: 'Nordtak Solar' });
  sender.webhook.callback_url = `${app.url}/webhooks/twilio`;
  page = sandbox.meta.addPage({ name: 'Nordtak Sverige', ownedBy: sandbox.meta.addPerson({ name: 'Erik Lund' }) });
  page.subscribedFields = ['messages', 'message_reads'];
  sandbox.twilio.customer('+46734185520', { name: 'Hannah' });
  sandbox.meta.customer({ name: 'Hannah' });
});

afterEach(async () => {
  await sandbox.stop();
  await app.stop();
});

function phone(method: string, path: string, body?: unknown) {
  return fetch(`${sandbox.console.url}/phone${path}`, {
    method,
    ...(body === undefined ? {} : { headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) }),
  });
}

interface Customers {
  customers: {
    id: string;
    number: string | null;
    chats: { id: string; provider: string; isConnected: boolean; unread: number }[];
  }[];
}

test('a customer with a number and a Messenger name is one human with two chats', async () => {
  const { customers } = (await (await phone('GET', '/customers')).json()) as Customers;

  expect(customers).toMatchObject([
    {
      id: 'Hannah',
      number: '+46734185520',
      chats: [
        { id: sender.sid, provider: 'whatsapp', isConnected: true },
        { id: page.id, provider: 'messenger', isConnected: true },
      ],
    },
  ]);
});

test('what is written on the phone goes out on the channel of the chat', async () => {
  await phone('POST', `/customers/Hannah/chats/${sender.sid}/messages`, { text: 'Hello on WhatsApp' });
  await phone('POST', `/customers/Hannah/chats/${page.id}/messages`, { text: 'Hello on Messenger' });
  await phone('POST', `/customers/Hannah/chats/${sender.sid}/messages`, { picture: 'roof' });

  expect(app.received.map(({ url }) => url)).toEqual(['/webhooks/twilio', '/webhooks/messenger', '/webhooks/twilio']);
  expect(app.received[0]?.form.Body).toBe('Hello on WhatsApp');
  expect(app.received[2]?.form).toMatchObject({ NumMedia: '1', MediaContentType0: 'image/jpeg' });
  const thread = (await (await phone('GET', `/customers/Hannah/chats/${sender.sid}`)).json()) as {
    messages: { mine: boolean; photos: string[] }[];
  };
  expect(thread.messages.map(({ mine, photos }) => [mine, photos.length])).toEqual([
    [true, 0],
    [true, 1],
  ]);
  const photo = await fetch(sandbox.console.url + thread.messages[1]?.photos[0]);
  expect(photo.headers.get('content-type')).toBe('image/jpeg');
});

test('an answer is read once its chat lies open, and not before', async () => {
  const hannah = sandbox.meta.customer({ name: 'Olle' });
  await hannah.writes('Hello', { to: page });
  await sandbox.meta.pageInbox.sends(page, hannah, 'Hi Olle');
  expect(hannah.inbox.map(({ read }) => read)).toEqual([false]);

  const open = new AbortController();
  const query = new URLSearchParams({ customer: 'Olle', chat: page.id }).toString();
  const stream = await fetch(`${sandbox.console.url}/phone/events?${query}`, { signal: open.signal });
  await until('the message to be read', () => hannah.inbox.every(({ read }) => read));
  open.abort();

  expect(stream.headers.get('content-type')).toBe('text/event-stream');
  await until('the chat to be shut', () => hannah.human.open.size === 0);
});

test('a new customer needs a name and, if any, a possible number', async () => {
  const wrong = await phone('POST', '/customers', { name: 'Aisha', number: '12' });
  const right = await phone('POST', '/customers', { name: 'Aisha Rahman', number: '+46 70 555 12 34' });

  const { customers } = (await (await phone('GET', '/customers')).json()) as Customers;
  expect(wrong.status).toBe(422);
  expect(right.status).toBe(201);
  expect(customers.find(({ id }) => id === 'Aisha Rahman')).toMatchObject({ number: '+46705551234' });
});

test('the start page names all places, and the settings point the app at them', async () => {
  const html = await (await fetch(sandbox.console.url)).text();

  expect(html).toContain(sandbox.pipedrive.url);
  expect(html).toContain(app.url);
  expect(sandbox.env()).toMatchObject({
    PUBLIC_URL: app.url,
    PIPEDRIVE_API_URL: sandbox.pipedrive.url,
    META_GRAPH_URL: sandbox.meta.url,
    TWILIO_API_URL: sandbox.twilio.url,
    MEDIA_EXTRA_HOSTS: [sandbox.twilio.url, sandbox.twilio.mediaUrl, sandbox.meta.url, sandbox.push.url]
      .map((url) => new URL(url).host)
      .join(','),
  });
});

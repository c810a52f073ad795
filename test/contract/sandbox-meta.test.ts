// The sandbox's Meta, called as its pages describe, and held to their samples and signature vectors.
import { readFileSync } from 'node:fs';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { createFaults, type Faults } from '../../sandbox/faults.ts';
import {
  startMeta,
  type MessengerCustomer,
  type MetaPage,
  type MetaPerson,
  type MetaSandbox,
} from '../../sandbox/meta.ts';
import { escapedJson, signature, signedRequest } from '../../sandbox/meta/webhooks.ts';
import { proofOf } from '../../sandbox/meta/graph.ts';
import { startReceiver, type WebhookReceiver } from '../support/webhook-receiver.ts';

type Json = Record<string, unknown>;
interface Event {
  sender: { id: string };
  recipient: { id: string };
  timestamp: number;
  message?: Json & { mid: string };
  delivery?: { mids: string[]; watermark: number };
  read?: { watermark: number };
  reaction?: Json;
}
interface Body {
  object: string;
  entry: { id: string; time: number; messaging: Event[] }[];
}
interface Fixtures {
  signature: { app_secret: string; raw_body: string; header: string; text: string };
  escapedSlashes: { raw_body: string; header: string };
  signedRequest: { app_secret: string; payload: object; signed_request: string };
  appsecretProof: { app_secret: string; access_token: string; appsecret_proof: string };
  webhookText: Body;
  webhookEcho: Body;
  webhookDelivery: Body;
  webhookRead: Body;
  webhookReaction: Body;
  conversations: { data: Json[] };
  conversationMessages: { messages: { data: Json[] } };
  debugTokenPage: { data: Json };
  profile: Json;
}
const fixtures = JSON.parse(
  readFileSync(new URL('../fixtures/sandbox/meta.json', import.meta.url), 'utf8'),
) as Fixtures;

const metaApp = { id: '812345670912345', secret: 'ab'.repeat(16), verifyToken: 'verify-me', name: 'Messages' };
const fields =
  'messages,message_echoes,message_deliveries,message_reads,message_reactions,message_edits,messaging_postbacks';
const scope = 'pages_show_list,pages_messaging,pages_manage_metadata,pages_read_engagement';
const dayMs = 24 * 3_600_000;

let faults: Faults;
let sandbox: MetaSandbox;
let app: WebhookReceiver;
let time: number;
let erik: MetaPerson;
let page: MetaPage;
let linnea: MessengerCustomer;

beforeEach(async () => {
  time = Date.parse('2026-11-24T09:00:00Z');
  faults = createFaults();
  app = await startReceiver();
  sandbox = await startMeta({ app: metaApp, appUrl: () => app.url, faults, now: () => time });
  erik = sandbox.addPerson({ name: 'Erik Lund' });
  page = sandbox.addPage({ name: 'Nordtak Sverige', ownedBy: erik });
  linnea = sandbox.customer({ name: 'Linnea Holmqvist' });
});

afterEach(async () => {
  await sandbox.stop();
  await app.stop();
});

interface Answer {
  status: number;
  body: Json & { error?: { code: number; error_subcode?: number }; data?: Json[] };
}

async function call(
  method: string,
  path: string,
  { token, query = {}, json }: { token?: string; query?: Record<string, string>; json?: unknown } = {},
): Promise<Answer> {
  const url = new URL(`${sandbox.url}/v25.0/${path}`);
  for (const [name, value] of Object.entries(query)) url.searchParams.set(name, value);
  const response = await fetch(url, {
    method,
    headers: {
      ...(token ? { authorization: `Bearer ${token}` } : {}),
      ...(json === undefined ? {} : { 'content-type': 'application/json' }),
    },
    ...(json === undefined ? {} : { body: JSON.stringify(json) }),
  });
  return { status: response.status, body: (await response.json()) as Answer['body'] };
}

function dialogUrl(extra: Record<string, string> = {}) {
  const url = new URL(`${sandbox.url}/v25.0/dialog/oauth`);
  const query = {
    client_id: metaApp.id,
    redirect_uri: `${app.url}/oauth/meta/callback`,
    state: 's1',
    response_type: 'code',
    scope,
  };
  for (const [name, value] of Object.entries({ ...query, ...extra })) url.searchParams.set(name, value);
  return url.href;
}

const secrets = { client_id: metaApp.id, client_secret: metaApp.secret };

async function userToken(choice: Parameters<MetaSandbox['authorize']>[2] = {}): Promise<string> {
  const code = new URL(sandbox.authorize(erik, dialogUrl(), choice)).searchParams.get('code') ?? '';
  const short = await call('GET', 'oauth/access_token', {
    query: { ...secrets, redirect_uri: `${app.url}/oauth/meta/callback`, code },
  });
  const long = await call('GET', 'oauth/access_token', {
    query: { ...secrets, grant_type: 'fb_exchange_token', fb_exchange_token: String(short.body.access_token) },
  });
  return String(long.body.access_token);
}

async function pageToken(choice: Parameters<MetaSandbox['authorize']>[2] = {}): Promise<string> {
  const accounts = await call('GET', 'me/accounts', {
    token: await userToken(choice),
    query: { fields: 'id,access_token' },
  });
  return String(accounts.body.data?.find(({ id }) => id === page.id)?.access_token);
}

async function connected(): Promise<string> {
  const token = await pageToken();
  await call('POST', `${page.id}/subscribed_apps`, { token, query: { subscribed_fields: fields } });
  return token;
}

function text(message: Json, more: Json = {}) {
  return { recipient: { id: linnea.psid(page) }, messaging_type: 'RESPONSE', message, ...more };
}

function told(): Body[] {
  return app.received.map(({ raw }) => JSON.parse(raw.toString('utf8')) as Body);
}

function events(): Event[] {
  return told().flatMap((body) => body.entry.flatMap((entry) => entry.messaging));
}

function shape(event: Event | undefined): string {
  return JSON.stringify(event, (_key, value: unknown) => (typeof value === 'object' ? value : typeof value));
}

test('signatures, escaping and proofs equal the vectors', () => {
  const { app_secret: secret, raw_body: raw } = fixtures.signature;
  const { signedRequest: signed, appsecretProof: proof } = fixtures;

  expect(escapedJson(JSON.parse(raw))).toBe(raw);
  expect(signature(secret, raw)).toBe(fixtures.signature.header);
  expect(escapedJson(JSON.parse(fixtures.escapedSlashes.raw_body))).toBe(fixtures.escapedSlashes.raw_body);
  expect(signature(secret, fixtures.escapedSlashes.raw_body)).toBe(fixtures.escapedSlashes.header);
  expect(signedRequest(signed.app_secret, signed.payload)).toBe(signed.signed_request);
  expect(proofOf(proof.app_secret, proof.access_token)).toBe(proof.appsecret_proof);
});

test('a login gives Pages with tokens, and says what was granted', async () => {
  const redirect = new URL(sandbox.authorize(erik, dialogUrl()));
  const token = await userToken();

  const me = await call('GET', 'me', { token, query: { fields: 'id,name' } });
  const granted = await call('GET', 'me/permissions', { token });
  const accounts = await call('GET', 'me/accounts', { token });
  const debugged = await call('GET', 'debug_token', {
    query: {
      input_token: String(accounts.body.data?.[0]?.access_token),
      access_token: `${metaApp.id}|${metaApp.secret}`,
    },
  });

  expect(redirect.searchParams.get('state')).toBe('s1');
  expect(me.body).toEqual({ id: erik.id, name: 'Erik Lund' });
  expect(granted.body.data).toContainEqual({ permission: 'pages_messaging', status: 'granted' });
  expect(accounts.body.data).toMatchObject([
    {
      id: page.id,
      name: 'Nordtak Sverige',
      tasks: ['ADVERTISE', 'ANALYZE', 'CREATE_CONTENT', 'MESSAGING', 'MODERATE', 'MANAGE'],
    },
  ]);
  const described = debugged.body.data as unknown as Json;
  expect(described).toMatchObject({ type: 'PAGE', is_valid: true, expires_at: 0, profile_id: page.id });
  expect(Object.keys(described).sort()).toEqual(Object.keys(fixtures.debugTokenPage.data).sort());
});

test('a code is good once, for its own redirect address, and for ten minutes', async () => {
  const redirectUri = `${app.url}/oauth/meta/callback`;
  const codeOf = () => new URL(sandbox.authorize(erik, dialogUrl())).searchParams.get('code') ?? '';
  const redeem = (code: string, uri = redirectUri) =>
    call('GET', 'oauth/access_token', { query: { ...secrets, redirect_uri: uri, code } });
  const used = codeOf();
  const stale = codeOf();

  const answers = [await redeem(used), await redeem(used), await redeem(codeOf(), `${redirectUri}/`)];
  time += 11 * 60_000;
  answers.push(await redeem(stale));

  expect(answers.map(({ status }) => status)).toEqual([200, 400, 400, 400]);
});

test('the dialog refuses a foreign redirect address and reports a person who declines', () => {
  expect(() => sandbox.authorize(erik, dialogUrl({ redirect_uri: 'https://evil.example/' }))).toThrow(/redirect/);
  expect(() => sandbox.authorize(erik, dialogUrl({ scope: 'email_everybody' }))).toThrow(/Scopes/);
  expect(sandbox.authorize(erik, dialogUrl(), { deny: true })).toContain('error=access_denied');
});

test('the dialog works as a page', async () => {
  const html = await (await fetch(dialogUrl())).text();
  const body = new URLSearchParams([
    ['person', erik.id],
    ['page', page.id],
    ...scope.split(',').map((each) => ['permission', each]),
    ['answer', 'continue'],
  ]);
  const answer = await fetch(dialogUrl(), { method: 'POST', body, redirect: 'manual' });

  expect(html).toContain('Nordtak Sverige');
  expect(answer.status).toBe(302);
  expect(answer.headers.get('location')).toMatch(/\/oauth\/meta\/callback\?code=[\w-]+&state=s1/);
});

test('more than 25 Pages come page by page; those of a business only with its permission', async () => {
  for (let index = 0; index < 30; index += 1) sandbox.addPage({ name: `Page ${index}`, ownedBy: erik });
  sandbox.addPage({ name: 'Hidden in a business', ownedBy: erik, inBusiness: true });
  const token = await userToken();

  const first = await call('GET', 'me/accounts', { token });
  const paging = first.body.paging as { next?: string } | undefined;
  const next = (await (await fetch(String(paging?.next))).json()) as {
    data: Json[];
    paging: Json;
  };

  expect(first.body.data).toHaveLength(25);
  expect(next.data).toHaveLength(6);
  expect(next.paging).not.toHaveProperty('next');
});

test('a Page left out in a repeated login loses its token at once (190)', async () => {
  const token = await pageToken();
  sandbox.addPage({ name: 'Another', ownedBy: erik });

  await userToken({ pages: [] });

  expect((await call('GET', page.id, { token })).body.error).toMatchObject({ code: 190 });
});

test('tokens are refused with their code: none, unknown, wrong proof, revoked, app removed, expired', async () => {
  const token = await pageToken();
  const codes = async (given?: string, query = {}) => {
    const { error } = (await call('GET', page.id, { ...(given ? { token: given } : {}), query })).body;
    return [error?.code, error?.error_subcode];
  };

  expect(await codes()).toEqual([104, undefined]);
  expect(await codes('EAAunknown')).toEqual([190, undefined]);
  expect(await codes(token, { appsecret_proof: 'f'.repeat(64) })).toEqual([100, undefined]);
  expect(await codes(token, { appsecret_proof: sandbox.proof(token) })).toEqual([undefined, undefined]);
  sandbox.revokePageToken(page, 460);
  expect(await codes(token)).toEqual([190, 460]);
  const user = await userToken();
  time += 61 * dayMs;
  expect((await call('GET', 'me', { token: user })).body.error).toMatchObject({ code: 190, error_subcode: 463 });
});

test('a Page is subscribed, listed and unsubscribed; unknown fields and declined permissions are refused', async () => {
  const token = await pageToken();
  const path = `${page.id}/subscribed_apps`;

  const unknown = await call('POST', path, { token, query: { subscribed_fields: 'messages,everything' } });
  const made = await call('POST', path, { token, query: { subscribed_fields: fields } });
  const listed = await call('GET', path, { token });
  const removed = await call('DELETE', path, { token });
  const weaker = await pageToken({ declined: ['pages_manage_metadata'] });
  const declined = await call('POST', path, { token: weaker, query: { subscribed_fields: fields } });

  expect(unknown.body.error).toMatchObject({ code: 100 });
  expect(made.body).toEqual({ success: true });
  expect(listed.body.data).toMatchObject([{ id: metaApp.id, subscribed_fields: fields.split(',') }]);
  expect(removed.body).toEqual({ success: true });
  expect(page.subscribedFields).toBeNull();
  expect(declined.body.error).toMatchObject({ code: 200 });
});

test('what a customer writes arrives signed, escaped, and in the documented shape', async () => {
  await connected();

  const { mid } = await linnea.writes(fixtures.signature.text, { to: page });

  const [request] = app.received;
  expect(request?.url).toBe('/webhooks/messenger');
  expect(request?.headers['x-hub-signature-256']).toBe(sandbox.sign(request?.raw ?? ''));
  expect(request?.raw.toString('latin1')).toMatch(/Dobr\\u00fd.*\\ud83e\\ude91/);
  expect(told()[0]).toMatchObject({ object: 'page', entry: [{ id: page.id }] });
  expect(shape(events()[0])).toBe(shape(fixtures.webhookText.entry[0]?.messaging[0]));
  expect(events()[0]?.message).toEqual({ mid, text: fixtures.signature.text });
});

test('nothing is told of a field that is not subscribed', async () => {
  const token = await pageToken();
  await linnea.writes('Hello?', { to: page });
  await call('POST', `${page.id}/subscribed_apps`, { token, query: { subscribed_fields: 'message_reads' } });

  const { delivery } = await linnea.writes('Anybody?', { to: page });

  expect(delivery).toBeNull();
  expect(app.received).toEqual([]);
});

test('a refused webhook is repeated with the same bytes', async () => {
  await connected();
  app.answers.push(500, 403);

  const { delivery } = await linnea.writes('Hello', { to: page });

  expect(delivery?.attempts).toEqual([500, 403, 200]);
  expect(new Set(app.received.map(({ raw }) => raw.toString())).size).toBe(1);
});

test('a reply comes back as an echo, is delivered, and is read once the customer opens the chat', async () => {
  const token = await connected();
  await linnea.writes('Is Tuesday possible?', { to: page });

  const sent = await call('POST', `${page.id}/messages`, {
    token,
    json: text({ text: 'Yes, at nine.', metadata: 'crm1.ob_1' }),
  });
  await sandbox.settled();
  await linnea.reads(page);

  const [, echo, delivery, read] = events();
  const mid = String(sent.body.message_id);
  expect(sent.body).toEqual({ recipient_id: linnea.psid(page), message_id: mid });
  expect(shape(echo)).toBe(shape(fixtures.webhookEcho.entry[0]?.messaging[0]));
  expect(echo?.message).toMatchObject({ mid, is_echo: true, metadata: 'crm1.ob_1', app_id: Number(metaApp.id) });
  expect(shape(delivery)).toBe(shape(fixtures.webhookDelivery.entry[0]?.messaging[0]));
  expect(delivery?.delivery?.mids).toEqual([mid]);
  expect(shape(read)).toBe(shape(fixtures.webhookRead.entry[0]?.messaging[0]));
  expect(read?.read?.watermark).toBe(echo?.timestamp);
  expect(linnea.inbox.map((message) => message.text)).toEqual(['Yes, at nine.']);
});

test('the echo can overtake the answer of the send', async () => {
  const token = await connected();
  await linnea.writes('Hello', { to: page });
  sandbox.options.echoBeforeAnswer = true;

  await call('POST', `${page.id}/messages`, { token, json: text({ text: 'Hi', metadata: 'crm1.x' }) });

  expect(events()[1]?.message).toMatchObject({ is_echo: true, metadata: 'crm1.x' });
});

test('an answer from the Page inbox is echoed with the inbox as its app', async () => {
  await connected();
  await linnea.writes('Hello', { to: page });

  await sandbox.pageInbox.sends(page, linnea, 'Answered over there.');

  expect(events()[1]?.message).toMatchObject({ is_echo: true, app_id: 263902037430900, text: 'Answered over there.' });
});

test('reactions, edits and buttons are events of their own', async () => {
  const token = await connected();
  const { mid } = await linnea.writes('Desk in 160?', { to: page });
  const sent = await call('POST', `${page.id}/messages`, { token, json: text({ text: 'Yes' }) });
  await sandbox.settled();
  app.received.length = 0;

  await linnea.reacts(String(sent.body.message_id), '❤️', { to: page });
  await linnea.edits(mid, 'Desk in 140?', 1, { to: page });
  await linnea.presses('Get Started', 'GET_STARTED', { to: page });

  const [reaction, edit, postback] = events() as (Event & Record<string, Json>)[];
  expect(shape(reaction)).toBe(shape(fixtures.webhookReaction.entry[0]?.messaging[0]));
  expect(edit?.message_edit).toEqual({ mid, text: 'Desk in 140?', num_edit: 1 });
  expect(postback?.postback).toMatchObject({ title: 'Get Started', payload: 'GET_STARTED' });
});

test('a photo is fetched from an address of the sandbox', async () => {
  await connected();
  const bytes = Buffer.from([0xff, 0xd8, 0xff, 1]);

  await linnea.sendsPhoto({ bytes, contentType: 'image/jpeg' }, { to: page });

  const [attachment] = events()[0]?.message?.attachments as { type: string; payload: { url: string } }[];
  const fetched = await fetch(attachment?.payload.url ?? '');
  expect(attachment?.type).toBe('image');
  expect(sandbox.mediaHosts).toContain(new URL(attachment?.payload.url ?? '').host);
  expect(fetched.headers.get('content-type')).toBe('image/jpeg');
  expect(Buffer.from(await fetched.arrayBuffer())).toEqual(bytes);
});

test('several events and Pages can come in one body', async () => {
  await connected();

  const delivery = await sandbox.inOneBody(async () => {
    await linnea.writes('one', { to: page });
    await linnea.writes('two', { to: page });
  });

  expect(delivery?.attempts).toEqual([200]);
  expect(told()).toHaveLength(1);
  expect(events().map((event) => event.message?.text)).toEqual(['one', 'two']);
});

test.each<[string, () => Json, number, number | undefined]>([
  ['to nobody this Page knows', () => ({ ...text({ text: 'x' }), recipient: { id: '123' } }), 100, 2018001],
  ['without messaging_type', () => ({ recipient: { id: linnea.psid(page) }, message: { text: 'x' } }), 100, undefined],
  [
    'with a tag that is gone',
    () => text({ text: 'x' }, { messaging_type: 'MESSAGE_TAG', tag: 'ACCOUNT_UPDATE' }),
    100,
    1893061,
  ],
  [
    'as Human Agent without the feature',
    () => text({ text: 'x' }, { messaging_type: 'MESSAGE_TAG', tag: 'HUMAN_AGENT' }),
    10,
    undefined,
  ],
  ['with message and action', () => text({ text: 'x' }, { sender_action: 'typing_on' }), 100, 2018014],
  ['with 2000 characters', () => text({ text: 'x'.repeat(2_000) }), 100, undefined],
  ['with nothing in it', () => text({}), 100, undefined],
  ['with an unknown field', () => text({ text: 'x', caption: 'y' }), 100, undefined],
  [
    'with text and attachment',
    () => text({ text: 'x', attachment: { type: 'image', payload: { url: `${app.url}/a.jpg` } } }),
    100,
    undefined,
  ],
  [
    'with a file that is not there',
    () => text({ attachment: { type: 'image', payload: { url: 'http://127.0.0.1:1/x' } } }),
    100,
    2018008,
  ],
  [
    'with a file of another type',
    () => text({ attachment: { type: 'video', payload: { url: `${app.url}/a.jpg` } } }),
    100,
    2018047,
  ],
  [
    'with an image too large',
    () => text({ attachment: { type: 'image', payload: { url: `${app.url}/big.jpg` } } }),
    100,
    2018109,
  ],
  [
    'with an unknown upload',
    () => text({ attachment: { type: 'file', payload: { attachment_id: '1' } } }),
    100,
    2018074,
  ],
])('a send %s is refused with its code', async (_what, json, code, subcode) => {
  const token = await connected();
  await linnea.writes('Hello', { to: page });
  app.files.set('/a.jpg', { contentType: 'image/jpeg', bytes: Buffer.from('x') });
  app.files.set('/big.jpg', { contentType: 'image/jpeg', bytes: Buffer.alloc(8 * 1024 * 1024 + 1) });

  const { body } = await call('POST', `${page.id}/messages`, { token, json: json() });

  expect([body.error?.code, body.error?.error_subcode]).toEqual([code, subcode]);
  expect(linnea.inbox).toEqual([]);
});

test('the window closes after 24 hours; Human Agent, where granted, has seven days; a reaction opens it again', async () => {
  const token = await connected();
  const { mid } = await linnea.writes('Hello', { to: page });
  const send = async (more: Json = {}) => {
    const { body } = await call('POST', `${page.id}/messages`, { token, json: text({ text: 'Still there?' }, more) });
    return body.error ? `${body.error.code}/${body.error.error_subcode}` : 'sent';
  };
  const tagged = { messaging_type: 'MESSAGE_TAG', tag: 'HUMAN_AGENT' };
  sandbox.options.humanAgent = true;

  time += dayMs + 1;
  expect([await send(), await send(tagged)]).toEqual(['10/2018278', 'sent']);
  time += 6 * dayMs;
  expect(await send(tagged)).toBe('10/2018278');
  await linnea.reacts(mid, '👍', { to: page });
  expect(await send()).toBe('sent');
});

test('attachments go by address, by upload and as multipart bytes', async () => {
  const token = await connected();
  await linnea.writes('Send the quote', { to: page });
  app.files.set('/quote.pdf', { contentType: 'application/pdf', bytes: Buffer.from('%PDF quote') });
  const path = `${page.id}/messages`;
  const form = new FormData();
  form.set('message', JSON.stringify({ attachment: { type: 'file', payload: { is_reusable: true } } }));
  form.set('filedata', new Blob(['%PDF offer'], { type: 'application/pdf' }), 'offer.pdf');

  const byUrl = { type: 'file', payload: { url: `${app.url}/quote.pdf`, is_reusable: true } };
  const first = await call('POST', path, { token, json: text({ attachment: byUrl }) });
  const uploaded = await fetch(`${sandbox.url}/v25.0/${page.id}/message_attachments?access_token=${token}`, {
    method: 'POST',
    body: form,
  });
  const { attachment_id: id } = (await uploaded.json()) as { attachment_id: string };
  await call('POST', path, { token, json: text({ attachment: { type: 'file', payload: { attachment_id: id } } }) });

  expect(first.body).toHaveProperty('attachment_id');
  expect(linnea.inbox.map((message) => message.attachments[0]?.file.name)).toEqual(['quote.pdf', 'offer.pdf']);
});

test('a customer who blocks the Page cannot be reached, and a Page owned by another app may not send', async () => {
  const token = await connected();
  await linnea.writes('Hello', { to: page });
  page.ownedByOtherApp = true;
  const owned = await call('POST', `${page.id}/messages`, { token, json: text({ text: 'x' }) });
  page.ownedByOtherApp = false;
  linnea.blocks(page);

  const blocked = await call('POST', `${page.id}/messages`, { token, json: text({ text: 'x' }) });

  expect(owned.body.error).toMatchObject({ code: 100, error_subcode: 2018300 });
  expect(blocked.body.error).toMatchObject({ code: 551, error_subcode: 1545041 });
});

test('profiles are given whole, in part, or not at all', async () => {
  const picture = { bytes: Buffer.from([0xff, 0xd8, 0xff]), contentType: 'image/jpeg', name: 'face.jpg' };
  const token = await connected();
  const read = async (customer: MessengerCustomer) =>
    (await call('GET', customer.psid(page), { token, query: { fields: 'name,first_name,last_name,profile_pic' } }))
      .body;
  const kinds = (['name-only', 'empty', 'none', 'permission'] as const).map((profile) =>
    sandbox.customer({ name: 'Zuzana Sample', profile }),
  );

  const full = await read(sandbox.customer({ name: 'Maria Öberg', picture }));
  const [nameOnly, empty, none, permission] = await Promise.all(kinds.map(read));
  const stranger = (await call('GET', '42', { token })).body;

  expect(full).toMatchObject({ name: 'Maria Öberg', first_name: 'Maria', last_name: 'Öberg' });
  expect(Object.keys(full)).toEqual(expect.arrayContaining(Object.keys(fixtures.profile)));
  expect((await fetch(String(full.profile_pic))).status).toBe(200);
  expect(Object.keys(nameOnly ?? {}).sort()).toEqual(['id', 'name']);
  expect(empty).toEqual({});
  expect(none?.error).toMatchObject({ code: 100, error_subcode: 2018218 });
  expect(permission?.error).toMatchObject({ code: 100, error_subcode: 2018247 });
  expect(stranger.error).toMatchObject({ code: 100, error_subcode: 33 });
});

test('conversations are listed with their messages; what is older than the last twenty stays closed', async () => {
  const token = await connected();
  const { mid: oldest } = await linnea.writes('first', { to: page });
  for (let index = 0; index < 20; index += 1) {
    time += 1_000;
    await linnea.writes(`message ${index}`, { to: page });
  }
  const query = { platform: 'messenger', fields: 'id,updated_time,participants,unread_count,can_reply,is_owner' };
  const listed = await call('GET', `${page.id}/conversations`, { token, query });
  const nested = await call('GET', `${page.id}/conversations`, {
    token,
    query: { user_id: linnea.psid(page), fields: 'messages.limit(30){id,created_time,from,to,message}' },
  });
  const id = String(listed.body.data?.[0]?.id);
  const edge = await call('GET', `${id}/messages`, { token, query: { limit: '5', fields: 'id,message' } });
  const one = await call('GET', String(edge.body.data?.[0]?.id), { token, query: { fields: 'id,message,from' } });
  const old = await call('GET', oldest, { token, query: { fields: 'message' } });

  expect(Object.keys(listed.body.data?.[0] ?? {}).sort()).toEqual(
    Object.keys(fixtures.conversations.data[0] ?? {}).sort(),
  );
  const messages = (nested.body.data?.[0]?.messages as { data: Json[] }).data;
  expect(messages).toHaveLength(21);
  expect(Object.keys(messages[0] ?? {}).sort()).toEqual(
    Object.keys(fixtures.conversationMessages.messages.data[0] ?? {}).sort(),
  );
  expect(messages.at(-1)).toEqual({ id: oldest, created_time: '2026-11-24T09:00:00+0000' });
  expect(edge.body.data?.map(({ message }) => message)).toEqual(
    [19, 18, 17, 16, 15].map((index) => `message ${index}`),
  );
  expect(one.body).toMatchObject({ message: 'message 19', from: { id: linnea.psid(page) } });
  expect(old.body.error).toMatchObject({ code: 9000001 });
});

test('another Page sees none of it', async () => {
  const token = await connected();
  const { mid } = await linnea.writes('Hello', { to: page });
  const other = sandbox.addPage({ name: 'Other', ownedBy: erik });
  const accounts = await call('GET', 'me/accounts', { token: await userToken(), query: { fields: 'id,access_token' } });
  const foreign = String(accounts.body.data?.find(({ id }) => id === other.id)?.access_token);

  const answers = await Promise.all([
    call('GET', mid, { token: foreign }),
    call('GET', linnea.psid(page), { token: foreign }),
    call('GET', `${page.id}/conversations`, { token: foreign }),
    call('POST', `${page.id}/messages`, { token: foreign, json: text({ text: 'x' }) }),
  ]);

  expect(answers.map(({ body }) => body.error?.code)).toEqual([100, 100, 10, 10]);
  expect((await call('GET', mid, { token })).status).toBe(200);
});

test('unversioned paths, wrong verbs, unknown parameters and fields are refused as Graph does', async () => {
  const token = await connected();
  const unversioned = (await (await fetch(`${sandbox.url}/me`)).json()) as Answer['body'];

  expect(unversioned.error).toMatchObject({ code: 2500 });
  expect((await call('PUT', `${page.id}/messages`, { token })).body.error).toMatchObject({ code: 100 });
  expect((await call('GET', page.id, { token, query: { feilds: 'id' } })).body.error).toMatchObject({ code: 100 });
  expect((await call('GET', page.id, { token, query: { fields: 'id,colour' } })).body.error).toMatchObject({
    code: 100,
  });
});

test('somebody who removes the app is reported with a signed request, and the tokens die', async () => {
  const token = await connected();

  await sandbox.deauthorize(erik);
  await sandbox.requestDeletion(erik);

  expect(app.received.map(({ url }) => url)).toEqual(['/webhooks/meta/deauthorize', '/webhooks/meta/data-deletion']);
  const [mac, payload = ''] = (app.received[0]?.form.signed_request ?? '').split('.');
  const said = JSON.parse(Buffer.from(payload, 'base64url').toString('utf8')) as Json;
  expect(said).toMatchObject({ algorithm: 'HMAC-SHA256', user_id: erik.id });
  expect(sandbox.signedRequest(said)).toBe(`${mac}.${payload}`);
  expect((await call('GET', page.id, { token })).body.error).toMatchObject({ code: 190, error_subcode: 458 });
});

test('the handshake asks as the dashboard does', async () => {
  await sandbox.handshake({ token: 'wrong' });

  expect(app.received[0]?.url).toBe(
    '/webhooks/messenger?hub.mode=subscribe&hub.verify_token=wrong&hub.challenge=1158201444',
  );
});

test('faults on order: a send that is carried out but never answered', async () => {
  const token = await connected();
  await linnea.writes('Hello', { to: page });
  faults.next('meta', { method: 'POST', path: /\/messages/ }, { kind: 'do-then-drop' });

  await expect(call('POST', `${page.id}/messages`, { token, json: text({ text: 'x' }) })).rejects.toThrow();

  expect(linnea.inbox.map((message) => message.text)).toEqual(['x']);
});

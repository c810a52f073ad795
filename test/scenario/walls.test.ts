// Companies are walls, and private channels too (A1, A8, T-04, T-05): every call of the contract, with another company's ids.
import { describe, expect, test } from 'vitest';
import { calls, type Call } from '../../src/web/contract.ts';
import type { Conversation, Message } from '../../src/web/contract.ts';
import { bothDatabases } from '../support/databases.ts';
import { until } from '../support/wait.ts';
import { newNumber, world } from '../support/world.ts';

const switches = { mine: true, others: true, unassigned: true, assigned: true };

/** A body that each call with one would take; a new call with a body must be added here. */
const bodies: Readonly<Record<string, (ids: Record<string, string>) => unknown>> = {
  createSession: () => ({ token: 'x' }),
  setMyAvailability: () => ({ available: true }),
  setUserAvailability: () => ({ available: true }),
  changeSettings: () => ({ autoCreateLead: false }),
  connectWhatsapp: () => ({ accountSid: 'AC', authToken: 'x', sender: '+46700000000' }),
  listSenders: () => ({ accountSid: 'AC', authToken: 'x' }),
  connectMessenger: (ids) => ({ login: ids.login, pageIds: ['1'] }),
  changeChannel: () => ({ name: 'Mine now' }),
  takeWebhook: () => ({ takeOver: true }),
  sendMessage: () => ({ clientMessageId: 'c', text: 'hello' }),
  assignConversation: () => ({ userId: null }),
  changeStatus: () => ({ status: 'closed' }),
  markRead: (ids) => ({ through: ids.message }),
  showPresence: () => ({ typing: true }),
  changeNotifications: () => ({ desktop: switches, email: switches }),
  testNotification: (ids) => ({ via: 'desktop', conversationId: ids.conversation }),
  subscribeBrowser: () => ({ endpoint: 'https://push.example/1', keys: { p256dh: 'x', auth: 'x' } }),
  unsubscribeBrowser: () => ({}),
  createLink: () => ({ type: 'person', recordId: '1' }),
  mendLink: () => ({ recordId: '1' }),
  askOwner: () => ({ what: 'share' }),
  createSavedReply: () => ({ name: 'Mine', text: 'Hello', scope: 'personal' }),
  changeSavedReply: () => ({ name: 'Mine', text: 'Hello', scope: 'personal' }),
};

describe.each(bothDatabases)('on %s', (database) => {
  test('no call answers anything but 404 to another company’s ids, and shows nothing of it (T-04)', async () => {
    const here = await world({ database });
    const { number } = await here.whatsapp();
    const customer = here.sandbox.twilio.customer(newNumber(), { name: 'Hannah Secret' });
    await customer.writes('canary words', { to: number });
    const conversation = await here.rep.conversationWith('Hannah Secret');
    const [message] = await here.rep.messages(conversation.id);
    const [link] = await here.admin.links(conversation.id, {
      type: 'person',
      create: { name: 'Hannah Secret' },
      idempotencyKey: 'walls-person',
    });
    const login = await here.admin.call<{ login: string }>('POST', '/api/channels/messenger/login');
    const elsewhere = here.sandbox.pipedrive.addCompany({ name: 'Elsewhere' });
    const stranger = await here.install(
      here.sandbox.pipedrive.addUser(elsewhere, { name: 'Olle Strand', admin: true }),
    );
    const ids = {
      conversation: conversation.id,
      message: message!.id,
      link: link!.id,
      channel: conversation.channel.id,
      user: here.rep.id,
      login: login.body.login,
      contact: conversation.contact.id,
    };

    for (const [name, call] of Object.entries<Call>(calls)) {
      if (call.body && !bodies[name]) throw new Error(`${name} needs a body in this test`);
      if (call.right === 'public' || name === 'streamEvents' || name === 'endSession') continue;
      for (const id of call.path.includes(':id') ? Object.values(ids) : ['']) {
        const path =
          call.path.replace(':linkId', ids.link).replace(':id', id) +
          (name === 'listPages' ? `?login=${ids.login}` : name === 'searchRecords' ? '?type=person&q=Hannah' : '');
        const answer = await stranger.call(call.method, path, call.body ? bodies[name]!(ids) : undefined);
        const where = `${name} ${path}`;
        if (path.includes(':') || call.path.includes(':id') || name === 'listPages' || name === 'connectMessenger')
          expect.soft(answer.status, where).toBe(404);
        const words = JSON.stringify(answer.body ?? null);
        for (const secret of ['Hannah', 'canary', ids.conversation, ids.message, ids.channel, number])
          expect.soft(words, where).not.toContain(secret);
      }
    }
    expect(await stranger.section('all')).toEqual([]);
    expect((await stranger.counts()).unassigned).toEqual({ total: 0, unread: 0 });
    expect(
      (await stranger.call<{ data: Conversation[] }>('GET', `/api/conversations?channelId=${ids.channel}&q=canary`))
        .body.data,
    ).toEqual([]);
    expect(
      (
        await stranger.call<{ data: Conversation[] }>(
          'GET',
          `/api/conversations?recordType=person&recordId=${link!.recordId}`,
        )
      ).body.data,
    ).toEqual([]);
    expect(await here.rep.conversationWith('Hannah Secret')).toMatchObject({ status: 'open', assignee: null });
  });

  test('a conversation of a private channel is not there for colleagues: lists, counts, search, messages, streams (A8)', async () => {
    const here = await world({ database });
    const { number } = await here.whatsapp(here.admin, 'private');
    const stream = openStream(here.url, here.rep.token);
    await here.sandbox.twilio.customer(newNumber(), { name: 'Hannah Secret' }).writes('canary words', { to: number });
    const conversation = await here.admin.conversationWith('Hannah Secret');
    await here.admin.sends(conversation.id, 'canary answer');
    await here.settled();

    expect(await here.rep.section('all')).toEqual([]);
    expect((await here.rep.counts()).unassigned.total).toBe(0);
    expect((await here.rep.call<{ data: Conversation[] }>('GET', '/api/conversations?q=canary')).body.data).toEqual([]);
    for (const path of ['', '/messages', '/timeline', '/size', '/suggestions']) {
      expect((await here.rep.call('GET', `/api/conversations/${conversation.id}${path}`)).status).toBe(404);
    }
    expect(
      (await here.admin.call('PUT', `/api/conversations/${conversation.id}/assignee`, { userId: here.rep.id })).status,
    ).toBe(422);
    await here.admin.call('PUT', '/api/me/availability', { available: false });
    const seen = await until(() => (stream.text().includes('user.changed') ? stream.text() : false), 'a later event');
    expect(seen).not.toContain('canary');
    expect(seen).not.toContain(conversation.id);
    stream.close();
  });
});

test('an id that is no id is not there, whatever it looks like (A-03)', async () => {
  const { rep } = await world();
  for (const id of [
    '0',
    '-1',
    '1e3',
    '0x10',
    '01',
    '9007199254740993',
    '1%20OR%201=1',
    '..%2F2',
    '%00',
    'null',
    'x'.repeat(10_000),
  ]) {
    const answer = await rep.call('GET', `/api/conversations/${id}`);
    expect.soft([404, 431], id.slice(0, 20)).toContain(answer.status);
  }
  for (const query of [
    'limit=-1',
    'limit=0',
    'limit=1000000000',
    'limit=abc',
    'cursor=changed',
    'section=x',
    'sort=id;drop%20table%20x',
    'limit=1&limit=2',
  ]) {
    expect.soft((await rep.call('GET', `/api/conversations?${query}`)).status, query).toBe(422);
  }
  for (const q of [
    '%25',
    '_',
    '%5C'.repeat(100),
    '%22',
    '*',
    'NEAR(',
    'a%20OR',
    '-',
    '%5E',
    'body:',
    "'%20UNION%20SELECT%201",
  ]) {
    expect.soft((await rep.call<{ data: [] }>('GET', `/api/conversations?q=${q}`)).body.data, q).toEqual([]);
  }
});

test('fields nobody may set are not set (A-09 to A-12)', async () => {
  const here = await world();
  const { number } = await here.whatsapp();
  await here.sandbox.twilio.customer(newNumber(), { name: 'Gustav Ek' }).writes('Hej', { to: number });
  const conversation = await here.rep.conversationWith('Gustav Ek');

  const sent = await here.rep.call<Message>('POST', `/api/conversations/${conversation.id}/messages`, {
    clientMessageId: 'mass',
    text: 'hello',
    status: 'read',
    providerMessageId: 'x',
    id: 'mine',
    createdAt: '2001-01-01T00:00:00.000Z',
    companyId: '2',
    role: 'admin',
  });

  expect(sent.body).toMatchObject({ status: 'queued' });
  expect(sent.body.id).not.toBe('mine');
  expect(sent.body.createdAt > '2020').toBe(true);
  expect((await here.rep.call('PATCH', '/api/settings', { autoCreateLead: true })).status).toBe(403);
  expect((await here.rep.call('POST', '/api/channels/messenger/login')).status).toBe(403);
  expect((await here.rep.call('DELETE', `/api/conversations/${conversation.id}`)).status).toBe(403);
  expect(
    (await here.rep.call('PATCH', `/api/channels/${conversation.channel.id}`, { visibility: 'private' })).status,
  ).toBe(403);
  await here.settled();
});

interface OpenStream {
  text(): string;
  close(): void;
}

function openStream(url: string, token: string, after?: string): OpenStream {
  const abort = new AbortController();
  let seen = '';
  void (async () => {
    const answer = await fetch(`${url}/api/events${after === undefined ? '' : `?after=${after}`}`, {
      headers: { authorization: `Bearer ${token}` },
      signal: abort.signal,
    });
    const decoder = new TextDecoder();
    for await (const part of answer.body as unknown as AsyncIterable<Uint8Array>)
      seen += decoder.decode(part, { stream: true });
  })().catch(() => undefined);
  return { text: () => seen, close: () => abort.abort() };
}

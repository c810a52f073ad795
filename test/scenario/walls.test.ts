// Companies are walls, and private channels too (A1, A8, T-04, T-05): every call of the contract, with another company's ids.
import { describe, expect, test } from 'vitest';
import { picture, pictureNames } from '../../sandbox/pictures.ts';
import { calls, type Call } from '../../src/web/contract.ts';
import type { Conversation, ErrorBody, Message } from '../../src/web/contract.ts';
import { bothDatabases } from '../support/databases.ts';
import { openEvents } from '../support/events.ts';
import { until } from '../support/wait.ts';
import { newNumber, world, type TestUser } from '../support/world.ts';

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

    await sweep(stranger, ids, ['Hannah', 'canary', ids.conversation, ids.message, ids.channel, number]);
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

  test('a private channel shows its owner alone what is on it, on every way there is (A8, T-05)', async () => {
    const here = await world({ database, environment: { SMTP_URL: '' } });
    const colleague = await here.install(
      here.sandbox.pipedrive.addUser(here.company, { name: 'Olle Strand', admin: true }),
    );
    const others = [here.rep, colleague];
    const everything = { mine: true, others: true, unassigned: true, assigned: true };
    for (const user of others)
      await user.call('PUT', '/api/me/notifications', { desktop: everything, email: everything });
    const { channel, number } = await here.whatsapp(here.admin, 'private');
    const streams = others.map((user) => openEvents(here.url, user.token, 0));
    const customer = here.sandbox.twilio.customer(newNumber(), { name: 'Hannah Secret' });
    await customer.writes('canary words', { to: number });
    await customer.writes('', { to: number, media: [await picture(pictureNames[0]!)] });
    const conversation = await here.admin.conversationWith('Hannah Secret');
    const [link] = await here.admin.links(conversation.id, {
      type: 'person',
      create: { name: 'Hannah Secret' },
      idempotencyKey: 'walls-private',
    });
    await here.admin.sends(conversation.id, 'canary answer');
    await here.admin.call('PUT', `/api/conversations/${conversation.id}/presence`, { typing: true });
    await here.settled();
    const messages = await here.admin.messages(conversation.id);
    const ids = {
      conversation: conversation.id,
      message: messages[0]!.id,
      link: link!.id,
      channel: channel.id,
      user: conversation.contact.id,
      login: 'none',
      contact: conversation.contact.id,
    };
    const secrets = ['Hannah', 'canary', ids.conversation, ids.message, ids.channel, number.slice(1)];

    for (const user of others) {
      await sweep(user, ids, secrets, ['askOwner', 'searchRecords', 'getConversation']);
      // Whom to ask for it is told by its own address alone, and nothing else is.
      for (const id of Object.values(ids)) {
        const { status, body } = await user.call<ErrorBody>('GET', `/api/conversations/${id}`);
        const owner = { id: here.admin.id, name: here.admin.name };
        expect.soft(status).toBe(404);
        expect
          .soft(body.error.details)
          .toEqual(id === conversation.id ? { private: { channelId: channel.id, owner } } : undefined);
        for (const secret of secrets.filter((one) => one !== channel.id))
          expect.soft(JSON.stringify(body), id).not.toContain(secret);
      }
      // Who may see a person is for Pipedrive to say. To be let in he may ask: that tells whose it is, and nothing more.
      const asked = await user.call('POST', `/api/channels/${channel.id}/ask-owner`, { what: 'share' });
      expect(Object.keys(asked.body as object).sort()).toEqual(['askAgainAt', 'notified', 'owner']);
      const lists = ['section=all', 'q=canary', 'q=Hannah', `channelId=${channel.id}`, 'sort=closing'];
      for (const query of [...lists, `recordType=person&recordId=${link!.recordId}`]) {
        const found = await user.call<{ data: Conversation[] }>('GET', `/api/conversations?${query}`);
        expect.soft(found.body.data, query).toEqual([]);
      }
      expect(Object.values(await user.counts()).map(({ total }) => total)).toEqual([0, 0, 0, 0]);
      const given = { userId: user.id };
      const assigned = await here.admin.call('PUT', `/api/conversations/${conversation.id}/assignee`, given);
      expect(assigned.status).toBe(422);
    }
    // The address of a file says nothing to who has to guess it.
    const { url } = messages.flatMap(({ attachments }) => attachments)[0]!;
    expect((await fetch(url!.replace(/s=[^&]+$/, 's=guessed'))).status).toBe(404);
    await here.admin.call('PUT', '/api/me/availability', { available: false });
    // That something is to be asked anew is told, by the channel's bare id; one of others may have turned private just now.
    const untold = secrets.filter((secret) => secret !== channel.id);
    for (const stream of streams) {
      await until(() => JSON.stringify(stream.events).includes('"available":false'), 'a later event');
      for (const secret of untold) expect.soft(JSON.stringify(stream.events)).not.toContain(secret);
      for (const { name, data } of stream.events)
        if (name === 'channel.changed') expect(data).toEqual({ id: channel.id, channel: null });
      stream.close();
    }
    const told = await here.app.db.read((reader) => reader.query<{ userId: string }>('select user_id from notice'));
    expect(told.map(({ userId }) => userId).filter((id) => id !== here.admin.id)).toEqual([]);
  });

  test('a channel that turns private takes back what others had, and is gone from their open windows (A8)', async () => {
    const here = await world({ database });
    const { channel, number } = await here.whatsapp();
    await here.sandbox.twilio.customer(newNumber(), { name: 'Hannah Secret' }).writes('canary', { to: number });
    const { id } = await here.rep.conversationWith('Hannah Secret');
    await here.rep.call('PUT', `/api/conversations/${id}/assignee`, { userId: here.rep.id });
    await here.rep.call('PUT', `/api/conversations/${id}/status`, { status: 'closed' });
    const { changeNumber } = (await here.rep.call<{ changeNumber: number }>('GET', '/api/me')).body;
    const stream = openEvents(here.url, here.rep.token, changeNumber);

    await here.admin.call('PATCH', `/api/channels/${channel.id}`, { visibility: 'private' });

    const told = await until(() => stream.events.find(({ name }) => name === 'channel.changed'), 'the change');
    expect(told.data).toEqual({ id: channel.id, channel: null });
    expect(JSON.stringify(stream.events)).not.toContain('Hannah');
    expect((await here.rep.call('GET', `/api/conversations/${id}`)).status).toBe(404);
    expect(await here.admin.conversationWith('Hannah Secret')).toMatchObject({ status: 'closed', assignee: null });
    const { body } = await here.admin.call<{ data: { kind: string; by: { name: string } }[] }>(
      'GET',
      `/api/conversations/${id}/timeline`,
    );
    expect(body.data[0]).toMatchObject({ kind: 'unassigned', by: { name: 'Erik Lund' } });
    stream.close();
  });
});

/** Makes every call there is with each of these ids: none is there, and none of the secrets is told. */
async function sweep(
  user: TestUser,
  ids: Readonly<Record<string, string>>,
  secrets: readonly string[],
  except: readonly string[] = [],
): Promise<void> {
  for (const [name, call] of Object.entries<Call>(calls)) {
    if (call.body && !bodies[name]) throw new Error(`${name} needs a body in this test`);
    if (call.right === 'public' || ['streamEvents', 'endSession', ...except].includes(name)) continue;
    const refused = call.right === 'admin' && !user.pipedrive.admin ? 403 : 404;
    for (const id of call.path.includes(':id') ? Object.values(ids) : ['']) {
      const path =
        call.path.replace(':linkId', ids.link!).replace(':id', id) +
        (name === 'listPages' ? `?login=${ids.login}` : name === 'searchRecords' ? '?type=person&q=Hannah' : '');
      const answer = await user.call(call.method, path, call.body ? bodies[name]!(ids) : undefined);
      const where = `${name} ${path}`;
      if (call.path.includes(':id') || name === 'listPages' || name === 'connectMessenger')
        expect.soft(answer.status, where).toBe(refused);
      const words = JSON.stringify(answer.body ?? null);
      for (const secret of secrets) expect.soft(words, where).not.toContain(secret);
    }
  }
}

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

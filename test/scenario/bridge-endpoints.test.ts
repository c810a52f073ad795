// The seven endpoints of the messaging manifest as Pipedrive calls them: who may, what is answered, how pages hang together.
import { request } from 'node:http';
import { describe, expect, test } from 'vitest';
import { readManifest } from '../../sandbox/pipedrive/manifest.ts';
import { messagingManifest } from '../../src/web/leads-inbox.ts';
import { bothDatabases } from '../support/databases.ts';
import { bridged, type BridgedWorld } from '../support/leads-inbox.ts';
import { until } from '../support/wait.ts';
import { newNumber } from '../support/world.ts';

interface Page {
  data: { id: string; messages: { id: string; message: string }[]; next_messages_cursor: string | null }[];
  additional_data: { after?: string };
}

async function connected(here: BridgedWorld, owner = here.admin) {
  const { number, channel } = await here.whatsapp(owner);
  await until(() => here.inbox.channelOf(channel.id), 'the channel in Leads Inbox');
  return { number, channel };
}

async function writes(here: BridgedWorld, number: string, name: string, texts: readonly string[]): Promise<string> {
  const customer = here.sandbox.twilio.customer(newNumber(), { name });
  for (const text of texts) await customer.writes(text, { to: number });
  const { id } = await here.rep.conversationWith(name);
  await until(async () => (await here.rep.messages(id)).length >= texts.length, 'all that was written');
  return id;
}

test('the manifest is one that Developer Hub takes, and every address in it is served (B1)', async () => {
  const here = await bridged();
  const { number, channel } = await connected(here);
  const conversationId = await writes(here, number, 'Hannah', ['Hello?']);
  const [message] = await here.rep.messages(conversationId);

  const manifest = readManifest(messagingManifest(here.url));

  expect(Object.keys(manifest.endpoints)).toHaveLength(7);
  const values: Record<string, string> = {
    providerChannelId: channel.id,
    sourceConversationId: conversationId,
    sourceMessageId: message!.id,
    senderId: channel.id,
  };
  for (const [name, address] of Object.entries(manifest.endpoints)) {
    if (name === 'postMessage' || name === 'deleteChannelById') continue;
    const path = new URL(address.replace(/:([a-z]\w+)/gi, (_, word: string) => values[word]!)).pathname;
    const { status } = await here.asPipedrive('GET', path.replace('/pipedrive/channels', ''));
    expect.soft(status, name).toBe(200);
  }
});

describe('who may call (J-19, J-20, T-20)', () => {
  test('every call without exactly our client id and secret is refused with 401 and tells nothing (J-19)', async () => {
    const here = await bridged();
    const { channel } = await connected(here);
    const { PIPEDRIVE_CLIENT_ID: id = '', PIPEDRIVE_CLIENT_SECRET: secret = '' } = here.environment;
    const basic = (words: string) => `Basic ${Buffer.from(words).toString('base64')}`;
    const right = basic(`${id}:${secret}`);

    const wrong = [
      [],
      ['Basic '],
      ['Basic'],
      [basic(id + secret)],
      [basic(`${id}:${'x'.repeat(secret.length)}`)],
      [basic(`${id}:${secret}!`)],
      [right.replace('Basic', 'basic')],
      [`Bearer ${here.admin.token}`],
      [right, right],
      [right, basic('a:b')],
      [basic('a:b'), right],
    ];
    for (const authorization of wrong) {
      for (const [method, path] of [
        ['GET', `/${channel.id}/conversations`],
        ['POST', `/${channel.id}/messages`],
        ['DELETE', `/${channel.id}`],
        ['GET', '/nothing/of/the/kind'],
      ] as const) {
        const answer = await raw(`${here.url}/pipedrive/channels${path}`, method, authorization);
        expect.soft(answer.status, `${method} ${path} ${authorization.length}`).toBe(401);
        expect.soft(answer.body).toMatchObject({ success: false, data: { code: 'UNAUTHORIZED' } });
        expect.soft(JSON.stringify(answer.body)).not.toContain(channel.id);
      }
    }
    expect(here.inbox.channelOf(channel.id)).toBeDefined();
    expect(JSON.stringify(here.log)).not.toContain(secret);
  });

  test('what is not of the named channel is not there, whoever has it; nor is a channel that was disconnected (J-20, A1)', async () => {
    const here = await bridged();
    const { number, channel } = await connected(here);
    const elsewhere = here.sandbox.pipedrive.addCompany({ name: 'Elsewhere', domain: 'elsewhere' });
    const olle = await here.install(here.sandbox.pipedrive.addUser(elsewhere, { name: 'Olle Strand', admin: true }));
    const [other, foreign] = [await connected(here), await connected(here, olle)];
    const conversationId = await writes(here, number, 'Hannah', ['canary']);
    const [message] = await here.rep.messages(conversationId);
    const contactId = (await here.rep.conversationWith('Hannah')).contact.id;

    const absent = [
      `/${other.channel.id}/conversations/${conversationId}`,
      `/${foreign.channel.id}/conversations/${conversationId}`,
      `/${foreign.channel.id}/conversations/${conversationId}/messages/${message!.id}`,
      `/${foreign.channel.id}/messages/${message!.id}`,
      `/${foreign.channel.id}/senders/${contactId}`,
      `/${channel.id}/senders/${foreign.channel.id}`,
      `/${other.channel.id}/conversations/${conversationId}/messages/${message!.id}`,
      `/${other.channel.id}/messages/${message!.id}`,
      `/${other.channel.id}/senders/${contactId}`,
      `/${channel.id}/senders/${other.channel.id}`,
      '/..%2f1/conversations',
      `/${'a'.repeat(10_000)}/conversations`,
      '/01a21322-2ed0-70e4-b0d0-b2b960e2bc80/conversations',
      `/${channel.id}/nothing`,
      `/${channel.id}%00/conversations`,
    ];
    for (const path of absent) {
      const answer = await here.asPipedrive('GET', path);
      expect.soft(answer.status, path.slice(0, 80)).toBe(404);
      expect.soft(answer.body).toMatchObject({ success: false, data: { code: 'NOT_FOUND' } });
      expect.soft(typeof (answer.body.data as { message: unknown }).message).toBe('string');
    }
    for (const { channel: wrong } of [other, foreign]) {
      const form = new FormData();
      for (const [name, value] of Object.entries({ conversationId, senderId: wrong.id, message: 'x' }))
        form.set(name, value);
      form.set('recipientIds[]', contactId);
      expect((await here.asPipedrive('POST', `/${wrong.id}/messages`, { body: form })).status).toBe(404);
    }

    await here.admin.call('DELETE', `/api/channels/${channel.id}`);
    await until(() => !here.inbox.channelOf(channel.id), 'the channel gone from Leads Inbox');
    expect((await here.asPipedrive('GET', `/${channel.id}/conversations`)).status).toBe(404);
    expect((await here.asPipedrive('DELETE', `/${channel.id}`)).status).toBe(404);
  });
});

describe.each(bothDatabases)('pages, on %s', (database) => {
  test('conversations come newest first, each once, never more than asked for, whatever is written between two pages (B1)', async () => {
    const here = await bridged({ database });
    const { number, channel } = await connected(here);
    const ids: string[] = [];
    for (const name of ['Anna', 'Bo', 'Cia', 'Dan', 'Eva'])
      ids.push(await writes(here, number, name, [`I am ${name}`]));
    const page = async (query: string) =>
      (await here.asPipedrive('GET', `/${channel.id}/conversations?${query}`)).body as unknown as Page;

    const first = await page('conversations_limit=2&messages_limit=1');
    // The oldest moves to the top, and somebody new comes, while Pipedrive reads.
    await here.rep.sends(ids[0]!, 'Hello Anna');
    await writes(here, number, 'Filip', ['I am new']);
    const second = await page(`conversations_limit=2&after=${first.additional_data.after}`);
    const third = await page(`conversations_limit=2&after=${second.additional_data.after}`);

    expect([first, second, third].map(({ data }) => data.map(({ id }) => id))).toEqual([
      [ids[4], ids[3]],
      [ids[2], ids[1]],
      [ids[0]],
    ]);
    expect(third.additional_data).toEqual({});
    expect((await page('conversations_limit=100')).data).toHaveLength(6);
  });

  test('older messages are reached over the cursor, each once and in order, however many come meanwhile (B1)', async () => {
    const here = await bridged({ database });
    const { number, channel } = await connected(here);
    const texts = ['1', '2', '3', '4', '5'];
    const id = await writes(here, number, 'Anna', texts);
    const page = async (query: string) => {
      const { body } = await here.asPipedrive('GET', `/${channel.id}/conversations/${id}?messages_limit=2${query}`);
      return body as unknown as { data: Page['data'][number]; additional_data: { after?: string } };
    };

    const first = await page('');
    await here.rep.sends(id, '6');
    const second = await page(`&after=${first.data.next_messages_cursor}`);
    const third = await page(`&after=${second.data.next_messages_cursor}`);

    expect([first, second, third].map(({ data }) => data.messages.map(({ message }) => message))).toEqual([
      ['4', '5'],
      ['2', '3'],
      ['1'],
    ]);
    expect(first.additional_data.after).toBe(first.data.next_messages_cursor);
    expect(third.data.next_messages_cursor).toBeNull();
    expect(third.additional_data).toEqual({});
  });
});

test('limits and cursors that make no sense are told so; a limit beyond all measure is cut (B1)', async () => {
  const here = await bridged();
  const { channel } = await connected(here);

  for (const query of [
    'conversations_limit=0',
    'conversations_limit=-1',
    'conversations_limit=x',
    'messages_limit=1.5',
    'after=nonsense',
    'after=W10',
    `after=${Buffer.from('["a","b","c"]').toString('base64url')}`,
  ]) {
    const answer = await here.asPipedrive('GET', `/${channel.id}/conversations?${query}`);
    expect.soft(answer.status, query).toBe(400);
    expect.soft(answer.body, query).toMatchObject({ success: false, data: { code: 'INVALID_BODY' } });
  }
  expect((await here.asPipedrive('GET', `/${channel.id}/conversations?conversations_limit=100000`)).status).toBe(200);
});

test('a channel taken out in Leads Inbox stays connected here, is told of nothing more and comes back when connected anew (B1)', async () => {
  const here = await bridged();
  const { number, channel } = await connected(here);
  const shown = here.inbox.channelOf(channel.id)!;
  await here.settled();

  expect(await here.inbox.removeChannel(shown)).toBe(200);
  const id = await writes(here, number, 'Hannah', ['Hello?']);
  await here.rep.sends(id, 'Hello!');
  await here.settled();

  expect(here.inbox.received).toEqual([]);
  expect((await here.asPipedrive('GET', `/${channel.id}/conversations`)).status).toBe(404);
  const listed = await here.admin.call<{ data: { id: string; bridge: string; health: { state: string } }[] }>(
    'GET',
    '/api/channels',
  );
  expect(listed.body.data).toMatchObject([{ id: channel.id, bridge: 'off', health: { state: 'ok' } }]);

  await here.admin.call('DELETE', `/api/channels/${channel.id}`);
  const account = [...here.sandbox.twilio.state.accounts.values()].at(-1)!;
  const again = await here.admin.call<{ id: string }>('POST', '/api/channels/whatsapp', {
    accountSid: account.sid,
    authToken: account.authToken,
    sender: number,
    visibility: 'shared',
  });
  const back = await until(() => here.inbox.channelOf(again.body.id), 'the channel in Leads Inbox again');
  await until(() => back.conversations[0]?.messages.length === 2, 'what was said meanwhile');
  await here.settled();
  expect(here.inbox.problems).toEqual([]);
});

test.each([
  ['an auth token that no longer holds', 'UNAUTHORIZED'],
  ['an account that is suspended', 'ACCOUNT_SUSPENDED'],
] as const)(
  'over a channel with %s nothing is sent from Leads Inbox, and it is told why (B3, C14)',
  async (what, code) => {
    const here = await bridged();
    here.expectInLog(/reconnect|broken/);
    const { number, channel } = await connected(here);
    const id = await writes(here, number, 'Hannah', ['Hello?']);
    const shown = here.inbox.channelOf(channel.id)!;
    await until(() => shown.conversations.length === 1, 'the conversation there');
    const account = [...here.sandbox.twilio.state.accounts.values()].at(-1)!;
    if (code === 'UNAUTHORIZED') here.sandbox.twilio.rotateToken(account);
    else account.status = 'suspended';
    await here.rep.sends(id, 'Hello!');
    await here.settled();

    const written = await here.inbox.write(shown, id, { text: 'Hello from there' });

    expect(written, what).toMatchObject({ status: 401, code });
    await here.settled();
    expect((await here.rep.messages(id)).map(({ text }) => text)).not.toContain('Hello from there');
    expect(here.inbox.problems).toEqual([]);
  },
);

test('a conversation deleted here is deleted there by the user who may, and comes back with what came after (V7, B2)', async () => {
  const here = await bridged();
  const { number, channel } = await connected(here);
  const shown = here.inbox.channelOf(channel.id)!;
  const customer = here.sandbox.twilio.customer(newNumber(), { name: 'Hannah' });
  await customer.writes('before', { to: number });
  const there = await until(() => shown.conversations[0], 'the conversation there');

  expect((await here.admin.call('DELETE', `/api/conversations/${there.id}`)).status).toBe(204);
  await until(() => shown.conversations.length === 0, 'the conversation gone there');
  await customer.writes('after', { to: number });
  const again = await until(() => shown.conversations[0], 'the conversation there again');
  await until(() => again.messages.length > 0, 'its message');

  expect(again.messages.map(({ message }) => message)).toEqual(['after']);
  expect(here.inbox.problems).toEqual([]);
});

/** A request whose headers are exactly these: a browser's API would join or refuse some. */
function raw(
  url: string,
  method: string,
  authorization: readonly string[],
): Promise<{ status: number; body: unknown }> {
  return new Promise((resolve, reject) => {
    const headers = ['host', new URL(url).host, ...authorization.flatMap((value) => ['authorization', value])];
    const call = request(url, { method, headers }, (answer) => {
      let text = '';
      answer.on('data', (part: Buffer) => (text += part.toString()));
      answer.on('end', () => resolve({ status: answer.statusCode ?? 0, body: JSON.parse(text) as unknown }));
    });
    call.on('error', reject);
    call.end();
  });
}

// Twilio webhooks in: what is refused, what is kept, and what the same thing said twice does (section 5.2 of the bad inputs).
import { describe, expect, test } from 'vitest';
import { bothDatabases } from '../support/databases.ts';
import { until } from '../support/wait.ts';
import { newNumber, world, type World } from '../support/world.ts';
import { sign } from '../../sandbox/twilio/callbacks.ts';

let made = 0;
const newSid = (): string => `SM${(made += 1).toString(16).padStart(32, '0')}`;

interface Sent {
  readonly params: Record<string, string>;
  readonly token: string;
  readonly path?: string;
  readonly signedUrl?: string;
  readonly headers?: Record<string, string>;
  readonly body?: string;
}

async function post(here: World, sent: Sent): Promise<{ status: number; body: string; type: string | null }> {
  const path = sent.path ?? '/webhooks/twilio';
  const signature = sign(sent.signedUrl ?? here.url + path, sent.params, sent.token);
  const answer = await fetch(here.url + path, {
    method: 'POST',
    headers: { 'content-type': 'application/x-www-form-urlencoded', 'x-twilio-signature': signature, ...sent.headers },
    body: sent.body ?? new URLSearchParams(sent.params).toString(),
  });
  return { status: answer.status, body: await answer.text(), type: answer.headers.get('content-type') };
}

async function connected(here: World) {
  const { channel, number } = await here.whatsapp();
  const account = [...here.sandbox.twilio.state.accounts.values()].at(-1)!;
  const inbound = (change: Record<string, string> = {}): Record<string, string> => ({
    MessageSid: newSid(),
    AccountSid: account.sid,
    From: 'whatsapp:+46700000001',
    To: `whatsapp:${number}`,
    Body: 'hello',
    NumMedia: '0',
    ProfileName: 'Amelia Hart',
    WaId: '46700000001',
    ...change,
  });
  return { channel, number, account, inbound };
}

const messagesOf = (here: World) =>
  here.app.db.read((reader) =>
    reader.query<{ text: string; kind: string; authorName: string }>(
      'select text, kind, author_name from message order by id',
    ),
  );
const setAside = async (here: World) =>
  (await here.app.db.read((reader) => reader.query(`select id from job where task = 'unreadable-event'`))).length;

describe.each(bothDatabases)('on %s', (database) => {
  test('each bad webhook gets its answer and harms nobody else (W-01 to W-18)', async () => {
    const here = await world({ database });
    const one = await connected(here);
    const other = await connected(here);
    const token = one.account.authToken;
    const path = '/webhooks/twilio';
    const params = one.inbound();
    const table: { id: string; sent: Sent; status: number; stored: number; unreadable?: number; text?: string }[] = [
      {
        id: 'W-01 no signature',
        sent: { params, token, headers: { 'x-twilio-signature': '' } },
        status: 403,
        stored: 0,
      },
      {
        id: 'W-02 signed for https',
        sent: { params, token, signedUrl: here.url.replace('http:', 'https:') + path },
        status: 403,
        stored: 0,
      },
      {
        id: 'W-02 another port',
        sent: { params, token, signedUrl: `http://127.0.0.1:9${path}` },
        status: 403,
        stored: 0,
      },
      { id: 'W-02 a slash more', sent: { params, token, signedUrl: `${here.url}${path}/` }, status: 403, stored: 0 },
      {
        id: 'W-02 another query order',
        sent: { params, token, path: `${path}?a=1&b=2`, signedUrl: `${here.url}${path}?b=2&a=1` },
        status: 403,
        stored: 0,
      },
      {
        id: 'W-03 the account and number of another company',
        sent: { params: other.inbound(), token },
        status: 403,
        stored: 0,
      },
      {
        id: 'W-04 a number that is not connected',
        sent: { params: one.inbound({ To: 'whatsapp:+46799999999' }), token },
        status: 200,
        stored: 0,
      },
      {
        id: 'W-04 an account nobody has',
        sent: { params: one.inbound({ AccountSid: `AC${'0'.repeat(32)}` }), token },
        status: 403,
        stored: 0,
      },
      {
        id: 'W-06 a name twice',
        sent: { params: one.inbound(), token, body: 'Body=a&Body=b' },
        status: 403,
        stored: 0,
      },
      {
        id: 'W-07 dots and brackets in names',
        sent: { params: one.inbound({ 'a.b': '1', 'c[d]': '2', Body: 'brackets' }), token },
        status: 200,
        stored: 1,
        text: 'brackets',
      },
      {
        id: 'W-08 1,500 parameters',
        sent: {
          params: {
            ...one.inbound({ Body: 'many' }),
            ...Object.fromEntries(Array.from({ length: 1_500 }, (_, index) => [`p${index}`, 'x'])),
          },
          token,
        },
        status: 200,
        stored: 1,
        text: 'many',
      },
      {
        id: 'W-09 headers of a proxy',
        sent: {
          params: one.inbound({ Body: 'proxied' }),
          token,
          headers: { 'x-forwarded-host': 'evil.example', 'x-forwarded-proto': 'http' },
        },
        status: 200,
        stored: 1,
        text: 'proxied',
      },
      {
        id: 'W-10 JSON',
        sent: { params, token, headers: { 'content-type': 'application/json' }, body: JSON.stringify(params) },
        status: 415,
        stored: 0,
      },
      ...['-1', '1e9', 'abc', '3'].map((NumMedia) => ({
        id: `W-11 NumMedia ${NumMedia}`,
        sent: { params: one.inbound({ NumMedia, Body: `media ${NumMedia}` }), token },
        status: 200,
        stored: 1,
        text: `media ${NumMedia}`,
      })),
      ...['whatsapp:+1<script>', '', 'whatsapp:', `whatsapp:+${'1'.repeat(200)}`].map((From) => ({
        id: `W-12 From ${From.slice(0, 20)}`,
        sent: { params: one.inbound({ From }), token },
        status: 200,
        stored: 0,
        unreadable: 1,
      })),
      ...[
        '"><img src=x onerror=alert(1)>',
        '=HYPERLINK("http://x","y")',
        '\u202ereversed',
        'x'.repeat(10_000),
        'two\r\nlines',
      ].map((ProfileName) => ({
        id: `W-13 name ${ProfileName.slice(0, 12)}`,
        sent: { params: one.inbound({ ProfileName }), token },
        status: 200,
        stored: 1,
      })),
      ...['NaN', '1e999'].map((Latitude) => ({
        id: `W-18 latitude ${Latitude}`,
        sent: { params: one.inbound({ Latitude, Longitude: '1', Body: `lat ${Latitude}` }), token },
        status: 200,
        stored: 1,
        text: `lat ${Latitude}`,
      })),
      ...['__proto__', '', 'brand_new'].map((MessageStatus) => ({
        id: `W-16 status ${MessageStatus}`,
        sent: {
          params: { ...params, MessageStatus, From: params.To!, To: params.From! },
          token,
          path: '/webhooks/twilio/status',
        },
        status: 200,
        stored: 0,
      })),
      {
        id: 'W-15 status of an unknown message',
        sent: {
          params: {
            AccountSid: one.account.sid,
            MessageSid: newSid(),
            MessageStatus: 'delivered',
            From: params.To!,
            To: params.From!,
          },
          token,
          path: '/webhooks/twilio/status',
        },
        status: 200,
        stored: 0,
      },
    ];

    for (const row of table) {
      const [messages, unreadable] = [await messagesOf(here), await setAside(here)];
      const answer = await post(here, row.sent);
      await until(
        async () =>
          (
            await here.app.db.read((reader) =>
              reader.query(`select id from job where task in ('ingest', 'receive-message')`),
            )
          ).length === 0,
      );
      const after = await messagesOf(here);
      expect.soft(answer.status, row.id).toBe(row.status);
      if (row.status === 200)
        expect
          .soft([answer.type?.split(';')[0], answer.body.includes('<Response></Response>')], row.id)
          .toEqual(['text/xml', true]);
      expect.soft(after.length - messages.length, `${row.id}: messages`).toBe(row.stored);
      expect.soft((await setAside(here)) - unreadable, `${row.id}: unreadable`).toBe(row.unreadable ?? 0);
      if (row.text !== undefined) expect.soft(after.at(-1)?.text, row.id).toBe(row.text);
    }
    const names = (await messagesOf(here)).map(({ authorName }) => authorName);
    expect(Math.max(...names.map((name) => name.length))).toBeLessThanOrEqual(255);
    expect(names.some((name) => /[\r\n]/.test(name))).toBe(false);
  });

  test('a webhook is acknowledged while everybody else hangs: Pipedrive, and the host of its picture (I-04)', async () => {
    const here = await world({ database });
    const { inbound, account } = await connected(here);
    const { sandbox } = here;
    await here.settled();
    const hang = { kind: 'hang', ms: 4_000 } as const;
    for (const vendor of ['twilio', 'pipedrive'] as const) sandbox.faults.next(vendor, {}, hang, 10_000);
    const media = `${sandbox.twilio.url}/2010-04-01/Accounts/${account.sid}/Messages/MM1/Media/ME1`;

    const answers = await Promise.all(
      Array.from({ length: 100 }, (_, index) => {
        const params = { From: `whatsapp:+4670111${1_000 + index}`, NumMedia: '1', MediaUrl0: media };
        return post(here, { params: inbound({ ...params, MediaContentType0: 'image/png' }), token: account.authToken });
      }),
    );
    await until(async () => (await messagesOf(here)).length === 100, 'every message, without its picture');

    expect(new Set(answers.map(({ status }) => status))).toEqual(new Set([200]));
    // They do hang: nobody has his picture.
    expect(sandbox.faults.take('twilio', 'GET', '/')).toEqual(hang);
    const pictures = await here.app.db.read((reader) => reader.query('select distinct state from attachment'));
    expect(pictures).toEqual([{ state: 'pending' }]);
    sandbox.faults.clear();
    await here.settled();
  });

  test(
    'five thousand webhooks at once are each acknowledged or refused for later, and every acknowledged one is there once (I-09)',
    { timeout: 120_000 },
    async () => {
      const here = await world({ database });
      const { inbound, account } = await connected(here);
      const waiting = Array.from({ length: 5_000 }, (_, index) =>
        inbound({ From: `whatsapp:+4670222${1_000 + (index % 500)}`, Body: `burst ${index}` }),
      );
      const acknowledged: string[] = [];
      const statuses = new Set<number>();
      const send = async (): Promise<void> => {
        for (let params = waiting.pop(); params; params = waiting.pop()) {
          const { status } = await post(here, { params, token: account.authToken });
          statuses.add(status);
          if (status === 200) acknowledged.push(params.Body!);
        }
      };

      await Promise.all(Array.from({ length: 200 }, send));
      await until(async () => (await messagesOf(here)).length >= acknowledged.length, 'all of them', 90_000);
      await here.settled();

      expect([...statuses].filter((status) => status !== 200 && status !== 503)).toEqual([]);
      expect(acknowledged.length).toBeGreaterThan(4_000);
      expect((await messagesOf(here)).map(({ text }) => text).toSorted()).toEqual(acknowledged.toSorted());
    },
  );

  test('an old sid with another body changes nothing: the first one stays (W-14, I-05)', async () => {
    const here = await world({ database });
    const { account, inbound } = await connected(here);
    const params = inbound({ Body: 'the first' });

    await post(here, { params, token: account.authToken });
    await here.app.worker.idle();
    await post(here, { params: { ...params, Body: 'another' }, token: account.authToken });
    await here.app.worker.idle();

    expect((await messagesOf(here)).map(({ text }) => text)).toEqual(['the first']);
  });

  test('a status that overtakes the answer to the send is applied when the message is known (W-17, O-02)', async () => {
    const here = await world({ database });
    const { number } = await connected(here);
    const { twilio } = here.sandbox;
    twilio.options.autoDeliver = false;
    const customer = twilio.customer(newNumber(), { name: 'Aisha Rahman' });
    await customer.writes('hi', { to: number });
    const conversation = await here.rep.conversationWith('Aisha Rahman');
    const sent = await here.rep.sends(conversation.id, 'hello');
    const taken = await until(
      () => [...twilio.state.messages.values()].find(({ body }) => body === 'hello'),
      'the message at Twilio',
    );

    await Promise.all(
      (['read', 'delivered', 'sent', 'delivered'] as const).map((status) => twilio.advance(taken.sid, status)),
    );

    await until(
      async () => (await here.rep.messages(conversation.id)).find(({ id }) => id === sent.id)?.status === 'read',
      'the furthest status',
    );
  });
});

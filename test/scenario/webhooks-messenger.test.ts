// Messenger webhooks in: what is refused, what is kept, and what the same thing said twice does (section 5.1 of the bad inputs).
import { createHmac } from 'node:crypto';
import { request } from 'node:http';
import { describe, expect, test } from 'vitest';
import { bothDatabases } from '../support/databases.ts';
import { until } from '../support/wait.ts';
import { world, type World } from '../support/world.ts';

let secret = '';
const sign = (body: string | Buffer, key = secret): string =>
  `sha256=${createHmac('sha256', key).update(body).digest('hex')}`;

let made = 0;
function event(pageId: string, change: Record<string, unknown> = {}, message: Record<string, unknown> = {}) {
  made += 1;
  return {
    sender: { id: '7214093385562418' },
    recipient: { id: pageId },
    timestamp: 1_795_183_512_345 + made,
    message: { mid: `m_case_${made}`, text: `words ${made}`, ...message },
    ...change,
  };
}
const batch = (pageId: string, ...events: unknown[]) => ({
  object: 'page',
  entry: [{ id: pageId, time: 1_795_183_512_400, messaging: events }],
});

interface Row {
  readonly id: string;
  readonly body: string | Buffer;
  readonly headers?: Record<string, string>;
  readonly status: number;
  /** How many more messages there are afterwards. */
  readonly stored: number;
  /** How many more events lie aside as unreadable. */
  readonly unreadable?: number;
  /** The text of the newest message, if it matters. */
  readonly text?: string;
}

function rows(page: string, secondPage: string): Row[] {
  const one = JSON.stringify(batch(page, event(page)));
  const signed = (id: string, body: unknown, stored: number, more: Partial<Row> = {}): Row => {
    const raw = typeof body === 'string' || Buffer.isBuffer(body) ? body : JSON.stringify(body);
    return { id, body: raw, headers: { 'x-hub-signature-256': sign(raw) }, status: 200, stored, ...more };
  };
  const refused = (id: string, headers: Record<string, string>): Row => ({
    id,
    body: one,
    headers,
    status: 403,
    stored: 0,
  });
  const escaped = JSON.stringify(batch(page, event(page, {}, { text: 'Räksmörgås' }))).replace(
    /[\u0080-\uffff]/g,
    (sign_) => `\\u${sign_.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );
  const long = event(page, {}, { text: 'x'.repeat(1_048_600) });
  const broken = (value: unknown) => batch(page, event(page), value, event(page));
  return [
    { id: 'M-01 no signature', body: one, status: 403, stored: 0 },
    refused('M-02 empty signature', { 'x-hub-signature-256': 'sha256=' }),
    refused('M-03 63 digits', { 'x-hub-signature-256': sign(one).slice(0, -1) }),
    refused('M-03 65 digits', { 'x-hub-signature-256': `${sign(one)}0` }),
    refused('M-04 no hex', { 'x-hub-signature-256': `sha256=${'z'.repeat(64)}` }),
    refused('M-05 only the old header', {
      'x-hub-signature': `sha1=${createHmac('sha1', secret).update(one).digest('hex')}`,
    }),
    refused('M-06 secret of another app', { 'x-hub-signature-256': sign(one, 'another secret') }),
    refused('M-07 body written again', { 'x-hub-signature-256': sign(JSON.stringify(JSON.parse(one), null, 1)) }),
    signed('M-07 escaped, signed raw', escaped, 1, { text: 'Räksmörgås' }),
    { ...signed('M-08 over the limit', batch(page, long), 0), status: 413 },
    {
      ...signed('M-11 compressed', one, 0),
      headers: { 'x-hub-signature-256': sign(one), 'content-encoding': 'gzip' },
      status: 415,
    },
    signed('M-12 deep', '['.repeat(100_000), 0, { unreadable: 1 }),
    signed(
      'M-15 __proto__',
      `{"object":"page","__proto__":{"polluted":1},"entry":[{"id":"${page}","__proto__":{"polluted":1},"time":1,"messaging":[{"sender":{"id":"1"},"recipient":{"id":"${page}"},"timestamp":1795183512345,"message":{"mid":"m_proto","text":"proto","__proto__":{"polluted":1}}}]}]}`,
      1,
    ),
    signed('M-16 constructor', batch(page, { ...event(page), constructor: { prototype: { polluted: 1 } } }), 1),
    signed(
      'M-17 the same key twice',
      `{"object":"page","entry":[{"id":"${page}","time":1,"messaging":[{"sender":{"id":"1"},"recipient":{"id":"${page}"},"timestamp":1795183512346,"message":{"mid":"m_twice","text":"first","text":"last"}}]}]}`,
      1,
      { text: 'last' },
    ),
    signed(
      'M-18 an id beyond 2^53 as a number',
      `{"object":"page","entry":[{"id":"${page}","time":1,"messaging":[{"sender":{"id":90071992547409931234},"recipient":{"id":"${page}"},"timestamp":1795183512347,"message":{"mid":"m_long","text":"long id"}}]}]}`,
      1,
    ),
    signed('M-19 entry null', { object: 'page', entry: null }, 0, { unreadable: 1 }),
    signed('M-19 entry object', { object: 'page', entry: {} }, 0, { unreadable: 1 }),
    signed('M-19 entry text', { object: 'page', entry: 'x' }, 0, { unreadable: 1 }),
    signed('M-19 entry [null]', { object: 'page', entry: [null] }, 0, { unreadable: 1 }),
    signed('M-19 entry with a length', { object: 'page', entry: { length: 1e9 } }, 0, { unreadable: 1 }),
    signed('M-20 negative time', batch(page, event(page, { timestamp: -5 })), 1),
    signed('M-20 year 9999', batch(page, event(page, { timestamp: 253_370_764_800_000 })), 1),
    signed('M-20 text as time', batch(page, event(page, { timestamp: 'soon' })), 1),
    signed('M-20 no time', batch(page, event(page, { timestamp: undefined })), 1),
    signed('M-21 no mid', batch(page, event(page, {}, { mid: undefined })), 0, { unreadable: 1 }),
    signed('M-21 empty mid', batch(page, event(page, {}, { mid: '' })), 0, { unreadable: 1 }),
    signed('M-21 mid of 10 kB', batch(page, event(page, {}, { mid: 'm'.repeat(10_000) })), 0, { unreadable: 1 }),
    signed('M-21 mid with NUL', batch(page, event(page, {}, { mid: 'm_with_\u0000_nul' })), 1),
    signed('M-21 mid array', batch(page, event(page, {}, { mid: ['m'] })), 0, { unreadable: 1 }),
    signed('M-22 NUL and a lone surrogate', batch(page, event(page, {}, { text: 'a\u0000b\ud800c' })), 1, {
      text: 'ab\ufffdc',
    }),
    signed(
      'M-22 invalid UTF-8',
      Buffer.concat([
        Buffer.from(
          `{"object":"page","entry":[{"id":"${page}","time":1,"messaging":[{"sender":{"id":"1"},"recipient":{"id":"${page}"},"timestamp":1795183512348,"message":{"mid":"m_utf8","text":"x`,
        ),
        Buffer.from([0xff]),
        Buffer.from('y"}}]}]}'),
      ]),
      1,
      { text: 'x\ufffdy' },
    ),
    signed(
      'M-23 text and attachments of no kind',
      batch(page, event(page, {}, { text: undefined, attachments: [{ type: 'constructor' }] })),
      1,
    ),
    signed(
      'M-25 two Pages in one batch',
      { object: 'page', entry: [batch(page, event(page)).entry[0], batch(secondPage, event(secondPage)).entry[0]] },
      2,
    ),
    ...[
      null,
      'x',
      7,
      [],
      {},
      { message: null },
      { sender: {}, message: { mid: 'x' } },
      { sender: { id: '1' }, recipient: { id: '2' } },
    ].map((value) => ({
      ...signed(`I-06 ${JSON.stringify(value)} between two sound ones`, broken(value), 2),
      unreadable: -1,
    })),
    signed(
      'I-07 an unknown event',
      batch(page, { sender: { id: '1' }, recipient: { id: page }, timestamp: 1, brand_new: {} }),
      0,
    ),
    signed('I-07 another object', { object: 'instagram', entry: [] }, 0),
    signed('I-07 an unknown Page', batch('999999999999999', event('999999999999999')), 0),
  ];
}

async function post(url: string, row: Pick<Row, 'body' | 'headers'>): Promise<{ status: number; body: string }> {
  const answer = await fetch(`${url}/webhooks/messenger`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', ...row.headers },
    body: row.body as unknown as BodyInit,
  });
  return { status: answer.status, body: await answer.text() };
}

async function stored({ app }: World): Promise<{ messages: number; unreadable: number; newest: string | undefined }> {
  return app.db.read(async (reader) => {
    const messages = await reader.one<{ count: number }>('select cast(count(*) as integer) as count from message');
    const unreadable = await reader.one<{ count: number }>(
      `select cast(count(*) as integer) as count from job where task = 'unreadable-event'`,
    );
    const newest = await reader.one<{ text: string }>('select text from message order by id desc limit 1');
    return { messages: messages!.count, unreadable: unreadable!.count, newest: newest?.text };
  });
}

describe.each(bothDatabases)('on %s', (database) => {
  test('each bad webhook gets its answer and harms nobody else (M-01 to M-25, I-06, I-07)', async () => {
    const here = await world({ database });
    secret = here.sandbox.env().META_APP_SECRET!;
    const { page } = await here.messenger();
    const second = await here.messenger();

    for (const row of rows(page.id, second.page.id)) {
      const before = await stored(here);
      const answer = await post(here.url, row);
      await here.app.worker.idle();
      const after = await stored(here);
      expect.soft(answer.status, row.id).toBe(row.status);
      if (row.status === 200) expect.soft(answer.body, row.id).toBe('EVENT_RECEIVED');
      expect.soft(after.messages - before.messages, `${row.id}: messages`).toBe(row.stored);
      if (row.unreadable !== -1)
        expect.soft(after.unreadable - before.unreadable, `${row.id}: unreadable`).toBe(row.unreadable ?? 0);
      if (row.text !== undefined) expect.soft(after.newest, row.id).toBe(row.text);
    }
    expect(({} as Record<string, unknown>).polluted).toBeUndefined();
  });

  test('the same event at once, again and a day later is one message (I-05, M-26)', async () => {
    const here = await world({ database });
    secret = here.sandbox.env().META_APP_SECRET!;
    const { page } = await here.messenger();
    const body = JSON.stringify(batch(page.id, event(page.id)));
    const row = { body, headers: { 'x-hub-signature-256': sign(body) } };

    const answers = await Promise.all([post(here.url, row), post(here.url, row), post(here.url, row)]);
    await here.app.worker.idle();
    here.clock.advance(24 * 3_600_000);
    answers.push(await post(here.url, row));
    await here.app.worker.idle();

    expect(answers.map(({ status }) => status)).toEqual([200, 200, 200, 200]);
    expect((await stored(here)).messages).toBe(1);
  });

  test('fifty customers at once are fifty conversations, and fifty messages of one are one, in order (C12)', async () => {
    const here = await world({ database });
    secret = here.sandbox.env().META_APP_SECRET!;
    const { page } = await here.messenger();
    const send = (psid: string, mid: string, text: string, at: number) => {
      const body = JSON.stringify(
        batch(page.id, event(page.id, { sender: { id: psid }, timestamp: at }, { mid, text })),
      );
      return post(here.url, { body, headers: { 'x-hub-signature-256': sign(body) } });
    };
    const range = Array.from({ length: 50 }, (_, index) => index);

    await Promise.all(range.map((index) => send(`50000000000${index}`, `m_many_${index}`, 'hello', 1_795_183_600_000)));
    await Promise.all(
      range.map((index) => send('600000000001', `m_one_${index}`, `number ${index}`, 1_795_183_600_000 + index)),
    );
    await here.app.worker.idle();

    const counts = await here.admin.counts();
    expect(counts.unassigned).toEqual({ total: 51, unread: 51 });
    const all = await here.admin.call<{ data: { id: string; unreadCount: number }[] }>(
      'GET',
      '/api/conversations?limit=100',
    );
    const one = all.body.data.find(({ unreadCount }) => unreadCount === 50)!;
    expect((await here.admin.messages(one.id)).map(({ text }) => text)).toEqual(
      range.map((index) => `number ${index}`),
    );
  });
});

test('the GET check answers the challenge to the right token only, as plain text (M-27 to M-29)', async () => {
  const { url, sandbox } = await world();
  const token = sandbox.env().META_VERIFY_TOKEN!;
  const check = async (query: string) => {
    const answer = await fetch(`${url}/webhooks/messenger?${query}`);
    return {
      status: answer.status,
      body: await answer.text(),
      type: answer.headers.get('content-type'),
      sniff: answer.headers.get('x-content-type-options'),
    };
  };
  const right = `hub.mode=subscribe&hub.verify_token=${token}`;

  expect(await check(`${right}&hub.challenge=1158201444`)).toMatchObject({
    status: 200,
    body: '1158201444',
    sniff: 'nosniff',
  });
  expect((await check(`${right}&hub.challenge=1158201444`)).type).toContain('text/plain');
  for (const query of [
    'hub.mode=subscribe&hub.verify_token=wrong&hub.challenge=1',
    'hub.mode=subscribe&hub.verify_token=&hub.challenge=1',
    'hub.mode=subscribe&hub.challenge=1',
    `hub.mode=subscribe&hub.verify_token[]=${token}&hub.challenge=1`,
    `hub.mode=subscribe&hub.verify_token=sandbox-verify-token&hub.verify_token=${token}&hub.challenge=1`,
    `${right}&hub.challenge=<script>alert(1)</script>`,
    `hub.mode=unsubscribe&hub.verify_token=${token}&hub.challenge=1`,
  ]) {
    expect.soft((await check(query)).status, query).toBe(403);
  }
});

test('an endless body without a length is cut off at the limit, and others are answered meanwhile (M-09)', async () => {
  const { url } = await world();
  const status = await new Promise<number>((resolve, reject) => {
    const sending = request(`${url}/webhooks/messenger`, {
      method: 'POST',
      headers: { 'x-hub-signature-256': sign('') },
    });
    const chunk = Buffer.alloc(65_536, 'a');
    const pump = (): void => {
      if (!sending.destroyed) sending.write(chunk, () => setImmediate(pump));
    };
    sending.on('response', (answer) => {
      resolve(answer.statusCode!);
      sending.destroy();
    });
    sending.on('error', (error) => (sending.destroyed ? undefined : reject(error)));
    pump();
  });

  expect(status).toBe(413);
  await until(async () => (await fetch(`${url}/health/ready`)).status === 200);
});

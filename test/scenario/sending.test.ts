// Sending: at most once, in order, with the truth on the screen, whatever the provider does (C7 to C9, R-01 to R-05).
import { describe, expect, test } from 'vitest';
import type { Message } from '../../src/web/contract.ts';
import { bothDatabases, type DatabaseKind } from '../support/databases.ts';
import { until } from '../support/wait.ts';
import { newNumber, signedIn, world, type World } from '../support/world.ts';

async function talking(database: DatabaseKind = 'sqlite') {
  const here = await world({ database });
  const { number } = await here.whatsapp();
  const customer = here.sandbox.twilio.customer(newNumber(), { name: 'Johan Mattsson' });
  await customer.writes('Hej!', { to: number });
  const conversation = await here.rep.conversationWith('Johan Mattsson');
  return { ...here, here, number, customer, conversation };
}

const atTwilio = ({ sandbox }: World, text: string) =>
  [...sandbox.twilio.state.messages.values()].filter(({ body, direction }) => body === text && direction !== 'inbound');
const statusOf = async ({ rep }: World, conversationId: string, id: string): Promise<Message> =>
  (await rep.messages(conversationId)).find((message) => message.id === id)!;

describe.each(bothDatabases)('on %s', (database) => {
  test('the same client message id, sent many times at once, is one message (R-02)', async () => {
    const { here, rep, conversation, customer } = await talking(database);
    const body = { clientMessageId: 'double-click', text: 'Once only' };

    const answers = await Promise.all(
      Array.from({ length: 8 }, () =>
        rep.call<Message>('POST', `/api/conversations/${conversation.id}/messages`, body),
      ),
    );
    await until(() => customer.inbox.length > 0);
    await here.settled();

    expect(new Set(answers.map((answer) => answer.body.id)).size).toBe(1);
    expect(answers.every(({ status }) => status === 202)).toBe(true);
    expect(atTwilio(here, 'Once only')).toHaveLength(1);
  });

  test('replies leave in the order they were written, also when the first must be tried again (O-03)', async () => {
    const { here, rep, conversation, sandbox, customer } = await talking(database);
    sandbox.faults.next(
      'twilio',
      { method: 'POST', path: /Messages\.json/ },
      { kind: 'answer', status: 429, body: { code: 20429, message: 'Too many requests', status: 429 } },
    );

    for (const text of ['one', 'two', 'three']) await rep.sends(conversation.id, text);
    await until(() => customer.inbox.length === 3, 'three messages on the phone');

    expect(customer.inbox.map(({ body }) => body)).toEqual(['one', 'two', 'three']);
    await here.settled();
  });

  test('a send that Twilio took without answering is settled by its history, as one message (C8, R-01)', async () => {
    const { here, rep, conversation, sandbox, customer } = await talking(database);
    sandbox.twilio.options.autoDeliver = false;
    sandbox.faults.next('twilio', { method: 'POST', path: /Messages\.json/ }, { kind: 'do-then-drop' });

    const sent = await rep.sends(conversation.id, 'Did it arrive?');
    await until(
      async () => (await statusOf(here, conversation.id, sent.id)).status === 'unknown',
      'an unknown outcome',
    );
    await until(
      async () => (await statusOf(here, conversation.id, sent.id)).status === 'sent',
      'the settled outcome',
      20_000,
    );

    expect(atTwilio(here, 'Did it arrive?')).toHaveLength(1);
    expect(customer.inbox.length).toBeLessThanOrEqual(1);
  });

  test('what the history has shown to be at Twilio is not called lost by who looked before (C8, R-03)', async () => {
    const { here, rep, conversation, sandbox, clock } = await talking(database);
    const isWhatWeSent = ({ query, path }: { query: object; path: string }): boolean =>
      path.endsWith('Messages.json') && 'From' in query && !('To' in query);
    await until(() => sandbox.twilio.calls.filter(isWhatWeSent).length === 2, 'the import and the look after it');
    await here.settled();
    sandbox.twilio.options.autoDeliver = false;
    sandbox.faults.next('twilio', { method: 'POST', path: /Messages\.json/ }, { kind: 'do-then-drop' });
    const isOfOneCustomer = /Messages\.json\?(?=.*From=)(?=.*To=)/;
    // Whoever looks after this one message waits for his answer, while the regular look at the whole log has its own.
    sandbox.faults.next('twilio', { method: 'GET', path: isOfOneCustomer }, { kind: 'delay', ms: 3_000 });

    const sent = await rep.sends(conversation.id, 'Did it arrive?');
    await until(
      async () => (await statusOf(here, conversation.id, sent.id)).status === 'unknown',
      'an unknown outcome',
    );
    await until(() => sandbox.faults.held() === 1, 'the look at this one');
    clock.advance(20 * 60_000);
    await until(
      async () => (await statusOf(here, conversation.id, sent.id)).status === 'sent',
      'the look at the whole log',
    );
    await until(() => sandbox.faults.held() === 0, 'the answer to the look at this one');
    await here.settled();

    expect(await statusOf(here, conversation.id, sent.id)).toMatchObject({ status: 'sent', error: null });
    expect(atTwilio(here, 'Did it arrive?')).toHaveLength(1);
  });

  test('a send that never arrived ends as failed, is not sent by itself again, and goes out once when resent (R-01, R-04)', async () => {
    const { here, rep, conversation, sandbox, customer, clock } = await talking(database);
    sandbox.faults.next('twilio', { method: 'POST', path: /Messages\.json/ }, { kind: 'drop' });

    const sent = await rep.sends(conversation.id, 'Lost');
    await until(
      async () => (await statusOf(here, conversation.id, sent.id)).status === 'unknown',
      'an unknown outcome',
    );
    clock.advance(90_000);
    const failed = await until(
      async () => {
        const message = await statusOf(here, conversation.id, sent.id);
        return message.status === 'failed' && message;
      },
      'failed',
      20_000,
    );
    expect(failed.error).toMatchObject({ code: 'not_confirmed' });
    expect(atTwilio(here, 'Lost')).toHaveLength(0);

    const again = await rep.call('POST', `/api/messages/${sent.id}/resend`);
    await until(() => customer.inbox.length === 1, 'the message on the phone');
    await here.settled();

    expect(again.status).toBe(202);
    expect(atTwilio(here, 'Lost')).toHaveLength(1);
    expect((await rep.call('POST', `/api/messages/${sent.id}/resend`)).status).toBe(409);
  });

  test('of 260 replies, whatever happens to each on its way, none is twice at the customer, and each says what is true (R-01, R-03)', async () => {
    const here = await world({ database });
    const { sandbox, rep, clock } = here;
    const { number } = await here.whatsapp();
    here.expectInLog(/job will be tried again/);
    const people = Array.from({ length: 13 }, (_, index) => ({ name: `Customer ${index}`, number: newNumber() }));
    for (const { name, number: own } of people) {
      await sandbox.twilio.customer(own, { name }).writes('Hej!', { to: number });
    }
    await here.settled();
    sandbox.twilio.options.autoDeliver = false;
    const refused = { code: 63_016, message: 'Outside the window', more_info: '', status: 400 };
    const fates: Parameters<typeof sandbox.faults.next>[2][] = [
      { kind: 'delay', ms: 1 },
      { kind: 'do-then-drop' },
      { kind: 'do-then-answer', status: 500, body: '' },
      { kind: 'drop' },
      { kind: 'answer', status: 400, body: refused },
    ];
    // Refused before anything could leave: these, and only these, are tried again by the machine.
    sandbox.faults.next(
      'twilio',
      { method: 'POST', path: /Messages\.json/ },
      { kind: 'answer', status: 429, body: { code: 20_429, message: 'Too Many Requests', status: 429 } },
      2,
    );
    for (let index = 0; index < 260; index += 1) {
      sandbox.faults.next('twilio', { method: 'POST', path: /Messages\.json/ }, fates[(index * 7) % fates.length]!);
    }

    const conversations = await rep.section('all');
    for (let round = 0; round < 20; round += 1) {
      await Promise.all(conversations.map(({ id, contact }) => rep.sends(id, `${contact.name}, ${round}`)));
    }
    const all = async (): Promise<Message[]> =>
      (await Promise.all(conversations.map(({ id }) => rep.messages(id))))
        .flat()
        .filter(({ direction }) => direction === 'outbound');
    // Asked of the database: as a rep would ask, thirteen times a look, it would be most of the work.
    const left = (status: Message['status']): Promise<number> =>
      here.app.db.read(
        async (reader) => (await reader.query('select 1 from message where status = ?', [status])).length,
      );
    await until(async () => (await left('queued')) === 0, 'a first outcome of each', 60_000);
    const outcomes = await until(
      async () => {
        clock.advance(5_000);
        return (await left('unknown')) === 0 && all();
      },
      'the truth of each',
      60_000,
    );

    expect(outcomes).toHaveLength(260);
    const seen = new Map<string, number>();
    for (const { text, status, error } of outcomes) {
      const taken = atTwilio(here, text).length;
      const outcome = `${taken} at Twilio, ${status}${error ? ` ${error.code}` : ''}`;
      seen.set(outcome, (seen.get(outcome) ?? 0) + 1);
    }
    expect([...seen.keys()].toSorted()).toEqual([
      '0 at Twilio, failed not_confirmed',
      '0 at Twilio, failed template_needed',
      '1 at Twilio, sent',
    ]);
    expect(seen.get('1 at Twilio, sent')).toBe(156);
    await here.settled();
  });
});

test('what Twilio takes and WhatsApp refuses afterwards is failed, with the reason in plain words (63016, C7)', async () => {
  const { here, rep, conversation, sandbox, customer } = await talking();
  // Our clock and WhatsApp’s differ: for us the reply time is not over yet.
  sandbox.twilio.state.lastInbound.clear();

  const sent = await rep.sends(conversation.id, 'In the last second');
  const failed = await until(async () => {
    const message = await statusOf(here, conversation.id, sent.id);
    return message.status === 'failed' && message;
  }, 'the refusal by callback');

  expect(failed.error).toMatchObject({ code: 'template_needed', providerCode: '63016' });
  expect(failed.error!.message).toBe('Inte skickat. Svarstiden hade just gått ut. Använd en mall.');
  expect(atTwilio(here, 'In the last second')).toHaveLength(1);
  expect(customer.inbox).toEqual([]);
  await here.settled();
});

test('when Twilio wants quiet for a while, all of this sender’s messages wait for that long, and are said to (C7)', async () => {
  const { here, rep, conversation, sandbox, customer, clock, number } = await talking();
  const other = sandbox.twilio.customer(newNumber(), { name: 'Aisha Rahman' });
  await other.writes('Hi', { to: number });
  const second = await rep.conversationWith('Aisha Rahman');
  await here.settled();
  const posts = () => sandbox.twilio.calls.filter(({ method }) => method === 'POST').length;
  const before = posts();
  const quiet = { code: 20429, message: 'Too many requests', status: 429 };
  sandbox.faults.next(
    'twilio',
    { method: 'POST', path: /Messages\.json/ },
    { kind: 'answer', status: 429, headers: { 'retry-after': '600' }, body: quiet },
  );

  const first = await rep.sends(conversation.id, 'one');
  const waits = { status: 'queued', error: { code: 'waiting' } };
  await until(
    async () => (await statusOf(here, conversation.id, first.id)).error?.providerCode === '20429',
    'the word',
  );
  const then = await rep.sends(second.id, 'two');
  await until(async () => (await statusOf(here, second.id, then.id)).error, 'word of the second');
  expect(await statusOf(here, conversation.id, first.id)).toMatchObject(waits);
  expect(await statusOf(here, second.id, then.id)).toMatchObject(waits);
  clock.advance(500_000);
  await here.settled();
  expect([posts() - before, customer.inbox.length + other.inbox.length]).toEqual([0, 0]);

  clock.advance(300_000);
  await until(() => customer.inbox.length === 1 && other.inbox.length === 1, 'both messages');
  await here.settled();
  expect(posts() - before).toBe(2);
  expect(await statusOf(here, second.id, then.id)).toMatchObject({ status: 'delivered', error: null });
});

test('Twilio’s number for trying takes one message in three seconds: nobody’s reply is lost by it', async () => {
  const here = await world();
  const { sandbox, admin, clock } = here;
  const account = sandbox.twilio.addAccount({ name: 'Nordtak' });
  const sender = sandbox.twilio.addSender(account, '+14155238886', { listed: false });
  const connected = await admin.call('POST', '/api/channels/whatsapp', {
    accountSid: account.sid,
    authToken: account.authToken,
    sender: '+1 415 523 8886',
    unlisted: true,
  });
  expect(connected.status).toBe(201);
  sender.webhook.callback_url = `${here.url}/webhooks/twilio`;
  const people = ['Anna', 'Bo', 'Cleo'].map((name) => sandbox.twilio.customer(newNumber(), { name }));
  for (const person of people) await person.writes('Hej', { to: sender });
  for (const { name } of people) await admin.sends((await admin.conversationWith(name)).id, `Hej ${name}`);

  const arrived = () => people.filter(({ inbox }) => inbox.length === 1).length;
  for (const many of [1, 2, 3]) {
    await until(() => arrived() >= many, `${many} on the phones`);
    clock.advance(3_000);
  }
  await here.settled();
  for (const { name } of people)
    expect((await admin.conversationWith(name)).lastMessage).toMatchObject({ status: 'delivered' });
});

test('a refusal is shown in plain words in the user’s language, with the code (C7)', async () => {
  const { here, rep, admin, conversation, customer } = await talking();
  customer.person.hasWhatsapp = false;

  const sent = await rep.sends(conversation.id, 'Hello?');
  await until(async () => (await statusOf(here, conversation.id, sent.id)).status === 'failed', 'the failure');

  const forSwede = (await rep.messages(conversation.id)).at(-1)!;
  const forAdmin = (await admin.messages(conversation.id)).at(-1)!;
  expect(forSwede.error).toEqual({
    code: 'no_whatsapp',
    message: 'Inte skickat. Numret har inte WhatsApp.',
    providerCode: '63024',
  });
  expect(forAdmin.error!.message).toBe('Not sent. This number has no WhatsApp.');
});

test('after the reply window nothing leaves, by the server’s clock, to the second (C9, R-05)', async () => {
  const { here, rep, conversation, clock } = await talking();
  const untilEnd = Date.parse(conversation.replyUntil!) - clock.ms();

  clock.advance(untilEnd - 3_000);
  // Sessions are shorter than the reply window.
  rep.token = (await signedIn(here.url, here.sandbox, rep.pipedrive)).token;
  expect(
    (
      await rep.call('POST', `/api/conversations/${conversation.id}/messages`, {
        clientMessageId: 'a',
        text: 'in time',
      })
    ).status,
  ).toBe(202);
  clock.advance(3_001);
  const late = await rep.call<{ error: { code: string } }>('POST', `/api/conversations/${conversation.id}/messages`, {
    clientMessageId: 'b',
    text: 'late',
  });

  expect(late.status).toBe(409);
  expect(late.body.error.code).toBe('reply_window_closed');
  expect((await rep.section('all'))[0]).toMatchObject({ replyWindowOpen: false });
  await here.settled();
  expect(atTwilio(here, 'late')).toHaveLength(0);
});

test('a text over the channel’s limit is refused with how much it is over, and an empty one too (A-18)', async () => {
  const { rep, conversation } = await talking();
  const send = (text: string) =>
    rep.call<{ error: { code: string; details: { over: number } } }>(
      'POST',
      `/api/conversations/${conversation.id}/messages`,
      { clientMessageId: `t${text.length}`, text },
    );

  expect((await send('x'.repeat(1_600))).status).toBe(202);
  expect((await send('x'.repeat(1_601))).body.error).toMatchObject({ code: 'too_long', details: { over: 1 } });
  expect((await send('  ')).status).toBe(422);
});

test('somebody who has not seen a colleague’s newer answer is asked first (V9)', async () => {
  const { rep, admin, conversation } = await talking();
  const [first] = await rep.messages(conversation.id);
  await admin.sends(conversation.id, 'I take this one');

  const asked = await rep.call<{ error: { code: string; details: object } }>(
    'POST',
    `/api/conversations/${conversation.id}/messages`,
    { clientMessageId: 'n1', text: 'Me too', seenThrough: first!.id },
  );
  const newest = (await rep.messages(conversation.id)).at(-1)!;
  const sent = await rep.call('POST', `/api/conversations/${conversation.id}/messages`, {
    clientMessageId: 'n1',
    text: 'Me too',
    seenThrough: newest.id,
  });

  expect(asked.status).toBe(409);
  expect(asked.body.error).toMatchObject({
    code: 'newer_reply',
    details: { text: 'I take this one', author: { name: 'Erik Lund' } },
  });
  expect(sent.status).toBe(202);
});

test('a rotated auth token breaks the channel with its reason, sending says so, and connecting again mends it (C14)', async () => {
  const { here, rep, admin, conversation, sandbox, number, customer } = await talking();
  const account = [...sandbox.twilio.state.accounts.values()][0]!;
  const authToken = sandbox.twilio.rotateToken(account);

  const sent = await rep.sends(conversation.id, 'Anybody?');
  await until(async () => (await statusOf(here, conversation.id, sent.id)).status === 'failed', 'the failure');
  const channels = await admin.call<{ data: { health: { state: string; reasons: { code: string }[] } }[] }>(
    'GET',
    '/api/channels',
  );
  expect(channels.body.data[0]!.health).toMatchObject({ state: 'broken', reasons: [{ code: 'credentials' }] });
  const refused = await rep.call<{ error: { code: string } }>(
    'POST',
    `/api/conversations/${conversation.id}/messages`,
    { clientMessageId: 'x', text: 'Again?' },
  );
  expect(refused.body.error.code).toBe('channel_broken');
  // Signed with what we do not know yet: refused, and found in Twilio's log afterwards.
  expect((await customer.writes('Are you there?', { to: number })).delivery?.attempts.at(-1)).toBe(403);

  const mended = await admin.call('POST', '/api/channels/whatsapp', {
    accountSid: account.sid,
    authToken,
    sender: number,
  });
  expect(mended.status).toBe(201);
  expect((await rep.call('POST', `/api/messages/${sent.id}/resend`)).status).toBe(202);
  await until(() => atTwilio(here, 'Anybody?').length === 1, 'the message at Twilio');
  await until(
    async () => (await rep.messages(conversation.id)).some(({ text }) => text === 'Are you there?'),
    'what was missed',
  );
});

// What Twilio's own log remembers: the import of what was before, what no webhook brought, what was sent from elsewhere, sends
// whose outcome nobody told; and what a channel's look at itself finds (C2, C8, C10, C13 to C15).
import twilio from 'twilio';
import { describe, expect, test } from 'vitest';
import type { Channel, Message } from '../../src/web/contract.ts';
import { bothDatabases } from '../support/databases.ts';
import { pngFile } from '../support/files.ts';
import { until } from '../support/wait.ts';
import { newNumber, world, type World } from '../support/world.ts';

const { getExpectedTwilioSignature } = twilio;
const minute = 60_000;

/** A Twilio account with a number that is not connected yet. */
function newSender({ sandbox }: World) {
  const account = sandbox.twilio.addAccount({ name: 'Nordtak' });
  const number = newNumber();
  return { account, number, sender: sandbox.twilio.addSender(account, number, { name: 'WhatsApp Gothenburg' }) };
}
type Sender = ReturnType<typeof newSender>;

const connect = async ({ admin }: World, { account, number }: Sender): Promise<Channel> =>
  (
    await admin.call<Channel>('POST', '/api/channels/whatsapp', {
      accountSid: account.sid,
      authToken: account.authToken,
      sender: number,
    })
  ).body;

/** Another program of the company sends from the same number. */
async function sendsFromElsewhere({ sandbox }: World, { account, number }: Sender, to: string, body: string) {
  const answer = await fetch(`${sandbox.twilio.url}/2010-04-01/Accounts/${account.sid}/Messages.json`, {
    method: 'POST',
    headers: { authorization: `Basic ${Buffer.from(`${account.sid}:${account.authToken}`).toString('base64')}` },
    body: new URLSearchParams({ From: `whatsapp:${number}`, To: to, Body: body }),
  });
  expect(answer.status).toBe(201);
  await sandbox.twilio.settled();
}

const readChannel = async ({ admin }: World, id: string): Promise<Channel> =>
  (await admin.call<{ data: Channel[] }>('GET', '/api/channels')).body.data.find((channel) => channel.id === id)!;
const lookAgain = ({ admin }: World, id: string) => admin.call<Channel>('POST', `/api/channels/${id}/check`);
const logReads = ({ sandbox }: World): number =>
  sandbox.twilio.calls.filter(({ method, path }) => method === 'GET' && path.endsWith('/Messages.json')).length;

describe.each(bothDatabases)('on %s', (database) => {
  test('what was said before is taken over, in order, read, telling nobody; later only what is missing (C2, C10, C13)', async () => {
    const here = await world({ database });
    const { sandbox, admin, clock } = here;
    const connected = newSender(here);
    const people = Array.from({ length: 3 }, () => sandbox.twilio.customer(newNumber()));
    for (const person of people) {
      await person.writes('Hej, har ni öppet?', { to: connected.number });
      clock.advance(2_000);
      await sendsFromElsewhere(here, connected, person.address, 'Ja, till fem.');
      clock.advance(2_000);
    }
    await people[0]!.sendsPhoto({ bytes: pngFile().bytes, contentType: 'image/png' }, { to: connected.number });
    clock.advance(minute);

    const channel = await connect(here, connected);
    const taken = { name: 'Earlier conversations', ok: true, value: '3 taken over' };
    await until(async () => {
      const { checks } = (await readChannel(here, channel.id)).health;
      return checks.some(({ value }) => value === taken.value);
    }, 'the import');
    await here.settled();

    expect((await readChannel(here, channel.id)).health).toMatchObject({ state: 'ok' });
    const conversations = await admin.section('all');
    expect(conversations).toHaveLength(3);
    expect(conversations.every(({ unreadCount, replyWindowOpen }) => unreadCount === 0 && replyWindowOpen)).toBe(true);
    const first = conversations[0]!;
    expect(
      (await admin.messages(first.id)).map(({ direction, text, kind, author }) => [direction, text, kind, author.kind]),
    ).toEqual([
      ['inbound', 'Hej, har ni öppet?', 'text', 'contact'],
      ['outbound', 'Ja, till fem.', 'text', 'external'],
      ['inbound', '', 'image', 'contact'],
    ]);
    const picture = await until(async () => {
      const found = (await admin.messages(first.id)).at(-1)!.attachments[0];
      return found?.state === 'ready' && found;
    }, 'the picture');
    expect(picture).toMatchObject({ contentType: 'image/png', width: 1 });
    expect(sandbox.pipedrive.calls.filter(({ path, method }) => method === 'POST' && path.includes('notes'))).toEqual(
      [],
    );
    expect(sandbox.mail.mails).toEqual([]);

    await admin.call('PUT', `/api/conversations/${first.id}/status`, { status: 'closed' });
    connected.sender.webhook.callback_url = 'http://127.0.0.1:1/nobody';
    clock.advance(minute);
    await people[0]!.writes('Nobody is told', { to: connected.number });
    clock.advance(2_000);
    await sendsFromElsewhere(here, connected, people[0]!.address, 'Typed elsewhere');
    const answer = await lookAgain(here, channel.id);
    expect(answer.body.health).toMatchObject({ state: 'warning', reasons: [{ code: 'webhook_foreign' }] });
    await until(async () => (await admin.messages(first.id)).length === 5, 'what was missed');
    await until(async () => (await admin.messages(first.id)).at(-1)?.status === 'delivered', 'what became of it');
    await here.settled();

    expect(
      (await admin.messages(first.id)).slice(3).map(({ text, author, status }) => [text, author.kind, status]),
    ).toEqual([
      ['Nobody is told', 'contact', expect.anything()],
      ['Typed elsewhere', 'external', 'delivered'],
    ]);
    expect((await admin.section('all')).find(({ id }) => id === first.id)).toMatchObject({
      status: 'open',
      unreadCount: 1,
    });

    const before = logReads(here);
    // A look reads both lists, with a pause between; a quiet channel costs a page of each.
    await lookAgain(here, channel.id);
    await until(() => logReads(here) - before >= 2, 'both lists');
    await here.settled();
    expect(logReads(here) - before).toBe(2);
    for (const { id } of conversations) expect(await admin.messages(id)).toHaveLength(id === first.id ? 5 : 2);
  });
});

test('a webhook that comes after the history found its message tells who wrote: the name, and the id that hides the number (C11)', async () => {
  const here = await world();
  const { sandbox, rep } = here;
  const ours = newSender(here);
  const { account, number } = ours;
  const channel = await connect(here, ours);
  const customer = sandbox.twilio.customer(newNumber(), { name: 'Linnea Holmqvist', bsuid: 'SE.77' });
  const hidden = sandbox.twilio.customer('SE.77', { name: 'Linnea Holmqvist' });
  ours.sender.webhook.callback_url = null;
  const { sid } = await customer.writes('With my number', { to: number });
  await lookAgain(here, channel.id);
  await until(async () => (await rep.section('all')).length === 1, 'what the history knows');
  expect((await rep.section('all'))[0]!.contact.name).toBe(customer.address.replace('whatsapp:', ''));

  const params = {
    ...{ MessageSid: sid, AccountSid: account.sid, From: customer.address, To: `whatsapp:${number}` },
    ...{ Body: 'With my number', NumMedia: '0', ProfileName: 'Linnea Holmqvist', ExternalUserId: 'whatsapp:SE.77' },
  };
  const address = `${here.url}/webhooks/twilio`;
  const late = await fetch(address, {
    method: 'POST',
    headers: { 'x-twilio-signature': getExpectedTwilioSignature(account.authToken, address, params) },
    body: new URLSearchParams(params),
  });
  expect(late.status).toBe(200);
  await here.settled();
  await hidden.writes('Without it', { to: number, params: { From: 'whatsapp:SE.77' } });
  await here.settled();

  const conversations = await rep.section('all');
  expect(conversations.map(({ contact }) => contact.name)).toEqual(['Linnea Holmqvist']);
  const messages = await rep.messages(conversations[0]!.id);
  expect(messages.map(({ text, author }) => [author.name, text])).toEqual([
    ['Linnea Holmqvist', 'With my number'],
    ['Linnea Holmqvist', 'Without it'],
  ]);
});

test('a send that times out after Twilio took it ends as one message, whoever finds it first (C8, R-01)', async () => {
  const here = await world();
  const { sandbox, rep, clock } = here;
  const { channel, number } = await here.whatsapp();
  const customer = sandbox.twilio.customer(newNumber(), { name: 'Johan Mattsson' });
  await customer.writes('Hej', { to: number });
  const { id } = await rep.conversationWith('Johan Mattsson');
  sandbox.twilio.options.autoDeliver = false;
  sandbox.faults.next('twilio', { method: 'POST', path: /Messages\.json/ }, { kind: 'do-then-drop' });
  sandbox.faults.next(
    'twilio',
    { method: 'GET', path: /Messages\.json/ },
    { kind: 'answer', status: 503, body: 'busy' },
    2,
  );

  const sent = await rep.sends(id, 'Did it arrive?');
  const status = async (): Promise<Message['status']> =>
    (await rep.messages(id)).find((message) => message.id === sent.id)!.status;
  await until(async () => (await status()) === 'unknown', 'an unknown outcome');
  for (let look = 0; look < 4 && (await status()) === 'unknown'; look += 1) {
    await lookAgain(here, channel.id);
    await here.settled();
    clock.advance(31_000);
  }
  await until(async () => (await status()) === 'sent', 'the settled outcome');
  await here.settled();

  expect((await rep.messages(id)).filter(({ text }) => text === 'Did it arrive?')).toHaveLength(1);
  expect([...sandbox.twilio.state.messages.values()].filter(({ body }) => body === 'Did it arrive?')).toHaveLength(1);
});

test('addresses: ours are kept, put back and taken out, somebody else’s stay until a person says otherwise (C2, C14, C15)', async () => {
  const here = await world();
  const { sandbox, admin, rep } = here;
  const connected = newSender(here);
  const { webhook } = connected.sender;
  const other = 'https://other.example/in';
  Object.assign(connected.sender.webhook, {
    callback_url: other,
    callback_method: 'POST',
    fallback_url: 'https://other.example/fallback',
  });
  const now = () => sandbox.twilio.state.senders.get(connected.sender.sid)!.webhook;
  const reasons = async () => (await lookAgain(here, channel.id)).body.health.reasons.map(({ code }) => code);

  const channel = await connect(here, connected);
  expect(channel.health.reasons.map(({ code }) => code)).toEqual(['webhook_foreign']);
  expect(now()).toEqual(webhook);
  const take = (user: typeof admin, body: object) =>
    user.call<Channel>('POST', `/api/channels/${channel.id}/webhook`, body);
  expect((await take(admin, {})).body.health.reasons.map(({ code }) => code)).toEqual(['webhook_foreign']);
  expect(now().callback_url).toBe(other);
  expect((await take(rep, { takeOver: true })).status).toBe(403);

  const taken = await take(admin, { takeOver: true });
  expect(taken.body.health).toMatchObject({ state: 'ok', reasons: [] });
  expect(now()).toMatchObject({
    callback_url: `${here.url}/webhooks/twilio#rc=5&rp=all&ct=2000&rt=4000`,
    status_callback_url: `${here.url}/webhooks/twilio/status#rc=5&rp=all&ct=2000&rt=4000`,
    fallback_url: 'https://other.example/fallback',
  });

  now().callback_url = null;
  expect(await reasons()).toEqual([]);
  expect(now().callback_url).toContain(here.url);

  const service = sandbox.twilio.addService(connected.account, {
    inboundRequestUrl: other,
    senders: [sandbox.twilio.state.senders.get(connected.sender.sid)!],
  });
  expect(await reasons()).toEqual(['webhook_service']);
  service.useInboundWebhookOnNumber = true;

  connected.account.status = 'suspended';
  expect(await reasons()).toEqual(['account_suspended']);
  connected.account.status = 'active';
  expect(await reasons()).toEqual([]);
  const authToken = sandbox.twilio.rotateToken(connected.account);
  expect(await reasons()).toEqual(['credentials']);
  expect((await connect(here, { ...connected, account: { ...connected.account, authToken } })).health.state).toBe('ok');

  expect((await admin.call('DELETE', `/api/channels/${channel.id}`)).status).toBe(204);
  expect(now()).toMatchObject({
    callback_url: null,
    status_callback_url: null,
    fallback_url: 'https://other.example/fallback',
  });
  const foreign = newSender(here);
  Object.assign(foreign.sender.webhook, { callback_url: other, callback_method: 'POST' });
  const left = await connect(here, foreign);
  expect((await admin.call('DELETE', `/api/channels/${left.id}`)).status).toBe(204);
  expect(sandbox.twilio.state.senders.get(foreign.sender.sid)!.webhook).toMatchObject({ callback_url: other });
});

test('Twilio away for ten minutes: nothing lost, nothing doubled, order kept, and the rep is told (C4, C7)', async () => {
  const here = await world();
  const { sandbox, rep, clock } = here;
  const { number } = await here.whatsapp();
  const customer = sandbox.twilio.customer(newNumber(), { name: 'Johan Mattsson' });
  await customer.writes('Hej', { to: number });
  const { id } = await rep.conversationWith('Johan Mattsson');
  await here.settled();
  const away = {
    kind: 'answer',
    status: 429,
    body: { code: 20429, message: 'Too many requests', status: 429 },
  } as const;
  sandbox.faults.next('twilio', {}, away, 10_000);

  for (const text of ['one', 'two', 'three']) await rep.sends(id, text);
  const told = await until(async () => {
    const [first] = (await rep.messages(id)).filter(({ direction }) => direction === 'outbound');
    return first?.error && first;
  }, 'word that it waits');
  expect(told).toMatchObject({ status: 'queued', error: { code: 'waiting', providerCode: '20429' } });
  const tries = (): number => here.log.filter((line) => JSON.stringify(line).includes('send-message')).length;
  for (let passed = 0; passed < 10; passed += 2.5) {
    const before = tries();
    clock.advance(2.5 * minute);
    await customer.writes(`Still here? ${passed}`, { to: number });
    if (passed < 5) await until(() => tries() > before, 'another try');
  }
  expect(customer.inbox).toEqual([]);
  sandbox.faults.clear();
  clock.advance(10 * minute);
  await until(() => customer.inbox.length === 3, 'three messages on the phone');
  await here.settled();

  expect(customer.inbox.map(({ body }) => body)).toEqual(['one', 'two', 'three']);
  expect((await rep.messages(id)).filter(({ direction }) => direction === 'inbound')).toHaveLength(5);
  const thread = (await rep.messages(id)).filter(({ direction }) => direction === 'outbound');
  expect(thread.map(({ text, status, error }) => [text, status, error])).toEqual([
    ['one', 'delivered', null],
    ['two', 'delivered', null],
    ['three', 'delivered', null],
  ]);
});

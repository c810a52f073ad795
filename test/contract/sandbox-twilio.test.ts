// The sandbox's Twilio, driven by the vendor's own SDK and held to published signatures.
import { readFileSync } from 'node:fs';
import twilio from 'twilio';
import { validateRequest } from 'twilio/lib/webhooks/webhooks.js';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { createFaults, type Faults } from '../../sandbox/faults.ts';
import { startTwilio, type TwilioAccount, type TwilioSandbox, type TwilioSender } from '../../sandbox/twilio.ts';
import { startReceiver, until, type WebhookReceiver } from '../support/webhook-receiver.ts';

interface Fixtures {
  vectors: { token: string; url: string; params: Record<string, string>; signature: string }[];
  inboundText: Record<string, string>;
  statusDelivered: Record<string, string>;
}
const fixtures = JSON.parse(
  readFileSync(new URL('../fixtures/sandbox/twilio.json', import.meta.url), 'utf8'),
) as Fixtures;

let faults: Faults;
let sandbox: TwilioSandbox;
let app: WebhookReceiver;
let account: TwilioAccount;
let sender: TwilioSender;
let time: number;

beforeEach(async () => {
  time = Date.parse('2026-11-24T09:00:00Z');
  faults = createFaults();
  app = await startReceiver();
  sandbox = await startTwilio({ faults, now: () => time });
  account = sandbox.addAccount({ name: 'Nordtak Solar' });
  sender = sandbox.addSender(account, '+46317880100', { name: 'Nordtak Solar' });
});

afterEach(async () => {
  await sandbox.stop();
  await app.stop();
});

/** The SDK as the app uses it: only the origin is replaced. */
class LocalClient extends twilio.RequestClient {
  override request<T>(options: Parameters<typeof twilio.RequestClient.prototype.request<T>>[0]) {
    const url = new URL(options.uri);
    return super.request<T>({ ...options, uri: sandbox.url + url.pathname + url.search });
  }
}

function sdk(user = account.sid, password = account.authToken, accountSid = account.sid) {
  return twilio(user, password, { accountSid, httpClient: new LocalClient({ timeout: 2_000 }) });
}

async function pointWebhooksHere() {
  const webhook = {
    callback_url: `${app.url}/in#rc=3&rp=all`,
    callback_method: 'POST',
    status_callback_url: `${app.url}/status`,
    status_callback_method: 'POST',
  };
  await sdk()
    .messaging.v2.channelsSenders(sender.sid)
    .update({ webhook } as never);
}

function raw(
  method: string,
  path: string,
  { body = '', type = 'application/x-www-form-urlencoded', auth = true } = {},
) {
  const basic = Buffer.from(`${account.sid}:${account.authToken}`).toString('base64');
  return fetch(sandbox.url + path, {
    method,
    headers: { ...(auth ? { authorization: `Basic ${basic}` } : {}), 'content-type': type },
    ...(body === '' ? {} : { body }),
  });
}

const messages = () => `/2010-04-01/Accounts/${account.sid}/Messages.json`;

test('signatures equal the published ones', () => {
  const made = fixtures.vectors.map(({ url, params, token }) => sandbox.sign(url, params, token));

  expect(made).toEqual(fixtures.vectors.map(({ signature }) => signature));
});

test('credentials are checked: account, wrong token, API keys, suspended account', async () => {
  const found = await sdk().api.v2010.accounts(account.sid).fetch();
  const wrong = () => sdk(account.sid, 'f'.repeat(32)).api.v2010.accounts(account.sid).fetch();
  const standard = sandbox.addKey(account, 'standard');
  const byStandardKey = () => sdk(standard.sid, standard.secret).api.v2010.accounts(account.sid).fetch();

  expect(found).toMatchObject({ sid: account.sid, friendlyName: 'Nordtak Solar', status: 'active' });
  await expect(wrong()).rejects.toMatchObject({ status: 401, code: 20003 });
  await expect(byStandardKey()).rejects.toMatchObject({ status: 401, code: 20003 });
  expect(await sdk(standard.sid, standard.secret).messages.list({ limit: 1 })).toEqual([]);

  account.status = 'suspended';
  expect((await sdk().api.v2010.accounts(account.sid).fetch()).status).toBe('suspended');
  await expect(sdk().messages.list({ limit: 1 })).rejects.toMatchObject({ code: 20005 });
});

test('a rotated token ends the old one', async () => {
  const old = account.authToken;

  sandbox.rotateToken(account);

  await expect(sdk(account.sid, old).messages.list({ limit: 1 })).rejects.toMatchObject({ code: 20003 });
  expect(await sdk().messages.list({ limit: 1 })).toEqual([]);
});

test('another account sees nothing of this one, a parent account does', async () => {
  const other = sandbox.addAccount();
  const child = sandbox.addAccount({ parent: account });

  const stranger = sdk(other.sid, other.authToken);
  const itsLog = sdk(other.sid, other.authToken, account.sid).messages.list({ limit: 1 });
  await expect(itsLog).rejects.toMatchObject({ status: 404, code: 20404 });
  await expect(stranger.api.v2010.accounts(account.sid).fetch()).rejects.toMatchObject({ status: 404, code: 20404 });
  await expect(stranger.messaging.v2.channelsSenders(sender.sid).fetch()).rejects.toMatchObject({ status: 404 });
  expect((await sdk().api.v2010.accounts(child.sid).fetch()).ownerAccountSid).toBe(account.sid);
});

test('senders are listed page by page and take a webhook in snake_case JSON only', async () => {
  for (let index = 0; index < 24; index += 1)
    sandbox.addSender(account, `+4631788020${index.toString().padStart(2, '0')}`);
  sandbox.addSender(account, '+46317880999', { listed: false });

  const listed = await sdk().messaging.v2.channelsSenders.list({ channel: 'whatsapp', pageSize: 10, limit: 100 });
  await pointWebhooksHere();
  const camel = () =>
    sdk()
      .messaging.v2.channelsSenders(sender.sid)
      .update({ webhook: { callbackUrl: app.url } } as never);
  const withoutChannel = await raw('GET', '/v2/Channels/Senders');

  expect(listed).toHaveLength(25);
  expect(listed[0]).toMatchObject({ sid: sender.sid, senderId: 'whatsapp:+46317880100', status: 'ONLINE' });
  expect(sender.webhook).toMatchObject({ callback_url: `${app.url}/in#rc=3&rp=all`, fallback_url: null });
  await expect(camel()).rejects.toMatchObject({ status: 400 });
  expect(withoutChannel.status).toBe(400);
});

test('services and templates are read through the SDK', async () => {
  const service = sandbox.addService(account, { name: 'Support', senders: [sender] });
  const template = sandbox.addTemplate(account, { name: 'site_visit', body: 'Hello {{1}}!', variables: { 1: 'Ann' } });
  sandbox.addTemplate(account, { name: 'spring', body: 'Sale', category: 'MARKETING', status: 'rejected' });

  const services = await sdk().messaging.v1.services.list({ limit: 5 });
  const pool = await sdk().messaging.v1.services(service.sid).channelSenders.list({ limit: 5 });
  const templates = await sdk().content.v1.contentAndApprovals.list({ limit: 5 });
  const one = await sdk().content.v1.contents(template.sid).fetch();
  const approval = await sdk().content.v1.contents(template.sid).approvalFetch().fetch();

  expect(services).toMatchObject([{ sid: service.sid, inboundRequestUrl: null, useInboundWebhookOnNumber: false }]);
  expect(pool).toMatchObject([{ sid: sender.sid, sender: 'whatsapp:+46317880100' }]);
  expect(templates.map((each) => each.approvalRequests.status)).toEqual(['approved', 'rejected']);
  expect(one).toMatchObject({ friendlyName: 'site_visit', types: { 'twilio/text': { body: 'Hello {{1}}!' } } });
  expect(approval.whatsapp).toMatchObject({ status: 'approved', category: 'UTILITY' });
});

test('what a customer writes arrives signed, with all its parameters', async () => {
  await pointWebhooksHere();

  const { sid, delivery } = await sandbox
    .customer('+46734185520', { name: 'Hannah Whitcombe-Sjögren' })
    .writes('Hej 🙌');

  const [request] = app.received;
  expect(delivery?.attempts).toEqual([200]);
  expect(request).toMatchObject({ method: 'POST', url: '/in' });
  expect(request?.headers['content-type']).toBe('application/x-www-form-urlencoded; charset=UTF-8');
  expect(request?.form).toMatchObject({
    MessageSid: sid,
    AccountSid: account.sid,
    From: 'whatsapp:+46734185520',
    To: 'whatsapp:+46317880100',
    Body: 'Hej 🙌',
    NumMedia: '0',
    WaId: '46734185520',
    ProfileName: 'Hannah Whitcombe-Sjögren',
  });
  expect(Object.keys(request?.form ?? {}).sort()).toEqual(Object.keys(fixtures.inboundText).sort());
  expect(
    validateRequest(
      account.authToken,
      String(request?.headers['x-twilio-signature']),
      `${app.url}/in`,
      request?.form ?? {},
    ),
  ).toBe(true);
});

test('a webhook is repeated as the fragment of its address asks, and no more', async () => {
  await pointWebhooksHere();
  app.answers.push(503, 500, 403);

  const first = await sandbox.customer('+46734185520').writes('one');
  app.answers.push(503, 503, 503, 503, 503);
  const second = await sandbox.customer('+46734185520').writes('two');
  sender.webhook.callback_url = `${app.url}/in`;
  app.answers.length = 0;
  app.answers.push(503);
  const third = await sandbox.customer('+46734185520').writes('three');

  expect(first.delivery?.attempts).toEqual([503, 500, 403, 200]);
  expect(second.delivery?.attempts).toEqual([503, 503, 503, 503]);
  expect(third.delivery?.attempts).toEqual([503]);
});

test('somebody who hides the number is known by a business-scoped id', async () => {
  await pointWebhooksHere();
  const lia = sandbox.customer('BR.1A2B3C4D5E6F7A8B9C0D', { name: 'lia.design', username: 'lia.design' });

  await lia.writes('Oi!');
  const sent = await sdk().messages.create({
    from: sender.address,
    to: 'whatsapp:BR.1A2B3C4D5E6F7A8B9C0D',
    body: 'Olá',
  });
  await sandbox.settled();

  expect(app.received[0]?.form).toMatchObject({
    From: 'whatsapp:BR.1A2B3C4D5E6F7A8B9C0D',
    ProfileUsername: 'lia.design',
  });
  expect(app.received[0]?.form).not.toHaveProperty('WaId');
  expect(lia.inbox.map((message) => message.sid)).toEqual([sent.sid]);
});

test('a reply is accepted, delivered, and read once the customer opens the chat', async () => {
  await pointWebhooksHere();
  const customer = sandbox.customer('+46734185520');
  await customer.writes('Is week 24 free?');

  const sent = await sdk().messages.create({
    from: sender.address,
    to: customer.address,
    body: 'Yes, week 24 is free.',
    statusCallback: `${app.url}/status?m=0192f3#rc=5&rp=all`,
  });
  await sandbox.settled();
  await customer.reads();

  const callbacks = app.received.filter((request) => request.url === '/status?m=0192f3');
  expect(sent).toMatchObject({ status: 'queued', direction: 'outbound-api', numMedia: '0', errorCode: null });
  expect(callbacks.map((request) => request.form.MessageStatus)).toEqual(['sent', 'delivered', 'read']);
  expect(Object.keys(callbacks[1]?.form ?? {}).sort()).toEqual(Object.keys(fixtures.statusDelivered).sort());
  expect(callbacks[0]?.form).toMatchObject({ ChannelToAddress: '+4673418XXXX', ChannelInstallSid: sender.sid });
  for (const request of callbacks) {
    const signature = String(request.headers['x-twilio-signature']);
    expect(validateRequest(account.authToken, signature, `${app.url}/status?m=0192f3`, request.form)).toBe(true);
  }
  expect(customer.inbox.map((message) => message.body)).toEqual(['Yes, week 24 is free.']);
  expect((await sdk().messages(sent.sid).fetch()).status).toBe('read');
});

test('free text outside the 24 hours is accepted and fails later with 63016; an approved template goes through', async () => {
  await pointWebhooksHere();
  const customer = sandbox.customer('+46734185520');
  const template = sandbox.addTemplate(account, {
    name: 'site_visit',
    body: 'Hello {{1}}, {{2}}!',
    variables: { 2: 'see you' },
  });
  await customer.writes('Hello');
  time += 24 * 3_600_000;

  const late = await sdk().messages.create({ from: sender.address, to: customer.address, body: 'Still there?' });
  const opened = await sdk().messages.create({
    from: sender.address,
    to: customer.address,
    contentSid: template.sid,
    contentVariables: JSON.stringify({ 1: 'Hannah' }),
  });
  await sandbox.settled();

  expect(late.status).toBe('queued');
  expect(await sdk().messages(late.sid).fetch()).toMatchObject({ status: 'failed', errorCode: 63016 });
  const failure = app.received.find((request) => request.form.MessageSid === late.sid);
  expect(failure?.form).toMatchObject({ MessageStatus: 'failed', ErrorCode: '63016', ErrorMessage: '' });
  expect(customer.inbox).toMatchObject([{ sid: opened.sid, body: 'Hello Hannah, see you!' }]);
});

test('outbound media is fetched, and refused by callback when it cannot be', async () => {
  await pointWebhooksHere();
  app.files.set('/quote.pdf', { contentType: 'application/pdf', bytes: Buffer.from('%PDF-1.7 quote') });
  app.files.set('/page.html', { contentType: 'text/html', bytes: Buffer.from('<p>') });
  app.files.set('/big.jpg', { contentType: 'image/jpeg', bytes: Buffer.alloc(5 * 1024 * 1024 + 1) });
  const customer = sandbox.customer('+46734185520');
  await customer.writes('Send it please');
  const send = (path: string) =>
    sdk().messages.create({ from: sender.address, to: customer.address, mediaUrl: [app.url + path] });

  const sent = [await send('/quote.pdf'), await send('/page.html'), await send('/none.jpg'), await send('/big.jpg')];
  await sandbox.settled();
  const after = await Promise.all(sent.map(({ sid }) => sdk().messages(sid).fetch()));

  expect(after.map(({ errorCode }) => errorCode)).toEqual([null, 63019, 63019, 63034]);
  expect(customer.inbox[0]?.media[0]).toMatchObject({
    contentType: 'application/pdf',
    bytes: Buffer.from('%PDF-1.7 quote'),
  });
});

test('inbound media asks for the login and then redirects to a host that refuses one', async () => {
  await pointWebhooksHere();
  const bytes = Buffer.from([0xff, 0xd8, 0xff, 0xe0, 1, 2, 3]);

  const { sid } = await sandbox
    .customer('+46734185520')
    .sendsPhoto({ bytes, contentType: 'image/jpeg' }, { caption: 'The roof' });

  const form = app.received[0]?.form ?? {};
  const path = new URL(form.MediaUrl0 ?? '').pathname;
  const anonymous = await raw('GET', path, { auth: false });
  const basic = `Basic ${Buffer.from(`${account.sid}:${account.authToken}`).toString('base64')}`;
  const answer = await fetch(sandbox.url + path, { headers: { authorization: basic }, redirect: 'manual' });
  const link = answer.headers.get('location') ?? '';
  const fetched = await fetch(link);
  const withLogin = await fetch(link, { headers: { authorization: basic } });
  const forged = await fetch(link.replace(/Signature=[^&]+/, 'Signature=x'));
  expect(sid).toMatch(/^MM[0-9a-f]{32}$/);
  expect(form).toMatchObject({
    NumMedia: '1',
    Body: 'The roof',
    MediaContentType0: 'image/jpeg',
    MessageType: 'image',
  });
  expect(form.MediaUrl0).toMatch(
    /^http:\/\/127\.0\.0\.1:\d+\/2010-04-01\/Accounts\/AC[0-9a-f]{32}\/Messages\/MM[0-9a-f]{32}\/Media\/ME[0-9a-f]{32}$/,
  );
  expect(anonymous.status).toBe(401);
  expect(answer.status).toBe(307);
  expect(link.startsWith(sandbox.mediaUrl)).toBe(true);
  expect(Buffer.from(await fetched.arrayBuffer())).toEqual(bytes);
  expect(withLogin.status).toBe(400);
  expect(forged.status).toBe(403);
  expect(await sdk().messages(sid).media.list()).toMatchObject([{ contentType: 'image/jpeg', parentSid: sid }]);
});

test('the log of messages is filtered and paged like the real one', async () => {
  const customer = sandbox.customer('+46734185520');
  for (let index = 0; index < 7; index += 1) {
    await customer.writes(`message ${index}`);
    time += 60_000;
  }
  await sandbox.customer('+46700000001').writes('somebody else');

  const all = await sdk().messages.list({ from: customer.address, to: sender.address, pageSize: 3, limit: 100 });
  const late = await sdk().messages.list({
    from: customer.address,
    dateSentAfter: new Date(time - 125_000),
    limit: 10,
  });

  expect(all.map((message) => message.body)).toEqual([6, 5, 4, 3, 2, 1, 0].map((index) => `message ${index}`));
  expect(late.map((message) => message.body)).toEqual(['message 6', 'message 5']);
});

test.each([
  ['no recipient', { From: 'whatsapp:+46317880100', Body: 'x' }, 21604],
  ['an impossible recipient', { To: 'whatsapp:abc', From: 'whatsapp:+46317880100', Body: 'x' }, 21211],
  ['no sender', { To: 'whatsapp:+46734185520', Body: 'x' }, 21603],
  ['a sender of somebody else', { To: 'whatsapp:+46734185520', From: 'whatsapp:+46000000000', Body: 'x' }, 63007],
  ['two kinds of address', { To: '+46734185520', From: 'whatsapp:+46317880100', Body: 'x' }, 21910],
  ['no content', { To: 'whatsapp:+46734185520', From: 'whatsapp:+46317880100' }, 21602],
  ['a text too long', { To: 'whatsapp:+46734185520', From: 'whatsapp:+46317880100', Body: 'x'.repeat(1601) }, 21617],
  [
    'a broken media address',
    { To: 'whatsapp:+46734185520', From: 'whatsapp:+46317880100', MediaUrl: 'nowhere' },
    21620,
  ],
  [
    'a broken callback',
    { To: 'whatsapp:+46734185520', From: 'whatsapp:+46317880100', Body: 'x', StatusCallback: 'https://a_b.example/x' },
    21609,
  ],
  ['an unknown template', { To: 'whatsapp:+46734185520', From: 'whatsapp:+46317880100', ContentSid: 'HX1' }, 21655],
  ['an unknown field', { To: 'whatsapp:+46734185520', From: 'whatsapp:+46317880100', Body: 'x', body: 'y' }, 20001],
])('a send with %s is refused with its code', async (_what, fields, code) => {
  const answer = await raw('POST', messages(), {
    body: new URLSearchParams(fields).toString(),
  });

  expect(answer.status).toBe(400);
  expect(await answer.json()).toMatchObject({
    code,
    status: 400,
    more_info: `https://www.twilio.com/docs/errors/${code}`,
  });
  expect(sandbox.state.messages.size).toBe(0);
});

test('wrong verbs, wrong bodies and unknown paths are refused as Twilio does', async () => {
  const statuses = await Promise.all(
    [
      raw('PUT', messages()),
      raw('POST', messages(), { body: '{"To":"x"}', type: 'application/json' }),
      raw('POST', `/v2/Channels/Senders/${sender.sid}`, { body: 'webhook=x' }),
      raw('GET', `/2010-04-01/Accounts/${account.sid}/Messages/SM00.json`),
      raw('GET', '/v3/Nothing'),
      raw('GET', `${messages()}?Status=read`),
      raw('POST', messages(), { body: `Body=${'x'.repeat(300_000)}` }),
    ].map(async (answer) => (await answer).status),
  );

  expect(statuses).toEqual([405, 415, 415, 404, 404, 400, 413]);
});

test('somebody who opted out, has no WhatsApp or blocked us gets nothing', async () => {
  await pointWebhooksHere();
  const out = sandbox.customer('+46734185521');
  const without = sandbox.customer('+46734185522', { hasWhatsapp: false });
  const blocking = sandbox.customer('+46734185523');
  await out.writes('STOP');
  await blocking.writes('Hello');
  out.optsOut();
  blocking.blocks();
  const send = (to: string) => sdk().messages.create({ from: sender.address, to, body: 'Hello' });

  await expect(send(out.address)).rejects.toMatchObject({ code: 21610 });
  const [noWhatsapp, blocked] = [await send(without.address), await send(blocking.address)];
  await sandbox.settled();

  expect(await sdk().messages(noWhatsapp.sid).fetch()).toMatchObject({ status: 'undelivered', errorCode: 63024 });
  expect((await sdk().messages(blocked.sid).fetch()).status).toBe('sent');
});

test('the typing indicator shows blue ticks', async () => {
  const customer = sandbox.customer('+46734185520');
  const { sid } = await customer.writes('Anybody there?');

  await sdk().messaging.v2.typingIndicator.create({ channel: 'whatsapp', messageId: sid });

  expect(sandbox.state.messages.get(sid)?.seen).toBe(true);
});

test('faults on order: a refused, a dropped and a done-then-dropped request', async () => {
  const customer = sandbox.customer('+46734185520');
  await customer.writes('Hello');
  const send = () => sdk().messages.create({ from: sender.address, to: customer.address, body: 'Hello' });
  const body = { code: 20429, message: 'Too Many Requests', more_info: '', status: 429 };
  faults.next('twilio', { method: 'POST', path: /Messages\.json/ }, { kind: 'answer', status: 429, body });
  faults.next('twilio', { method: 'POST', path: /Messages\.json/ }, { kind: 'drop' });
  faults.next('twilio', { method: 'POST', path: /Messages\.json/ }, { kind: 'do-then-drop' });

  await expect(send()).rejects.toMatchObject({ status: 429, code: 20429 });
  await expect(send()).rejects.toMatchObject({ code: 'ECONNRESET' });
  expect(customer.thread()).toHaveLength(1);
  await expect(send()).rejects.toMatchObject({ code: 'ECONNRESET' });
  await sandbox.settled();
  expect(customer.inbox.map((message) => message.body)).toEqual(['Hello']);
});

test('a service without an inbound address keeps its sender silent', async () => {
  await pointWebhooksHere();
  const service = sandbox.addService(account, { senders: [sender] });

  const lost = await sandbox.customer('+46734185520').writes('Hello?');
  service.inboundRequestUrl = `${app.url}/service`;
  await sandbox.customer('+46734185520').writes('Hello again');

  expect(lost.delivery).toBeNull();
  expect(app.received.map((request) => request.url)).toEqual(['/service']);
  expect(app.received[0]?.form.MessagingServiceSid).toBe(service.sid);
});

test('samples and forged requests can be posted as they are', async () => {
  await pointWebhooksHere();
  const params = { ...fixtures.inboundText, AccountSid: account.sid, To: sender.address };

  await sandbox.deliver(params);
  await sandbox.deliver(params, { url: `${app.url}/in`, signature: null });
  await until('both requests', () => app.received.length === 2);

  expect(app.received[0]?.form).toEqual(params);
  expect(app.received[1]?.headers).not.toHaveProperty('x-twilio-signature');
});

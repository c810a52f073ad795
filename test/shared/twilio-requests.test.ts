// Whatever the app asks of Twilio is as Twilio describes it: method, path, parameters, body.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import type { Channel, Message, Template } from '../../src/web/contract.ts';
import { pdfFile, pngFile, upload } from '../support/files.ts';
import {
  recordRequests,
  requestFaults,
  type OpenApiDocument,
  type RecordedRequest,
} from '../support/openapi-requests.ts';
import { until } from '../support/wait.ts';
import { newNumber, world } from '../support/world.ts';

const contracts = join(import.meta.dirname, '../../../shared/contracts');
const documents = ['twilio-api-v2010', 'twilio-content-v1', 'twilio-messaging-v2'].map(
  (name) => JSON.parse(readFileSync(join(contracts, `${name}.openapi.json`), 'utf8')) as OpenApiDocument,
);

test('every request to Twilio, from connecting to disconnecting, is one that Twilio describes', async () => {
  const here = await world();
  const { twilio } = here.sandbox;
  const { requests, stop } = recordRequests(twilio.url);
  const account = twilio.addAccount({ name: 'Nordtak' });
  const number = newNumber();
  const sender = twilio.addSender(account, number);
  twilio.addService(account, { useInboundWebhookOnNumber: false, inboundRequestUrl: 'https://other.example' });
  const template = twilio.addTemplate(account, { name: 'visit', body: 'Hi {{1}}', variables: { 1: 'Anna' } });
  const customer = twilio.customer(newNumber(), { name: 'Johan' });
  await customer.sendsPhoto({ bytes: pngFile().bytes, contentType: 'image/png' }, { to: number, caption: 'Before' });

  const credentials = { accountSid: account.sid, authToken: account.authToken };
  await here.admin.call('POST', '/api/channels/whatsapp/senders', credentials);
  const connected = await here.admin.call<Channel>('POST', '/api/channels/whatsapp', {
    ...credentials,
    sender: number,
  });
  const channel = connected.body;
  await customer.writes('Hello', { to: number });
  const conversation = await here.rep.conversationWith('Johan');
  const posts = (body: object) =>
    here.rep.call<Message>('POST', `/api/conversations/${conversation.id}/messages`, {
      clientMessageId: `c${Math.random()}`,
      ...body,
    });
  const kept = await upload(here.url, here.rep, pdfFile());
  await here.rep.call<{ data: Template[] }>('GET', `/api/channels/${channel.id}/templates`);
  const answers = [
    await posts({ text: 'Ja, till fem & länge + 100 %' }),
    await posts({ text: 'With a file', attachmentIds: [kept.body.id] }),
    await posts({ template: { id: template.sid, variables: { 1: 'Åsa "x"' } } }),
  ];
  await until(() => customer.inbox.length === 4, 'four messages on the phone');
  here.sandbox.faults.next('twilio', { method: 'POST', path: /Messages\.json/ }, { kind: 'do-then-drop' });
  const unsure = await here.rep.sends(conversation.id, 'Unsure');
  await until(
    async () => (await here.rep.messages(conversation.id)).find(({ id }) => id === unsure.id)?.status === 'delivered',
    'the settled outcome',
    20_000,
  );
  sender.webhook.callback_url = 'https://other.example/in';
  const taken = await here.admin.call('POST', `/api/channels/${channel.id}/webhook`, { takeOver: true });
  const checked = await here.admin.call('POST', `/api/channels/${channel.id}/check`);
  await here.settled();
  const gone = await here.admin.call('DELETE', `/api/channels/${channel.id}`);
  stop();

  expect([connected, ...answers, taken, checked, gone].map(({ status }) => status)).toEqual([
    201, 202, 202, 202, 200, 200, 204,
  ]);
  expect([...new Set(requests.map(shapeOf))].sort()).toEqual([
    'GET /2010-04-01/Accounts.json',
    'GET /2010-04-01/Accounts/AC….json',
    'GET /2010-04-01/Accounts/AC…/Messages.json',
    'GET /2010-04-01/Accounts/AC…/Messages/MM…/Media.json',
    'GET /2010-04-01/Accounts/AC…/Messages/MM…/Media/ME…',
    'GET /v1/ContentAndApprovals',
    'GET /v1/Services',
    'GET /v1/Services/MG…/ChannelSenders',
    'GET /v2/Channels/Senders',
    'GET /v2/Channels/Senders/XE…',
    'POST /2010-04-01/Accounts/AC…/Messages.json',
    'POST /v2/Channels/Senders/XE…',
  ]);
  expect(
    requestFaults(
      requests.filter((request) => !isElsewhere(shapeOf(request))),
      ...documents,
    ),
  ).toEqual([]);
});

/** Of these the descriptions at hand do not speak: Messaging v1, and a file itself. */
function isElsewhere(shape: string): boolean {
  return shape.includes('/v1/Services') || shape.endsWith('/Media/ME…');
}

function shapeOf({ method, target }: RecordedRequest): string {
  return `${method} ${target.replace(/\?.*/, '').replace(/([A-Z]{2})[0-9a-f]{32}/g, '$1…')}`;
}

test('what Twilio does not describe is found, each fault by its place', () => {
  const account = `/2010-04-01/Accounts/AC${'0'.repeat(32)}`;
  const form = (body: string): RecordedRequest => ({
    method: 'POST',
    target: `${account}/Messages.json`,
    contentType: 'application/x-www-form-urlencoded',
    body,
  });
  const json = (body: object): RecordedRequest => ({
    method: 'POST',
    target: `/v2/Channels/Senders/XE${'0'.repeat(32)}`,
    contentType: 'application/json',
    body: JSON.stringify(body),
  });
  const get = (target: string): RecordedRequest => ({ method: 'GET', target, contentType: '', body: '' });
  const of = (request: RecordedRequest) => requestFaults([request], ...documents).map((fault) => fault.split(': ')[1]);

  expect(of(form('To=whatsapp%3A%2B1&From=whatsapp%3A%2B2&Body=x&MediaUrl=https%3A%2F%2Fa.example%2Fb'))).toEqual([]);
  expect(of(form('From=whatsapp%3A%2B2&Text=x'))).toEqual([
    "body should have required property 'To'",
    'body Text is no known name',
  ]);
  expect(of({ ...form('{}'), contentType: 'application/json' })).toEqual([
    'body of type application/json is not taken',
  ]);
  expect(of(json({ webhook: { callback_url: 'https://a.example' } }))).toEqual([]);
  expect(of(json({ webhook: { callbackUrl: 'https://a.example', callback_method: 'GET' } }))).toEqual([
    'body webhook.callback_method should be equal to one of the allowed values',
    'body webhook.callbackUrl is no known name',
  ]);
  expect(of(get('/v2/Channels/Senders?PageSize=many'))).toEqual([
    'query Channel is missing',
    'query PageSize should be integer',
  ]);
  expect(of(get(`${account}/Messages.json?To=x&DateSent%3E=2026-11-01T10:00:00Z&Status=read`))).toEqual([
    'query Status is no known name',
  ]);
  expect(of(get('/2010-04-01/Accounts/AC1/Messages.json'))).toHaveLength(2);
  expect(of(get('/v2/Senders'))).toEqual(['no such call']);
});

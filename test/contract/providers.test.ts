// Every provider through one battery. Adding a provider adds one call.
import { createHmac } from 'node:crypto';
import { createProviders } from '../../src/channels/registry.ts';
import messenger from '../fixtures/messenger.json' with { type: 'json' };
import whatsapp from '../fixtures/whatsapp.json' with { type: 'json' };
import { providerContract, type Failure, type Sample } from '../support/provider-contract.ts';

const publicUrl = 'https://inbox.example.com';
const appId = '812345670912345';
const appSecret = 'fixture-app-secret';
const authToken = '0123456789abcdef0123456789abcdef';

function mapped<From, To>(entries: Readonly<Record<string, From>>, change: (from: From, key: string) => To) {
  return Object.fromEntries(Object.entries(entries).map(([key, from]) => [key, change(from, key)]));
}

const page = '104857293661045';
const person = '7214093385562418';
const toPage = (message: object): Sample => ({
  pathAndQuery: '/webhooks/messenger',
  body: JSON.stringify({
    object: 'page',
    entry: [
      {
        id: page,
        time: 1,
        messaging: [{ sender: { id: person }, recipient: { id: page }, timestamp: 1_795_183_512_345, message }],
      },
    ],
  }),
});

providerContract('messenger', {
  create: (send, graphUrl) =>
    createProviders({
      send,
      publicUrl,
      meta: {
        appId,
        appSecret,
        verifyToken: 'fixture',
        graphUrl,
        graphVersion: 'v25.0',
        loginUrl: graphUrl,
        loginConfigId: null,
        humanAgent: false,
      },
      twilioApiUrl: null,
    }).messenger!,
  channel: { account: page, address: page, credentials: { pageToken: 'fixture-page-token' } },
  sign: ({ pathAndQuery, body }) => ({
    pathAndQuery,
    headers: { 'x-hub-signature-256': `sha256=${createHmac('sha256', appSecret).update(body).digest('hex')}` },
    body: Buffer.from(body),
  }),
  samples: mapped(messenger.webhooks, (webhook: { body: unknown; expects?: string[] }) => ({
    pathAndQuery: '/webhooks/messenger',
    body: JSON.stringify(webhook.body),
    ...(webhook.expects ? { expects: webhook.expects } : {}),
  })),
  unknown: [
    toPage({ mid: 'm_1', attachments: [{ type: 'hologram', payload: { depth: 3 } }] }),
    toPage({ mid: 'm_2', wave: { strength: 9 } }),
    toPage({ mid: 'm_3', attachments: [{ type: 'constructor' }] }),
  ],
  accepted: { status: 200, body: { recipient_id: person, message_id: 'm_accepted' }, id: 'm_accepted' },
  report: (sent) => {
    const { message } = JSON.parse(sent.body) as { message: { text: string; metadata: string } };
    return {
      pathAndQuery: '/webhooks/messenger',
      body: JSON.stringify({
        object: 'page',
        entry: [
          {
            id: page,
            time: 1,
            messaging: [
              {
                sender: { id: page },
                recipient: { id: person },
                timestamp: 1_795_183_512_345,
                message: { ...message, mid: 'm_accepted', is_echo: true, app_id: appId },
              },
            ],
          },
        ],
      }),
    };
  },
  failures: messenger.failures as unknown as Record<string, Failure>,
});

const account = 'AC5e1f0c7b9a3d48e2b6f4017c2d9e8a35';
const sender = 'whatsapp:+12025550100';
const messageSid = 'SM00000000000000000000000000000001';
const form = (params: Readonly<Record<string, string>>): string => new URLSearchParams(params).toString();

providerContract('whatsapp', {
  create: (send, twilioApiUrl) => createProviders({ send, publicUrl, meta: null, twilioApiUrl }).whatsapp,
  channel: { account, address: sender, credentials: { authToken } },
  sign: ({ pathAndQuery, body }) => {
    const signed = [...new URLSearchParams(body)]
      .sort(([left], [right]) => (left < right ? -1 : 1))
      .reduce((all, [name, value]) => all + name + value, publicUrl + pathAndQuery);
    return {
      pathAndQuery,
      headers: { 'x-twilio-signature': createHmac('sha1', authToken).update(signed).digest('base64') },
      body: Buffer.from(body),
    };
  },
  samples: mapped(whatsapp.webhooks, (webhook: { params: Record<string, string>; expects?: string[] }, name) => ({
    pathAndQuery: name.startsWith('status') ? '/webhooks/twilio/status' : '/webhooks/twilio',
    body: form(webhook.params),
    ...(webhook.expects ? { expects: webhook.expects } : {}),
  })),
  unknown: [{ MessageType: 'hologram' }, { MessageType: 'poll', Body: '' }].map((change) => ({
    pathAndQuery: '/webhooks/twilio',
    body: form({
      MessageSid: messageSid,
      AccountSid: account,
      From: 'whatsapp:+447700900123',
      To: sender,
      NumMedia: '0',
      Body: '',
      ...change,
    }),
  })),
  accepted: { status: 201, body: { sid: messageSid, status: 'queued' }, id: messageSid },
  report: (sent) => {
    const callback = new URL(new URLSearchParams(sent.body).get('StatusCallback')!);
    return {
      pathAndQuery: callback.pathname + callback.search,
      body: form({ MessageSid: messageSid, MessageStatus: 'delivered', AccountSid: account, From: sender, To: 'x' }),
    };
  },
  failures: whatsapp.failures as unknown as Record<string, Failure>,
});

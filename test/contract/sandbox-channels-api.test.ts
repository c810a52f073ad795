// The sandbox's Channels API and messaging extension (dossier, sections 1 and 2): every field, limit and error of the four
// operations through the vendor's own SDK, and how the seven addresses of a manifest are called. The app is played here by a
// small server: what is looked at is the sandbox.
import { createServer, type IncomingHttpHeaders } from 'node:http';
import type { AddressInfo } from 'node:net';
import * as v1 from 'pipedrive/v1';
import * as v2 from 'pipedrive/v2';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { createFaults } from '../../sandbox/faults.ts';
import { startPipedrive, type PipedriveSandbox } from '../../sandbox/pipedrive.ts';
import type { ApiMode } from '../../sandbox/pipedrive/leads-inbox.ts';
import type { Company, User } from '../../sandbox/pipedrive/state.ts';
import { until } from '../support/wait.ts';

const clientId = 'sandbox-client';
const clientSecret = 'sandbox-secret';
const redirectUri = 'http://127.0.0.1:9/oauth/callback';

interface AppCall {
  readonly method: string;
  readonly path: string;
  readonly query: Record<string, string>;
  readonly headers: IncomingHttpHeaders;
  readonly form: FormData | null;
}

interface App {
  readonly url: string;
  readonly calls: AppCall[];
  /** What a path answers: a status and a body; 404 with an error body without an entry. */
  readonly answers: Map<string, (call: AppCall) => { status?: number; body: unknown }>;
  stop(): Promise<void>;
}

async function startPlayedApp(): Promise<App> {
  const calls: AppCall[] = [];
  const answers: App['answers'] = new Map();
  const server = createServer((request, response) => {
    const parts: Buffer[] = [];
    request.on('data', (part: Buffer) => parts.push(part));
    request.on('end', () => {
      const url = new URL(request.url ?? '/', 'http://app');
      const contentType = request.headers['content-type'] ?? '';
      const asForm = contentType.startsWith('multipart/form-data')
        ? new Response(Buffer.concat(parts), { headers: { 'content-type': contentType } }).formData()
        : Promise.resolve(null);
      void asForm.then((form) => {
        const { method = '', headers } = request;
        const query = Object.fromEntries(url.searchParams);
        const call = { method, path: decodeURIComponent(url.pathname), query, headers, form };
        calls.push(call);
        const missing = { status: 404, body: { success: false, data: { message: 'none', code: 'NOT_FOUND' } } };
        const { status = 200, body } = answers.get(`${method} ${call.path}`)?.(call) ?? missing;
        response.writeHead(status, { 'content-type': 'application/json' });
        response.end(method === 'HEAD' ? '' : JSON.stringify(body));
      });
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    calls,
    answers,
    stop: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

let app: App;
let sandbox: PipedriveSandbox;
let company: Company;
let admin: User;

beforeEach(async () => {
  app = await startPlayedApp();
  sandbox = await startPipedrive({
    clientId,
    clientSecret,
    redirectUri: () => redirectUri,
    appUrl: () => app.url,
    faults: createFaults(),
  });
  company = sandbox.addCompany({ name: 'Nordtak Solar', domain: 'nordtak' });
  admin = sandbox.addUser(company, { name: 'Erik Lund', admin: true });
  sandbox.leadsInbox.uploadManifest(manifest());
  app.answers.set('GET /c/ch_42/conversations', () => ({ body: { success: true, data: [], additional_data: {} } }));
});

afterEach(async () => {
  await sandbox.leadsInbox.settled();
  await sandbox.stop();
  await app.stop();
});

function manifest(changes: Record<string, string | undefined> = {}) {
  const channel = `${app.url}/c/:providerChannelId`;
  const conversation = `${channel}/conversations/:sourceConversationId`;
  const endpoints = {
    getConversations: `${channel}/conversations`,
    getConversationById: conversation,
    postMessage: `${channel}/messages`,
    getSenderById: `${channel}/senders/:senderId`,
    deleteChannelById: channel,
    getTemplates: `${channel}/templates`,
    getMessageById: `${conversation}/messages/:sourceMessageId`,
    ...changes,
  };
  return {
    version: 'v202101',
    endpoints: Object.fromEntries(Object.entries(endpoints).filter(([, address]) => address !== undefined)),
  };
}

async function tokenOf(user: User): Promise<string> {
  const oauth = new v2.OAuth2Configuration({ clientId, clientSecret, redirectUri, host: sandbox.url });
  const asked = `${sandbox.url}/oauth/authorize?client_id=${clientId}&redirect_uri=${encodeURIComponent(redirectUri)}`;
  return (await oauth.authorize(new URL(sandbox.authorize(user, asked)).searchParams.get('code')!)).access_token;
}

async function sdkOf(user: User): Promise<v1.ChannelsApi> {
  const accessToken = await tokenOf(user);
  return new v1.ChannelsApi(new v1.Configuration({ accessToken, basePath: `${sandbox.url}/api/v1` }));
}

interface Refused {
  readonly status: number;
  readonly body: { success: boolean; error?: string; error_info?: string; additional_data?: { code: string } | null };
}

async function call(user: User, method: string, path: string, body?: object | string): Promise<Refused> {
  const answer = await fetch(`${sandbox.url}/api/v1${path}`, {
    method,
    headers: { authorization: `Bearer ${await tokenOf(user)}`, 'content-type': 'application/json' },
    ...(body === undefined ? {} : { body: typeof body === 'string' ? body : JSON.stringify(body) }),
  });
  return { status: answer.status, body: (await answer.json()) as Refused['body'] };
}

/** The envelope of all four operations' refusals (1.2). */
function expectRefused(answer: Refused, status: number, code: string, what: string): void {
  expect.soft(answer.status, what).toBe(status);
  expect.soft(answer.body, what).toMatchObject({ success: false, additional_data: { code } });
  expect.soft(typeof answer.body.error, what).toBe('string');
  expect.soft(typeof answer.body.error_info, what).toBe('string');
}

const channelBody = { name: 'Support WA', provider_channel_id: 'ch_42' };

async function registered(more: object = {}) {
  const api = await sdkOf(admin);
  await api.addChannel({ AddChannelRequest: { ...channelBody, ...more } });
  await sandbox.leadsInbox.settled();
  return { api, channel: sandbox.leadsInbox.channelOf('ch_42')! };
}

const file = {
  id: 'f_1',
  type: 'image/png',
  url: 'https://app.example/f_1',
  name: 'roof.png',
  size: 10,
  preview_url: null,
  link_expires: true,
};
const message = {
  id: 'm_1',
  channel_id: 'ch_42',
  sender_id: 'anna',
  conversation_id: 'cv_1',
  message: 'Hello',
  status: 'delivered',
  created_at: '2026-01-20T10:00:00.000Z',
  attachments: [] as object[],
};

function conversation(id: string, more: object = {}) {
  return {
    id,
    link: 'https://app.example/conversations/1',
    status: 'open',
    seen: true,
    next_messages_cursor: null,
    messages: [],
    participants: [
      { id: 'ch_42', name: 'Support WA', role: 'source_user' },
      { id: 'anna', name: 'Anna', role: 'end_user' },
    ],
    ...more,
  };
}

describe('POST /channels (1.3)', () => {
  test('answers with every documented field, fills in the defaults, and costs 10 tokens', async () => {
    const api = await sdkOf(admin);

    const answer = await api.addChannel({ AddChannelRequest: channelBody });

    expect(answer).toEqual({
      success: true,
      data: {
        id: expect.stringMatching(/./) as string,
        name: 'Support WA',
        avatar_url: null,
        provider_channel_id: 'ch_42',
        marketplace_client_id: clientId,
        pd_company_id: company.id,
        pd_user_id: admin.id,
        created_at: expect.stringMatching(/^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d$/) as string,
        provider_type: 'other',
        template_support: false,
      },
      additional_data: {},
    });
    expect(company.spentTokens).toBe(10);
  });

  test('a body that does not match is 400 INVALID_BODY, field by field, and registers nothing', async () => {
    const wrong: readonly [string, object | string][] = [
      ['no name', { provider_channel_id: 'ch_42' }],
      ['an empty name', { ...channelBody, name: '' }],
      ['a name that is no text', { ...channelBody, name: 7 }],
      ['no id', { name: 'Support' }],
      ['an id that is no text', { ...channelBody, provider_channel_id: 42 }],
      ['a picture that is no address', { ...channelBody, avatar_url: 'picture.png' }],
      ['a word for a flag', { ...channelBody, template_support: 'yes' }],
      ['a provider that is none of three', { ...channelBody, provider_type: 'telegram' }],
      ['a field that is not known', { ...channelBody, colour: 'red' }],
    ];

    for (const [what, body] of wrong)
      expectRefused(await call(admin, 'POST', '/channels', body), 400, 'INVALID_BODY', what);
    expect((await call(admin, 'POST', '/channels', '[]')).status).toBe(400);

    expect(sandbox.leadsInbox.channels).toEqual([]);
    expect(app.calls).toEqual([]);
  });

  test('only admins may; the same id and the same name are taken once', async () => {
    const rep = sandbox.addUser(company, { name: 'Sara Holm' });
    expectRefused(await call(rep, 'POST', '/channels', channelBody), 403, 'ADMIN_ONLY', 'a rep');
    await registered();

    const sameId = await call(admin, 'POST', '/channels', { ...channelBody, name: 'Another' });
    const sameName = await call(admin, 'POST', '/channels', { ...channelBody, provider_channel_id: 'ch_43' });

    expectRefused(sameId, 400, 'INVALID_BODY', 'the same id');
    expectRefused(sameName, 400, 'INVALID_BODY', 'the same name');
    expect(sandbox.leadsInbox.channels).toHaveLength(1);
  });

  test('without the scope it is 403 in the words of the gateway, without a code; without a living token 401', async () => {
    const api = await sdkOf(admin);
    for (const grant of sandbox.state.grants)
      grant.scopes = grant.scopes.filter((scope) => scope !== 'messengers-integration');

    await expect(api.addChannel({ AddChannelRequest: channelBody })).rejects.toMatchObject({
      success: false,
      error: 'Scope and URL mismatch',
      additional_data: null,
    });
    sandbox.revokeTokens(admin);
    await expect(api.addChannel({ AddChannelRequest: channelBody })).rejects.toMatchObject({ errorCode: 401 });
  });
});

describe('POST /channels/messages/receive (1.3)', () => {
  test('a message and its every field are taken and said back; the same id changes it; each costs 10 tokens', async () => {
    app.answers.set('GET /c/ch_42/conversations/cv_1', () => ({
      body: { success: true, data: conversation('cv_1'), additional_data: {} },
    }));
    const { api, channel } = await registered();
    const spent = company.spentTokens;
    const whole = {
      ...message,
      reply_by: '2026-01-21T10:00:00.000Z',
      conversation_link: 'https://app.example/conversations/1',
      attachments: [file, { ...file, id: 'f_2', name: null, size: null, preview_url: 'https://app.example/p' }],
    };

    const answer = await api.receiveMessage({ ReceiveMessageRequest: whole as never });
    await sandbox.leadsInbox.settled();
    await api.receiveMessage({ ReceiveMessageRequest: { ...message, status: 'read' } as never });

    expect(answer).toMatchObject({ success: true, data: whole });
    expect(channel.conversations).toMatchObject([{ id: 'cv_1', messages: [{ id: 'm_1', status: 'read' }] }]);
    expect(company.spentTokens - spent).toBe(20);
    expect(sandbox.leadsInbox.problems).toEqual([]);
  });

  test('a payload that does not match is 400 INVALID_RECEIVE_MESSAGE_PAYLOAD, field by field', async () => {
    await registered();
    const without = (name: string) => Object.fromEntries(Object.entries(message).filter(([key]) => key !== name));
    const files = (...attachments: object[]) => ({ ...message, attachments });
    const wrong: readonly [string, object][] = [
      ...Object.keys(message).map((name): [string, object] => [`no ${name}`, without(name)]),
      ...['id', 'channel_id', 'sender_id', 'conversation_id'].flatMap((name): [string, object][] => [
        [`an empty ${name}`, { ...message, [name]: '' }],
        [`a number for ${name}`, { ...message, [name]: 1 }],
      ]),
      ['a message of nothing', { ...message, message: null }],
      ['a status of ours', { ...message, status: 'queued' }],
      ['a time that is none', { ...message, created_at: 'yesterday' }],
      ['a time in numbers', { ...message, created_at: 1_769_000_000 }],
      ['an end that is no time', { ...message, reply_by: 'soon' }],
      ['a link that is no address', { ...message, conversation_link: '/conversations/1' }],
      ['files that are no list', { ...message, attachments: null }],
      ['a file without id', files({ ...file, id: '' })],
      ['a file of no type', files({ ...file, type: 'picture' })],
      ['a file nowhere', files({ ...file, url: 'f_1' })],
      ['a file whose name is left out', files({ ...file, name: undefined })],
      ['a file whose size is left out', files({ ...file, size: undefined })],
      ['a file whose preview is left out', files({ ...file, preview_url: undefined })],
      ['a size below nothing', files({ ...file, size: -1 })],
      ['a word for a flag', files({ ...file, link_expires: 'yes' })],
      ['a field that is not known', { ...message, direction: 'in' }],
    ];

    for (const [what, body] of wrong) {
      const answer = await call(admin, 'POST', '/channels/messages/receive', body);
      expectRefused(answer, 400, 'INVALID_RECEIVE_MESSAGE_PAYLOAD', what);
    }
    // Both spellings of a time are documented, and text may be empty beside a file.
    for (const body of [
      { ...message, created_at: '2026-01-20 10:00', reply_by: null },
      { ...message, message: '' },
    ])
      expect.soft((await call(admin, 'POST', '/channels/messages/receive', body)).status).toBe(200);
  });

  test('a channel that is not there, is another company’s, or is named by Pipedrive’s own id is 404 with a code', async () => {
    const { channel } = await registered();
    const elsewhere = sandbox.addUser(sandbox.addCompany({ name: 'Elsewhere' }), { name: 'Olle', admin: true });
    const receive = (user: User, id: string) =>
      call(user, 'POST', '/channels/messages/receive', { ...message, channel_id: id });

    expectRefused(await receive(admin, 'ch_43'), 404, 'NOT_FOUND', 'an unknown id');
    expectRefused(await receive(admin, channel.uuid), 404, 'NOT_FOUND', 'the internal id');
    expectRefused(await receive(elsewhere, 'ch_42'), 404, 'NOT_FOUND', 'another company');

    expect(sandbox.leadsInbox.received).toEqual([]);
  });
});

describe('what is deleted (1.3)', () => {
  test('a channel goes by the app’s own id, with all that is in it, for 6 tokens; any other id is 404', async () => {
    const { channel } = await registered();
    const elsewhere = sandbox.addUser(sandbox.addCompany({ name: 'Elsewhere' }), { name: 'Olle', admin: true });
    const spent = company.spentTokens;

    expectRefused(await call(admin, 'DELETE', `/channels/${channel.uuid}`), 404, 'NOT_FOUND', 'the internal id');
    expectRefused(await call(elsewhere, 'DELETE', '/channels/ch_42'), 404, 'NOT_FOUND', 'another company');
    expect(await (await sdkOf(admin)).deleteChannel({ id: 'ch_42' })).toEqual({ success: true });
    expectRefused(await call(admin, 'DELETE', '/channels/ch_42'), 404, 'NOT_FOUND', 'once more');

    expect(sandbox.leadsInbox.channels).toEqual([]);
    expect(company.spentTokens - spent).toBe(18);
  });

  test('a conversation goes only with the token of who registered the channel', async () => {
    app.answers.set('GET /c/ch_42/conversations', () => ({
      body: { success: true, data: [conversation('cv_1')], additional_data: {} },
    }));
    const { channel } = await registered();
    const chief = sandbox.addUser(company, { name: 'Britt Ahl', admin: true });
    const path = '/channels/ch_42/conversations';

    expectRefused(await call(chief, 'DELETE', `${path}/cv_1`), 403, 'FORBIDDEN_USER_REQUEST', 'another admin');
    expectRefused(await call(admin, 'DELETE', `${path}/cv_2`), 404, 'NOT_FOUND', 'an unknown one');
    expectRefused(await call(admin, 'DELETE', '/channels/ch_43/conversations/cv_1'), 404, 'NOT_FOUND', 'elsewhere');
    const answer = await (await sdkOf(admin)).deleteConversation({ channel_id: 'ch_42', conversation_id: 'cv_1' });

    expect(answer).toEqual({ success: true });
    expect(channel.conversations).toEqual([]);
  });
});

test.each<[Exclude<ApiMode, 'alive'>, RegExp]>([
  [401, /unauthorized/],
  [403, /Scope and URL mismatch/],
  [404, /Unknown method/],
  [405, /not allowed/],
  [410, /Gone/],
  [500, /Internal/],
  [501, /Not implemented/],
])(
  'switched off as %i, all four operations answer so, and without a code of the Channels API (1.1)',
  async (mode, words) => {
    sandbox.leadsInbox.mode = mode;

    for (const [method, path, body] of [
      ['POST', '/channels', channelBody],
      ['POST', '/channels/messages/receive', message],
      ['DELETE', '/channels/ch_42', undefined],
      ['DELETE', '/channels/ch_42/conversations/cv_1', undefined],
    ] as const) {
      const answer = await call(admin, method, path, body);
      expect.soft(answer.status, `${method} ${path}`).toBe(mode);
      expect.soft(answer.body.error).toMatch(words);
      expect.soft(answer.body.additional_data?.code).toBeUndefined();
    }
  },
);

describe('the manifest (2.1)', () => {
  const upload = (value: unknown) => () => sandbox.leadsInbox.uploadManifest(value);

  test('is taken with the three required addresses, and refused for each thing that is wrong', () => {
    const more = { getSenderById: undefined, deleteChannelById: undefined, getTemplates: undefined };
    expect(upload(manifest({ ...more, getMessageById: undefined }))).not.toThrow();

    for (const name of ['getConversations', 'getConversationById', 'postMessage'])
      expect(upload(manifest({ [name]: undefined })), name).toThrow(`endpoints.${name} is required`);
    for (const [name, address] of Object.entries(manifest().endpoints)) {
      const last = /.*(:[a-zA-Z]+)/.exec(address)![1]!;
      expect(upload(manifest({ [name]: address.replace(last, 'x') })), name).toThrow(`must have ${last}`);
      expect(upload(manifest({ [name]: '/path/only' })), name).toThrow('must be an address');
    }
    expect(upload({ ...manifest(), version: 'v1' })).toThrow('version must be v202101');
    expect(upload({ ...manifest(), name: 'x' })).toThrow('name is not known');
    expect(upload(manifest({ getAll: `${app.url}/c/:providerChannelId` }))).toThrow('getAll is not known');
  });

  test('without one no channel can be registered', async () => {
    const fresh = await startPipedrive({
      clientId,
      clientSecret,
      redirectUri: () => redirectUri,
      appUrl: () => app.url,
      faults: createFaults(),
    });
    await sandbox.stop();
    sandbox = fresh;
    company = sandbox.addCompany({ name: 'Nordtak Solar', domain: 'nordtak' });
    admin = sandbox.addUser(company, { name: 'Erik Lund', admin: true });
    sandbox.leadsInbox.mode = 'alive';

    expect((await call(admin, 'POST', '/channels', channelBody)).status).toBe(403);
  });
});

describe('how the app is called (2.2 to 2.7)', () => {
  const called = (path: RegExp) => app.calls.filter((each) => path.test(`${each.method} ${each.path}`));

  test('a new channel is read page by page with the app’s Basic credentials, then its senders and templates', async () => {
    const pages: Record<string, unknown> = {
      none: { data: [conversation('cv_1')], additional_data: { after: 'p2' } },
      p2: {
        data: [
          conversation('cv_2', {
            participants: [
              { id: 'ch_42', name: 'Support WA', role: 'source_user' },
              { id: 'bo', name: 'Bo', role: 'end_user', fetch_avatar: true },
            ],
          }),
        ],
        additional_data: { after: 'p3' },
      },
      // An empty page ends the reading, whatever its cursor says.
      p3: { data: [], additional_data: { after: 'p4' } },
    };
    app.answers.set('GET /c/ch_42/conversations', ({ query }) => ({
      body: { success: true, ...(pages[query.after ?? 'none'] as object) },
    }));
    app.answers.set('GET /c/ch_42/senders/bo', () => ({
      body: { success: true, data: { id: 'bo', name: 'Bo', avatar_url: 'https://app.example/bo.jpg' } },
    }));
    const templates = [{ id: 't_1', name: 'visit', content: 'Hi {{1}}', language: 'en_US' }];
    app.answers.set('GET /c/ch_42/templates', () => ({ body: { success: true, data: { templates } } }));

    const { channel } = await registered({ provider_type: 'whatsapp', template_support: true });

    expect(called(/conversations$/).map(({ query }) => query)).toEqual([
      { conversations_limit: '30', messages_limit: '30' },
      { conversations_limit: '30', messages_limit: '30', after: 'p2' },
      { conversations_limit: '30', messages_limit: '30', after: 'p3' },
    ]);
    const basic = `Basic ${Buffer.from(`${clientId}:${clientSecret}`).toString('base64')}`;
    expect(app.calls.map(({ headers }) => headers.authorization)).toEqual(app.calls.map(() => basic));
    expect(channel.conversations.map(({ id }) => id)).toEqual(['cv_1', 'cv_2']);
    expect(channel.conversations[1]!.participants[1]!.avatar_url).toBe('https://app.example/bo.jpg');
    expect(channel.templates).toEqual(templates);
    expect(sandbox.leadsInbox.problems).toEqual([]);
  });

  test('an answer that is not as documented is noticed, thing by thing', async () => {
    const own = { id: 'm', status: 'sent', created_at: '2026-01-20T10:00:00Z', message: '', sender_id: 'anna' };
    const several = Array.from({ length: 31 }, (_, index) => ({ ...own, id: `m${index}`, attachments: [] }));
    const [source, end] = conversation('cv').participants;
    const wrong: readonly [RegExp, object][] = [
      [/link is wrong/, { link: null }],
      [/status is wrong/, { status: 'new' }],
      [/seen is wrong/, { seen: 'yes' }],
      [/next_messages_cursor is wrong/, { next_messages_cursor: 4 }],
      [/messages is wrong/, { messages: [own] }],
      [/participants is wrong/, { participants: [source, { ...end, role: 'customer' }] }],
      [/one of each side/, { participants: [source] }],
      [/one of each side/, { participants: [source, end, { ...end, id: 'bo' }] }],
      [/a sender is no participant/, { messages: [{ ...own, sender_id: 'bo', attachments: [] }] }],
      [/comes twice/, { messages: [several[0], several[0]] }],
      [/more messages than were asked for/, { messages: several }],
      [/assignee is not known/, { assignee: 'Erik' }],
    ];
    const { problems } = sandbox.leadsInbox;
    const { api } = await registered();

    for (const [words, change] of wrong) {
      problems.length = 0;
      app.answers.set('GET /c/ch_42/conversations/cv_1', () => ({
        body: { success: true, data: conversation('cv_1', change) },
      }));
      await api.receiveMessage({ ReceiveMessageRequest: message as never });
      await sandbox.leadsInbox.settled();
      expect.soft(problems.join('; '), String(words)).toMatch(words);
      sandbox.leadsInbox.channelOf('ch_42')!.conversations.length = 0;
    }
  });

  test('what a user writes comes as a form, with the recipients in each of the documented spellings; a refusal is shown', async () => {
    app.answers.set('GET /c/ch_42/conversations', () => ({ body: { success: true, data: [conversation('cv_1')] } }));
    app.answers.set('POST /c/ch_42/messages', () => ({ body: { success: true, data: { id: 'm_9' } } }));
    const { channel } = await registered();
    const inbox = sandbox.leadsInbox;
    const png = { name: 'roof.png', type: 'image/png', bytes: new Uint8Array([1, 2, 3]) };

    for (const spelling of ['brackets', 'plain', 'joined', 'repeated'] as const)
      await inbox.write(channel, 'cv_1', { text: 'Hi', spelling, files: [png, png] });
    const forms = called(/^POST .*messages$/).map(({ form }) => form!);
    expect(forms.map((form) => [form.getAll('recipientIds[]'), form.getAll('recipientIds')])).toEqual([
      [['anna'], []],
      [[], ['anna']],
      [['anna'], ['anna']],
      [['anna', 'anna'], []],
    ]);
    expect(['message', 'senderId', 'conversationId'].map((name) => forms[0]!.get(name))).toEqual([
      'Hi',
      'ch_42',
      'cv_1',
    ]);
    expect(forms[0]!.getAll('files').map((each) => [(each as File).name, (each as File).type])).toEqual([
      ['roof.png', 'image/png'],
      ['roof.png', 'image/png'],
    ]);
    expect(channel.conversations[0]!.messages.map(({ id, status }) => [id, status])).toEqual([['m_9', 'sent']]);

    app.answers.set('POST /c/ch_42/messages', () => ({
      status: 401,
      body: { success: false, data: { message: 'suspended', code: 'ACCOUNT_SUSPENDED' } },
    }));
    expect(await inbox.write(channel, 'cv_1', { text: 'Hi' })).toMatchObject({
      status: 401,
      code: 'ACCOUNT_SUSPENDED',
    });
    expect(inbox.problems).toEqual([]);
    app.answers.set('POST /c/ch_42/messages', () => ({ status: 500, body: {} }));
    await inbox.write(channel, 'cv_1', { text: 'Hi' });
    expect(inbox.problems).toEqual(['postMessage answered 500 without an error body']);
  });

  test('a file is tried with HEAD; one whose link may expire is asked for anew when it is dead (2.6)', async () => {
    const living = { ...file, url: `${app.url}/file/new` };
    const dead = { ...file, url: `${app.url}/file/old` };
    app.answers.set('HEAD /file/new', () => ({ body: '' }));
    const { id, sender_id, status, created_at } = message;
    const shown = (attachment: object) => ({
      ...{ id, sender_id, status, created_at, message: 'Hello' },
      attachments: [attachment],
    });
    app.answers.set('GET /c/ch_42/conversations', () => ({
      body: { success: true, data: [conversation('cv_1', { messages: [shown(dead)] })] },
    }));
    app.answers.set('GET /c/ch_42/conversations/cv_1/messages/m_1', () => ({ body: shown(living) }));
    const { api, channel } = await registered();
    const inbox = sandbox.leadsInbox;

    expect(await inbox.linkOf(channel, 'cv_1', 'm_1', 'f_1')).toBe(living.url);
    expect(called(/^HEAD/).map(({ path }) => path)).toEqual(['/file/old', '/file/new']);
    await api.receiveMessage({
      ReceiveMessageRequest: { ...message, attachments: [{ ...dead, link_expires: false }] } as never,
    });
    expect(await inbox.linkOf(channel, 'cv_1', 'm_1', 'f_1')).toBeNull();
    expect(called(/messages\/m_1$/)).toHaveLength(1);
    expect(inbox.problems).toEqual([]);
  });

  test('older messages are asked for with the conversation’s own cursor until there is none; a removed channel is said', async () => {
    app.answers.set('GET /c/ch_42/conversations', () => ({
      body: { success: true, data: [conversation('cv_1', { next_messages_cursor: 'older' })] },
    }));
    app.answers.set('GET /c/ch_42/conversations/cv_1', () => ({ body: { success: true, data: conversation('cv_1') } }));
    app.answers.set('DELETE /c/ch_42', () => ({ body: { success: true } }));
    const { channel } = await registered();

    expect(await sandbox.leadsInbox.readOlder(channel, 'cv_1')).toBe(true);
    expect(await sandbox.leadsInbox.readOlder(channel, 'cv_1')).toBe(false);
    expect(called(/conversations\/cv_1$/).map(({ query }) => query)).toEqual([
      { messages_limit: '30', after: 'older' },
    ]);
    expect(await sandbox.leadsInbox.removeChannel(channel)).toBe(200);
    await until(() => sandbox.leadsInbox.channels.length === 0, 'the channel to go');
  });
});

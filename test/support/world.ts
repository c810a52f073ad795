// A whole world for a test: the vendors' stand-ins, the app, a company with users, and customers, each with verbs.
import { Writable } from 'node:stream';
import { onTestFinished } from 'vitest';
import { createApp, type App } from '../../src/app.ts';
import { createLog } from '../../src/base/log.ts';
import { readConfig } from '../../src/config.ts';
import type { Channel, Conversation, Counts, Link, Message, Section } from '../../src/web/contract.ts';
import { startSandbox, type Sandbox } from '../../sandbox/sandbox.ts';
import type { Company, User as PipedriveUser } from '../../sandbox/pipedrive/state.ts';
import { createTestClock, type TestClock } from './clock.ts';
import { freshDatabase, type DatabaseKind, type FreshDatabase } from './databases.ts';
import { answerFault } from './openapi-answers.ts';
import { freePort } from './ports.ts';
import { until } from './wait.ts';

export interface Answer<Body = unknown> {
  readonly status: number;
  readonly body: Body;
  readonly headers: Headers;
}

/** A user of the company, acting through the app's own API inside Pipedrive. */
export interface TestUser {
  readonly pipedrive: PipedriveUser;
  readonly id: string;
  readonly name: string;
  token: string;
  call<Body = unknown>(method: string, path: string, body?: unknown): Promise<Answer<Body>>;
  section(section: Section | 'all'): Promise<Conversation[]>;
  counts(): Promise<Counts>;
  conversationWith(name: string): Promise<Conversation>;
  messages(conversationId: string): Promise<Message[]>;
  sends(conversationId: string, text: string, more?: object): Promise<Message>;
  links(conversationId: string, body: object): Promise<Link[]>;
}

export interface World {
  readonly clock: TestClock;
  readonly sandbox: Sandbox;
  readonly app: App;
  readonly url: string;
  readonly database: FreshDatabase;
  /** The settings of the app, for another process beside it. */
  readonly environment: Readonly<Record<string, string>>;
  /** Ends the app, and starts it again on what it left. */
  stop(): Promise<void>;
  start(): Promise<void>;
  /** Starts the app once more beside itself on the same database, as a second process; answers its address. */
  beside(): Promise<string>;
  readonly company: Company;
  readonly admin: TestUser;
  readonly rep: TestUser;
  /** The log, a line an entry. */
  readonly log: Record<string, unknown>[];
  /** Lets these messages of warnings and errors pass; all others fail the test. */
  expectInLog(...messages: RegExp[]): void;
  install(user: PipedriveUser): Promise<TestUser>;
  whatsapp(owner?: TestUser, visibility?: 'shared' | 'private'): Promise<{ channel: Channel; number: string }>;
  messenger(owner?: TestUser): Promise<{ channel: Channel; page: ReturnType<Sandbox['meta']['addPage']> }>;
  /** Waits until nothing is due. */
  settled(): Promise<void>;
}

export interface WorldOptions {
  readonly database?: DatabaseKind;
  readonly environment?: Readonly<Record<string, string>>;
}

let phone = 46_700_000_000;

/** A number nobody else in this run has. */
export function newNumber(): string {
  phone += 1 + (process.pid % 7) * 1_000;
  return `+${phone}`;
}

export async function world(options: WorldOptions = {}): Promise<World> {
  const clock = createTestClock();
  const database = await freshDatabase(options.database ?? 'sqlite');
  const port = await freePort();
  const url = `http://127.0.0.1:${port}`;
  const sandbox = await startSandbox({ appUrl: url, now: () => clock.ms() });
  const log: Record<string, unknown>[] = [];
  const expected: RegExp[] = [];
  const environment = {
    ...sandbox.env(),
    PORT: String(port),
    PUBLIC_URL: url,
    DATABASE_URL: database.url,
    MEDIA_URL: `file:${database.folder}/media`,
    NOTE_DEBOUNCE_MS: '30',
    NOTE_MAX_WAIT_MS: '500',
    LOG_LEVEL: 'debug',
    ...options.environment,
  };
  const build = (more: Readonly<Record<string, string>> = {}) =>
    createApp({
      config: readConfig({ ...environment, ...more }),
      clock,
      log: createLog('debug', logInto(log)),
      surfacesFolder: 'dist/ui',
      mayCall: (target) => target.hostname === '127.0.0.1',
    });
  let app = await build();
  await app.start();
  let isRunning = true;
  const others: App[] = [];
  const stop = async (): Promise<void> => {
    if (isRunning) await app.stop();
    isRunning = false;
  };
  onTestFinished(async () => {
    for (const other of others) await other.stop();
    await stop();
    await sandbox.stop();
    await database.remove();
    const surprises = log.filter(
      (line) =>
        ['warn', 'error', 'fatal'].includes(String(line.level)) &&
        !expected.some((words) => words.test(String(line.msg))),
    );
    if (surprises.length > 0) throw new Error(`unexpected in the log: ${JSON.stringify(surprises.slice(0, 3))}`);
  });

  const install = async (user: PipedriveUser): Promise<TestUser> => {
    await installInBrowser(url, sandbox, user);
    return signedIn(url, sandbox, user);
  };
  const company = sandbox.pipedrive.addCompany({ name: 'Nordtak Solar', domain: 'nordtak' });
  const admin = await install(sandbox.pipedrive.addUser(company, { name: 'Erik Lund', admin: true }));
  const rep = await install(sandbox.pipedrive.addUser(company, { name: 'Sara Holm', language: 'sv' }));
  return {
    clock,
    sandbox,
    get app() {
      return app;
    },
    url,
    database,
    environment,
    stop,
    start: async () => {
      app = await build();
      await app.start();
      isRunning = true;
    },
    beside: async () => {
      const ownPort = String(await freePort());
      const second = await build({ PORT: ownPort });
      await second.start();
      others.push(second);
      return `http://127.0.0.1:${ownPort}`;
    },
    company,
    admin,
    rep,
    log,
    expectInLog: (...messages) => void expected.push(...messages),
    install,
    whatsapp: (owner = admin, visibility = 'shared') => connectWhatsapp(sandbox, owner, visibility),
    messenger: (owner = admin) => connectMessenger(sandbox, owner),
    settled: async () => {
      await sandbox.settled();
      await app.worker.idle();
      await sandbox.settled();
      await app.worker.idle();
    },
  };
}

/** The installation as a browser does it, cookies and all; answers the page session's cookie. */
export async function installInBrowser(
  url: string,
  sandbox: Sandbox,
  user: PipedriveUser,
  next = '/',
): Promise<string> {
  const begun = await fetch(`${url}/install?next=${encodeURIComponent(next)}`, { redirect: 'manual' });
  const cookie = cookiesOf(begun);
  const back = sandbox.pipedrive.authorize(user, begun.headers.get('location')!);
  const done = await fetch(back, { redirect: 'manual', headers: { cookie } });
  if (done.status !== 302) throw new Error(`the installation answered ${done.status}: ${await done.text()}`);
  return [cookie, cookiesOf(done)].join('; ');
}

export function cookiesOf(response: Response): string {
  return response.headers
    .getSetCookie()
    .map((cookie) => cookie.split(';')[0]!)
    .join('; ');
}

export async function signedIn(url: string, sandbox: Sandbox, user: PipedriveUser): Promise<TestUser> {
  const answer = await fetch(`${url}/api/session`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ token: sandbox.pipedrive.signedToken(user) }),
  });
  if (answer.status !== 200) throw new Error(`no session: ${answer.status} ${await answer.text()}`);
  const { token } = (await answer.json()) as { token: string };
  return testUser(url, user, token);
}

function testUser(url: string, pipedrive: PipedriveUser, token: string): TestUser {
  const user: TestUser = {
    pipedrive,
    id: String(pipedrive.id),
    name: pipedrive.name,
    token,
    call: async <Body>(method: string, path: string, body?: unknown): Promise<Answer<Body>> => {
      const answer = await fetch(url + path, {
        method,
        headers: {
          authorization: `Bearer ${user.token}`,
          ...(body === undefined ? {} : { 'content-type': 'application/json' }),
        },
        ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      });
      const words = await answer.text();
      const read = words === '' ? undefined : parse(words);
      const fault = answerFault(method, path, answer.status, read);
      if (fault !== undefined) throw new Error(fault);
      return { status: answer.status, body: read as Body, headers: answer.headers };
    },
    section: async (section) => data<Conversation>(await user.call('GET', `/api/conversations?section=${section}`)),
    counts: async () => (await user.call<Counts>('GET', '/api/conversations/counts')).body,
    conversationWith: (name) =>
      until(
        async () => (await user.section('all')).find((found) => found.contact.name === name),
        `a conversation with ${name}`,
      ),
    messages: async (id) => data<Message>(await user.call('GET', `/api/conversations/${id}/messages?limit=100`)),
    sends: async (id, text, more = {}) => {
      const clientMessageId = `client-${Math.random().toString(36).slice(2)}`;
      const answer = await user.call<Message>('POST', `/api/conversations/${id}/messages`, {
        clientMessageId,
        text,
        ...more,
      });
      if (answer.status !== 202) throw new Error(`not sent: ${answer.status} ${JSON.stringify(answer.body)}`);
      return answer.body;
    },
    links: async (id, body) => {
      const answer = await user.call<{ data: Link[] }>('POST', `/api/conversations/${id}/links`, body);
      if (answer.status !== 201) throw new Error(`not linked: ${answer.status} ${JSON.stringify(answer.body)}`);
      return answer.body.data;
    },
  };
  return user;
}

function parse(words: string): unknown {
  try {
    return JSON.parse(words) as unknown;
  } catch {
    return words;
  }
}

function data<T>(answer: Answer): T[] {
  if (answer.status !== 200) throw new Error(`answered ${answer.status}: ${JSON.stringify(answer.body)}`);
  return (answer.body as { data: T[] }).data;
}

async function connectWhatsapp(
  sandbox: Sandbox,
  owner: TestUser,
  visibility: string,
): Promise<{ channel: Channel; number: string }> {
  const account = sandbox.twilio.addAccount({ name: 'Nordtak' });
  const number = newNumber();
  sandbox.twilio.addSender(account, number, { name: 'WhatsApp Gothenburg' });
  const answer = await owner.call<Channel>('POST', '/api/channels/whatsapp', {
    accountSid: account.sid,
    authToken: account.authToken,
    sender: number,
    visibility,
  });
  if (answer.status !== 201) throw new Error(`not connected: ${answer.status} ${JSON.stringify(answer.body)}`);
  return { channel: answer.body, number };
}

async function connectMessenger(sandbox: Sandbox, owner: TestUser) {
  // As strict as an app at Meta can be set.
  sandbox.meta.options.requireProof = true;
  const person = sandbox.meta.addPerson({ name: owner.name });
  const page = sandbox.meta.addPage({ name: 'Nordtak Sverige', ownedBy: person });
  const begun = await owner.call<{ login: string; authorizeUrl: string }>('POST', '/api/channels/messenger/login');
  await fetch(sandbox.meta.authorize(person, begun.body.authorizeUrl));
  const answer = await owner.call<{ data: Channel[] }>('POST', '/api/channels/messenger', {
    login: begun.body.login,
    pageIds: [page.id],
    visibility: 'shared',
  });
  if (answer.status !== 201) throw new Error(`not connected: ${answer.status} ${JSON.stringify(answer.body)}`);
  return { channel: answer.body.data[0]!, page };
}

function logInto(lines: Record<string, unknown>[]): Writable {
  return new Writable({
    write: (chunk: Buffer, _encoding, done) => {
      for (const line of chunk.toString().split('\n'))
        if (line) lines.push(JSON.parse(line) as Record<string, unknown>);
      done();
    },
  });
}

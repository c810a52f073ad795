// The built server, killed with SIGKILL again and again in the middle of its work: what was acknowledged is there, once, in
// order; what was to be sent went out once (C4, C8; I-01, I-02, R-01, D-04, D-05, D-13).
import { createHmac } from 'node:crypto';
import { spawnSync } from 'node:child_process';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import Sqlite from 'better-sqlite3';
import { Client } from 'pg';
import { describe, expect, onTestFinished, test } from 'vitest';
import { startSandbox, type Sandbox } from '../../sandbox/sandbox.ts';
import type { Conversation, Message } from '../../src/web/contract.ts';
import { bothDatabases, freshDatabase, type DatabaseKind, type FreshDatabase } from '../support/databases.ts';
import { startServerProcess, type ServerProcess } from '../support/server-process.ts';
import { until } from '../support/wait.ts';
import { freePort } from '../support/ports.ts';
import { installInBrowser, signedIn, type TestUser } from '../support/world.ts';

const contacts = 25;
const messagesEach = 20;
const kills = 5;
const repliesEach = 8;
const sender = '+46700000001';

interface Place {
  readonly sandbox: Sandbox;
  readonly url: string;
  readonly database: FreshDatabase;
  readonly environment: Readonly<Record<string, string>>;
  readonly account: { readonly sid: string; readonly authToken: string };
  readonly rep: TestUser;
  /** The process of the moment. */
  readonly running: { server: ServerProcess; isOver: boolean };
}

async function place(kind: DatabaseKind, under: readonly string[] = []): Promise<Place> {
  const database = await freshDatabase(kind);
  const port = await freePort();
  const url = `http://127.0.0.1:${port}`;
  const sandbox = await startSandbox({ appUrl: url });
  const environment = {
    ...sandbox.env(),
    PORT: String(port),
    DATABASE_URL: database.url,
    MEDIA_URL: `file:${database.folder}/media`,
    LOG_LEVEL: 'warn',
  };
  const running = { server: await startServerProcess({ environment, url, under }), isOver: false };
  onTestFinished(async () => {
    running.isOver = true;
    await running.server.kill();
    await sandbox.stop();
    await database.remove();
  });
  const company = sandbox.pipedrive.addCompany({ name: 'Nordtak Solar', domain: 'nordtak' });
  const user = sandbox.pipedrive.addUser(company, { name: 'Erik Lund', admin: true });
  await installInBrowser(url, sandbox, user);
  const rep = await signedIn(url, sandbox, user);
  const account = sandbox.twilio.addAccount({ name: 'Nordtak' });
  sandbox.twilio.addSender(account, sender, { name: 'WhatsApp Gothenburg' });
  const connected = await rep.call('POST', '/api/channels/whatsapp', {
    accountSid: account.sid,
    authToken: account.authToken,
    sender,
  });
  expect(connected.status).toBe(201);
  return { sandbox, url, database, environment, account, running, rep };
}

function phoneOf(contact: number): string {
  return `+467100000${String(contact).padStart(2, '0')}`;
}

/** A signed webhook, said again until it is acknowledged, as Twilio is told to (`#rc=5&rp=all`). Answers how often it was said. */
async function deliver({ url, account, running }: Place, contact: number, number: number): Promise<number> {
  const params: Record<string, string> = {
    MessageSid: `SM${String(contact * 1_000 + number).padStart(32, '0')}`,
    AccountSid: account.sid,
    From: `whatsapp:${phoneOf(contact)}`,
    To: `whatsapp:${sender}`,
    Body: `message ${number}`,
    NumMedia: '0',
    ProfileName: `Customer ${contact}`,
    MessageType: 'text',
  };
  const address = `${url}/webhooks/twilio`;
  const signed = Object.keys(params)
    .sort()
    .reduce((all, name) => all + name + params[name], address);
  const headers = {
    'content-type': 'application/x-www-form-urlencoded',
    'x-twilio-signature': createHmac('sha1', account.authToken).update(signed).digest('base64'),
  };
  for (let times = 1; ; times += 1) {
    const status = await fetch(address, { method: 'POST', headers, body: new URLSearchParams(params).toString() }).then(
      async (answer) => {
        await answer.arrayBuffer();
        return answer.status;
      },
      () => 0,
    );
    if (status === 200 || running.isOver) return times;
    expect([0, 503]).toContain(status);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

/** What is leased when nobody lives is a dead process's. On PostgreSQL its lease must run out first: half a minute, as if it had passed. */
async function letLeasesRunOut({ database }: Place): Promise<void> {
  if (database.kind === 'sqlite') return;
  const client = new Client({ connectionString: database.url });
  await client.connect();
  await client.query(`update job set lease_until = '2026-01-01T00:00:00.000Z' where lease_until is not null`);
  await client.end();
}

async function killAndStart(here: Place): Promise<void> {
  await here.running.server.kill();
  await letLeasesRunOut(here);
  here.running.server = await startServerProcess(here);
}

async function everyConversation({ rep }: Place): Promise<{ conversation: Conversation; messages: Message[] }[]> {
  const conversations = await rep.section('all');
  return Promise.all(
    conversations.map(async (conversation) => ({ conversation, messages: await rep.messages(conversation.id) })),
  );
}

const callsFor = ({ sandbox }: Place, text: string): number =>
  [...sandbox.twilio.state.messages.values()].filter(({ body, direction }) => body === text && direction !== 'inbound')
    .length;

/** From each customer’s own phone first, so that Twilio too knows the window for replies as open. */
async function everybodyWrites({ sandbox, rep }: Place): Promise<Conversation[]> {
  await Promise.all(
    Array.from({ length: contacts }, (_, contact) =>
      sandbox.twilio.customer(phoneOf(contact), { name: `Customer ${contact}` }).writes('message 0', { to: sender }),
    ),
  );
  return until(async () => {
    const found = await rep.section('all');
    return found.length === contacts && found;
  }, 'a conversation with everybody');
}

describe.each(bothDatabases)('on %s', (kind) => {
  test(
    '500 signed webhooks and the replies among them, with the server killed five times: every acknowledged one is there exactly once and in order, no reply is sent twice (I-01, R-01)',
    { timeout: 240_000 },
    async () => {
      const here = await place(kind);
      // Slow enough that kills fall into the middle of sends.
      here.sandbox.faults.next('twilio', { method: 'POST', path: /Messages\.json/ }, { kind: 'delay', ms: 40 }, 10_000);
      const first = await everybodyWrites(here);
      let acknowledged = contacts;
      let again = 0;
      const replies: string[] = [];

      const markOf = (kill: number): number => Math.floor((contacts * messagesEach * kill) / (kills + 1));
      let gate = markOf(1);
      const customers = Array.from({ length: contacts }, async (_, contact) => {
        for (let number = 1; number < messagesEach; number += 1) {
          await until(() => acknowledged < gate, 'the next stretch', 120_000);
          again += (await deliver(here, contact, number)) - 1;
          acknowledged += 1;
        }
      });
      for (let kill = 1; kill <= kills; kill += 1) {
        await until(() => acknowledged >= markOf(kill), `${markOf(kill)} acknowledged`, 60_000);
        // Replies on their way, some taken by Twilio and not yet answered, when the end comes.
        for (let number = 0; number < repliesEach; number += 1) {
          const { id } = first[(kill * repliesEach + number) % contacts]!;
          const text = `reply ${kill} ${number}`;
          await here.rep.sends(id, text);
          replies.push(text);
        }
        gate = kill === kills ? Infinity : markOf(kill + 1);
        await new Promise((resolve) => setTimeout(resolve, 15 + kill * 10));
        await killAndStart(here);
      }
      await Promise.all(customers);

      const all = await until(
        async () => {
          const found = await everyConversation(here);
          const stored = found.flatMap(({ messages }) => messages.filter(({ direction }) => direction === 'inbound'));
          const waiting = found.some(({ messages }) => messages.some(({ status }) => status === 'queued'));
          return stored.length >= contacts * messagesEach && !waiting && found;
        },
        'all messages, and no reply that waits',
        40_000,
      );
      expect(all).toHaveLength(contacts);
      for (const { conversation, messages } of all as { conversation: Conversation; messages: Message[] }[]) {
        const inbound = messages.filter(({ direction }) => direction === 'inbound').map(({ text }) => text);
        expect
          .soft(inbound, conversation.contact.name)
          .toEqual(Array.from({ length: messagesEach }, (_, number) => `message ${number}`));
      }
      const outbound = (all as { messages: Message[] }[]).flatMap(({ messages }) =>
        messages.filter(({ direction }) => direction === 'outbound'),
      );
      expect(outbound.map(({ text }) => text).toSorted()).toEqual(replies.toSorted());
      for (const { text, status } of outbound) {
        const calls = callsFor(here, text);
        expect.soft(calls, `${text} is ${status}`).toBeLessThanOrEqual(1);
        // What did not reach Twilio for sure is not shown as sent; what is unknown is being looked up.
        if (calls === 0) expect.soft(['unknown', 'failed'], text).toContain(status);
        else expect.soft(['sent', 'delivered', 'read', 'unknown'], text).toContain(status);
      }
      // Kills that cut nothing off would prove nothing.
      expect(again).toBeGreaterThan(0);
      expect(await here.running.server.stop()).toBe(0);
      expect(await leftOver(here)).toEqual({ parked: 0, sound: true });
    },
  );

  test(
    'the server dies at each point of a send, with others at every other point: none goes out twice, and each ends with the truth (R-01)',
    { timeout: 120_000 },
    async () => {
      const here = await place(kind);
      const { faults } = here.sandbox;
      const conversations = await everybodyWrites(here);
      const points = ['queued', 'arrived', 'done', 'answered'] as const;
      const replies: string[] = [];
      for (const at of points) {
        let dead: Promise<void> | undefined;
        const crash = (): Promise<void> => (dead ??= here.running.server.kill());
        if (at !== 'queued') {
          // The first ones go through, so that every point before this one is somebody's.
          faults.next('twilio', { method: 'POST', path: /Messages\.json/ }, { kind: 'delay', ms: 30 }, 3);
          faults.next('twilio', { method: 'POST', path: /Messages\.json/ }, { kind: 'crash', at, crash }, 1);
          faults.next('twilio', { method: 'POST', path: /Messages\.json/ }, { kind: 'delay', ms: 30 }, 3);
        }
        const said = conversations.slice(0, 10).map(({ id }, number) => ({ id, text: `${at} ${number}` }));
        const sent = await Promise.allSettled(said.map(({ id, text }) => here.rep.sends(id, text)));
        replies.push(...said.filter((_, number) => sent[number]!.status === 'fulfilled').map(({ text }) => text));
        if (at === 'queued') await crash();
        await until(() => dead !== undefined, 'its death');
        await dead;
        faults.clear();
        await letLeasesRunOut(here);
        here.running.server = await startServerProcess(here);
      }
      expect(replies.length).toBeGreaterThanOrEqual(10);

      const isOver = (message: Message): boolean =>
        message.status !== 'queued' && !(message.status === 'unknown' && callsFor(here, message.text) > 0);
      const outbound = await until(
        async () => {
          const messages = (await everyConversation(here)).flatMap((found) => found.messages);
          const ours = messages.filter(({ direction }) => direction === 'outbound');
          return replies.every((text) => ours.some((message) => message.text === text)) && ours.every(isOver) && ours;
        },
        'an outcome of each',
        60_000,
      );
      for (const { text, status } of outbound) {
        const calls = callsFor(here, text);
        expect.soft(calls, `${text} is ${status}`).toBeLessThanOrEqual(1);
        // Twilio has it: it is found there. Twilio has it not: it is not shown as sent.
        expect.soft(calls === 1 ? ['sent', 'delivered', 'read'] : ['unknown', 'failed'], text).toContain(status);
      }
      expect(await here.running.server.stop()).toBe(0);
      expect(await leftOver(here)).toEqual({ parked: 0, sound: true });
    },
  );
});

test(
  'a second server on the same SQLite file is refused with a clear message, and the first goes on (D-13)',
  { timeout: 120_000 },
  async () => {
    const here = await place('sqlite');
    const port = await freePort();
    const second = { url: `http://127.0.0.1:${port}`, environment: { ...here.environment, PORT: String(port) } };

    await expect(startServerProcess(second)).rejects.toThrow('another process is already using this database file');

    expect((await fetch(`${here.url}/health/ready`)).status).toBe(200);
  },
);

const canTrace = spawnSync('strace', ['-qq', '-o', '/dev/null', 'true']).status === 0;

// Where the system lets a process be watched. What is set is tested everywhere (test/unit/db/durability.test.ts).
test.runIf(canTrace)(
  'between the last byte of a webhook and its answer the operating system flushed the file to the disk, on sqlite (I-02)',
  { timeout: 120_000 },
  async () => {
    const folder = await mkdtemp(join(tmpdir(), 'inbox-trace-'));
    onTestFinished(() => rm(folder, { recursive: true, force: true }));
    const trace = join(folder, 'trace');
    // As a grandchild, so that the signals meant for the server reach it.
    const words = ['-D', '-f', '-qq', '-s', '48', '-e', 'trace=read,write,writev,fsync,fdatasync', '-o', trace];
    const here = await place('sqlite', ['strace', ...words]);

    for (let number = 0; number < 5; number += 1) await deliver(here, 1, number);
    await here.running.server.stop();

    const isArrival = (line: string): boolean => /read\(\d+, "POST \/webhooks\/twilio /.test(line);
    const isAnswer = (line: string): boolean => /writev?\(.*HTTP\/1\.1 200/.test(line);
    const lines = await until(async () => {
      const written = (await readFile(trace, 'utf8')).split('\n');
      return isAnswer(written.slice(written.findLastIndex(isArrival)).join('\n').replaceAll('\n', ' ')) && written;
    }, 'the trace to be written');
    const arrivals = lines.flatMap((line, at) => (isArrival(line) ? [at] : []));
    expect(arrivals).toHaveLength(5);
    for (const at of arrivals) {
      const answer = lines.findIndex((line, index) => index > at && isAnswer(line));
      const between = lines.slice(at, answer);
      expect(answer).toBeGreaterThan(at);
      expect(between.filter((line) => /f(data)?sync\(\d+\)\s+= 0/.test(line)).length).toBeGreaterThan(0);
    }
  },
);

async function leftOver({ database }: Place): Promise<{ parked: number; sound: boolean }> {
  const sql = 'select count(*) as n from job where parked_at is not null';
  if (database.kind === 'sqlite') {
    const file = new Sqlite(database.url.replace('sqlite:', ''), { readonly: true });
    const { n } = file.prepare(sql).get() as { n: number };
    const sound = file.pragma('integrity_check', { simple: true }) === 'ok';
    file.close();
    return { parked: n, sound };
  }
  const client = new Client({ connectionString: database.url });
  await client.connect();
  const { rows } = await client.query<{ n: string }>(sql);
  await client.end();
  return { parked: Number(rows[0]!.n), sound: true };
}

// An export while things happen (O5): its reader pauses or goes away, a read fails, the server stops, messages arrive.
import { randomBytes } from 'node:crypto';
import Sqlite from 'better-sqlite3';
import { Client } from 'pg';
import { Agent, fetch, type Response } from 'undici';
import { describe, expect, test } from 'vitest';
import type { Database } from '../../src/db/database.ts';
import { companyExport } from '../../src/web/contract.ts';
import { bothDatabases, type DatabaseKind } from '../support/databases.ts';
import { makeLong } from '../support/long-thread.ts';
import { until } from '../support/wait.ts';
import { newNumber, world, type World } from '../support/world.ts';

const formats = ['json', 'csv'] as const;
type Format = (typeof formats)[number];

/** More than the sockets between server and reader hold, and its end falls on the end of a page. */
const longest = 6_000;

describe.each(bothDatabases)('on %s', { timeout: 90_000 }, (database) => {
  test('a reader that pauses holds nothing up, and has all of it in order, each once, while messages arrive (O5)', async () => {
    const { here, number } = await filled(database);
    const { sandbox, rep, admin } = here;
    const messages = countRead(here.app.db);

    for (const format of formats) {
      const stood = await threads(here);
      const before = messages();
      const download = await begin(here, format);
      await standsStill(here, messages);
      expect(messages() - before).toBeLessThan(longest);
      expect(await readsUnderWay(here)).toBe(0);

      for (const name of ['Long', 'Small 0', 'Small 59', `New ${format}`])
        await customer(here, name).writes(`meanwhile ${format}`, { to: number });
      await sandbox.settled();
      const { id } = await rep.conversationWith(`New ${format}`);
      expect((await rep.messages(id)).map(({ text }) => text)).toEqual([`meanwhile ${format}`]);
      expect((await exported(here, format)).status).toBe(429);
      const found = idsIn(format, await download.rest());

      const all = [...found.values()].flat();
      expect(new Set(all).size).toBe(all.length);
      for (const [conversation, ids] of stood)
        expect((found.get(conversation) ?? []).slice(0, ids.length), conversation).toEqual(ids);
      expect((await admin.call('GET', '/health/ready')).status).toBe(200);
    }
  });

  test('whoever goes away in the middle of an export ends the reading (O5)', async () => {
    const { here } = await filled(database);
    const messages = countRead(here.app.db);

    for (const format of formats) {
      const before = messages();
      const download = await begin(here, format);
      await download.leave();
      await until(async () => {
        const next = await exported(here, format);
        await next.body?.cancel();
        return next.status === 200;
      }, 'the end of the export');

      await standsStill(here, messages);
      expect(messages() - before).toBeLessThan(longest);
      expect((await here.rep.counts()).unassigned.total).toBe(61);
    }
  });

  test('an export that could not be read to its end is broken off, and does not look whole (O5)', async () => {
    const { here } = await filled(database);
    here.expectInLog(/^a response failed$/);
    const { db } = here.app;
    const rename = (from: string, to: string) =>
      db.transaction((tx) => tx.query(`alter table ${from} rename to ${to}`));

    for (const format of formats) {
      const download = await begin(here, format);
      await rename('message', 'message_elsewhere');
      await expect(download.rest(), format).rejects.toThrow('terminated');
      await rename('message_elsewhere', 'message');

      const next = await exported(here, format);
      expect(next.status).toBe(200);
      expect([...idsIn(format, await next.text()).values()].flat()).toHaveLength(longest + 60);
    }
  });

  test('an export that the end of the server interrupts does not look whole (O5)', async () => {
    const { here } = await filled(database);

    // More than once, as it may come at any step of the reading.
    for (const format of [...formats, ...formats]) {
      const download = await begin(here, format);
      await here.stop();
      await expect(download.rest(), format).rejects.toThrow('terminated');
      await here.start();
    }
  });
});

/** Thirty small conversations, one long one, thirty small ones. */
async function filled(database: DatabaseKind): Promise<{ here: World; number: string }> {
  const here = await world({ database });
  const { number } = await here.whatsapp();
  const small = (from: number): Promise<unknown> =>
    Promise.all(
      Array.from({ length: 30 }, (_, at) => customer(here, `Small ${from + at}`).writes('small', { to: number })),
    );
  await small(0);
  await customer(here, 'Long').writes('the last', { to: number });
  const { id } = await here.admin.conversationWith('Long');
  await small(30);
  await here.settled();
  // Words that do not shrink on the way.
  const words = randomBytes(330_000).toString('base64url');
  const textOf = (index: number): string => words.slice((index % 101) * 4_000).slice(0, 4_000);
  await makeLong(here, id, { count: longest - 1, textOf, aMinute: 7 });
  return { here, number };
}

const numbers = new Map<string, string>();

function customer(here: World, name: string) {
  const number = numbers.get(name) ?? newNumber();
  numbers.set(name, number);
  return here.sandbox.twilio.customer(number, { name });
}

/** Over a connection of its own: one that has carried much before has learnt to hold more. */
function exported({ url, admin }: World, format: Format, signal?: AbortSignal): Promise<Response> {
  const headers = { authorization: `Bearer ${admin.token}` };
  const dispatcher = new Agent();
  return fetch(`${url}/api/export?format=${format}`, { headers, dispatcher, ...(signal ? { signal } : {}) });
}

/** An export of which the first piece is there and nothing more is taken. */
async function begin(here: World, format: Format) {
  const away = new AbortController();
  const answer = await exported(here, format, away.signal);
  expect(answer.status).toBe(200);
  const reader: ReadableStreamDefaultReader<Uint8Array> = answer.body!.getReader();
  const pieces = [(await reader.read()).value!];
  return {
    leave: () => {
      away.abort();
      return expect(reader.closed).rejects.toThrow();
    },
    rest: async (): Promise<string> => {
      for (;;) {
        const { value, done } = await reader.read();
        if (done) return Buffer.concat(pieces).toString();
        pieces.push(value);
      }
    },
  };
}

/** The ids of the messages of each conversation, as they follow each other. */
function idsIn(format: Format, words: string): Map<string, string[]> {
  if (format === 'json') {
    const { conversations } = companyExport.parse(JSON.parse(words));
    return new Map(conversations.map(({ id, messages }) => [id, messages.map((message) => message.id)]));
  }
  const lines = words.trimEnd().split('\r\n');
  const [idAt, messageAt] = ['conversation', 'message'].map((name) =>
    lines[0]!.replace('\ufeff', '').split(',').indexOf(name),
  );
  return grouped(lines.slice(1).map((line) => [line.split(',')[idAt!]!, line.split(',')[messageAt!]!]));
}

/** The same of what is stored. */
async function threads({ app }: World): Promise<Map<string, string[]>> {
  const rows = await app.db.read((reader) =>
    reader.query<{ id: string; conversationId: string }>(
      'select id, conversation_id from message order by conversation_id, created_at, id',
    ),
  );
  return grouped(rows.map(({ conversationId, id }) => [conversationId, id]));
}

function grouped(pairs: readonly (readonly [string, string])[]): Map<string, string[]> {
  const groups = new Map<string, string[]>();
  for (const [key, value] of pairs) {
    const group = groups.get(key);
    if (group) group.push(value);
    else groups.set(key, [value]);
  }
  return groups;
}

/** Counts the messages that exports read from now on. */
function countRead(db: Database): () => number {
  let messages = 0;
  const read = db.read.bind(db);
  const watched: Database['read'] = (work) =>
    read((reader) =>
      work({
        ...reader,
        query: async (sql, ...given) => {
          const rows = await reader.query<never>(sql, ...given);
          if (sql.includes('where conversation_id = ? and (created_at, id) > (?, ?)')) messages += rows.length;
          return rows;
        },
      }),
    );
  Object.assign(db, { read: watched });
  return () => messages;
}

/** Waits until nothing more is read for the export, while others are answered. */
async function standsStill({ rep }: World, read: () => number): Promise<void> {
  let still = 0;
  let last = read();
  await until(async () => {
    await rep.counts();
    still = read() === last ? still + 1 : 0;
    last = read();
    return still === 20;
  }, 'the export to stand still');
}

/** Transactions of others that the database has open at this moment. */
async function readsUnderWay({ database }: World): Promise<number> {
  if (database.kind === 'sqlite') {
    const file = new Sqlite(database.url.replace('sqlite:', ''));
    // The log can be emptied only when nobody reads by it.
    const [checkpoint] = file.pragma('wal_checkpoint(TRUNCATE)') as { busy: number }[];
    file.close();
    return checkpoint!.busy;
  }
  const client = new Client({ connectionString: database.url });
  await client.connect();
  const { rows } = await client.query<{ count: number }>(
    `select count(*)::int as count from pg_stat_activity
     where datname = current_database() and pid <> pg_backend_pid() and state <> 'idle'`,
  );
  await client.end();
  return rows[0]!.count;
}

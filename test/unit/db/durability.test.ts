// Committed means flushed, in few flushes, and faults of the database heal (storage traps 2, 3, 5; I-02, I-03, D-03, D-08, D-13).
import { readFile } from 'node:fs/promises';
import { Client } from 'pg';
import { describe, expect, test } from 'vitest';
import { openDatabase, type Database, type Reader } from '../../../src/db/database.ts';
import { Job } from '../../../src/db/tables.ts';
import { bothDatabases } from '../../support/databases.ts';
import { createWarningLog, insertJob, jobRow, openFresh, storedPayloads } from '../../support/open-database.ts';
import { until } from '../../support/wait.ts';

const setting = async (reader: Reader, statement: string): Promise<string> =>
  String(Object.values((await reader.one<Record<string, string | number>>(statement))!)[0]);

describe('on sqlite', () => {
  test('after the first real read every commit is flushed: synchronous FULL in a write-ahead log, each time it is opened (I-02, trap 2)', async () => {
    const { db, fresh } = await openFresh('sqlite');
    const look = (opened: Database) =>
      opened.transaction(async (tx) => {
        await tx.query('select count(*) from job');
        await tx.insert(Job, jobRow());
        return [await setting(tx, 'pragma synchronous'), await setting(tx, 'pragma journal_mode')];
      });

    const first = await look(db);
    await db.close();
    const again = await openDatabase({ url: fresh.url, log: createWarningLog().log });
    const second = await look(again);
    await again.close();

    expect([first, second]).toEqual([
      ['2', 'wal'],
      ['2', 'wal'],
    ]);
  });

  test('what is erased is overwritten, and foreign keys hold', async () => {
    const { db } = await openFresh('sqlite');

    const settings = await db.transaction(async (tx) => [
      await setting(tx, 'pragma secure_delete'),
      await setting(tx, 'pragma foreign_keys'),
    ]);

    expect(settings).toEqual(['1', '1']);
  });

  test('a second process on the same file is refused in plain words, and may come when the first is gone (D-13)', async () => {
    const { db, fresh } = await openFresh('sqlite');
    const { log } = createWarningLog();

    await expect(openDatabase({ url: fresh.url, log })).rejects.toThrow(
      'another process is already using this database file',
    );
    await insertJob(db, 'still mine');
    await db.close();
    const next = await openDatabase({ url: fresh.url, log });

    expect(await storedPayloads(next)).toEqual(['still mine']);
    await next.close();
  });

  test('a full disk refuses writes one by one, loses nothing, and needs no restart once there is room (I-03, D-08)', async () => {
    const { db } = await openFresh('sqlite');
    const limit = (pages: string) => db.transaction((tx) => tx.query(`pragma max_page_count = ${pages}`));
    const { pageCount } = (await db.read((reader) => reader.one<{ pageCount: number }>('pragma page_count')))!;
    await insertJob(db, 'before');
    await limit(String(pageCount + 4));

    const big = Array.from({ length: 30 }, (_, number) => jobRow({ payload: `${number} ${'x'.repeat(4_000)}` }));
    const outcomes = await Promise.allSettled(big.map((row) => db.insertGrouped(Job, row)));
    const stored = await storedPayloads(db);
    await limit('1000000');
    await insertJob(db, 'after');

    const acknowledged = big.flatMap(({ payload }, index) =>
      outcomes[index]!.status === 'fulfilled' ? [payload] : [],
    );
    expect(outcomes.some(({ status }) => status === 'rejected')).toBe(true);
    expect(stored.toSorted()).toEqual(['before', ...acknowledged].toSorted());
    expect(await storedPayloads(db)).toHaveLength(stored.length + 1);
    expect(await db.read((reader) => setting(reader, 'pragma integrity_check'))).toBe('ok');
  });

  test('rows asked for at the same time share their commits (trap 3)', async () => {
    const { db, fresh } = await openFresh('sqlite');
    const file = fresh.url.replace('sqlite:', '');
    const before = commitsIn(await readFile(`${file}-wal`));

    await Promise.all(Array.from({ length: 200 }, () => db.insertGrouped(Job, jobRow())));

    expect(commitsIn(await readFile(`${file}-wal`)) - before).toBeLessThanOrEqual(3);
    expect(await storedPayloads(db)).toHaveLength(200);
  });
});

describe('on postgres', () => {
  test('every commit is flushed: fsync and synchronous_commit are on where we write (I-02)', async () => {
    const { db } = await openFresh('postgres');

    const settings = await db.transaction(async (tx) => {
      await tx.query('select count(*) from job');
      await tx.insert(Job, jobRow());
      return [await setting(tx, 'show fsync'), await setting(tx, 'show synchronous_commit')];
    });

    expect(settings).toEqual(['on', 'on']);
  });

  test('rows asked for at the same time share their commits (trap 3)', async () => {
    const { db } = await openFresh('postgres');

    await Promise.all(Array.from({ length: 200 }, () => db.insertGrouped(Job, jobRow())));

    const transactions = await db.read((reader) => setting(reader, 'select count(distinct xmin::text) from job'));
    expect(Number(transactions)).toBeLessThanOrEqual(3);
    expect(await storedPayloads(db)).toHaveLength(200);
  });

  test('when every connection is cut the next ones work, listening too, and the process lives on (D-03, trap 5)', async () => {
    const { db, fresh, warnings } = await openFresh('postgres');
    const heard: string[] = [];
    db.listen('inbox_test', (text) => heard.push(text));
    await insertJob(db, 'before');
    await until(async () => {
      db.notify('inbox_test', 'hello');
      return heard.length > 0;
    }, 'the first notice');
    const cut = await cutConnections(fresh.url);
    heard.length = 0;

    await until(() => insertJob(db, 'after').then(() => true), 'a write after the cut', 5_000);
    await until(
      async () => {
        db.notify('inbox_test', 'hello again');
        return heard.length > 0;
      },
      'a notice after the cut',
      5_000,
    );

    expect(cut).toBeGreaterThan(1);
    expect(await storedPayloads(db)).toEqual(['before', 'after']);
    const said = new Set(warnings.splice(0).map((line) => (JSON.parse(line) as { msg: string }).msg));
    expect([...said].every((words) => ['a database connection broke', 'could not notify'].includes(words))).toBe(true);
  });

  test('a transaction whose connection is cut fails, and leaves nothing behind', async () => {
    const { db, fresh, warnings } = await openFresh('postgres');

    const cutOff = db.transaction(async (tx) => {
      await tx.insert(Job, jobRow());
      await cutConnections(fresh.url);
      await tx.insert(Job, jobRow());
    });

    await expect(cutOff).rejects.toThrow();
    await until(() => insertJob(db, 'after').then(() => true), 'a write after the cut', 5_000);
    expect(await storedPayloads(db)).toEqual(['after']);
    warnings.length = 0;
  });
});

test.each(bothDatabases)('integers, long texts and nulls come back as they went in, on %s', async (kind) => {
  const { db } = await openFresh(kind);
  const row = jobRow({ attempts: 2_147_483_647, payload: 'ä'.repeat(100_000), lane: '', error: null });

  await db.transaction((tx) => tx.insert(Job, row));

  expect(await db.read((reader) => reader.one('select * from job'))).toEqual(row);
});

/** How many commits a write-ahead log holds: frames that name the database's size after them (SQLite: WAL format). */
function commitsIn(wal: Buffer): number {
  const pageSize = wal.readUInt32BE(8);
  let commits = 0;
  for (let at = 32; at + 24 + pageSize <= wal.length; at += 24 + pageSize) {
    const isOfThisLog = wal.readUInt32BE(at + 8) === wal.readUInt32BE(16);
    if (isOfThisLog && wal.readUInt32BE(at + 4) > 0) commits += 1;
  }
  return commits;
}

async function cutConnections(url: string): Promise<number> {
  const client = new Client({ connectionString: url });
  await client.connect();
  const { rowCount } = await client.query(
    'select pg_terminate_backend(pid) from pg_stat_activity where datname = current_database() and pid <> pg_backend_pid()',
  );
  await client.end();
  return rowCount ?? 0;
}

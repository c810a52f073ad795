// The schema that the migrations make is the one that tables.ts describes; a second run does nothing; a killed one is begun again.
import { spawn } from 'node:child_process';
import { existsSync, statSync } from 'node:fs';
import type { EntitySchema } from 'typeorm';
import { Client } from 'pg';
import { describe, expect, onTestFinished, test } from 'vitest';
import { openDatabase, type Database } from '../../../src/db/database.ts';
import { migrations } from '../../../src/db/migrations.ts';
import { tables } from '../../../src/db/tables.ts';
import { bothDatabases, freshDatabase } from '../../support/databases.ts';
import { createWarningLog, insertJob, openFresh, storedPayloads } from '../../support/open-database.ts';
import { until } from '../../support/wait.ts';

interface Column {
  readonly name: string;
  readonly type: string;
  readonly nullable: boolean;
  /** Place in the primary key, from 1; 0 outside it. */
  readonly key: number;
}

/** What tables.ts says. */
function described({ options }: EntitySchema): Column[] {
  let place = 0;
  return Object.values(options.columns).map((column) => ({
    name: column!.name!,
    type: String(column!.type),
    nullable: column!.nullable === true,
    key: column!.primary === true ? (place += 1) : 0,
  }));
}

/** What the database has. */
async function built(db: Database, table: string): Promise<Column[]> {
  const rows = await db.read((reader) =>
    reader.query<{ name: string; type: string; nullable: number; key: number }>(
      db.kind === 'sqlite'
        ? `select name, lower(type) as type, 1 - "notnull" as nullable, pk as key from pragma_table_info(?)`
        : `select c.column_name as name, c.data_type as type, (c.is_nullable = 'YES')::int as nullable,
             coalesce(k.ordinal_position, 0)::int as key
           from information_schema.columns c
           left join information_schema.table_constraints t
             on t.table_schema = c.table_schema and t.table_name = c.table_name and t.constraint_type = 'PRIMARY KEY'
           left join information_schema.key_column_usage k
             on k.constraint_name = t.constraint_name and k.table_schema = c.table_schema
             and k.table_name = c.table_name and k.column_name = c.column_name
           where c.table_schema = 'public' and c.table_name = ?`,
      [table],
    ),
  );
  return rows.map((row) => ({ ...row, nullable: row.nullable === 1 }));
}

/** Every object of the schema with its definition, to hold one state against another. */
function everything(db: Database): Promise<unknown[]> {
  return db.read((reader) =>
    reader.query(
      db.kind === 'sqlite'
        ? `select type, name, sql from sqlite_master where name not like 'sqlite_%' order by name`
        : `select 'column' as type, table_name || '.' || column_name as name, data_type as sql
             from information_schema.columns where table_schema = 'public'
           union all select 'index', indexname, indexdef from pg_indexes where schemaname = 'public' order by 1, 2`,
    ),
  );
}

const byName = (left: Column, right: Column): number => left.name.localeCompare(right.name);

describe.each(bothDatabases)('on %s', (kind) => {
  test('from empty, the migrations make what tables.ts describes: columns, types, what may be null, keys', async () => {
    const { db } = await openFresh(kind);

    for (const table of tables) {
      const name = table.options.name;
      expect.soft((await built(db, name)).toSorted(byName), name).toEqual(described(table).toSorted(byName));
    }
  });

  test('a second run does nothing, and what was stored stays', async () => {
    const { db, fresh } = await openFresh(kind);
    await insertJob(db, 'stays');
    const before = await everything(db);
    const applied = (opened: Database) => opened.read((reader) => reader.query('select * from migrations order by id'));
    const first = await applied(db);
    await db.close();

    const again = await openDatabase({ url: fresh.url, log: createWarningLog().log });

    expect(first).toHaveLength(migrations.length);
    expect(await applied(again)).toEqual(first);
    expect(await everything(again)).toEqual(before);
    expect(await storedPayloads(again)).toEqual(['stays']);
    await again.close();
  });

  test('a database of a newer version is refused in plain words, and left as it is (D-06)', async () => {
    const { db, fresh } = await openFresh(kind);
    await db.transaction((tx) =>
      tx.query(`insert into migrations (timestamp, name) values (9000000000000, 'FromTheFuture9000000000000')`),
    );
    await insertJob(db, 'stays');
    await db.close();
    const { log } = createWarningLog();

    await expect(openDatabase({ url: fresh.url, log })).rejects.toThrow(
      'this database was written by a newer version of the app',
    );
    await expect(openDatabase({ url: fresh.url, log, beside: true })).rejects.toThrow('newer version');
  });

  test('a migration that fails in its middle leaves nothing of itself, and runs whole the next time (D-06)', async () => {
    const fresh = await freshDatabase(kind);
    onTestFinished(() => fresh.remove());
    const { log } = createWarningLog();
    const whole = await wholeSchema(kind);
    await execute(fresh.url, 'create table message (id text)');

    await expect(openDatabase({ url: fresh.url, log })).rejects.toThrow(/already exists/);
    await execute(fresh.url, 'drop table message');
    const db = await openDatabase({ url: fresh.url, log });

    expect(await everything(db)).toEqual(whole);
    await db.close();
  });
});

test('a first start killed at any moment is begun again and ends whole, on sqlite (D-06)', async () => {
  const whole = await wholeSchema('sqlite');
  for (const delayMs of [0, 4, 10]) {
    const fresh = await freshDatabase('sqlite');
    const wal = `${fresh.url.replace('sqlite:', '')}-wal`;

    const child = migrateInAProcess(fresh.url);
    await until(() => (existsSync(wal) && statSync(wal).size > 0) || child.exitCode !== null, 'the first write');
    await new Promise((resolve) => setTimeout(resolve, delayMs));
    await kill(child);
    const db = await openDatabase({ url: fresh.url, log: createWarningLog().log });

    expect(await everything(db), `killed after ${delayMs} ms`).toEqual(whole);
    await db.close();
    await fresh.remove();
  }
});

test('a first start killed in the middle of a migration is begun again and ends whole, on postgres (D-06)', async () => {
  const whole = await wholeSchema('postgres');
  const fresh = await freshDatabase('postgres');
  onTestFinished(() => fresh.remove());
  // An uncommitted table of the same name holds the migration up in its middle.
  const [holder, onlooker] = [1, 2].map(() => new Client({ connectionString: fresh.url }));
  await Promise.all([holder!.connect(), onlooker!.connect()]);
  await holder!.query('begin');
  await holder!.query('create table message (id text)');

  const child = migrateInAProcess(fresh.url);
  const isWaiting = async (): Promise<boolean> => {
    const { rows } = await onlooker!.query(
      `select 1 from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'`,
    );
    return rows.length > 0;
  };
  await until(isWaiting, 'the migration to wait', 20_000).finally(() => kill(child));
  await holder!.query('rollback');
  await Promise.all([holder!.end(), onlooker!.end()]);
  const db = await openDatabase({ url: fresh.url, log: createWarningLog().log });

  expect(await everything(db)).toEqual(whole);
  await db.close();
});

test('two processes that start on one empty database both end with the whole schema, on postgres', async () => {
  const whole = await wholeSchema('postgres');
  const fresh = await freshDatabase('postgres');
  onTestFinished(() => fresh.remove());

  const opened = await Promise.all([1, 2, 3].map(() => openDatabase({ url: fresh.url, log: createWarningLog().log })));

  expect(await everything(opened[0]!)).toEqual(whole);
  await Promise.all(opened.map((db) => db.close()));
});

async function wholeSchema(kind: 'sqlite' | 'postgres'): Promise<unknown[]> {
  const { db } = await openFresh(kind);
  return everything(db);
}

/** The operator's command, as a process of its own. */
function migrateInAProcess(url: string) {
  return spawn(process.execPath, ['dist/cli.js', 'migrate'], {
    env: {
      PATH: process.env.PATH,
      DATABASE_URL: url,
      PIPEDRIVE_CLIENT_ID: 'x',
      PIPEDRIVE_CLIENT_SECRET: 'test-client-secret',
    },
    stdio: 'ignore',
  });
}

async function kill(child: ReturnType<typeof migrateInAProcess>): Promise<void> {
  if (child.exitCode !== null) return;
  const gone = new Promise((resolve) => child.once('exit', resolve));
  child.kill('SIGKILL');
  await gone;
}

/** One statement, beside the app. */
async function execute(url: string, statement: string): Promise<void> {
  if (url.startsWith('sqlite:')) {
    const { default: Sqlite } = await import('better-sqlite3');
    const file = new Sqlite(url.replace('sqlite:', ''));
    file.exec(statement);
    file.close();
    return;
  }
  const client = new Client({ connectionString: url });
  await client.connect();
  await client.query(statement);
  await client.end();
}

// The connection and its transactions: the only way to the database, alike on SQLite and PostgreSQL.
// On SQLite the ORM has one connection, and transactions that overlap on it silently lose committed rows; so every write
// goes through one first-in-first-out writer there, and reads for screens use a second, read-only connection.
import { mkdirSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import Sqlite from 'better-sqlite3';
import { Client } from 'pg';
import { DataSource, type DataSourceOptions, type EntitySchema, type QueryRunner } from 'typeorm';
import type { Log } from '../base/log.ts';
import { migrations } from './migrations.ts';
import { tables } from './tables.ts';
import { createGrouping, createInsertGrouping } from './grouping.ts';
import { readerOf } from './statements.ts';
import { despiteDeadlocks, insideTransaction, inTransaction } from './transaction.ts';
import type { GatheredWrite, GroupReading, Reader, Tx, Value } from './tx.ts';

export type { GatheredWrite, Reader, Tx, Value };

export interface Database {
  readonly kind: 'sqlite' | 'postgres';
  /**
   * All of `work` or nothing of it. No network and no waiting inside. A nested call is an error. `work` is run again when
   * PostgreSQL ended it because it and another transaction waited for each other.
   */
  transaction<T>(work: (tx: Tx) => Promise<T>): Promise<T>;
  /** The same, but what is asked for at the same time shares one commit; one that fails, fails alone. For load. */
  grouped<T>(work: (tx: Tx) => Promise<T>): Promise<T>;
  /** The same for work that needs something read first: what meets in a group is read together, by the same `reading`. */
  groupedAfter<Item, Found, T>(
    reading: GroupReading<Item, Found>,
    item: Item,
    work: (tx: Tx, found: Found) => Promise<T>,
  ): Promise<T>;
  /** Inserts rows asked for at the same time in one statement and one commit; one that fails, fails alone. For intake. */
  insertGrouped<Row extends object>(table: EntitySchema<Row>, row: Row): Promise<void>;
  /** Reads what is committed. */
  read<T>(work: (reader: Reader) => Promise<T>): Promise<T>;
  /** Tells other processes on the same database; on SQLite there are none. */
  notify(topic: string, text: string): void;
  /** Hears what other processes tell. Returns a function that stops it. */
  listen(topic: string, hear: (text: string) => void): () => void;
  close(): Promise<void>;
}

export interface DatabaseOptions {
  /** `sqlite:PATH` or `postgres://…` */
  readonly url: string;
  readonly log: Log;
  /** A tool beside a running server: does not claim the file as its own and does not change the schema. */
  readonly beside?: boolean;
}

/** Opens the database and brings its schema up to date. Throws when the schema is newer than this program. */
export async function openDatabase(options: DatabaseOptions): Promise<Database> {
  return options.url.startsWith('postgres') ? openPostgres(options) : openSqlite(options);
}

async function openSqlite(options: DatabaseOptions): Promise<Database> {
  const path = resolve(options.url.replace(/^sqlite:/, ''));
  mkdirSync(dirname(path), { recursive: true });
  const unlock = options.beside ? () => undefined : claimFile(path);
  const common = { type: 'better-sqlite3', database: path, entities: tables, statementCacheSize: 500 } as const;
  const writer = new DataSource({
    ...common,
    migrations,
    migrationsTransactionMode: 'each',
    enableWAL: true,
    // The driver is compiled to lower this to NORMAL for WAL files, with the first access (stack.md; I-02).
    prepareDatabase: (database: Sqlite.Database) => {
      database.pragma('synchronous = FULL');
      // The driver waits for a lock without letting go of the event loop: a server refuses sooner than a tool (I-03).
      database.pragma(`busy_timeout = ${options.beside ? 10_000 : 2_000}`);
      database.pragma('secure_delete = ON');
      database.pragma('cache_size = -16000');
    },
  });
  let reader: DataSource | undefined;
  try {
    await writer.initialize();
    await migrate(writer, options);
    await writer.query('PRAGMA synchronous = FULL');
    reader = await new DataSource({
      ...common,
      readonly: true,
      prepareDatabase: (database: Sqlite.Database) => void database.pragma('busy_timeout = 10000'),
    }).initialize();
  } catch (error) {
    if (writer.isInitialized) await writer.destroy();
    unlock();
    throw error;
  }
  const opened = reader;

  let tail: Promise<unknown> = Promise.resolve();
  const exclusively = <T>(work: () => Promise<T>): Promise<T> => {
    const result = tail.then(work, work);
    tail = result.catch(() => undefined);
    return result;
  };
  const runner = writer.createQueryRunner();
  const readRunner = opened.createQueryRunner();
  return assemble({
    kind: 'sqlite',
    log: options.log,
    writers: 1,
    run: (work) => exclusively(() => inTransaction(runner, 'sqlite', options.log, work)),
    read: (work) => work(readerOf(readRunner, 'sqlite')),
    notify: () => undefined,
    listen: () => () => undefined,
    close: async () => {
      await runner.release();
      await readRunner.release();
      await opened.destroy();
      await writer.destroy();
      unlock();
    },
  });
}

/** Holds a lock that the operating system gives back when this process dies, however it dies (D-13). */
function claimFile(path: string): () => void {
  if (path.endsWith(':memory:')) return () => undefined;
  const lock = new Sqlite(`${path}.lock`, { timeout: 0 });
  try {
    lock.exec('BEGIN EXCLUSIVE');
  } catch (cause) {
    lock.close();
    throw new Error('another process is already using this database file', { cause });
  }
  return () => void lock.close();
}

async function openPostgres(options: DatabaseOptions): Promise<Database> {
  let closing = false;
  const common = {
    type: 'postgres',
    url: options.url,
    connectTimeoutMS: 3_000,
    // Without a listener a restart of the server ends this process.
    // While closing, the server may be quicker to hang up than the pool.
    poolErrorHandler: () => void (closing || options.log.warn('a database connection broke')),
  } as const satisfies DataSourceOptions;
  const connection = { connectionTimeoutMillis: 3_000, keepAlive: true };
  const source = new DataSource({
    ...common,
    entities: tables,
    migrations,
    migrationsTransactionMode: 'each',
    poolSize: 10,
    extra: { ...connection, options: '-c synchronous_commit=on' },
  });
  // Of its own, so that a read can neither write by mistake nor wait behind those who do.
  const reader = new DataSource({
    ...common,
    poolSize: 8,
    extra: { ...connection, options: '-c default_transaction_read_only=on' },
  });
  try {
    await source.initialize();
    await migrate(source, options);
    await reader.initialize();
  } catch (error) {
    for (const each of [source, reader]) if (each.isInitialized) await each.destroy();
    throw error;
  }
  const wires = openWires(options);
  return assemble({
    kind: 'postgres',
    log: options.log,
    // Each statement is a round trip: several groups at once keep the server busy.
    writers: 4,
    run: async (work) => {
      const runner = source.createQueryRunner();
      try {
        return await despiteDeadlocks(() => inTransaction(runner, 'postgres', options.log, work));
      } finally {
        await runner.release();
      }
    },
    read: async (work) => {
      const runner = reader.createQueryRunner();
      try {
        return await work(readerOf(runner, 'postgres'));
      } finally {
        await runner.release();
      }
    },
    notify: (topic, text) => {
      source
        .query('select pg_notify($1, $2)', [topic, text])
        .catch(() => void (closing || options.log.warn('could not notify')));
    },
    listen: wires.listen,
    close: async () => {
      closing = true;
      await wires.close();
      await reader.destroy();
      await source.destroy();
    },
  });
}

/** A connection of its own that hears `notify`; comes back by itself. Correctness never depends on it. */
function openWires(options: DatabaseOptions): { listen: Database['listen']; close: () => Promise<void> } {
  const hearers = new Map<string, Set<(text: string) => void>>();
  let client: Client | undefined;
  let isConnected = false;
  let closed = false;
  /** One statement after another: a client takes no second one before the first is answered. */
  let tail: Promise<unknown> = Promise.resolve();
  const subscribe = (connection: Client, topic: string): void => {
    tail = tail.then(() => connection.query(`listen ${topic}`)).catch(() => undefined);
  };
  const connect = async (): Promise<void> => {
    if (closed) return;
    const next = new Client({ connectionString: options.url, connectionTimeoutMillis: 3_000 });
    const again = (): void => {
      if (client !== next) return;
      client = undefined;
      isConnected = false;
      next.end().catch(() => undefined);
      if (!closed) setTimeout(() => void connect(), 500).unref();
    };
    client = next;
    next.on('error', again);
    next.on('end', again);
    next.on('notification', ({ channel, payload }) => hearers.get(channel)?.forEach((hear) => hear(payload ?? '')));
    try {
      await next.connect();
      isConnected = true;
      for (const topic of hearers.keys()) subscribe(next, topic);
    } catch {
      again();
    }
  };
  return {
    listen: (topic, hear) => {
      const known = hearers.get(topic);
      if (known) known.add(hear);
      else {
        hearers.set(topic, new Set([hear]));
        if (client && isConnected) subscribe(client, topic);
        else if (!client) void connect();
      }
      return () => void hearers.get(topic)?.delete(hear);
    },
    close: async () => {
      closed = true;
      await tail;
      await client?.end().catch(() => undefined);
    },
  };
}

async function migrate(source: DataSource, options: DatabaseOptions): Promise<void> {
  const postgres = source.options.type === 'postgres';
  const runner = source.createQueryRunner();
  try {
    // Several processes may start at once: one changes the schema, the others wait.
    if (postgres && !options.beside) await runner.query('select pg_advisory_lock(7210001)');
    await refuseNewerSchema(runner, postgres);
    if (!options.beside) await source.runMigrations();
  } finally {
    if (postgres && !options.beside) await runner.query('select pg_advisory_unlock(7210001)').catch(() => undefined);
    await runner.release();
  }
}

async function refuseNewerSchema(runner: QueryRunner, postgres: boolean): Promise<void> {
  const exists = (await runner.query(
    postgres
      ? `select 1 from information_schema.tables where table_schema = current_schema() and table_name = 'migrations'`
      : `select 1 from sqlite_master where type = 'table' and name = 'migrations'`,
  )) as unknown[];
  if (exists.length === 0) return;
  const known = new Set(migrations.map((migration) => migration.name));
  const applied = (await runner.query('select name from migrations')) as { name: string }[];
  if (applied.some(({ name }) => !known.has(name))) {
    throw new Error('this database was written by a newer version of the app; start that version, or restore a backup');
  }
}

interface Engine {
  readonly kind: 'sqlite' | 'postgres';
  readonly log: Log;
  /** How many groups may be written at the same time. */
  readonly writers: number;
  readonly run: <T>(work: (tx: Tx) => Promise<T>) => Promise<T>;
  readonly read: Database['read'];
  readonly notify: Database['notify'];
  readonly listen: Database['listen'];
  readonly close: () => Promise<void>;
}

function assemble(engine: Engine): Database {
  const grouped = createGrouping(engine);
  const insertGrouped = createInsertGrouping(engine);
  let closing: Promise<void> | undefined;
  const underWay = new Set<Promise<unknown>>();
  /** Lets nothing in once it closes, and remembers what is under way, so that closing waits for it. */
  const admit = <T>(work: () => Promise<T>): Promise<T> => {
    if (closing) return Promise.reject(new Error('the database is closed'));
    const result = work();
    underWay.add(result);
    const forget = (): void => void underWay.delete(result);
    result.then(forget, forget);
    return result;
  };
  const write = <T>(work: () => Promise<T>): Promise<T> =>
    insideTransaction.getStore() ? Promise.reject(new Error('a transaction is open already')) : admit(work);
  return {
    kind: engine.kind,
    transaction: (work) => write(() => engine.run(work)),
    grouped: (work) => write(() => grouped({ work })),
    groupedAfter: (reading, item, work) =>
      write(() => grouped({ reading: { read: reading as GroupReading<unknown, unknown>, item }, work: work as never })),
    insertGrouped: (table, row) => write(() => insertGrouped(table, row)),
    read: (work) => admit(() => engine.read(work)),
    notify: engine.notify,
    listen: engine.listen,
    close: () => (closing ??= Promise.allSettled(underWay).then(() => engine.close())),
  };
}

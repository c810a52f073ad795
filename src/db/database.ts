// The connection and its transactions: the only way to the database, alike on SQLite and PostgreSQL.
// On SQLite the ORM has one connection, and transactions that overlap on it silently lose committed rows; so every write
// goes through one first-in-first-out writer there, and reads for screens use a second, read-only connection.
import { AsyncLocalStorage, AsyncResource } from 'node:async_hooks';
import { createHash } from 'node:crypto';
import { mkdirSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import Sqlite from 'better-sqlite3';
import { Client, type ClientBase } from 'pg';
import { DataSource, type DataSourceOptions, type EntitySchema, type QueryRunner } from 'typeorm';
import type { Log } from '../base/log.ts';
import { migrations } from './migrations.ts';
import { tables } from './tables.ts';

export type Value = string | number | null;

export interface Reader {
  readonly kind: 'sqlite' | 'postgres';
  /**
   * Rows of one statement, columns in camelCase. `?` marks a parameter on both databases. `prepared` is for the few that run
   * with every message: PostgreSQL plans them once for each connection. They name their columns: what `*` stands for may
   * change under a statement that was prepared before another process changed the schema.
   */
  query<Row = Record<string, Value>>(
    sql: string,
    parameters?: readonly Value[],
    options?: { readonly prepared?: boolean },
  ): Promise<Row[]>;
  /** The first row, or nothing. */
  one<Row = Record<string, Value>>(
    sql: string,
    parameters?: readonly Value[],
    options?: { readonly prepared?: boolean },
  ): Promise<Row | undefined>;
}

export interface Tx extends Reader {
  /** Inserts whole rows. With `orIgnore` a row that breaks a unique rule is left out, silently. */
  insert<Row extends object>(
    table: EntitySchema<Row>,
    rows: Row | readonly Row[],
    options?: { orIgnore?: boolean },
  ): Promise<void>;
  /**
   * Hands a row to `write` together with all that are handed to it until something else is asked of the transaction, or its
   * end: many of one kind become one statement. Kinds are written in the order in which they were first handed over.
   */
  gather<Row>(write: GatheredWrite<Row>, row: Row): void;
  /** Runs `work` as the last thing before the commit, once for each `key`. */
  beforeCommit(key: string, work: (tx: Tx) => Promise<void>): void;
  /** Runs `work` after the commit, and never otherwise. What it throws is logged: committed is committed. */
  afterCommit(work: () => void): void;
}

/** Writes rows that were gathered. It is told apart from others by its identity: a function of a module, not of a call. */
export type GatheredWrite<Row> = (tx: Pick<Tx, 'kind' | 'query' | 'insert'>, rows: readonly Row[]) => Promise<void>;

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

/** Reads for all items of a group at once; each of them may change what the next one finds. */
export type GroupReading<Item, Found> = (tx: Tx, items: readonly Item[]) => Promise<Found>;

export interface DatabaseOptions {
  /** `sqlite:PATH` or `postgres://…` */
  readonly url: string;
  readonly log: Log;
  /** A tool beside a running server: does not claim the file as its own and does not change the schema. */
  readonly beside?: boolean;
}

const maxGroup = 256;
/** Several writers take no fewer than this each, so that a commit stays worth its flush. */
const leastGroup = 16;
const insideTransaction = new AsyncLocalStorage<true>();

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

/**
 * Whether the database itself is out of order (gone, full, locked, read-only) rather than one piece of work: then a group is
 * refused as it is, at once, since each of its parts alone would fail the same way, and each after a wait of its own (I-03).
 * Codes: PostgreSQL's classes 08, 53, 55, 57; SQLite's result codes; the network's. `pg` gives none when a connection ends.
 */
function isOutage(error: unknown): boolean {
  const cause = (error as { driverError?: unknown } | null)?.driverError ?? error;
  const { code, message } = (cause ?? {}) as { code?: unknown; message?: unknown };
  if (typeof code === 'string') {
    return /^(08|53|55|57)|^SQLITE_(FULL|IOERR|BUSY|LOCKED|READONLY|CANTOPEN|CORRUPT|NOMEM)|^E[A-Z]+$/.test(code);
  }
  return (
    typeof message === 'string' && /^(Connection terminated|timeout exceeded when trying to connect)/.test(message)
  );
}

/** PostgreSQL's code, when it is PostgreSQL that refused. */
function codeOf(error: unknown): unknown {
  return (error as { driverError?: { code?: unknown } } | null)?.driverError?.code;
}

/** Two that wait for each other are not a fault of either: PostgreSQL ends one of them, which goes second then (40P01). */
async function despiteDeadlocks<T>(run: () => Promise<T>): Promise<T> {
  for (let left = 3; ; left -= 1) {
    try {
      return await run();
    } catch (error) {
      if (left === 0 || codeOf(error) !== '40P01') throw error;
    }
  }
}

/** What it wanted to store, another transaction has stored meanwhile (23505): the next look finds it. */
function wasOvertaken(error: unknown): boolean {
  return codeOf(error) === '23505';
}

interface Asked<T> {
  readonly reading?: { readonly read: GroupReading<unknown, unknown>; readonly item: unknown };
  readonly work: (tx: Tx, found?: unknown) => Promise<T>;
}

interface Waiting extends Asked<unknown> {
  readonly resolve: (value: unknown) => void;
  readonly reject: (error: unknown) => void;
}

/**
 * Collects what arrives while a group is being written. A group in which one fails is run again one by one; one that stands
 * alone is run again only when what it had read was old.
 */
function createGrouping(engine: Engine): <T>(asked: Asked<T>) => Promise<T> {
  const waiting: Waiting[] = [];
  let writers = 0;
  const groupSize = (): number => Math.min(maxGroup, Math.max(leastGroup, Math.ceil(waiting.length / engine.writers)));
  const runAll = async (tx: Tx, group: readonly Waiting[]): Promise<unknown[]> => {
    const found = new Map<unknown, unknown>();
    const results: unknown[] = [];
    for (const { reading, work } of group) {
      if (reading && !found.has(reading.read)) {
        const items = group.flatMap((other) => (other.reading?.read === reading.read ? [other.reading.item] : []));
        found.set(reading.read, await reading.read(tx, items));
      }
      results.push(await work(tx, found.get(reading?.read)));
    }
    return results;
  };
  const alone = async (item: Waiting): Promise<void> => {
    try {
      item.resolve((await engine.run((tx) => runAll(tx, [item])))[0]);
    } catch (error) {
      item.reject(error);
    }
  };
  const drain = async (): Promise<void> => {
    writers += 1;
    await new Promise(setImmediate);
    while (waiting.length > 0) {
      const group = waiting.splice(0, groupSize());
      try {
        const results = await engine.run((tx) => runAll(tx, group));
        group.forEach((item, index) => item.resolve(results[index]));
      } catch (error) {
        if ((group.length === 1 && !wasOvertaken(error)) || isOutage(error))
          group.forEach((item) => item.reject(error));
        else for (const item of group) await alone(item);
      }
    }
    writers -= 1;
  };
  return <T>({ work, ...asked }: Asked<T>) =>
    new Promise<T>((resolve, reject) => {
      // Whoever starts the group must not lend his surroundings (correlation id, company) to those who join it.
      const bound = AsyncResource.bind((tx: Tx, found?: unknown) => insideTransaction.run(true, () => work(tx, found)));
      waiting.push({ ...asked, work: bound, resolve: resolve as (value: unknown) => void, reject });
      if (writers < engine.writers) void drain();
    });
}

interface WaitingRow {
  readonly table: EntitySchema<object>;
  readonly row: object;
  readonly resolve: () => void;
  readonly reject: (error: unknown) => void;
}

function createInsertGrouping(
  engine: Engine,
): <Row extends object>(table: EntitySchema<Row>, row: Row) => Promise<void> {
  const waiting: WaitingRow[] = [];
  let writing = false;
  const write = async (rows: readonly WaitingRow[]): Promise<void> => {
    try {
      await engine.run(async (tx) => {
        for (const table of new Set(rows.map((item) => item.table))) {
          const ofTable = rows.filter((item) => item.table === table).map((item) => item.row);
          await tx.insert(table, ofTable);
        }
      });
      rows.forEach((item) => item.resolve());
    } catch (error) {
      if (rows.length === 1 || isOutage(error)) return rows.forEach((item) => item.reject(error));
      const middle = Math.ceil(rows.length / 2);
      await write(rows.slice(0, middle));
      await write(rows.slice(middle));
    }
  };
  const drain = async (): Promise<void> => {
    writing = true;
    await new Promise(setImmediate);
    while (waiting.length > 0) await write(waiting.splice(0, maxGroup));
    writing = false;
  };
  return (table, row) =>
    new Promise((resolve, reject) => {
      waiting.push({ table: table, row, resolve, reject });
      if (!writing) void drain();
    });
}

interface OpenTx extends Tx {
  finish(): Promise<void>;
  committed(): void;
}

async function inTransaction<T>(
  runner: QueryRunner,
  kind: Reader['kind'],
  log: Log,
  work: (tx: Tx) => Promise<T>,
): Promise<T> {
  const tx = openTx(runner, kind, log);
  await runner.startTransaction();
  let result: T;
  try {
    result = await insideTransaction.run(true, async () => {
      const value = await work(tx);
      await tx.finish();
      return value;
    });
    await runner.commitTransaction();
  } catch (error) {
    if (runner.isTransactionActive) await runner.rollbackTransaction().catch(() => forgetTransaction(runner));
    throw error;
  }
  tx.committed();
  return result;
}

/**
 * After some errors (a full disk, a failing one) SQLite has rolled back by itself, and rolling back again is an error. The
 * ORM then goes on counting the lost transaction as open: the next would be a savepoint inside nothing, and its rows lost.
 */
function forgetTransaction(runner: QueryRunner): void {
  Object.assign(runner, { isTransactionActive: false, transactionDepth: 0 });
}

function openTx(runner: QueryRunner, kind: Reader['kind'], log: Log): OpenTx {
  const before = new Map<string, (tx: Tx) => Promise<void>>();
  const after: (() => void)[] = [];
  const gathered = new Map<GatheredWrite<never>, unknown[]>();
  const reader = readerOf(runner, kind);
  const insert: Tx['insert'] = async (table, rows, options) => {
    const values = (Array.isArray(rows) ? rows : [rows]) as never[];
    if (values.length === 0) return;
    const insertion = runner.manager.createQueryBuilder().insert().into(table).values(values).updateEntity(false);
    await (options?.orIgnore ? insertion.orIgnore() : insertion).execute();
  };
  /** Whatever is asked sees what was gathered before. */
  const settled = async (): Promise<void> => {
    for (const [write, rows] of gathered) {
      gathered.delete(write);
      await write({ kind, query: reader.query, insert }, rows as never[]);
    }
  };
  const query: Reader['query'] = async (sql, parameters, options) => {
    if (gathered.size > 0) await settled();
    return reader.query(sql, parameters, options);
  };
  const tx: OpenTx = {
    kind,
    query,
    one: async (sql, parameters, options) => (await query<never>(sql, parameters, options))[0],
    insert: async (table, rows, options) => {
      if (gathered.size > 0) await settled();
      await insert(table, rows, options);
    },
    gather: (write, row) => {
      const known = gathered.get(write);
      if (known) known.push(row);
      else gathered.set(write, [row]);
    },
    beforeCommit: (key, work) => void (before.has(key) || before.set(key, work)),
    afterCommit: (work) => void after.push(work),
    finish: async () => {
      for (const [key, work] of before) {
        before.delete(key);
        await work(tx);
      }
      await settled();
    },
    committed: () => {
      for (const work of after) {
        try {
          work();
        } catch (error) {
          log.error({ err: error }, 'what was to follow a commit failed');
        }
      }
    },
  };
  return tx;
}

function readerOf(runner: QueryRunner, kind: Reader['kind']): Reader {
  const query: Reader['query'] = async (sql, parameters = [], { prepared = false } = {}) => {
    const rows: unknown =
      kind === 'postgres' && prepared
        ? await preparedQuery(runner, sql, parameters)
        : await runner.query(kind === 'postgres' ? numbered(sql) : sql, [...parameters]);
    // For `update … returning` the PostgreSQL driver answers [rows, count].
    const list = Array.isArray(rows) && rows.length === 2 && Array.isArray(rows[0]) ? (rows[0] as unknown[]) : rows;
    return (Array.isArray(list) ? list : []).map((row) => camelRow(row as Record<string, unknown>)) as never[];
  };
  return { kind, query, one: async (sql, parameters, options) => (await query<never>(sql, parameters, options))[0] };
}

/** The ORM has no way to name a statement; its connection is the driver's own. */
async function preparedQuery(runner: QueryRunner, sql: string, parameters: readonly Value[]): Promise<unknown[]> {
  const client = (await runner.connect()) as ClientBase;
  let name = preparedNames.get(sql);
  if (name === undefined) {
    name = `inbox-${createHash('sha256').update(sql).digest('base64url').slice(0, 20)}`;
    preparedNames.set(sql, name);
  }
  const { rows } = await client.query<object>({ name, text: numbered(sql), values: [...parameters] });
  return rows;
}

const preparedNames = new Map<string, string>();

const numberedStatements = new Map<string, string>();

function numbered(sql: string): string {
  let known = numberedStatements.get(sql);
  if (known === undefined) {
    let count = 0;
    known = sql.replace(/\?/g, () => `$${++count}`);
    if (numberedStatements.size < 2_000) numberedStatements.set(sql, known);
  }
  return known;
}

const camelNames = new Map<string, string>();

function camelRow(row: Record<string, unknown>): Record<string, unknown> {
  const result: Record<string, unknown> = {};
  for (const name in row) {
    let camel = camelNames.get(name);
    if (camel === undefined) {
      camel = name.replace(/_([a-z0-9])/g, (_, letter: string) => letter.toUpperCase());
      camelNames.set(name, camel);
    }
    result[camel] = row[name];
  }
  return result;
}

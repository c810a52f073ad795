// One transaction on one connection: what gathers in it, what comes before its commit, and what after.
import { AsyncLocalStorage } from 'node:async_hooks';
import type { QueryRunner } from 'typeorm';
import type { Log } from '../base/log.ts';
import type { GatheredWrite, Reader, Tx } from './tx.ts';
import { wasDeadlock } from './refusals.ts';
import { readerOf } from './statements.ts';

/** Set for whatever runs inside one: a second one inside it would wait for the first for ever. */
export const insideTransaction = new AsyncLocalStorage<true>();

interface OpenTx extends Tx {
  finish(): Promise<void>;
  committed(): void;
}

export async function inTransaction<T>(
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

/** Two that wait for each other are not a fault of either: PostgreSQL ends one of them, which goes second then. */
export async function despiteDeadlocks<T>(run: () => Promise<T>): Promise<T> {
  for (let left = 3; ; left -= 1) {
    try {
      return await run();
    } catch (error) {
      if (left === 0 || !wasDeadlock(error)) throw error;
    }
  }
}

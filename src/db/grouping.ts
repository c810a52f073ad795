// Work that is asked for at the same time shares one transaction, and one commit; what fails in it fails alone.
import { AsyncResource } from 'node:async_hooks';
import type { EntitySchema } from 'typeorm';
import type { GroupReading, Tx } from './tx.ts';
import { isOutage, wasOvertaken } from './refusals.ts';
import { insideTransaction } from './transaction.ts';

const maxGroup = 256;
/** Several writers take no fewer than this each, so that a commit stays worth its flush. */
const leastGroup = 16;

interface Engine {
  /** How many groups may be written at the same time. */
  readonly writers: number;
  readonly run: <T>(work: (tx: Tx) => Promise<T>) => Promise<T>;
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
export function createGrouping(engine: Engine): <T>(asked: Asked<T>) => Promise<T> {
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

export function createInsertGrouping(
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

// Transactions: none of them mixes with another, whatever overlaps (storage traps 1 and 3; D-01, D-02).
import { setTimeout as pause } from 'node:timers/promises';
import { describe, expect, test } from 'vitest';
import { correlationId, withContext } from '../../../src/base/log.ts';
import type { GatheredWrite } from '../../../src/db/database.ts';
import { Job } from '../../../src/db/tables.ts';
import { bothDatabases } from '../../support/databases.ts';
import { insertJob, jobRow, openFresh, storedPayloads } from '../../support/open-database.ts';

describe.each(bothDatabases)('on %s', (kind) => {
  test('no committed row is lost to a neighbour that rolls back: forty at once, the odd ones throw, plain writes between them (D-01)', async () => {
    const { db } = await openFresh(kind);
    const numbers = Array.from({ length: 40 }, (_, index) => index);

    const overlapping = numbers.map((number) =>
      db.transaction(async (tx) => {
        await tx.insert(Job, jobRow({ payload: `transaction ${number}` }));
        await pause(number % 4);
        if (number % 2 === 1) throw new Error('changed its mind');
      }),
    );
    const plain = numbers.map((number) => insertJob(db, `plain ${number}`));
    const outcomes = await Promise.allSettled([...overlapping, ...plain]);

    const even = numbers.filter((number) => number % 2 === 0).map((number) => `transaction ${number}`);
    const stored = await storedPayloads(db);
    expect(stored.toSorted()).toEqual([...even, ...numbers.map((number) => `plain ${number}`)].toSorted());
    expect(outcomes.map(({ status }) => status === 'fulfilled')).toEqual([
      ...numbers.map((number) => number % 2 === 0),
      ...numbers.map(() => true),
    ]);
  });

  test('one that finishes inside the time of another stays when that other rolls back', async () => {
    const { db } = await openFresh(kind);
    let release = (): void => undefined;
    const released = new Promise<void>((resolve) => (release = resolve));

    const first = db.transaction(async (tx) => {
      await tx.insert(Job, jobRow({ payload: 'first' }));
      await released;
      throw new Error('changed its mind');
    });
    const second = insertJob(db, 'second');
    await pause(5);
    release();

    await expect(first).rejects.toThrow('changed its mind');
    await second;
    expect(await storedPayloads(db)).toEqual(['second']);
  });

  test('nobody reads what is not committed (D-02)', async () => {
    const { db } = await openFresh(kind);
    const sightings: number[] = [];

    const outcome = db
      .transaction(async (tx) => {
        for (let number = 0; number < 20; number += 1) {
          await tx.insert(Job, jobRow());
          await pause(1);
        }
        throw new Error('changed its mind');
      })
      .catch((error: Error) => error.message);
    let open = true;
    void outcome.then(() => (open = false));
    while (open) {
      sightings.push((await storedPayloads(db)).length);
      await pause(0);
    }

    expect(await outcome).toBe('changed its mind');
    expect(sightings.length).toBeGreaterThan(3);
    expect(new Set([...sightings, (await storedPayloads(db)).length])).toEqual(new Set([0]));
  });

  test('a transaction inside a transaction is an error, in all three ways to write, and the outer one goes on', async () => {
    const { db } = await openFresh(kind);

    await db.transaction(async (tx) => {
      await expect(db.transaction(() => Promise.resolve())).rejects.toThrow('a transaction is open already');
      await expect(db.grouped(() => Promise.resolve())).rejects.toThrow('a transaction is open already');
      await expect(db.insertGrouped(Job, jobRow())).rejects.toThrow('a transaction is open already');
      await tx.insert(Job, jobRow({ payload: 'outer' }));
    });
    await db.grouped(async (tx) => {
      await expect(db.transaction(() => Promise.resolve())).rejects.toThrow('a transaction is open already');
      await tx.insert(Job, jobRow({ payload: 'grouped' }));
    });

    expect(await storedPayloads(db)).toEqual(['outer', 'grouped']);
  });

  test('the reader cannot write', async () => {
    const { db } = await openFresh(kind);

    const written = db.read((reader) =>
      reader.query(
        `insert into job (id, task, payload, run_at, attempts, created_at) values ('1', 't', '{}', 'x', 0, 'x')`,
      ),
    );

    await expect(written).rejects.toThrow(/readonly|read-only/);
    expect(await storedPayloads(db)).toEqual([]);
  });

  test('what was to follow the commit follows it, and never a rollback', async () => {
    const { db } = await openFresh(kind);
    const heard: string[] = [];

    await db.transaction(async (tx) => {
      tx.afterCommit(() => heard.push('after'));
      tx.beforeCommit('last', () => Promise.resolve(void heard.push('before')));
      tx.beforeCommit('last', () => Promise.resolve(void heard.push('the same key, once')));
      await tx.insert(Job, jobRow());
      heard.push('work');
    });
    const failed = db.transaction((tx) => {
      tx.afterCommit(() => heard.push('after a rollback'));
      return Promise.reject(new Error('changed its mind'));
    });
    const failedLast = db.transaction((tx) => {
      tx.afterCommit(() => heard.push('after a failed last step'));
      tx.beforeCommit('last', () => Promise.reject(new Error('not numbered')));
      return tx.insert(Job, jobRow());
    });

    await expect(failed).rejects.toThrow('changed its mind');
    await expect(failedLast).rejects.toThrow('not numbered');
    expect(heard).toEqual(['work', 'before', 'after']);
    expect(await storedPayloads(db)).toHaveLength(1);
  });

  test('a listener that throws does not make a committed transaction look like a failed one', async () => {
    const { db, warnings } = await openFresh(kind);
    const heard: string[] = [];

    const one = db.grouped((tx) => {
      tx.afterCommit(() => {
        throw new Error('a listener broke');
      });
      return tx.insert(Job, jobRow({ payload: 'one' }));
    });
    const two = db.grouped((tx) => {
      tx.afterCommit(() => heard.push('two'));
      return tx.insert(Job, jobRow({ payload: 'two' }));
    });
    await Promise.all([one, two]);

    expect(await storedPayloads(db)).toEqual(['one', 'two']);
    expect(heard).toEqual(['two']);
    expect(warnings.splice(0).map((line) => JSON.parse(line) as unknown)).toMatchObject([
      { level: 'error', msg: 'what was to follow a commit failed', err: { message: 'a listener broke' } },
    ]);
  });

  test('a group is one commit; one bad piece of work fails alone, and its neighbours are stored (trap 3, I-06)', async () => {
    const { db } = await openFresh(kind);
    const runs = new Map<number, number>();

    const outcomes = await Promise.allSettled(
      Array.from({ length: 20 }, (_, number) =>
        db.grouped(async (tx) => {
          runs.set(number, (runs.get(number) ?? 0) + 1);
          await tx.insert(Job, jobRow({ payload: `work ${number}` }));
          if (number === 7) await tx.query('select * from no_such_table');
          return number * 10;
        }),
      ),
    );

    expect(outcomes.map((outcome) => (outcome.status === 'fulfilled' ? outcome.value : 'failed'))).toEqual(
      Array.from({ length: 20 }, (_, number) => (number === 7 ? 'failed' : number * 10)),
    );
    expect(await storedPayloads(db)).toHaveLength(19);
    // Taken up together, then one by one.
    expect(runs.get(0)).toBe(2);
  });

  test('rows that are gathered are written together: before whatever is asked next, at the latest with the commit, and each or none of its work', async () => {
    const { db } = await openFresh(kind);
    const written: string[][] = [];
    const write: GatheredWrite<string> = async (tx, payloads) => {
      written.push([...payloads]);
      await tx.insert(
        Job,
        payloads.map((payload) => jobRow({ payload })),
      );
      if (payloads.includes('bad')) throw new Error('one of them is bad');
    };

    const seen = await db.transaction(async (tx) => {
      tx.gather(write, 'one');
      tx.gather(write, 'two');
      const rows = await tx.query<{ payload: string }>('select payload from job');
      tx.gather(write, 'three');
      return rows.map(({ payload }) => payload).toSorted();
    });

    expect(seen).toEqual(['one', 'two']);
    expect(written.splice(0)).toEqual([['one', 'two'], ['three']]);

    const inGroup = ['four', 'bad', 'five'].map((payload) =>
      db.grouped((tx) => Promise.resolve(tx.gather(write, payload))),
    );
    const outcomes = await Promise.allSettled(inGroup);

    expect(outcomes.map(({ status }) => status)).toEqual(['fulfilled', 'rejected', 'fulfilled']);
    expect(written).toEqual([['four', 'bad', 'five'], ['four'], ['bad'], ['five']]);
    expect((await storedPayloads(db)).toSorted()).toEqual(['five', 'four', 'one', 'three', 'two']);
  });

  test('of rows inserted in a group a bad one fails alone, for every place it may have (trap 3, I-06)', async () => {
    const { db } = await openFresh(kind);
    for (const bad of [0, 1, 9, 18, 19]) {
      const rows = Array.from({ length: 20 }, (_, number) =>
        jobRow({ payload: `row ${number}`, ...(number === bad ? { task: null as never } : {}) }),
      );

      const outcomes = await Promise.allSettled(rows.map((row) => db.insertGrouped(Job, row)));

      expect(outcomes.flatMap(({ status }, index) => (status === 'rejected' ? [index] : []))).toEqual([bad]);
      expect((await storedPayloads(db)).toSorted()).toEqual(
        rows.flatMap(({ payload }, index) => (index === bad ? [] : [payload])).toSorted(),
      );
      await db.transaction((tx) => tx.query('delete from job'));
    }
  });

  test('work done in a group keeps the surroundings of whoever asked for it, not of the first in the group (O3)', async () => {
    const { db } = await openFresh(kind);

    const seen = await Promise.all(
      ['a', 'b', 'c'].map((id) =>
        withContext({ correlationId: id }, () => db.grouped(() => Promise.resolve(correlationId()))),
      ),
    );

    expect(seen).toEqual(['a', 'b', 'c']);
  });

  test('when the database has rolled back by itself, as after an error of the disk, what follows is stored all the same (D-08)', async () => {
    const { db } = await openFresh(kind);

    const lost = db.transaction(async (tx) => {
      await tx.insert(Job, jobRow({ payload: 'lost' }));
      await tx.query('rollback');
      throw new Error('disk I/O error');
    });
    await expect(lost).rejects.toThrow('disk I/O error');
    await insertJob(db, 'first');
    await expect(
      db.transaction(async (tx) => {
        await tx.insert(Job, jobRow({ payload: 'changed its mind' }));
        throw new Error('changed its mind');
      }),
    ).rejects.toThrow('changed its mind');
    await insertJob(db, 'second');

    expect(await storedPayloads(db)).toEqual(['first', 'second']);
  });

  test('after closing nothing is written any more, and what was asked for before is', async () => {
    const { db } = await openFresh(kind);
    const before = insertJob(db, 'before');
    await db.close();

    await before;
    await expect(insertJob(db, 'after')).rejects.toThrow('the database is closed');
  });
});

test('on sqlite writes keep the order they were asked for in, whichever way they were asked for', async () => {
  const { db } = await openFresh('sqlite');
  const numbers = Array.from({ length: 50 }, (_, number) => number);

  await Promise.all(numbers.map((number) => insertJob(db, String(number))));
  await Promise.all(
    numbers.map((number) => db.grouped((tx) => tx.insert(Job, jobRow({ payload: `group ${number}` })))),
  );

  expect(await storedPayloads(db)).toEqual([...numbers.map(String), ...numbers.map((number) => `group ${number}`)]);
});

test('on postgres two transactions that wait for each other both come to their end', async () => {
  const { db } = await openFresh('postgres');
  await db.transaction((tx) => tx.insert(Job, [jobRow({ id: 'left' }), jobRow({ id: 'right' })]));
  let waiting = 2;
  let meet = (): void => undefined;
  const met = new Promise<void>((resolve) => (meet = resolve));
  const bothIn = (ids: readonly [string, string]): Promise<void> =>
    db.transaction(async (tx) => {
      await tx.query('update job set attempts = attempts + 1 where id = ?', [ids[0]]);
      waiting -= 1;
      if (waiting === 0) meet();
      await met;
      await tx.query('update job set attempts = attempts + 1 where id = ?', [ids[1]]);
    });

  await Promise.all([bothIn(['left', 'right']), bothIn(['right', 'left'])]);

  expect(await db.read((reader) => reader.query('select id, attempts from job order by id'))).toEqual([
    { id: 'left', attempts: 2 },
    { id: 'right', attempts: 2 },
  ]);
  // One of them ran twice.
  expect(waiting).toBe(-1);
});

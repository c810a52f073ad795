// In which order jobs run: lanes, batches, several workers; and that looking for the next costs little (O-01, O-03).
import { setTimeout as pause } from 'node:timers/promises';
import { describe, expect, test } from 'vitest';
import { UpstreamError } from '../../../src/base/errors.ts';
import type { JobRow } from '../../../src/db/tables.ts';
import { claim } from '../../../src/jobs/queue.ts';
import { bothDatabases } from '../../support/databases.ts';
import { until } from '../../support/wait.ts';
import { workshop } from '../../support/workshop.ts';

describe.each(bothDatabases)('on %s', (kind) => {
  test('batches of one task come one after the other, over two processes too: what came later does not overtake (O-01)', async () => {
    const { state, enqueue, enqueueTogether, newWorker, empty } = await workshop(kind);
    const ran: string[] = [];
    state.run = (word) => Promise.resolve(void ran.push(word));
    const batches: string[][] = [];
    const ends: (() => void)[] = [];
    state.runBatch = (words) => {
      batches.push([...words]);
      return new Promise((resolve) => ends.push(resolve));
    };
    await enqueueTogether('one', 'two');
    newWorker().start();
    newWorker().start();
    await until(() => batches.length === 1, 'the first batch');

    await enqueueTogether('three');
    // Whoever took this one has passed over the third.
    await enqueue('later');
    await until(() => ran.length === 1, 'the one that came later');
    expect(batches).toEqual([['one', 'two']]);
    ends[0]!();
    await until(() => batches.length === 2, 'the second batch');
    ends[1]!();
    await empty();

    expect(batches).toEqual([['one', 'two'], ['three']]);
  });

  test('the jobs of a lane run one by one in the order they were enqueued, and lanes run side by side (O-03)', async () => {
    const { state, enqueue, newWorker, empty } = await workshop(kind);
    const ran: string[] = [];
    const inside = new Map<string, number>();
    let most = 0;
    state.run = async (word) => {
      const lane = word[0]!;
      inside.set(lane, (inside.get(lane) ?? 0) + 1);
      expect(inside.get(lane)).toBe(1);
      most = Math.max(
        most,
        [...inside.values()].reduce((sum, count) => sum + count),
      );
      await pause(word.charCodeAt(0) % 3);
      inside.set(lane, 0);
      ran.push(word);
    };
    const lanes = ['a', 'b', 'c', 'd', 'e'];
    const words = Array.from({ length: 12 }, (_, index) => lanes.map((lane) => `${lane}${index}`)).flat();
    for (const word of words) await enqueue(word, { lane: word[0]! });

    newWorker().start();
    await empty();

    for (const lane of lanes) {
      expect(ran.filter((word) => word.startsWith(lane))).toEqual(words.filter((word) => word.startsWith(lane)));
    }
    expect(most).toBeGreaterThan(1);
  });

  test('two workers never run one job twice, nor two of one lane at once, and keep its order (O-03)', async () => {
    const { state, enqueue, newWorker, empty } = await workshop(kind);
    const ran: string[] = [];
    const busy = new Set<string>();
    state.run = async (word) => {
      const lane = word.split(' ')[0]!;
      expect(busy.has(lane)).toBe(false);
      busy.add(lane);
      await pause(1);
      busy.delete(lane);
      ran.push(word);
    };
    newWorker().start();
    newWorker().start();

    const words = Array.from({ length: 60 }, (_, index) => `${index % 6} ${index}`);
    for (const word of words) await enqueue(word, { lane: word.split(' ')[0]! });
    await empty();

    expect(ran.toSorted()).toEqual(words.toSorted());
    for (const lane of ['0', '1', '2', '3', '4', '5']) {
      expect(ran.filter((word) => word.startsWith(`${lane} `))).toEqual(
        words.filter((word) => word.startsWith(`${lane} `)),
      );
    }
  });

  test('a head that fails holds its lane and no other; the rest follows once it has succeeded', async () => {
    const { state, enqueue, newWorker, empty, clock, warnings } = await workshop(kind);
    const ran: string[] = [];
    let broken = true;
    state.run = (word) => {
      if (word === 'stuck 1' && broken) return Promise.reject(new UpstreamError('twilio', 'retry', { reason: 'rate' }));
      ran.push(word);
      return Promise.resolve();
    };
    for (const word of ['stuck 1', 'stuck 2', 'free 1', 'stuck 3', 'free 2']) {
      await enqueue(word, { lane: word.split(' ')[0]! });
    }

    newWorker().start();
    await until(() => ran.length === 2, 'the free lane');
    expect(ran).toEqual(['free 1', 'free 2']);
    broken = false;
    clock.advance(3_600_000);
    await empty();

    expect(ran).toEqual(['free 1', 'free 2', 'stuck 1', 'stuck 2', 'stuck 3']);
    expect(warnings.splice(0)).toEqual([]);
  });

  test('a lane that waits for its head’s next try costs no looks: nothing is asked of the database meanwhile', async () => {
    const { db, state, enqueue, newWorker, rows } = await workshop(kind);
    state.run = () => Promise.reject(new UpstreamError('twilio', 'retry', { retryAfterMs: 600_000 }));
    await enqueue('head', { lane: 'a' });
    await enqueue('behind', { lane: 'a' });
    newWorker().start();
    await until(async () => (await rows()).every(({ leaseUntil }) => leaseUntil === null), 'the first try');

    let looks = 0;
    const { transaction } = db;
    Object.assign(db, { transaction: (work: never) => ((looks += 1), transaction(work)) });
    await pause(400);

    // Looking every 5 ms, as it would if what stands behind the head counted as due, would be 80 times.
    expect(looks).toBeLessThanOrEqual(10);
    Object.assign(db, { transaction });
  });

  test('jobs of a batch task run together; when the whole fails they fall apart, and the bad one fails alone', async () => {
    const { state, enqueueTogether, newWorker, rows, warnings } = await workshop(kind);
    const batches: (readonly string[])[] = [];
    state.runBatch = (words) => {
      batches.push(words);
      return words.includes('bad') ? Promise.reject(new Error('one of them is bad')) : Promise.resolve();
    };
    await enqueueTogether('a', 'b', 'c');
    newWorker().start();
    await until(async () => (await rows()).length === 0, 'the first batch');
    await enqueueTogether('d', 'bad', 'e');
    await until(async () => {
      const left = await rows();
      return left.length === 1 && left[0]!.leaseUntil === null;
    }, 'the neighbours of the bad one');

    expect(batches.slice(0, 5)).toEqual([['a', 'b', 'c'], ['d', 'bad', 'e'], ['d'], ['bad'], ['e']]);
    expect((await rows())[0]!.payload).toContain('bad');
    expect(warnings.splice(0)).toContain('warn: job will be tried again');
  });

  test('a backlog does not make a look dearer: what is taken is found without reading all that waits', async () => {
    const { db, clock } = await workshop(kind);
    const at = (ms: number): string => new Date(clock.ms() + ms).toISOString();
    const waits = (count: number): Promise<unknown> =>
      db.transaction((tx) =>
        tx.query(
          kind === 'sqlite'
            ? `with recursive n(i) as (select 1 union all select i + 1 from n where i < ${count})
               insert into job (id, task, payload, lane, run_at, attempts, created_at)
               select printf('${count} %08d', i), 'x', '{}', 'lane ' || (i % 400), ?, 0, ? from n`
            : `insert into job (id, task, payload, lane, run_at, attempts, created_at)
               select '${count} ' || lpad(i::text, 8, '0'), 'x', '{}', 'lane ' || (i % 400), ?, 0, ?
               from generate_series(1, ${count}) i`,
          [at(-1_000), at(-1_000)],
        ),
      );
    /** The quickest of some looks, in ms; each gives back what it took. */
    const look = async (): Promise<{ ms: number; taken: JobRow[] }> => {
      let ms = Infinity;
      let taken: JobRow[] = [];
      for (let round = 0; round < 5; round += 1) {
        const begun = performance.now();
        taken = await db.transaction((tx) => claim(tx, 'me', { now: at(0), leaseUntil: at(30_000) }, 128));
        ms = Math.min(ms, performance.now() - begun);
        await db.transaction((tx) => tx.query('update job set lease_until = null'));
      }
      return { ms, taken };
    };

    await waits(300);
    const few = await look();
    await waits(20_000);
    const many = await look();

    expect(few.taken.map(({ id }) => id)).toEqual(
      Array.from({ length: 128 }, (_, index) => `300 ${String(index + 1).padStart(8, '0')}`),
    );
    expect(many.taken).toHaveLength(128);
    // 67 times as many wait; read and sorted as a whole they took some 40 times as long.
    expect(many.ms / few.ms).toBeLessThan(10);
  });
});

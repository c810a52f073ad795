// The durable queue: lanes, keys, leases, back-off, parking and stopping, with real workers on both databases.
import { setTimeout as pause } from 'node:timers/promises';
import { describe, expect, onTestFinished, test } from 'vitest';
import { z } from 'zod';
import { UpstreamError } from '../../../src/base/errors.ts';
import { createMetrics } from '../../../src/base/metrics.ts';
import type { JobRow } from '../../../src/db/tables.ts';
import {
  claim,
  createQueue,
  defineBatchTask,
  defineTask,
  releaseLeases,
  unpark,
  type Outcome,
  type RunningJob,
} from '../../../src/jobs/queue.ts';
import { bindBatchTask, bindTask, createWorker, type Worker } from '../../../src/jobs/worker.ts';
import { createTestClock } from '../../support/clock.ts';
import { bothDatabases, type DatabaseKind } from '../../support/databases.ts';
import { openFresh } from '../../support/open-database.ts';
import { until } from '../../support/wait.ts';

type Run = (word: string, job: RunningJob) => Promise<Outcome | void>;

/** A database with a queue and as many workers as wanted, all of which do `run` with the word of a job. */
async function workshop(kind: DatabaseKind, options: { runLimitMs?: number; maxAttempts?: number } = {}) {
  const { db, warnings } = await openFresh(kind);
  const clock = createTestClock();
  const queue = createQueue({ db, clock });
  const metrics = createMetrics();
  const shape = z.object({ word: z.string() });
  const state = {
    run: (() => Promise.resolve()) as Run,
    runBatch: (() => Promise.resolve()) as (words: readonly string[]) => Promise<void>,
  };
  const single = defineTask('say', shape, (_: object, { word }, job) => state.run(word, job), {
    maxAttempts: options.maxAttempts ?? 12,
  });
  const batch = defineBatchTask('say-together', shape, async (_: object, items) => {
    await state.runBatch(items.map(({ payload }) => payload.word));
    await db.transaction((tx) => {
      for (const item of items) item.job.done(tx);
      return Promise.resolve();
    });
  });
  const workers: Worker[] = [];
  const { log } = quietLog(warnings);
  const newWorker = (): Worker => {
    const worker = createWorker({
      db,
      clock,
      log,
      metrics,
      queue,
      tasks: [bindTask(single, {}), bindBatchTask(batch, {})],
      ...(options.runLimitMs === undefined ? {} : { runLimitMs: options.runLimitMs }),
    });
    workers.push(worker);
    return worker;
  };
  onTestFinished(async () => {
    await Promise.all(workers.map((worker) => worker.stop(2_000)));
  });
  const enqueue = (word: string, more: Parameters<typeof queue.enqueue>[3] = {}) =>
    db.transaction((tx) => queue.enqueue(tx, single, { word }, more));
  const rows = () => db.read((reader) => reader.query<JobRow>('select * from job order by id'));
  return {
    db,
    clock,
    queue,
    state,
    newWorker,
    warnings,
    enqueue,
    enqueueTogether: (...words: string[]) =>
      db.transaction((tx) =>
        queue.enqueueAll(
          tx,
          batch,
          words.map((word) => ({ payload: { word }, lane: null })),
        ),
      ),
    rows,
    empty: () => until(async () => (await rows()).length === 0, 'an empty queue'),
    /** A worker that takes one look and dies with what it took. */
    dieHolding: async (what: (row: JobRow) => boolean, owner = 'a dead process') => {
      const leaseUntil = new Date(clock.ms() + 30_000).toISOString();
      for (const row of (await rows()).filter(what)) {
        await db.transaction((tx) =>
          tx.query('update job set lease_owner = ?, lease_until = ?, attempts = attempts + 1 where id = ?', [
            owner,
            leaseUntil,
            row.id,
          ]),
        );
      }
    },
  };
}

function quietLog(warnings: string[]) {
  const keep = (level: string) => (_: object, words: string) => void warnings.push(`${level}: ${words}`);
  const nothing = (): void => undefined;
  const log = { warn: keep('warn'), error: keep('error'), fatal: keep('fatal'), info: nothing, debug: nothing };
  return { log: log as never };
}

describe.each(bothDatabases)('on %s', (kind) => {
  test('batches of one task come one after the other, over two processes too: what came later does not overtake (O-01)', async () => {
    const { state, enqueueTogether, newWorker, empty } = await workshop(kind);
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
    await new Promise((resolve) => setTimeout(resolve, 100));
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

  test('failures are tried again after growing waits, and never before what the vendor asked for', async () => {
    const { state, enqueue, newWorker, rows, clock, warnings } = await workshop(kind);
    const waits: number[] = [];
    let asked: number | undefined;
    state.run = () =>
      Promise.reject(new UpstreamError('meta', 'retry', asked === undefined ? {} : { retryAfterMs: asked }));
    await enqueue('again');
    newWorker().start();

    for (const attempt of [1, 2, 3, 4]) {
      if (attempt === 4) asked = 900_000;
      const row = await until(async () => {
        const [job] = await rows();
        return job!.attempts === attempt && job!.leaseUntil === null && job;
      }, `try ${attempt}`);
      waits.push(Date.parse((row as JobRow).runAt) - clock.ms());
      clock.advance(waits.at(-1)! + 1);
    }

    const [first, second, third, fourth] = waits as [number, number, number, number];
    expect(first).toBeLessThanOrEqual(600);
    expect(second).toBeGreaterThan(1_000);
    expect(second).toBeLessThanOrEqual(2_400);
    expect(third).toBeGreaterThan(6_000);
    expect(third).toBeLessThanOrEqual(9_600);
    expect(fourth).toBeGreaterThan(890_000);
    expect(fourth).toBeLessThanOrEqual(1_080_000);
    expect(warnings.splice(0)).toEqual([]);
  });

  test('after its last try a job is parked with machine words, holds nobody up, and runs again by command (D-10, O4)', async () => {
    const { db, state, enqueue, newWorker, rows, clock, queue, warnings } = await workshop(kind, { maxAttempts: 2 });
    const ran: string[] = [];
    let broken = true;
    state.run = (word) => {
      if (word === 'poison' && broken) return Promise.reject(new Error('could not read "the customer’s words"'));
      ran.push(word);
      return Promise.resolve();
    };
    await enqueue('poison', { lane: 'a' });
    await enqueue('behind', { lane: 'a' });
    newWorker().start();
    await until(
      async () => (await rows())[0]?.attempts === 1 && (await rows())[0]?.leaseUntil === null,
      'the first try',
    );
    clock.advance(60_000);
    await until(() => ran.length > 0, 'the one behind');

    const [parked] = await rows();
    expect(parked).toMatchObject({ attempts: 2, error: 'Error', leaseUntil: null });
    expect(parked!.parkedAt).not.toBeNull();
    expect(ran).toEqual(['behind']);
    broken = false;
    const count = await db.transaction((tx) => unpark(tx, new Date(clock.ms()).toISOString(), null));
    queue.wake();
    await until(() => ran.length === 2, 'the poison');
    expect(count).toBe(1);
    expect(warnings.splice(0)).toEqual(['warn: job will be tried again', 'error: job parked']);
  });

  test('a handler that hangs counts as failed after its time, and others are not held up (D-10)', async () => {
    const { state, enqueue, newWorker, rows, warnings } = await workshop(kind, { runLimitMs: 300 });
    const ran: string[] = [];
    state.run = (word) => {
      if (word === 'hangs') return new Promise(() => undefined);
      ran.push(word);
      return Promise.resolve();
    };
    await enqueue('hangs', { lane: 'a' });
    await enqueue('another', { lane: 'b' });

    newWorker().start();
    await until(() => ran.length === 1, 'the other one');
    await until(async () => (await rows())[0]?.error === 'Error', 'the end of the hanging one');

    expect((await rows())[0]).toMatchObject({ attempts: 1, leaseUntil: null });
    expect(warnings.splice(0)).toContain('warn: job will be tried again');
  });

  test('a job that took the process with it in every try is parked, not run for ever (D-10)', async () => {
    const { db, state, enqueue, newWorker, rows, warnings } = await workshop(kind, { maxAttempts: 3 });
    const ran: string[] = [];
    state.run = (word) => Promise.resolve(void ran.push(word));
    await enqueue('killer');
    await db.transaction((tx) => tx.query('update job set attempts = 3'));

    newWorker().start();
    await until(async () => (await rows())[0]?.parkedAt !== null, 'the parking');

    expect(ran).toEqual([]);
    expect(warnings.splice(0)).toEqual(['error: job parked']);
  });

  test('what waits under one key is one job with the newest words; it is put off by each, but not for ever', async () => {
    const { enqueue, rows, clock } = await workshop(kind);
    const begun = clock.ms();
    const runsAfter = async (): Promise<number> => Date.parse((await rows())[0]!.runAt) - begun;

    await enqueue('first', { key: 'note', delayMs: 5_000, maxWaitMs: 12_000 });
    expect(await runsAfter()).toBeGreaterThanOrEqual(5_000);
    clock.advance(4_000);
    await enqueue('second', { key: 'note', delayMs: 5_000, maxWaitMs: 12_000 });
    expect(await runsAfter()).toBeGreaterThanOrEqual(9_000);
    clock.advance(4_000);
    await enqueue('third', { key: 'note', delayMs: 5_000, maxWaitMs: 12_000 });
    await enqueue('another', { key: 'other note' });

    const jobs = await rows();
    expect(jobs.map(({ payload }) => payload)).toEqual(['{"word":"third"}', '{"word":"another"}']);
    expect(await runsAfter()).toBeLessThan(13_000);
    expect(await runsAfter()).toBeGreaterThanOrEqual(12_000);
  });

  test('what comes under the key of a job that runs is a new job, and a failed one melts into it', async () => {
    const { state, enqueue, newWorker, rows, empty, clock, warnings } = await workshop(kind);
    const ran: string[] = [];
    let goOn = (): void => undefined;
    state.run = async (word) => {
      ran.push(word);
      if (word !== 'first') return;
      await new Promise<void>((resolve) => (goOn = resolve));
      throw new UpstreamError('pipedrive', 'retry');
    };
    await enqueue('first', { key: 'note', lane: 'note' });
    newWorker().start();
    await until(() => ran.length === 1, 'the first');

    await enqueue('second', { key: 'note', lane: 'note' });
    expect(await rows()).toHaveLength(2);
    goOn();
    await until(async () => (await rows()).length === 1, 'the two to be one');
    clock.advance(3_600_000);
    await empty();

    expect(ran).toEqual(['first', 'second']);
    expect(warnings.splice(0)).toEqual([]);
  });

  test('the work of a dead process returns when its lease has run out, and not before (D-04)', async () => {
    const { state, enqueue, newWorker, empty, dieHolding, clock } = await workshop(kind);
    const ran: string[] = [];
    state.run = (word) => Promise.resolve(void ran.push(word));
    await enqueue('held', { lane: 'a' });
    await enqueue('behind', { lane: 'a' });
    await dieHolding((row) => row.payload.includes('held'));
    await enqueue('elsewhere', { lane: 'b' });

    newWorker().start();
    await until(() => ran.length === 1, 'the other lane');
    expect(ran).toEqual(['elsewhere']);
    clock.advance(31_000);
    await empty();

    expect(ran).toEqual(['elsewhere', 'held', 'behind']);
  });

  test('a start on an embedded database frees all that was held, also two under one key, and the newest of them stays', async () => {
    const { db, state, enqueue, newWorker, empty, rows, dieHolding } = await workshop(kind);
    const ran: string[] = [];
    state.run = (word) => Promise.resolve(void ran.push(word));
    await enqueue('old', { key: 'note' });
    await dieHolding(() => true, 'one');
    await enqueue('newer', { key: 'note' });
    await dieHolding((row) => row.payload.includes('newer'), 'two');
    await enqueue('apart', { lane: 'a' });
    await dieHolding((row) => row.payload.includes('apart'), 'two');

    await db.transaction((tx) => releaseLeases(tx));
    expect((await rows()).map(({ leaseUntil }) => leaseUntil)).toEqual([null, null]);
    newWorker().start();
    await empty();

    expect(ran.toSorted()).toEqual(['apart', 'newer']);
  });

  test('of two parked under one key the newest runs again, and the command does not fail (O4)', async () => {
    const { db, enqueue, rows } = await workshop(kind);
    const now = '2026-01-01T00:00:00.000Z';
    await enqueue('old', { key: 'note' });
    await db.transaction((tx) => tx.query('update job set parked_at = ?', [now]));
    await enqueue('newer', { key: 'note' });
    await db.transaction((tx) => tx.query('update job set parked_at = ?', [now]));

    const count = await db.transaction((tx) => unpark(tx, now, null));

    expect(count).toBe(1);
    expect((await rows()).map(({ payload, parkedAt }) => [payload, parkedAt])).toEqual([
      ['{"word":"old"}', now],
      ['{"word":"newer"}', null],
    ]);
  });

  test('when the clock jumps, or the machine has slept, a running job is not begun a second time (D-09)', async () => {
    const { state, enqueue, newWorker, empty, clock, queue } = await workshop(kind);
    const ran: string[] = [];
    let goOn = (): void => undefined;
    state.run = async (word) => {
      ran.push(word);
      if (word === 'long') await new Promise<void>((resolve) => (goOn = resolve));
    };
    await enqueue('long', { lane: 'a' });
    newWorker().start();
    await until(() => ran.length === 1, 'the long one');

    await enqueue('behind', { lane: 'a' });
    clock.advance(3_600_000);
    queue.wake();
    await enqueue('free');
    await until(() => ran.includes('free'), 'another job');
    expect(ran).toEqual(['long', 'free']);
    goOn();
    await empty();

    expect(ran).toEqual(['long', 'free', 'behind']);
  });

  test('a handler may ask to be called again later; that is no failure', async () => {
    const { state, enqueue, newWorker, empty, rows, clock } = await workshop(kind);
    let calls = 0;
    state.run = () => Promise.resolve(++calls < 3 ? { againInMs: 60_000 } : undefined);
    await enqueue('look');
    newWorker().start();

    for (const call of [1, 2]) {
      await until(async () => calls === call && (await rows())[0]?.leaseUntil === null, `call ${call}`);
      expect((await rows())[0]).toMatchObject({ attempts: 0, error: null });
      clock.advance(60_001);
    }
    await empty();

    expect(calls).toBe(3);
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

  test('an effect and the end of its job commit together: a job that was taken over does not have its effect twice', async () => {
    const { db, state, enqueue, newWorker, rows, dieHolding, warnings } = await workshop(kind);
    state.run = async (_, job) => {
      await dieHolding(() => true, 'a process that took over');
      await db.transaction(async (tx) => {
        await tx.query(`update job set payload = '{"word":"effect"}'`);
        job.done(tx);
      });
    };
    await enqueue('cause');
    newWorker().start();
    await until(() => warnings.length > 0, 'the lost lease');

    expect((await rows())[0]).toMatchObject({ payload: '{"word":"cause"}', leaseOwner: 'a process that took over' });
    expect(warnings.splice(0)).toEqual(['warn: job will be tried again']);
  });

  test('stopping takes nothing new, lets what runs end, and gives back the rest of its lane (D-05)', async () => {
    const { state, enqueue, newWorker, rows } = await workshop(kind);
    const begun: string[] = [];
    const ended: string[] = [];
    let goOn = (): void => undefined;
    state.run = async (word) => {
      begun.push(word);
      await new Promise<void>((resolve) => (goOn = resolve));
      ended.push(word);
    };
    for (const word of ['one', 'two', 'three']) await enqueue(word, { lane: 'a' });
    const worker = newWorker();
    worker.start();
    await until(() => begun.length === 1, 'the first');

    const stopped = worker.stop(5_000);
    await enqueue('late');
    goOn();
    await stopped;

    expect([begun, ended]).toEqual([['one'], ['one']]);
    expect((await rows()).map(({ payload, leaseUntil, attempts }) => [payload, leaseUntil, attempts])).toEqual([
      ['{"word":"two"}', null, 0],
      ['{"word":"three"}', null, 0],
      ['{"word":"late"}', null, 0],
    ]);
  });

  test('a job that nobody knows is parked, and one whose payload is no longer understood too', async () => {
    const { db, newWorker, rows, enqueue, warnings } = await workshop(kind, { maxAttempts: 1 });
    await enqueue('x');
    await db.transaction((tx) => tx.query(`update job set payload = '{"other":1}'`));
    await enqueue('y');
    await db.transaction((tx) => tx.query(`update job set task = 'of-a-later-version' where payload like '%y%'`));

    newWorker().start();
    await until(async () => (await rows()).every(({ parkedAt }) => parkedAt !== null), 'both parked');

    expect((await rows()).map(({ error }) => error)).toEqual(['ZodError', 'Error']);
    expect(warnings.splice(0)).toEqual(['error: job parked', 'error: job parked']);
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

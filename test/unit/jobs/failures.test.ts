// What fails, hangs, dies or is stopped: tried again, parked, given back, and never done twice (D-04, D-05, D-09, D-10, O4).
import { describe, expect, test } from 'vitest';
import { UpstreamError } from '../../../src/base/errors.ts';
import { releaseLeases, unpark } from '../../../src/jobs/queue.ts';
import { bothDatabases } from '../../support/databases.ts';
import { until } from '../../support/wait.ts';
import { workshop } from '../../support/workshop.ts';

describe.each(bothDatabases)('on %s', (kind) => {
  test('failures are tried again after growing waits, and never before what the vendor asked for', async () => {
    const { state, enqueue, newWorker, rows, clock, queue, warnings } = await workshop(kind);
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
      waits.push(Date.parse(row.runAt) - clock.ms());
      clock.advance(waits.at(-1)!);
      queue.wake();
    }

    const [first, second, third, fourth] = waits as [number, number, number, number];
    // Half a second, two, eight; with up to a fifth more, so that not all come back at once.
    for (const [wait, least] of [
      [first, 500],
      [second, 2_000],
      [third, 8_000],
    ] as const) {
      expect(wait).toBeGreaterThanOrEqual(least);
      expect(wait).toBeLessThanOrEqual(least * 1.2);
    }
    expect(fourth).toBeGreaterThanOrEqual(900_000);
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
});

// Jobs under one key melt into one, and a job may ask to be called again.
import { describe, expect, test } from 'vitest';
import { UpstreamError } from '../../../src/base/errors.ts';
import { unpark } from '../../../src/jobs/queue.ts';
import { bothDatabases } from '../../support/databases.ts';
import { until } from '../../support/wait.ts';
import { workshop } from '../../support/workshop.ts';

describe.each(bothDatabases)('on %s', (kind) => {
  test('what waits under one key is one job with the newest words; it is put off by each, but not for ever', async () => {
    const { enqueue, rows, clock } = await workshop(kind);
    const begun = clock.ms();
    const runsAfter = async (): Promise<number> => Date.parse((await rows())[0]!.runAt) - begun;

    await enqueue('first', { key: 'note', delayMs: 5_000, maxWaitMs: 12_000 });
    expect(await runsAfter()).toBe(5_000);
    clock.advance(4_000);
    await enqueue('second', { key: 'note', delayMs: 5_000, maxWaitMs: 12_000 });
    expect(await runsAfter()).toBe(9_000);
    clock.advance(4_000);
    await enqueue('third', { key: 'note', delayMs: 5_000, maxWaitMs: 12_000 });
    await enqueue('another', { key: 'other note' });

    const jobs = await rows();
    expect(jobs.map(({ payload }) => payload)).toEqual(['{"word":"third"}', '{"word":"another"}']);
    expect(await runsAfter()).toBe(12_000);
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

  test('a handler may ask to be called again later; that is no failure', async () => {
    const { state, enqueue, newWorker, empty, rows, clock, queue } = await workshop(kind);
    let calls = 0;
    state.run = () => Promise.resolve(++calls < 3 ? { againInMs: 60_000 } : undefined);
    await enqueue('look');
    newWorker().start();

    for (const call of [1, 2]) {
      await until(async () => calls === call && (await rows())[0]?.leaseUntil === null, `call ${call}`);
      expect((await rows())[0]).toMatchObject({ attempts: 0, error: null });
      clock.advance(60_000);
      queue.wake();
    }
    await empty();

    expect(calls).toBe(3);
  });
});

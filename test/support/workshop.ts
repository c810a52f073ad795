// A database with a queue and as many workers as a test wants: what jobs do is said by the test.
import { onTestFinished } from 'vitest';
import { z } from 'zod';
import { createMetrics } from '../../src/base/metrics.ts';
import { defineBatchTask, defineTask, createQueue, type Outcome, type RunningJob } from '../../src/jobs/queue.ts';
import { bindBatchTask, bindTask, createWorker, type Worker } from '../../src/jobs/worker.ts';
import type { JobRow } from '../../src/db/tables.ts';
import { createTestClock } from './clock.ts';
import type { DatabaseKind } from './databases.ts';
import { openFresh } from './open-database.ts';
import { until } from './wait.ts';

type Run = (word: string, job: RunningJob) => Promise<Outcome | void>;

/** A database with a queue and as many workers as wanted, all of which do `run` with the word of a job. */
export async function workshop(kind: DatabaseKind, options: { runLimitMs?: number; maxAttempts?: number } = {}) {
  const { db, warnings } = await openFresh(kind);
  // What waits for its next try stays there until a test moves the time, however slow the machine is.
  const clock = createTestClock({ standing: true });
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

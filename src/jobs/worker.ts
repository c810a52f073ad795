// The loop: claim, run, settle. Leases are renewed while a handler runs; stopping drains what has begun.
import { timeText, type Clock } from '../base/clock.ts';
import { UpstreamError } from '../base/errors.ts';
import { newId } from '../base/ids.ts';
import { withContext, type Log } from '../base/log.ts';
import type { Metrics } from '../base/metrics.ts';
import type { Database } from '../db/database.ts';
import type { JobRow } from '../db/tables.ts';
import {
  claim,
  complete,
  park,
  putBack,
  type BatchTask,
  type Outcome,
  type Queue,
  type RunningJob,
  type Task,
} from './queue.ts';

/** A task with its deps bound, as the worker runs it. */
export interface BoundTask {
  readonly name: string;
  readonly maxAttempts: number;
  readonly run: (row: JobRow, job: RunningJob) => Promise<Outcome | void>;
  readonly runBatch?: (rows: readonly JobRow[], jobs: readonly RunningJob[]) => Promise<void>;
}

export function bindTask<Deps, Payload>(task: Task<Deps, Payload>, deps: Deps): BoundTask {
  return {
    name: task.name,
    maxAttempts: task.maxAttempts,
    run: (row, job) => task.run(deps, task.shape.parse(JSON.parse(row.payload)), job),
  };
}

export function bindBatchTask<Deps, Payload>(task: BatchTask<Deps, Payload>, deps: Deps): BoundTask {
  const runBatch: BoundTask['runBatch'] = (rows, jobs) =>
    task.runBatch(
      deps,
      rows.map((row, index) => ({
        payload: task.shape.parse(JSON.parse(row.payload)),
        job: jobs[index]!,
        createdAt: row.createdAt,
        correlationId: row.correlationId,
      })),
    );
  return { name: task.name, maxAttempts: task.maxAttempts, run: (row, job) => runBatch([row], [job]), runBatch };
}

export interface WorkerDeps {
  readonly db: Database;
  readonly clock: Clock;
  readonly log: Log;
  readonly metrics: Metrics;
  readonly queue: Queue;
  readonly tasks: readonly BoundTask[];
  /** A handler that has not ended after so long counts as failed; longer than any that works. */
  readonly runLimitMs?: number;
}

export interface Worker {
  start(): void;
  /** Takes no more and waits for what runs, at most `graceMs`; what is left returns by its lease. */
  stop(graceMs: number): Promise<void>;
  /** Resolves when nothing is due and nothing runs. For tests and for commands. */
  idle(): Promise<void>;
}

const leaseMs = 30_000;
const renewMs = 10_000;
const claimLimit = 128;
const maxRunning = 256;
const pollMs = 1_000;
const usualRunLimitMs = 600_000;

/** Wait before try 2, 3, …; then the last again. With up to a fifth more at random. */
const delaysMs = [500, 2_000, 8_000, 30_000, 120_000, 600_000, 1_800_000, 3_600_000];

export function createWorker(deps: WorkerDeps): Worker {
  const tasks = new Map(deps.tasks.map((task) => [task.name, task]));
  const batchTasks = deps.tasks.filter(({ runBatch }) => runBatch !== undefined).map(({ name }) => name);
  const owner = newId();
  const running = new Set<Promise<void>>();
  const held = new Map<string, JobRow>();
  let stopping = false;
  let loop: Promise<void> | undefined;
  let renewals: NodeJS.Timeout | undefined;
  let woken = false;
  let nap: AbortController | undefined;
  const wake = (): void => {
    woken = true;
    nap?.abort();
  };

  const takeSome = async (now: string): Promise<JobRow[]> => {
    const times = { now, leaseUntil: timeText(deps.clock, leaseMs) };
    const lanesHeld = [...new Set([...held.values()].flatMap(({ lane }) => (lane === null ? [] : [lane])))];
    const taken = await deps.db.transaction((tx) =>
      claim(tx, owner, times, Math.min(claimLimit, maxRunning - held.size), { busyLanes: lanesHeld, batchTasks }),
    );
    // After a jump of the clock, or a long sleep of the machine, our own leases look like those of a dead process.
    const running = taken.filter((row) => held.has(row.id));
    if (running.length === 0) return taken;
    const busyLanes = new Set(lanesHeld);
    const isBusy = (row: JobRow): boolean => row.lane !== null && busyLanes.has(row.lane);
    const fresh = taken.filter((row) => !held.has(row.id));
    await giveBack(fresh.filter(isBusy));
    return fresh.filter((row) => !isBusy(row));
  };

  const turn = async (): Promise<void> => {
    while (!stopping) {
      woken = false;
      let rows: JobRow[] = [];
      const now = timeText(deps.clock);
      try {
        if (held.size < maxRunning) rows = await takeSome(now);
      } catch (error) {
        deps.log.error({ err: error }, 'cannot take jobs');
        await deps.clock.sleep(pollMs);
      }
      for (const lane of lanes(rows, (task) => tasks.get(task)?.runBatch !== undefined)) {
        for (const row of lane) held.set(row.id, row);
        const work = runLane(lane).finally(() => {
          for (const row of lane) held.delete(row.id);
          running.delete(work);
          wake();
        });
        running.add(work);
      }
      if (rows.length === 0 && !woken && !stopping) {
        nap = new AbortController();
        await deps.clock.sleep(await untilNextMs(now), nap.signal);
        nap = undefined;
      }
    }
  };

  /** What was due and could not be taken stands behind the head of its lane: that head's end or next try wakes us. */
  const untilNextMs = async (claimedAt: string): Promise<number> => {
    const next = await deps.db
      .read((reader) =>
        reader.one<{ runAt: string | null }>(
          'select min(run_at) as run_at from job where parked_at is null and run_at > ? and lease_until is null',
          [claimedAt],
        ),
      )
      .catch(() => undefined);
    if (!next?.runAt) return pollMs;
    return Math.max(5, Math.min(pollMs, Date.parse(next.runAt) - deps.clock.now().getTime()));
  };

  /** Jobs of one lane one by one; jobs without a lane of one batch task together; the rest each for itself. */
  const runLane = async (rows: readonly JobRow[]): Promise<void> => {
    const batch = rows.length > 1 && rows[0]!.lane === null ? tasks.get(rows[0]!.task)?.runBatch : undefined;
    if (batch) {
      try {
        const ended = new Set<JobRow>();
        const jobs = rows.map((row) => runningJob(row, () => ended.add(row)));
        await inTime(batch(rows, jobs));
        const left = rows.filter((row) => !ended.has(row));
        await Promise.all(left.map((row) => finish(row)));
        deps.metrics.jobs.inc({ task: rows[0]!.task, outcome: 'done' }, rows.length);
        return;
      } catch (error) {
        deps.log.info({ err: error, task: rows[0]!.task, jobs: rows.length }, 'batch failed, trying one by one');
      }
    }
    for (const [index, row] of rows.entries()) {
      const finished = await runOne(row);
      if (stopping || (!finished && row.lane !== null)) {
        await giveBack(rows.slice(index + 1));
        return;
      }
    }
  };

  /** Fails when a handler hangs, so that it holds its lane no longer than this. Should it end all the same, it finds its job gone. */
  const inTime = async <T>(work: Promise<T>): Promise<T> => {
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<never>((_, reject) => {
      const limit = deps.runLimitMs ?? usualRunLimitMs;
      timer = setTimeout(() => reject(new Error('took too long')), limit).unref();
    });
    try {
      return await Promise.race([work, late]);
    } finally {
      clearTimeout(timer);
    }
  };

  const runningJob = (row: JobRow, mark?: () => void): RunningJob => ({
    id: row.id,
    attempts: row.attempts,
    lastAttempt: row.attempts >= (tasks.get(row.task)?.maxAttempts ?? 1),
    done: (tx) => {
      complete(tx, row);
      mark?.();
    },
  });

  const finish = (row: JobRow): Promise<void> =>
    deps.db.grouped((tx) => {
      complete(tx, row);
      return Promise.resolve();
    });

  const runOne = (row: JobRow): Promise<boolean> =>
    withContext(
      { jobId: row.id, task: row.task, ...(row.correlationId ? { correlationId: row.correlationId } : {}) },
      async () => {
        const begun = performance.now();
        let completed = false;
        try {
          const task = tasks.get(row.task);
          if (!task) throw new Error('no such task');
          // It never came to its end the last time: it takes the process with it, and must not do so for ever (D-10).
          if (row.attempts > task.maxAttempts) throw new Error('died in its last try');
          const job = runningJob(row, () => (completed = true));
          const outcome = await inTime(task.run(row, job));
          const ms = Math.round(performance.now() - begun);
          if (outcome) {
            const runAt = 'againAt' in outcome ? outcome.againAt : timeText(deps.clock, outcome.againInMs);
            await deps.db.transaction((tx) => putBack(tx, row, { runAt, attempts: row.attempts - 1, error: null }));
            deps.metrics.jobs.inc({ task: row.task, outcome: 'again' });
            deps.log.debug({ ms, runAt }, 'job waits');
            return false;
          }
          if (!completed) await finish(row);
          deps.metrics.jobs.inc({ task: row.task, outcome: 'done' });
          deps.log.debug({ ms }, 'job done');
          return true;
        } catch (error) {
          return fail(row, error);
        }
      },
    );

  /** Answers whether the lane may go on: yes when the job was given up on. */
  const fail = async (row: JobRow, error: unknown): Promise<boolean> => {
    const words = errorWords(error);
    const last = row.attempts >= (tasks.get(row.task)?.maxAttempts ?? 1);
    try {
      if (last) {
        await deps.db.transaction((tx) => park(tx, row, timeText(deps.clock), words));
        deps.metrics.jobs.inc({ task: row.task, outcome: 'parked' });
        deps.log.error({ err: error, attempts: row.attempts }, 'job parked');
        return true;
      }
      const delayMs = retryDelay(row.attempts, error);
      await deps.db.transaction((tx) =>
        putBack(tx, row, { runAt: timeText(deps.clock, delayMs), attempts: row.attempts, error: words }),
      );
      deps.metrics.jobs.inc({ task: row.task, outcome: 'retry' });
      const level = error instanceof UpstreamError ? 'info' : 'warn';
      deps.log[level]({ err: error, attempts: row.attempts, delayMs }, 'job will be tried again');
    } catch (cause) {
      deps.log.error({ err: cause }, 'cannot settle a job; its lease will return it');
    }
    return false;
  };

  const giveBack = async (rows: readonly JobRow[]): Promise<void> => {
    if (rows.length === 0) return;
    try {
      await deps.db.transaction(async (tx) => {
        for (const row of rows)
          await putBack(tx, row, { runAt: row.runAt, attempts: row.attempts - 1, error: row.error });
      });
    } catch (cause) {
      deps.log.error({ err: cause }, 'cannot give jobs back; their leases will return them');
    }
  };

  const renew = async (): Promise<void> => {
    const ids = [...held.keys()];
    if (ids.length === 0) return;
    await deps.db
      .transaction((tx) =>
        tx.query(`update job set lease_until = ? where lease_owner = ? and id in (${ids.map(() => '?').join(', ')})`, [
          timeText(deps.clock, leaseMs),
          owner,
          ...ids,
        ]),
      )
      .catch((error: unknown) => deps.log.warn({ err: error }, 'cannot renew leases'));
  };

  const unlisten = deps.queue.onWake(wake);
  return {
    start: () => {
      loop ??= turn();
      renewals ??= setInterval(() => void renew(), renewMs).unref();
    },
    stop: async (graceMs) => {
      stopping = true;
      wake();
      unlisten();
      await loop;
      const drained = new AbortController();
      await Promise.race([Promise.all(running), deps.clock.sleep(graceMs, drained.signal)]);
      drained.abort();
      clearInterval(renewals);
    },
    idle: async () => {
      let wasQuiet = false;
      for (;;) {
        await Promise.all(running);
        const now = timeText(deps.clock);
        const due = await deps.db.read((reader) =>
          reader.one(
            // What stands behind a head that waits for its next try is not due before it.
            `select 1 from job j where j.parked_at is null and j.run_at <= ?
               and (j.lane is null or not exists (
                 select 1 from job b where b.lane = j.lane and b.parked_at is null and b.id < j.id and b.run_at > ?))
             limit 1`,
            [now, now],
          ),
        );
        // Seen twice: what was enqueued between the reading of the clock and the look was not due for the first one.
        const isQuiet = !due && running.size === 0;
        if (isQuiet && wasQuiet) return;
        wasQuiet = isQuiet;
        if (isQuiet) continue;
        wake();
        await deps.clock.sleep(5);
      }
    },
  };
}

/** What runs one after another: the jobs of one lane, and the fresh ones of one batch task. Every other job is alone. */
function lanes(rows: readonly JobRow[], isBatch: (task: string) => boolean): JobRow[][] {
  const groups = new Map<string, JobRow[]>();
  for (const row of rows) {
    const alone = row.lane === null && (!isBatch(row.task) || row.attempts > 1);
    const name = alone ? `job ${row.id}` : row.lane === null ? `task ${row.task}` : `lane ${row.lane}`;
    const known = groups.get(name);
    if (known) known.push(row);
    else groups.set(name, [row]);
  }
  return [...groups.values()];
}

function retryDelay(attempts: number, error: unknown): number {
  const planned = delaysMs[Math.min(attempts, delaysMs.length) - 1]!;
  const asked = error instanceof UpstreamError ? (error.retryAfterMs ?? 0) : 0;
  return Math.round(Math.max(planned, asked) * (1 + Math.random() / 5));
}

/** Machine words only: a foreign message may hold what must not be stored. */
function errorWords(error: unknown): string {
  if (error instanceof UpstreamError) return error.message.slice(0, 200);
  return error instanceof Error ? error.name : typeof error;
}

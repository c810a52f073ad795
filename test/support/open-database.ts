// A database of our own on a fresh file or server, and closed and removed after the test.
import { Writable } from 'node:stream';
import { onTestFinished } from 'vitest';
import { createLog } from '../../src/base/log.ts';
import { openDatabase, type Database } from '../../src/db/database.ts';
import { Job, type JobRow } from '../../src/db/tables.ts';
import { newId } from '../../src/base/ids.ts';
import { freshDatabase, type DatabaseKind, type FreshDatabase } from './databases.ts';

export interface OpenDatabase {
  readonly db: Database;
  readonly fresh: FreshDatabase;
  /** What was logged as a warning or worse; a test that expects something takes it out, the rest fails it. */
  readonly warnings: string[];
}

export async function openFresh(kind: DatabaseKind): Promise<OpenDatabase> {
  const fresh = await freshDatabase(kind);
  const { log, warnings } = createWarningLog();
  const db = await openDatabase({ url: fresh.url, log });
  onTestFinished(async () => {
    await db.close();
    await fresh.remove();
    if (warnings.length > 0) throw new Error(`unexpected in the log: ${warnings.slice(0, 3).join(' | ')}`);
  });
  return { db, fresh, warnings };
}

export function createWarningLog() {
  const warnings: string[] = [];
  const log = createLog(
    'warn',
    new Writable({
      write: (chunk: Buffer, _encoding, done) => {
        warnings.push(...chunk.toString().split('\n').filter(Boolean));
        done();
      },
    }),
  );
  return { log, warnings };
}

/** A row of a table without neighbours: what a test of storage writes and counts. */
export function jobRow(change: Partial<JobRow> = {}): JobRow {
  return {
    id: newId(),
    task: 'test',
    payload: '{}',
    lane: null,
    mergeKey: null,
    runAt: '2026-01-01T00:00:00.000Z',
    latestAt: null,
    attempts: 0,
    leaseUntil: null,
    leaseOwner: null,
    parkedAt: null,
    error: null,
    correlationId: null,
    createdAt: '2026-01-01T00:00:00.000Z',
    ...change,
  };
}

/** The payloads that are committed, in the order they were made. */
export async function storedPayloads(db: Database): Promise<string[]> {
  const rows = await db.read((reader) => reader.query<JobRow>('select * from job order by id'));
  return rows.map(({ payload }) => payload);
}

export function insertJob(db: Database, payload: string): Promise<void> {
  return db.transaction((tx) => tx.insert(Job, jobRow({ payload })));
}

// A fresh database for a test: a SQLite file of its own, or a database of its own in the run's PostgreSQL.
import { randomBytes } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Client } from 'pg';
import { inject } from 'vitest';

export type DatabaseKind = 'sqlite' | 'postgres';
export const bothDatabases: readonly DatabaseKind[] = ['sqlite', 'postgres'];

export interface FreshDatabase {
  readonly kind: DatabaseKind;
  readonly url: string;
  /** A folder that goes with it. */
  readonly folder: string;
  remove(): Promise<void>;
}

export async function freshDatabase(kind: DatabaseKind): Promise<FreshDatabase> {
  const folder = await mkdtemp(join(tmpdir(), 'inbox-test-'));
  const removeFolder = () => rm(folder, { recursive: true, force: true });
  if (kind === 'sqlite') return { kind, url: `sqlite:${join(folder, 'inbox.sqlite')}`, folder, remove: removeFolder };
  const server = inject('postgresUrl');
  const name = `inbox_${randomBytes(6).toString('hex')}`;
  await asAdmin(server, `create database ${name}`);
  return {
    kind,
    url: `${server}/${name}`,
    folder,
    remove: async () => {
      await asAdmin(server, `drop database if exists ${name} with (force)`);
      await removeFolder();
    },
  };
}

async function asAdmin(server: string, statement: string): Promise<void> {
  const client = new Client({ connectionString: `${server}/postgres` });
  await client.connect();
  try {
    await client.query(statement);
  } finally {
    await client.end();
  }
}

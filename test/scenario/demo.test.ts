// `npm run demo` as somebody in front of it sees it: it starts, tells where to go, ends on Ctrl-C, and starts again.
import { spawn, type ChildProcess } from 'node:child_process';
import { rm } from 'node:fs/promises';
import { createServer } from 'node:net';
import { onTestFinished, expect, test } from 'vitest';
import { until as eventually } from '../support/wait.ts';
import { until } from '../support/webhook-receiver.ts';

interface Demo {
  child: ChildProcess;
  said: () => string;
  ended: Promise<number | null>;
}

async function startDemo(port: number): Promise<Demo> {
  let said = '';
  const child = spawn(process.execPath, ['--import', 'tsx', 'sandbox/demo.ts', '--port', String(port)]);
  child.stdout.on('data', (part: Buffer) => (said += part.toString()));
  child.stderr.on('data', (part: Buffer) => (said += part.toString()));
  const ended = new Promise<number | null>((resolve) => child.once('exit', resolve));
  onTestFinished(async () => {
    child.kill('SIGTERM');
    await ended;
  });
  await until(
    `the demo to be ready; it said: ${said}`,
    () => said.includes('Ctrl-C') || child.exitCode !== null,
    40_000,
  );
  return { child, said: () => said, ended };
}

function addresses(demo: Demo): string[] {
  return [...demo.said().matchAll(/https?:\/\/\S+/g)].map(([url]) => url);
}

function appPort(demo: Demo): number {
  return Number(/http:\/\/localhost:(\d+)\//.exec(demo.said())?.[1]);
}

/** Keeps a port busy, as another program would. */
async function busyPort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  onTestFinished(() => new Promise((resolve) => void server.close(() => resolve())));
  return (server.address() as { port: number }).port;
}

test(
  'the demo tells addresses that answer, ends on Ctrl-C and starts again beside a busy port',
  { timeout: 90_000 },
  async () => {
    const busy = await busyPort();

    const first = await startDemo(busy);
    const answers = await Promise.all(
      addresses(first).map(async (url) => (await fetch(url, { redirect: 'manual' })).status),
    );
    const leadsInbox = addresses(first).find((url) => url.includes('/leads/messaging'))!;
    const inbox = leadsInbox.replace('/leads/messaging', '/console/leads-inbox');
    const shown = await eventually(async () => {
      const found = (await (await fetch(inbox)).json()) as { mode: string; channels: object[]; problems: string[] };
      return found.channels.length === 2 ? found : undefined;
    }, 'both channels in Leads Inbox');
    first.child.kill('SIGINT');
    const code = await first.ended;
    const port = appPort(first);
    const gone = await fetch(`http://localhost:${port}/health/live`).catch(() => 'gone');
    const second = await startDemo(port);
    second.child.kill('SIGINT');

    expect(port).not.toBe(busy);
    expect(answers).toHaveLength(6);
    expect(answers.filter((status) => status >= 400)).toEqual([]);
    expect(shown).toMatchObject({ mode: 'alive', problems: [] });
    expect(code).toBe(0);
    expect(gone).toBe('gone');
    expect(appPort(second)).toBe(port);
    expect(await second.ended).toBe(0);
    await rm(`.demo/${port}`, { recursive: true, force: true });
  },
);

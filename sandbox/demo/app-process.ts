// The app as a process of its own, as an operator runs it: started, watched until it is ready, and ended with it.
import { spawn, type ChildProcess } from 'node:child_process';
import { createWriteStream } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { createServer } from 'node:net';

export interface AppProcess {
  /** Resolves with the exit code once the process is gone, whoever ended it. */
  readonly gone: Promise<number | null>;
  stop(): Promise<void>;
}

export interface AppProcessOptions {
  /** The built entry, such as `dist/main.js`. */
  entry: string;
  url: string;
  logFile: string;
  env: Record<string, string>;
}

const readyMs = 30_000;
const graceMs = 12_000;

/** Starts the app and waits for `/health/ready`; throws with the end of its log when it does not come. */
export async function startAppProcess(options: AppProcessOptions): Promise<AppProcess> {
  // In a process group of its own, so that Ctrl-C reaches the app once, through us, and it can stop in order.
  const child = spawn(process.execPath, [options.entry], {
    env: { PATH: process.env.PATH ?? '', HOME: process.env.HOME ?? '', TZ: process.env.TZ ?? '', ...options.env },
    stdio: ['ignore', 'pipe', 'pipe'],
    detached: true,
  });
  const log = createWriteStream(options.logFile);
  child.stdout.pipe(log, { end: false });
  child.stderr.pipe(log, { end: false });
  const gone = new Promise<number | null>((resolve) => {
    child.once('exit', (code) => {
      log.end();
      resolve(code);
    });
  });
  const end = () => child.kill('SIGKILL');
  process.once('exit', end);
  const stop = async () => {
    await stopChild(child, gone);
    process.off('exit', end);
  };
  if (await isReady(child, options.url)) return { gone, stop };
  await stop();
  throw new Error(`The app did not start. The end of ${options.logFile}:\n${await lastLines(options.logFile)}`);
}

async function isReady(child: ChildProcess, url: string): Promise<boolean> {
  const end = Date.now() + readyMs;
  while (Date.now() < end && child.exitCode === null && child.signalCode === null) {
    const answer = await fetch(`${url}/health/ready`, { signal: AbortSignal.timeout(2_000) }).catch(() => null);
    if (answer?.status === 200) return true;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  return false;
}

async function stopChild(child: ChildProcess, gone: Promise<unknown>): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  child.kill('SIGTERM');
  const late = setTimeout(() => child.kill('SIGKILL'), graceMs);
  await gone;
  clearTimeout(late);
}

async function lastLines(file: string): Promise<string> {
  const text = await readFile(file, 'utf8').catch(() => '');
  return text.trimEnd().split('\n').slice(-12).join('\n');
}

/** The wanted port if nobody listens there, else any free one. */
export async function freePort(wanted: number): Promise<number> {
  return (await tryPort(wanted)) ?? (await tryPort(0)) ?? 0;
}

function tryPort(port: number): Promise<number | null> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once('error', () => resolve(null));
    server.listen(port, '127.0.0.1', () => {
      const taken = (server.address() as { port: number }).port;
      server.close(() => resolve(taken));
    });
  });
}

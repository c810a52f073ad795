// Servers as processes of their own, and what they take of the machine.
import { spawn, type ChildProcess } from 'node:child_process';
import { readFileSync, readdirSync } from 'node:fs';
import { createServer } from 'node:net';

export interface Server {
  readonly url: string;
  /** Resident memory in MB. */
  memory(): number;
  /** Processor time used so far, in seconds. */
  cpu(): number;
  stop(): Promise<void>;
}

export async function startServer(entry: string, environment: Record<string, string>, ready: string): Promise<Server> {
  const port = await freePort();
  const url = `http://127.0.0.1:${port}`;
  const child = spawn(process.execPath, [...(process.env.BENCH_ARGS?.split(' ') ?? []), entry], {
    env: { PATH: process.env.PATH, ...environment, PORT: String(port), PUBLIC_URL: url },
    stdio: ['ignore', 'ignore', 'inherit'],
  });
  const end = Date.now() + 20_000;
  for (;;) {
    // Any answer will do; where it would lead, to Pipedrive's sign-in say, is not followed.
    const answer = await fetch(url + ready, { redirect: 'manual' }).catch(() => null);
    if (answer) break;
    if (Date.now() > end || child.exitCode !== null) {
      await stop(child);
      throw new Error(`${entry} did not start`);
    }
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  return { url, memory: () => memoryOf(child), cpu: () => cpuOf(child.pid!), stop: () => stop(child) };
}

function memoryOf(child: ChildProcess): number {
  const status = readFileSync(`/proc/${child.pid}/status`, 'utf8');
  return Math.round(Number(/VmRSS:\s+(\d+)/.exec(status)?.[1]) / 1_024);
}

/** Processor time of a process and of those of its children that have ended, in seconds: the system counts in hundredths. */
function cpuOf(pid: number): number {
  const times = statOf(pid).slice(11, 15).map(Number);
  return times.reduce((sum, ticks) => sum + ticks, 0) / 100;
}

/** Processor time of a process with all its children, in seconds. */
export function familyCpu(pid: number): number {
  const children = readdirSync('/proc').filter((name) => /^\d+$/.test(name) && parentOf(Number(name)) === pid);
  return [pid, ...children.map(Number)].reduce((sum, each) => sum + cpuOf(each), 0);
}

function parentOf(pid: number): number {
  try {
    return Number(statOf(pid)[1]);
  } catch {
    return 0;
  }
}

/** The fields after the name, from the state on (proc_pid_stat). */
function statOf(pid: number): string[] {
  return readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1]!.split(' ');
}

async function stop(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null) return;
  const gone = new Promise((resolve) => child.once('exit', resolve));
  child.kill('SIGTERM');
  await gone;
}

export function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.once('error', reject);
    server.listen(0, '127.0.0.1', () => {
      const { port } = server.address() as { port: number };
      server.close(() => resolve(port));
    });
  });
}

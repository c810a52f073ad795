// The built server as a process of its own, to be killed as a machine kills it.
import { spawn, type ChildProcess } from 'node:child_process';
import { until } from './wait.ts';

export interface ServerProcess {
  /** Ends it with nothing said and nothing flushed. */
  kill(): Promise<void>;
  /** Asks it to end; answers its exit code. */
  stop(): Promise<number | null>;
  /** What it wrote, lines of its log among it. */
  said(): string;
}

export interface ServerOptions {
  readonly environment: Readonly<Record<string, string>>;
  readonly url: string;
  /** A program to start it under, with that program's own words. */
  readonly under?: readonly string[];
}

/** Starts it and waits until it is ready. Throws with what it said when it ends instead. */
export async function startServerProcess({ environment, url, under = [] }: ServerOptions): Promise<ServerProcess> {
  const [program = process.execPath, ...words] = [...under, process.execPath, 'dist/main.js'];
  const child = spawn(program, words, { env: { PATH: process.env.PATH, ...environment } });
  let said = '';
  child.stdout.on('data', (part: Buffer) => (said += part.toString()));
  child.stderr.on('data', (part: Buffer) => (said += part.toString()));
  await until(
    async () => {
      if (hasEnded(child)) return true;
      const answer = await fetch(`${url}/health/ready`).catch(() => undefined);
      return answer?.status === 200;
    },
    'the server to be ready',
    90_000,
  );
  if (hasEnded(child)) throw new Error(`the server did not start: ${said.slice(-2_000)}`);
  return {
    kill: () => end(child, 'SIGKILL').then(() => undefined),
    stop: () => end(child, 'SIGTERM'),
    said: () => said,
  };
}

function hasEnded(child: ChildProcess): boolean {
  return child.exitCode !== null || child.signalCode !== null;
}

function end(child: ChildProcess, signal: 'SIGKILL' | 'SIGTERM'): Promise<number | null> {
  if (hasEnded(child)) return Promise.resolve(child.exitCode);
  return new Promise((resolve) => {
    child.once('exit', (code) => resolve(code));
    child.kill(signal);
  });
}

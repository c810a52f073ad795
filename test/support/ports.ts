// Ports for servers that are told theirs beforehand, and come back on it after a stop. Below those that the system gives out
// by itself (32768 and up on Linux): one of those may be taken by any connection in between.
import { createServer } from 'node:net';

const perWorker = 1_000;
const first = 20_000 + (Number(process.env.VITEST_POOL_ID ?? 0) % 12) * perWorker;
let given = process.pid % perWorker;

/** A port that nobody listens on, and that no other test of this run is given. */
export async function freePort(): Promise<number> {
  for (;;) {
    given = (given + 1) % perWorker;
    if (await isFree(first + given)) return first + given;
  }
}

function isFree(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once('error', () => resolve(false));
    server.listen(port, '127.0.0.1', () => server.close(() => resolve(true)));
  });
}

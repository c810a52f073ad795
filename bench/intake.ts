// Durable intake: signed webhooks stored and acknowledged, the app beside the baseline, in alternating rounds of one run.
import { createHmac } from 'node:crypto';
import autocannon from 'autocannon';
import { startServer, type Server } from './processes.ts';

const appSecret = 'bench-app-secret-0123456789';
const levels = [
  { connections: 1, amount: 1_500 },
  { connections: 16, amount: 12_000 },
  { connections: 64, amount: 24_000 },
] as const;
const rounds = 3;

export interface IntakeSubject {
  readonly name: string;
  readonly databaseUrl: string;
  /** Rows that stand in the table of jobs, to hold against what was acknowledged. */
  readonly count: () => Promise<number>;
}

interface Round {
  readonly perSecond: number;
  readonly p50: number;
  readonly p99: number;
}

/** Settings of an app that speaks to nobody. */
export const quietEnvironment: Record<string, string> = {
  PIPEDRIVE_CLIENT_ID: 'bench',
  PIPEDRIVE_CLIENT_SECRET: 'bench-client-secret',
  META_APP_ID: '1',
  META_APP_SECRET: appSecret,
  META_VERIFY_TOKEN: 'bench',
  LOG_LEVEL: 'warn',
};

/** Prints a table; answers the ratio at the highest concurrency. Throws when an answer or a row is missing. */
export async function measureIntake(app: IntakeSubject, bare: IntakeSubject): Promise<number> {
  const servers: [IntakeSubject, Server][] = [];
  for (const [subject, entry] of [
    [app, 'dist/bench/intake-app.js'],
    [bare, 'dist/bench/bare.js'],
  ] as const) {
    const environment = { ...quietEnvironment, DATABASE_URL: subject.databaseUrl };
    servers.push([subject, await startServer(entry, environment, '/')]);
  }
  try {
    const [[, appServer], [, bareServer]] = servers as [[IntakeSubject, Server], [IntakeSubject, Server]];
    const idle = appServer.memory();
    let acknowledged = await warmUp(servers);
    let ratio = 0;
    for (const { connections, amount } of levels) {
      const results = new Map<Server, Round[]>([
        [appServer, []],
        [bareServer, []],
      ]);
      for (let round = 0; round < rounds; round += 1) {
        for (const [, server] of servers) results.get(server)!.push(await fire(server, connections, amount));
        acknowledged += amount;
      }
      const [ours, theirs] = [median(results.get(appServer)!), median(results.get(bareServer)!)];
      ratio = ours.perSecond / theirs.perSecond;
      console.log(
        `${String(connections).padStart(3)} at once   app ${line(ours)}   bare ${line(theirs)}   ratio ${percent(ratio)}`,
      );
    }
    console.log(
      `memory      app ${idle} MB idle, ${appServer.memory()} MB after the load; bare ${bareServer.memory()} MB`,
    );
    for (const [subject] of servers) {
      const rows = await subject.count();
      if (rows !== acknowledged) throw new Error(`${subject.name}: ${acknowledged} acknowledged, ${rows} stored`);
    }
    return ratio;
  } finally {
    for (const [, server] of servers) await server.stop();
  }
}

async function warmUp(servers: readonly [IntakeSubject, Server][]): Promise<number> {
  for (const [, server] of servers) await fire(server, 16, 4_000);
  return 4_000;
}

let serial = 0;

async function fire(server: Server, connections: number, amount: number): Promise<Round> {
  const result = await autocannon({
    url: `${server.url}/webhooks/messenger`,
    connections,
    amount,
    requests: Array.from({ length: 500 }, () => request((serial += 1))),
  });
  if (result['2xx'] !== amount || result.errors > 0 || result.timeouts > 0) {
    throw new Error(`only ${result['2xx']} of ${amount} were acknowledged`);
  }
  return { perSecond: amount / result.duration, p50: result.latency.p50, p99: result.latency.p99 };
}

function request(number: number): autocannon.Request {
  const body = JSON.stringify({
    object: 'page',
    entry: [
      {
        id: '104857293661045',
        time: 1_795_183_512_345 + number,
        messaging: [
          {
            sender: { id: String(7_214_093_385_562_418 + (number % 200)) },
            recipient: { id: '104857293661045' },
            timestamp: 1_795_183_512_345 + number,
            message: { mid: `m_bench-${number}`, text: `Is week ${number} free for an installation?` },
          },
        ],
      },
    ],
  });
  return {
    method: 'POST',
    body,
    headers: {
      'content-type': 'application/json',
      'x-hub-signature-256': `sha256=${createHmac('sha256', appSecret).update(body).digest('hex')}`,
    },
  };
}

function median(results: readonly Round[]): Round {
  return [...results].sort((left, right) => left.perSecond - right.perSecond)[Math.floor(results.length / 2)]!;
}

function line({ perSecond, p50, p99 }: Round): string {
  return `${String(Math.round(perSecond)).padStart(6)}/s p50 ${String(p50).padStart(3)} ms p99 ${String(p99).padStart(3)} ms`;
}

export function percent(share: number): string {
  return `${Math.round(share * 100)} %`;
}

// The baseline: Node's own HTTP server that verifies the same signature and commits the same row by group commit, in raw SQL.
// Settings: PORT, DATABASE_URL, META_APP_SECRET. Nothing of the app is in here.
import { createHmac, randomUUID, timingSafeEqual } from 'node:crypto';
import { createServer } from 'node:http';
import Sqlite from 'better-sqlite3';
import { Client } from 'pg';

const { PORT = '0', DATABASE_URL = '', META_APP_SECRET = '' } = process.env;
const columns = ['id', 'task', 'payload', 'run_at', 'attempts', 'correlation_id', 'created_at'] as const;
type Row = readonly [string, string, string, string, number, string, string];
type Commit = (rows: readonly Row[]) => Promise<void> | void;

async function openStore(): Promise<Commit> {
  if (DATABASE_URL.startsWith('sqlite:')) {
    const database = new Sqlite(DATABASE_URL.slice('sqlite:'.length));
    database.pragma('journal_mode = WAL');
    database.pragma('synchronous = FULL');
    const insert = database.prepare(`insert into job (${columns.join(', ')}) values (?, ?, ?, ?, ?, ?, ?)`);
    return database.transaction((rows: readonly Row[]) => rows.forEach((row) => insert.run(...row)));
  }
  const client = new Client({ connectionString: DATABASE_URL, options: '-c synchronous_commit=on' });
  await client.connect();
  return async (rows) => {
    const places = rows.map((_, row) => `(${columns.map((__, at) => `$${row * columns.length + at + 1}`).join(', ')})`);
    await client.query(`insert into job (${columns.join(', ')}) values ${places.join(', ')}`, rows.flat());
  };
}

const commit = await openStore();
const waiting: { row: Row; done: () => void }[] = [];
let writing = false;

async function drain(): Promise<void> {
  writing = true;
  await new Promise(setImmediate);
  while (waiting.length > 0) {
    const group = waiting.splice(0, 256);
    await commit(group.map(({ row }) => row));
    for (const { done } of group) done();
  }
  writing = false;
}

function store(body: Buffer): Promise<void> {
  const now = new Date().toISOString();
  const payload = JSON.stringify({
    provider: 'messenger',
    body: body.toString('base64'),
    pathAndQuery: '/webhooks/messenger',
    receivedAt: now,
  });
  const row: Row = [randomUUID(), 'ingest', payload, now, 0, randomUUID(), now];
  return new Promise((resolve) => {
    waiting.push({ row, done: resolve });
    if (!writing) void drain();
  });
}

createServer((request, response) => {
  const parts: Buffer[] = [];
  request.on('data', (part: Buffer) => parts.push(part));
  request.on('end', () => {
    const body = Buffer.concat(parts);
    const right = Buffer.from(`sha256=${createHmac('sha256', META_APP_SECRET).update(body).digest('hex')}`);
    const given = Buffer.from(String(request.headers['x-hub-signature-256']));
    if (given.length !== right.length || !timingSafeEqual(given, right)) {
      response.writeHead(403).end();
      return;
    }
    void store(body).then(() => response.writeHead(200, { 'content-type': 'text/plain' }).end('EVENT_RECEIVED'));
  });
}).listen(Number(PORT), '127.0.0.1');

// `tsx bench/inbox-size.ts [--messages N] [--conversations N] [--database URL]`: fills a database with so many messages, then
// times what the screens read of it, at the server (V1): sections from first to last page, counts, a thread, searches.
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { createLog } from '../src/base/log.ts';
import type { Viewer } from '../src/companies/access.ts';
import { openDatabase, type Database, type Tx } from '../src/db/database.ts';
import { countConversations } from '../src/inbox/counts.ts';
import { pageOfPlaces } from '../src/inbox/places.ts';
import { indexMessages, indexName } from '../src/inbox/search-index.ts';

const { values: chosen } = parseArgs({
  options: {
    messages: { type: 'string', default: '1000000' },
    conversations: { type: 'string', default: '100000' },
    database: { type: 'string', default: '' },
  },
});
const conversations = Number(chosen.conversations);
const perConversation = Math.max(1, Math.round(Number(chosen.messages) / conversations));
const folder = await mkdtemp(join(tmpdir(), 'inbox-size-'));
const url = chosen.database === '' ? `sqlite:${join(folder, 'inbox.sqlite')}` : chosen.database;
const viewer: Viewer = {
  companyId: '1',
  userId: '1',
  name: 'Erik Lund',
  language: 'sv',
  timeZone: 'Europe/Stockholm',
  isAdmin: true,
  sessionId: 's',
  kind: 'page',
};
const begin = Date.parse('2024-01-01T00:00:00Z');
const time = (index: number): string => new Date(begin + index * 60_000).toISOString();
const id = (kind: string, index: number): string => `${kind}-${String(index).padStart(9, '0')}`;
const words =
  'hej tack offert solpaneler taket växelriktare batteri när kan ni komma priset månad garanti betala leverans'.split(
    ' ',
  );
const names = 'Anna Maria Åke Örjan Linnea Gustav Ewa Hannah Bo Sara'.split(' ');
const textOf = (index: number): string =>
  `${Array.from({ length: 14 }, (_, at) => words[(index * 7 + at * at * 3) % words.length]).join(' ')} nr${index % 50_000}`;

const db = await openDatabase({ url, log: createLog('warn') });
try {
  const begun = performance.now();
  await db.transaction((tx) => company(tx));
  for (let from = 0; from < conversations; from += 200) await db.transaction((tx) => fill(tx, from, from + 200));
  if (db.kind === 'postgres') await db.transaction((tx) => tx.query('analyze'));
  console.log(
    `filled in ${Math.round((performance.now() - begun) / 1_000)} s: ${conversations * perConversation} messages`,
  );
  await measure(db);
} finally {
  await db.close();
  await rm(folder, { recursive: true, force: true });
}

async function company(tx: Tx): Promise<void> {
  const createdAt = time(0);
  await tx.query(
    `insert into company (id, name, domain, settings, change_number, created_at) values ('1', 'Nordtak', 'nordtak', '{}', 0, ?)`,
    [createdAt],
  );
  for (const channel of [1, 2, 3]) {
    await tx.query(
      `insert into channel (id, company_id, owner_id, provider, account, address, name, visibility, state, facts, created_at)
       values (?, '1', '1', 'whatsapp', 'AC', ?, 'WhatsApp', 'shared', 'connected', '{}', ?)`,
      [id('channel', channel), `whatsapp:+4670000000${channel}`, createdAt],
    );
  }
}

async function fill(tx: Tx, from: number, to: number): Promise<void> {
  for (let at = from; at < Math.min(to, conversations); at += 1) {
    const [conversationId, contactId, channelId] = [
      id('conversation', at),
      id('contact', at),
      id('channel', 1 + (at % 3)),
    ];
    const name = `${names[at % names.length]} Kund${at}`;
    const lastAt = time(at * perConversation + perConversation - 1);
    await tx.query(
      `insert into contact (id, company_id, channel_id, name, address, created_at) values (?, '1', ?, ?, ?, ?)`,
      [contactId, channelId, name, `whatsapp:+46${at}`, lastAt],
    );
    const assignee = at % 3 === 0 ? null : String(1 + (at % 4));
    await tx.query(
      `insert into conversation (id, company_id, channel_id, contact_id, status, assignee_id, last_message_at, inbound_count,
         created_at, updated_at) values (?, '1', ?, ?, ?, ?, ?, ?, ?, ?)`,
      [
        conversationId,
        channelId,
        contactId,
        at % 5 === 0 ? 'open' : 'closed',
        assignee,
        lastAt,
        perConversation,
        lastAt,
        lastAt,
      ],
    );
    await indexName(tx, { companyId: '1', id: conversationId, contactId });
    for (let index = at * perConversation; index < (at + 1) * perConversation; index += 1) {
      const message = { id: id('message', index), companyId: '1', conversationId, text: textOf(index) };
      await tx.query(
        `insert into message (id, company_id, channel_id, conversation_id, direction, author_kind, author_name, kind, text, status,
           reactions, inbound_number, created_at, attempts) values (?, '1', ?, ?, 'inbound', 'contact', ?, 'text', ?, 'received', '[]', ?, ?, 0)`,
        [message.id, channelId, conversationId, name, message.text, (index % perConversation) + 1, time(index)],
      );
      await indexMessages(tx, [message]);
    }
  }
}

async function measure(db: Database): Promise<void> {
  const timed = async (what: string, work: (round: number) => Promise<unknown>): Promise<void> => {
    const took: number[] = [];
    for (let round = 0; round < 21; round += 1) {
      const start = performance.now();
      await work(round);
      took.push(performance.now() - start);
    }
    took.sort((left, right) => left - right);
    console.log(
      `${what.padEnd(34)} p50 ${took[10]!.toFixed(1).padStart(7)} ms   p95 ${took[19]!.toFixed(1).padStart(7)} ms`,
    );
  };
  const page = (more: object) =>
    db.read((reader) =>
      pageOfPlaces(reader, viewer, { section: 'all', sort: 'newest', limit: 30, ...more }, time(1e7)),
    );
  for (const section of ['unassigned', 'mine', 'others', 'closed', 'all'] as const) {
    await timed(`${section}, first page`, () => page({ section }));
    const last = Buffer.from(JSON.stringify([time(perConversation * 60), id('conversation', 60)])).toString(
      'base64url',
    );
    await timed(`${section}, last page`, () => page({ section, cursor: last }));
  }
  await timed('closing soon, first page', () => page({ sort: 'closing' }));
  await timed('counts', () => db.read((reader) => countConversations(reader, viewer)));
  await timed('a thread', (round) =>
    db.read((reader) =>
      reader.query('select * from message where conversation_id = ? order by created_at desc, id desc limit 31', [
        id('conversation', (round * 4_001) % conversations),
      ]),
    ),
  );
  const searches = [
    'solpaneler',
    'panel',
    'batteri garanti',
    'växel',
    'hej',
    'nr777',
    'nr49999',
    'Kund4242',
    'örjan kund77',
    'finnsinte',
  ];
  for (const q of searches) await timed(`search ${q}`, () => page({ q }));
}

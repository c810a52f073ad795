// Fills a company's inbox with years of history, quickly and always alike: what the inbox is measured on (V1).
import { openDatabase, type Tx, type Value } from '../src/db/database.ts';
import { createLog } from '../src/base/log.ts';
import { indexMessages, indexNames } from '../src/inbox/search-index.ts';

export interface Filling {
  readonly databaseUrl: string;
  readonly companyId: string;
  /** Conversations are dealt out to these in turn. */
  readonly channelIds: readonly string[];
  /** Who may be assigned; the first has read most of what is there. */
  readonly userIds: readonly string[];
  readonly conversations: number;
  /** Of all conversations together. */
  readonly messages: number;
  /** So many of the messages stand in one conversation alone. */
  readonly longest: number;
}

export interface Filled {
  readonly longestId: string;
  /** Words as customers wrote them, from the most common to the rarest. */
  readonly words: readonly string[];
  readonly nameOf: (conversation: number) => string;
  readonly idOf: (conversation: number) => string;
  /** How many messages a conversation has. */
  readonly sizeOf: (conversation: number) => number;
}

const atOnce = 100;
const dayMs = 86_400_000;
const firstNames = 'Anna Maria Åke Örjan Linnea Gustav Ewa Hannah Bo Sara Per-Olof Zoë'.split(' ');
const lastNames = 'Åkerlund Öberg Ek Lindqvist Holmström Sjögren Dahl Nyström Berg Årebro'.split(' ');

/** Ids as ours look, in the order of their numbers. */
const idOf = (kind: number, index: number): string =>
  `019a${kind}000-0000-7000-8000-${String(index).padStart(12, '0')}`;
const nameOf = (at: number): string => `${pick(firstNames, at)} ${pick(lastNames, Math.floor(at / 12))} ${at}`;

/** Fills an empty company of a database that no server has open. */
export async function fillInbox(filling: Filling): Promise<Filled> {
  const db = await openDatabase({ url: filling.databaseUrl, log: createLog('warn') });
  try {
    const words = vocabulary();
    const textOf = texts(words);
    for (let from = 0; from < filling.conversations; from += atOnce) {
      const to = Math.min(filling.conversations, from + atOnce);
      await db.transaction((tx) => conversations(tx, filling, from, to, textOf));
    }
    return {
      longestId: idOf(2, 0),
      words,
      nameOf,
      idOf: (at) => idOf(2, at),
      sizeOf: (at) => sizeOf(filling, at),
    };
  } finally {
    await db.close();
  }
}

async function conversations(
  tx: Tx,
  filling: Filling,
  from: number,
  to: number,
  textOf: (index: number) => string,
): Promise<void> {
  const { companyId, channelIds, userIds } = filling;
  const contactRows: Value[][] = [];
  const identityRows: Value[][] = [];
  const conversationRows: Value[][] = [];
  const markRows: Value[][] = [];
  const numbers = Array.from({ length: to - from }, (_, at) => from + at);
  const messages = numbers.flatMap((at) => messagesOf(filling, at, textOf));
  for (const at of numbers) {
    const [conversationId, contactId, channelId] = [idOf(2, at), idOf(1, at), pick(channelIds, at)];
    const lastAt = timeOf(filling, at, 0);
    const phone = `+4673${String(at).padStart(7, '0')}`;
    const inbound = countInbound(sizeOf(filling, at));
    const assigneeId = at % 3 === 0 ? null : pick(userIds, at);
    contactRows.push([contactId, companyId, channelId, nameOf(at), `whatsapp:${phone}`, lastAt]);
    identityRows.push([channelId, 'phone', phone, contactId]);
    conversationRows.push([
      conversationId,
      companyId,
      channelId,
      contactId,
      at % 5 === 0 ? 'open' : 'closed',
      assigneeId,
      idOf(3, lastIndexOf(filling, at)),
      lastAt,
      lastAt,
      new Date(Date.parse(lastAt) + dayMs).toISOString(),
      inbound,
      lastAt,
      lastAt,
    ]);
    if (at % 10 !== 0) {
      const through = idOf(3, lastIndexOf(filling, at));
      const where = [channelId, at % 5 === 0 ? 'open' : 'closed', assigneeId];
      markRows.push([conversationId, userIds[0]!, companyId, inbound, through, ...where, 1]);
    }
  }
  await insert(tx, 'contact (id, company_id, channel_id, name, address, created_at)', contactRows);
  await insert(tx, 'contact_identity (channel_id, type, value, contact_id)', identityRows);
  await insert(
    tx,
    `conversation (id, company_id, channel_id, contact_id, status, assignee_id, last_message_id, last_message_at,
       last_inbound_at, reply_until, inbound_count, created_at, updated_at)`,
    conversationRows,
  );
  await insert(
    tx,
    `read_mark (conversation_id, user_id, company_id, read_count, through_message_id, channel_id, status, assignee_id, caught_up)`,
    markRows,
  );
  await insert(
    tx,
    `message (id, company_id, channel_id, conversation_id, direction, author_kind, author_id, author_name, kind, text,
       status, reactions, inbound_number, created_at, attempts)`,
    messages.map(({ row }) => row),
  );
  await indexNames(
    tx,
    numbers.map((at) => ({ companyId, id: idOf(2, at), name: nameOf(at) })),
  );
  await indexMessages(
    tx,
    messages.map(({ id, conversationId, text }) => ({ id, companyId, conversationId, text })),
  );
}

/** Two of three are the customer's. */
function messagesOf(filling: Filling, at: number, textOf: (index: number) => string) {
  const { companyId, channelIds, userIds } = filling;
  const size = sizeOf(filling, at);
  const conversationId = idOf(2, at);
  return Array.from({ length: size }, (_, position) => {
    const index = lastIndexOf(filling, at) - size + 1 + position;
    const isInbound = position % 3 !== 1;
    const [id, text, authorId] = [idOf(3, index), textOf(index), isInbound ? null : pick(userIds, at)];
    const row: Value[] = [
      ...[id, companyId, pick(channelIds, at), conversationId],
      ...(isInbound ? ['inbound', 'contact', null, nameOf(at)] : ['outbound', 'user', authorId, 'Erik Lund']),
      ...['text', text, isInbound ? 'received' : 'read', '[]'],
      ...[isInbound ? countInbound(position + 1) : null, timeOf(filling, at, size - 1 - position), 0],
    ];
    return { id, conversationId, text, row };
  });
}

/** The first conversation is the long one. */
function sizeOf(filling: Filling, at: number): number {
  if (at === 0) return filling.longest;
  return Math.max(1, Math.round((filling.messages - filling.longest) / (filling.conversations - 1)));
}

function lastIndexOf(filling: Filling, at: number): number {
  return filling.longest - 1 + at * sizeOf(filling, 1);
}

const countInbound = (messages: number): number => messages - Math.floor((messages + 1) / 3);

/** The highest number wrote last, a few seconds ago; two years lie between it and the first. */
function timeOf(filling: Filling, at: number, messagesBefore: number): string {
  const step = (730 * dayMs) / filling.conversations;
  return new Date(begun - (filling.conversations - at) * step - messagesBefore * 1_000).toISOString();
}

const begun = Date.now();

async function insert(tx: Tx, into: string, rows: readonly Value[][]): Promise<void> {
  for (let from = 0; from < rows.length; from += 1_000) {
    const some = rows.slice(from, from + 1_000);
    const marks = `(${some[0]!.map(() => '?').join(', ')})`;
    await tx.query(`insert into ${into} values ${some.map(() => marks).join(', ')}`, some.flat());
  }
}

/** As in any language: a few words stand everywhere, most stand almost nowhere. */
function vocabulary(): string[] {
  const common =
    'hej tack och när kan ni komma offert priset solpaneler växelriktare batteri garanti månad ångrar öppet';
  const syllables = 'sol tak väx rik tar bat ter gar an ti månad lån örn åter hus led fas kabel vatt mät'.split(' ');
  const random = randomFrom(7);
  const rare = new Set<string>();
  while (rare.size < 20_000) {
    rare.add(
      Array.from({ length: 2 + Math.floor(random() * 3) }, () => pick(syllables, Math.floor(random() * 1e6))).join(''),
    );
  }
  return [...common.split(' '), ...rare];
}

function texts(words: readonly string[]): (index: number) => string {
  return (index) => {
    const random = randomFrom(index + 1);
    const length = 3 + Math.floor(random() * 12);
    // Each word as often as its rank says (Zipf).
    const word = (): string => words[Math.floor(words.length ** random()) - 1] ?? words[0]!;
    return Array.from({ length }, word).join(' ');
  };
}

/** mulberry32: the same numbers in every run. */
function randomFrom(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  };
}

function pick<T>(list: readonly T[], at: number): T {
  return list[at % list.length]!;
}

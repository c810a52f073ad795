// The full-text index over contacts' names and messages' texts (V1), kept in the transaction that changes them.
// Both databases' own full-text indexes know whole words and their beginnings; people look for parts ("panel" in
// "solpaneler"). So what is indexed is not words but every three letters of them, as in a trigram index, and both databases
// answer alike without an extension. A token is a hash of the letters and the company: what other companies write
// costs nothing here, and the index holds nobody's words.
import type { Tx } from '../db/database.ts';
import type { ContactRow, ConversationRow, MessageRow } from '../db/tables.ts';
import type { Follower, Happening } from './changes.ts';

/** A form in which what differs only by capitals or by how accents are encoded is the same. */
export function fold(text: string): string {
  return text.normalize('NFKC').toLowerCase();
}

/** Words are what stands between blanks; a shorter one than this is found where a word begins, a longer one anywhere. */
export const anywhereFrom = 3;
/** Also inside what stands between blanks: `Öberg` in `(Öberg)` and `Ek` in `Anna-Lisa/Ek`. */
export const wordStart = String.raw`(?:(?<!\S)|(?<![\p{L}\p{N}])(?=[\p{L}\p{N}]))`;
const starts = new RegExp(wordStart, 'gu');

/** Everything a text can be found by. */
function tokensOf(companyId: string, text: string): string[] {
  const tokens = new Set<string>();
  for (const word of fold(text).split(/\s+/)) {
    const letters = [...word];
    for (let at = 0; at + anywhereFrom <= letters.length; at += 1) {
      tokens.add(tokenOf(companyId, letters.slice(at, at + anywhereFrom).join('')));
    }
    for (const { index } of word.matchAll(starts)) {
      const start = [...word.slice(index, index + 4)];
      for (let length = 1; length < anywhereFrom && length <= start.length; length += 1) {
        tokens.add(tokenOf(companyId, `^${start.slice(0, length).join('')}`));
      }
    }
  }
  return [...tokens];
}

/** What a folded word demands of the index. */
export function demandsOf(companyId: string, word: string): string[] {
  const letters = [...word];
  if (letters.length < anywhereFrom) return [tokenOf(companyId, `^${word}`)];
  return Array.from({ length: letters.length - anywhereFrom + 1 }, (_, at) =>
    tokenOf(companyId, letters.slice(at, at + anywhereFrom).join('')),
  );
}

/** Stands for a message's id where the contact's name is indexed. */
const ofName = '';

/** FNV-1a: quick, and spread well enough; two grams with one token only cost a second look. Letters and digits alone. */
function tokenOf(companyId: string, gram: string): string {
  let hash = 0x811c9dc5;
  for (const part of [companyId, gram]) {
    for (let at = 0; at < part.length; at += 1) hash = Math.imul(hash ^ part.charCodeAt(at), 0x01000193);
    hash = Math.imul(hash ^ 0xffff, 0x01000193);
  }
  return (hash >>> 0).toString(36);
}

/** Follows every message and every conversation that begins or is erased. */
export const followSearch: Follower = async (tx, happenings) => {
  let fresh: IndexedMessage[] = [];
  for (const happening of happenings) {
    if (happening.kind === 'message.received' || happening.kind === 'message.queued') {
      fresh.push(happening.message);
      continue;
    }
    await indexMessages(tx, fresh);
    fresh = [];
    await followOther(tx, happening);
  }
  await indexMessages(tx, fresh);
};

async function followOther(tx: Tx, happening: Happening): Promise<void> {
  switch (happening.kind) {
    case 'message.changed':
      // A text changes by an edit, or when a contact card has been read.
      return happening.message.kind === 'contact' || happening.message.details?.includes('"edited"')
        ? reindexMessage(tx, happening.message)
        : undefined;
    case 'message.removed':
      return forget(tx, happening.conversation.id, happening.messageId);
    case 'conversation.changed':
      return happening.act === 'started' ? indexName(tx, happening.conversation) : undefined;
    case 'conversation.joined':
      return moveAll(tx, happening.from, happening.conversation.id);
    case 'conversation.deleted':
      return forgetAll(tx, happening.conversationId);
    default:
      return undefined;
  }
}

/** Call it after a contact's name has changed. */
export async function reindexName(tx: Tx, contactId: string): Promise<void> {
  const conversation = await tx.one<ConversationRow>(
    'select * from conversation where contact_id = ? and deleted_at is null',
    [contactId],
  );
  if (!conversation) return;
  await remove(tx, 'conversation_id = ? and message_id = ?', [conversation.id, ofName]);
  await indexName(tx, conversation);
}

type IndexedMessage = Pick<MessageRow, 'id' | 'companyId' | 'conversationId' | 'text'>;

export function indexMessages(tx: Tx, messages: readonly IndexedMessage[]): Promise<void> {
  return add(
    tx,
    messages.map(({ companyId, conversationId, id, text }) => ({ companyId, conversationId, messageId: id, text })),
  );
}

/** `id` is the conversation's, `name` its contact's. */
export function indexNames(
  tx: Tx,
  conversations: readonly { readonly companyId: string; readonly id: string; readonly name: string }[],
): Promise<void> {
  return add(
    tx,
    conversations.map(({ companyId, id, name }) => ({ companyId, conversationId: id, messageId: ofName, text: name })),
  );
}

async function indexName(
  tx: Tx,
  { companyId, id, contactId }: Pick<ConversationRow, 'id' | 'companyId' | 'contactId'>,
): Promise<void> {
  const contact = await tx.one<ContactRow>('select * from contact where id = ?', [contactId]);
  await indexNames(tx, [{ companyId, id, name: contact?.name ?? '' }]);
}

async function reindexMessage(tx: Tx, message: MessageRow): Promise<void> {
  await forget(tx, message.conversationId, message.id);
  await indexMessages(tx, [message]);
}

function forget(tx: Tx, conversationId: string, messageId: string): Promise<void> {
  return remove(tx, 'conversation_id = ? and message_id = ?', [conversationId, messageId]);
}

function forgetAll(tx: Tx, conversationId: string): Promise<void> {
  return remove(tx, 'conversation_id = ?', [conversationId]);
}

/** Two conversations became one: the messages go along, the name of the other is gone. */
async function moveAll(tx: Tx, from: string, into: string): Promise<void> {
  await forget(tx, from, ofName);
  await tx.query('update search_entry set conversation_id = ? where conversation_id = ?', [into, from]);
}

interface Entry {
  readonly companyId: string;
  readonly conversationId: string;
  readonly messageId: string;
  readonly text: string;
}

/** So many rows go into one statement: the databases bound how many values one may have. */
const rowsAtOnce = 100;

async function add(tx: Tx, entries: readonly Entry[]): Promise<void> {
  const found = entries
    .map((entry) => ({ ...entry, tokens: tokensOf(entry.companyId, entry.text) }))
    .filter(({ tokens }) => tokens.length > 0);
  for (let start = 0; start < found.length; start += rowsAtOnce) {
    await addRows(tx, found.slice(start, start + rowsAtOnce));
  }
}

async function addRows(tx: Tx, entries: readonly (Entry & { readonly tokens: readonly string[] })[]): Promise<void> {
  const tokensOfEntry = new Map(entries.map((entry) => [`${entry.conversationId} ${entry.messageId}`, entry.tokens]));
  // A message that is sent again is known.
  const stored = await tx.query<{ number: number; conversationId: string; messageId: string }>(
    `insert into search_entry (company_id, conversation_id, message_id) values ${entries.map(() => '(?, ?, ?)').join(', ')}
     on conflict (conversation_id, message_id) do nothing returning number, conversation_id, message_id`,
    entries.flatMap(({ companyId, conversationId, messageId }) => [companyId, conversationId, messageId]),
  );
  if (stored.length === 0) return;
  const isPostgres = tx.kind === 'postgres';
  const row = isPostgres ? '(?, array_to_tsvector(?::text[]))' : '(?, ?)';
  await tx.query(
    `insert into search_index (rowid, grams) values ${stored.map(() => row).join(', ')}`,
    stored.flatMap(({ number, conversationId, messageId }) => {
      const tokens = tokensOfEntry.get(`${conversationId} ${messageId}`)!;
      return [number, isPostgres ? `{${tokens.join(',')}}` : tokens.join(' ')];
    }),
  );
}

async function remove(tx: Tx, where: string, values: readonly string[]): Promise<void> {
  await tx.query(`delete from search_index where rowid in (select number from search_entry where ${where})`, values);
  await tx.query(`delete from search_entry where ${where}`, values);
}

// Finds conversations whose contact's name, or one of whose messages, holds every word of a search (V1).
// The index names candidates; whether the words stand there as typed is looked up in the texts themselves.
import type { Condition } from '../companies/access.ts';
import type { Reader } from '../db/database.ts';
import { anywhereFrom, demandsOf, fold, wordStart } from './search-index.ts';

/** The index is asked for so many tokens at most; the texts are held against all words anyway. */
const maxTokens = 24;

export interface Search {
  /** True for a folded text that holds every word. */
  readonly isIn: (text: string) => boolean;
  /** `conversation_id` and `message_id` of what the index says may hold the words; no more than `most`, if it is given. */
  readonly candidates: (kind: Reader['kind'], most?: number) => Condition;
}

/** Nothing when there is nothing to search for. */
export function searchFor(companyId: string, q: string): Search | undefined {
  const words = [...new Set(fold(q).split(/\s+/))].filter((word) => word !== '');
  if (words.length === 0) return undefined;
  const patterns = words.map(patternOf);
  // Long words first: they say most.
  const tokens = [...words]
    .sort((left, right) => right.length - left.length)
    .flatMap((word) => demandsOf(companyId, word));
  const asked = [...new Set(tokens)].slice(0, maxTokens);
  return {
    isIn: (text) => patterns.every((pattern) => pattern(text)),
    candidates: (kind, most) => {
      const limit = most === undefined ? '' : `limit ${most}`;
      // Left to itself PostgreSQL guesses how many there are, and for words it has never seen walks along the whole index.
      return kind === 'postgres'
        ? {
            sql: `with hit as materialized (select "rowid" as number from search_index where grams @@ ?::tsquery ${limit})
              select e.conversation_id, e.message_id from hit join search_entry e on e.number = hit.number`,
            parameters: [asked.map((token) => `'${token}'`).join(' & ')],
          }
        : {
            sql: `select e.conversation_id, e.message_id from search_index s join search_entry e on e.number = s.rowid
              where s.search_index match ? ${limit}`,
            parameters: [asked.map((token) => `"${token}"`).join(' AND ')],
          };
    },
  };
}

function patternOf(word: string): (text: string) => boolean {
  if ([...word].length >= anywhereFrom) return (text) => text.includes(word);
  const start = new RegExp(wordStart + word.replace(/[\\^$.*+?()[\]{}|/]/g, String.raw`\$&`), 'u');
  return (text) => start.test(text);
}

/** Ids of conversations with those of the messages in them that may hold the words; nothing when there are more than `most`. */
export async function candidatesOf(
  reader: Reader,
  search: Search,
  most: number,
): Promise<ReadonlyMap<string, readonly string[]> | undefined> {
  const { sql, parameters } = search.candidates(reader.kind, most + 1);
  const rows = await reader.query<{ conversationId: string; messageId: string }>(sql, parameters);
  if (rows.length > most) return undefined;
  const candidates = new Map<string, string[]>();
  for (const { conversationId, messageId } of rows) {
    const known = candidates.get(conversationId);
    if (known) known.push(messageId);
    else candidates.set(conversationId, [messageId]);
  }
  return candidates;
}

/** Which of these conversations truly hold the words: in their contact's name, or in one of these messages. */
export async function holdingAmong(
  reader: Reader,
  search: Search,
  candidates: ReadonlyMap<string, readonly string[]>,
): Promise<Set<string>> {
  const found = await holdingInName(reader, search, [...candidates.keys()]);
  const open = [...candidates].flatMap(([id, messageIds]) => (found.has(id) ? [] : messageIds));
  // Where a name is indexed there is no message.
  const ids = open.filter((id) => id !== '');
  if (ids.length === 0) return found;
  const rows = await reader.query<{ id: string; text: string }>(
    `select conversation_id as id, text from message where id in (${ids.map(() => '?').join(', ')})`,
    ids,
  );
  return withHolders(found, search, rows);
}

/** Which of these conversations truly hold the words, in name or in any message. */
export async function holding(
  reader: Reader,
  search: Search,
  conversationIds: readonly string[],
): Promise<Set<string>> {
  const found = await holdingInName(reader, search, conversationIds);
  const open = conversationIds.filter((id) => !found.has(id));
  if (open.length === 0) return found;
  const rows = await reader.query<{ id: string; text: string }>(
    `select conversation_id as id, text from message where conversation_id in (${open.map(() => '?').join(', ')}) and text <> ''`,
    open,
  );
  return withHolders(found, search, rows);
}

async function holdingInName(reader: Reader, search: Search, conversationIds: readonly string[]): Promise<Set<string>> {
  if (conversationIds.length === 0) return new Set();
  const rows = await reader.query<{ id: string; text: string }>(
    `select cv.id, ct.name as text from conversation cv join contact ct on ct.id = cv.contact_id
     where cv.id in (${conversationIds.map(() => '?').join(', ')})`,
    conversationIds,
  );
  return withHolders(new Set(), search, rows);
}

function withHolders(
  found: Set<string>,
  search: Search,
  rows: readonly { readonly id: string; readonly text: string }[],
): Set<string> {
  for (const { id, text } of rows) if (!found.has(id) && search.isIn(fold(text))) found.add(id);
  return found;
}

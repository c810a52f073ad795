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
  /** The rows of the index, to be joined to `search_entry e`, that may hold the words. */
  readonly candidates: (kind: Reader['kind']) => Condition;
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
    candidates: (kind) =>
      kind === 'postgres'
        ? {
            sql: 'join search_index s on s.rowid = e.number and s.grams @@ ?::tsquery',
            parameters: [asked.map((token) => `'${token}'`).join(' & ')],
          }
        : {
            sql: 'join search_index s on s.rowid = e.number and s.search_index match ?',
            parameters: [asked.map((token) => `"${token}"`).join(' AND ')],
          },
  };
}

function patternOf(word: string): (text: string) => boolean {
  if ([...word].length >= anywhereFrom) return (text) => text.includes(word);
  const start = new RegExp(wordStart + word.replace(/[\\^$.*+?()[\]{}|/]/g, String.raw`\$&`), 'u');
  return (text) => start.test(text);
}

/** Whether the index has more than `many` candidates in the company; costs no more than so many. */
export async function isCommon(reader: Reader, search: Search, many: number): Promise<boolean> {
  const { sql, parameters } = search.candidates(reader.kind);
  const [row] = await reader.query<{ count: number }>(
    `select cast(count(*) as integer) as count from (select 1 as one from search_entry e ${sql} limit ${many + 1}) as counted`,
    parameters,
  );
  return (row?.count ?? 0) > many;
}

/** Which of these conversations truly hold the words; with `byIndex` only the candidates' texts are read. */
export async function holding(
  reader: Reader,
  search: Search,
  conversationIds: readonly string[],
  byIndex: boolean,
): Promise<Set<string>> {
  const found = new Set<string>();
  if (conversationIds.length === 0) return found;
  const among = (ids: readonly string[]): string => ids.map(() => '?').join(', ');
  const look = async (sql: string, parameters: Condition['parameters']): Promise<void> => {
    const rows = await reader.query<{ id: string; text: string }>(sql, parameters);
    for (const { id, text } of rows) if (!found.has(id) && search.isIn(fold(text))) found.add(id);
  };
  await look(
    `select cv.id, ct.name as text from conversation cv join contact ct on ct.id = cv.contact_id
     where cv.id in (${among(conversationIds)})`,
    conversationIds,
  );
  const open = conversationIds.filter((id) => !found.has(id));
  if (open.length === 0) return found;
  const { sql, parameters } = search.candidates(reader.kind);
  if (byIndex) {
    await look(
      `select e.conversation_id as id, m.text from search_entry e ${sql} join message m on m.id = e.message_id
       where e.conversation_id in (${among(open)})`,
      [...parameters, ...open],
    );
  } else {
    await look(
      `select conversation_id as id, text from message where conversation_id in (${among(open)}) and text <> ''`,
      open,
    );
  }
  return found;
}

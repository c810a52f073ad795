// Links as the screens show them: the record's facts, and what its notes hold.
import type { Reader } from '../db/database.ts';
import type { LinkRow } from '../db/tables.ts';
import { recordUrl } from '../pipedrive/records.ts';
import type { Link } from '../web/contract.ts';

interface NoteFacts {
  linkId: string;
  count: number;
  messages: number;
  openUntil: string | null;
}

/** The shapes of these links, by id, in two queries. */
export async function linkShapes(
  reader: Reader,
  companyId: string,
  rows: readonly LinkRow[],
): Promise<Map<string, Link>> {
  if (rows.length === 0) return new Map();
  const company = await reader.one<{ domain: string }>('select domain from company where id = ?', [companyId]);
  const facts = await reader.query<NoteFacts>(
    `select n.link_id, cast(count(distinct n.id) as integer) as count, cast(count(m.message_id) as integer) as messages,
       max(case when n.state = 'open' then n.window_until end) as open_until
     from note n left join noted_message m on m.note_id = n.id and m.confirmed = 1
     where n.link_id in (${rows.map(() => '?').join(', ')}) and n.pipedrive_note_id is not null
     group by n.link_id`,
    rows.map((row) => row.id),
  );
  const byLink = new Map(facts.map((fact) => [fact.linkId, fact]));
  return new Map(rows.map((row) => [row.id, shapeOf(row, company?.domain ?? 'app', byLink.get(row.id))]));
}

function shapeOf(row: LinkRow, domain: string, facts: NoteFacts | undefined): Link {
  return {
    id: row.id,
    type: row.type,
    recordId: row.recordId,
    title: row.title,
    url: recordUrl(domain, row.type, row.recordId),
    state: row.state,
    reason: row.reason,
    createdAt: row.createdAt,
    details: JSON.parse(row.details) as Link['details'],
    notes: facts ? { count: facts.count, messages: facts.messages, openUntil: facts.openUntil } : null,
  };
}

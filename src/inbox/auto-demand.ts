// The demands by which the app makes a record of its own accord: one person and one lead for a conversation, whoever's access it uses.
import type { Database } from '../db/database.ts';
import type { ConversationRow } from '../db/tables.ts';

export function automaticKey(conversationId: string, type: 'person' | 'lead'): string {
  return `auto/${conversationId}/${type}`;
}

/** The key of a person that the app is making for this conversation and has not linked yet, if there is one. */
export async function automaticDemand(
  { db }: { readonly db: Database },
  { id, companyId }: Pick<ConversationRow, 'id' | 'companyId'>,
): Promise<string | undefined> {
  const key = automaticKey(id, 'person');
  const open = await db.read((reader) =>
    reader.one(
      `select 1 from record_request r where r.company_id = ? and r.id = ? and (r.state = 'creating' or (r.state = 'created'
         and not exists (select 1 from link l where l.conversation_id = ? and l.type = 'person' and l.record_id = r.record_id)))`,
      [companyId, key, id],
    ),
  );
  return open && key;
}

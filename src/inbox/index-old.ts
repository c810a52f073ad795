// Brings into the search index what was stored before there was one: a database from before it, or out of an old copy (V1).
import { z } from 'zod';
import type { Database, Tx } from '../db/database.ts';
import { defineTask, type Queue } from '../jobs/queue.ts';
import { indexMessages, indexNames } from './search-index.ts';

const conversationsAtOnce = 20;

/** Goes on after the conversation with this id; what is cut short goes on where it was. */
export const indexOld = defineTask(
  'index-old',
  z.object({ after: z.string() }),
  (deps: { db: Database; queue: Queue }, { after }) =>
    deps.db.transaction(async (tx) => {
      const conversations = await tx.query<{ id: string; companyId: string; name: string }>(
        `select cv.id, cv.company_id, ct.name from conversation cv join contact ct on ct.id = cv.contact_id
         where cv.id > ? and cv.deleted_at is null order by cv.id limit ${conversationsAtOnce}`,
        [after],
      );
      const last = conversations.at(-1);
      if (!last) return;
      await indexNames(tx, conversations);
      const messages = await tx.query<{ id: string; companyId: string; conversationId: string; text: string }>(
        `select id, company_id, conversation_id, text from message
         where conversation_id in (${conversations.map(() => '?').join(', ')}) and text <> ''`,
        conversations.map(({ id }) => id),
      );
      await indexMessages(tx, messages);
      await deps.queue.enqueue(tx, indexOld, { after: last.id }, { key: last.id });
    }),
);

/** Begins it where there is something and none of it is in the index. */
export async function beginIndexing(tx: Tx, queue: Queue): Promise<void> {
  const found = await tx.one(
    'select 1 from conversation where deleted_at is null and not exists (select 1 from search_entry) limit 1',
  );
  if (found) await queue.enqueue(tx, indexOld, { after: '' }, { key: 'start' });
}

// Changes are kept as long as a window may sleep and go on from its number; one that slept longer is told to reload (V11).
import { z } from 'zod';
import { timeText, type Clock } from '../base/clock.ts';
import type { Database } from '../db/database.ts';
import { defineTask } from '../jobs/queue.ts';

const keptMs = 7 * 86_400_000;
const everyMs = 3_600_000;
/** One transaction takes out so many, so that nobody waits long for it. */
const atOnce = 5_000;

export const tidyChanges = defineTask('tidy-changes', z.object({}), async (deps: { db: Database; clock: Clock }) => {
  const before = timeText(deps.clock, -keptMs);
  const companies = await deps.db.read((reader) => reader.query<{ id: string }>('select id from company'));
  for (const { id } of companies) {
    for (let taken = atOnce; taken === atOnce;) taken = await takeOut(deps.db, id, before);
  }
  return { againInMs: everyMs };
});

/** From the oldest on: numbers are in the order of time, so that those that stay are without a gap. */
function takeOut(db: Database, companyId: string, before: string): Promise<number> {
  return db.transaction(async (tx) => {
    const old = await tx.query<{ number: number; createdAt: string }>(
      `select number, created_at from change where company_id = ? order by number limit ${atOnce}`,
      [companyId],
    );
    const numbers = old.filter(({ createdAt }) => createdAt < before).map(({ number }) => number);
    if (numbers.length > 0)
      await tx.query('delete from change where company_id = ? and number <= ?', [companyId, Math.max(...numbers)]);
    return numbers.length;
  });
}
